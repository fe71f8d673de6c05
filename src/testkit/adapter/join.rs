//! Several futures at once, without a runtime.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

enum Job<F: Future> {
    Running(Pin<Box<F>>),
    Ended(F::Output),
}

/// Runs all of them to their ends; their outputs, in order.
pub(super) async fn join<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F::Output: Unpin,
{
    let mut jobs: Vec<_> = futures.into_iter().map(|future| Job::Running(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut all_ended = true;
        for job in &mut jobs {
            if let Job::Running(future) = job {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *job = Job::Ended(output),
                    Poll::Pending => all_ended = false,
                }
            }
        }
        if all_ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let output = |job| match job {
        Job::Ended(output) => Some(output),
        Job::Running(_) => None,
    };
    jobs.into_iter().filter_map(output).collect()
}
