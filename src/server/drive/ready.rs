//! For a host that never waits.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// The result of a future that never waits: `None` if it does.
pub fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
