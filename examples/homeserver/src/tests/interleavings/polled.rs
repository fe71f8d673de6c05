//! Futures that are polled by hand.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

pub type Waiting<'w, T> = Pin<Box<dyn Future<Output = T> + 'w>>;

/// A request that nobody wakes for so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(20);

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls once, and waits until the future is woken.
pub fn poll<T>(future: &mut Waiting<'_, T>) -> Option<T> {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
        return Some(output);
    }
    let begun = Instant::now();
    while !flag.0.load(Ordering::SeqCst) {
        assert!(begun.elapsed() < PATIENCE, "a request waits for what nobody gives it");
        std::thread::yield_now();
    }
    None
}

/// Polls to the end.
pub fn finish<'w, T>(future: impl Future<Output = T> + 'w) -> T {
    let mut future: Waiting<'w, T> = Box::pin(future);
    loop {
        if let Some(output) = poll(&mut future) {
            return output;
        }
    }
}
