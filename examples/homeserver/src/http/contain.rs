//! A handler that panics, and a client that hangs up.

use super::answer;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A handler that runs to its end.
///
/// A panic in it is answered 500 instead of a dropped connection. And a client that hangs up, which drops what its
/// connection waits for, leaves the rest of it to a task: without that the handler would end at whatever `await` it
/// stands, between a step of authentication and what follows from it. Most clients wait, so a task for every request
/// would cost more than the few that need one.
pub(super) struct Contained<F: Handler> {
    /// `None`: it has ended.
    handler: Option<F>,
}

/// The future of a handler, as a route has it.
pub(super) trait Handler:
    Future<Output = Result<Response, Infallible>> + Send + Unpin + 'static
{
}

impl<F: Future<Output = Result<Response, Infallible>> + Send + Unpin + 'static> Handler for F {}

impl<F: Handler> Contained<F> {
    pub(super) const fn new(handler: F) -> Self {
        Self { handler: Some(handler) }
    }
}

impl<F: Handler> Future for Contained<F> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let Some(handler) = &mut self.handler else { return Poll::Pending };
        // A handler that has panicked is not polled again, so nobody sees what it left half-done; what requests share
        // guards itself.
        let answer = match catch_unwind(AssertUnwindSafe(|| Pin::new(handler).poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(answer))) => answer,
            // What happened is on standard error already, from the panic hook.
            Err(_) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "internal error"),
        };
        self.handler = None;
        Poll::Ready(answer)
    }
}

impl<F: Handler> Drop for Contained<F> {
    fn drop(&mut self) {
        let Some(rest) = self.handler.take() else { return };
        // Outside of a runtime the process ends.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::sync::Notify;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_handler_whose_client_hangs_up_runs_to_its_end() {
        let (go_on, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (may_go_on, has_ended) = (Arc::clone(&go_on), Arc::clone(&ended));
        let handler = Contained::new(Box::pin(async move {
            may_go_on.notified().await;
            has_ended.notify_one();
            Ok(answer::json(StatusCode::OK, "{}"))
        }));
        assert!(timeout(Duration::from_millis(20), handler).await.is_err(), "it waits");
        go_on.notify_one();
        timeout(Duration::from_secs(5), ended.notified()).await.expect("it goes on in a task");
    }

    #[tokio::test]
    async fn a_handler_that_has_ended_or_panicked_is_not_polled_again() {
        let polls = Arc::new(AtomicUsize::new(0));
        for panics in [false, true] {
            let polled = Arc::clone(&polls);
            let handler = Contained::new(Box::pin(async move {
                polled.fetch_add(1, Ordering::SeqCst);
                assert!(!panics, "as the test wants");
                Ok(answer::json(StatusCode::OK, "{}"))
            }));
            let status = if panics { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
            assert_eq!(handler.await.status(), status);
        }
        tokio::task::yield_now().await;
        assert_eq!(polls.load(Ordering::SeqCst), 2);
    }
}
