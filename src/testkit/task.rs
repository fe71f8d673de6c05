//! A future that is polled by hand.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

/// How often an idle kit looks whether a future was woken before it takes it for stuck.
const PATIENCE: usize = 200_000;

/// How often a future is polled before it is taken for one that never ends: such as a request
/// whose commit loses again and again.
const MOST_POLLS: usize = 2_000;

#[derive(Debug)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(super) struct Task<'h, T> {
    future: Pin<Box<dyn Future<Output = T> + 'h>>,
    woken: Arc<Flag>,
}

impl<'h, T> Task<'h, T> {
    pub(super) fn new(future: impl Future<Output = T> + 'h) -> Self {
        Self { future: Box::pin(future), woken: Arc::new(Flag(AtomicBool::new(true))) }
    }

    /// Polls once.
    pub(super) fn poll(&mut self) -> Poll<T> {
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.woken));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Waits until the future was woken; `false` if nobody does.
    pub(super) fn is_woken(&self, idle: impl Fn()) -> bool {
        for _ in 0..PATIENCE {
            if self.woken.0.load(Ordering::SeqCst) {
                return true;
            }
            idle();
        }
        false
    }

    /// Polls until the future is ready; `None` if it never is.
    pub(super) fn finish(&mut self, idle: impl Fn()) -> Option<T> {
        for _ in 0..MOST_POLLS {
            if let Poll::Ready(output) = self.poll() {
                return Some(output);
            }
            if !self.is_woken(&idle) {
                return None;
            }
        }
        None
    }
}
