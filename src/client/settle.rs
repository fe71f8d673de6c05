//! A typed client's results: somebody else has read the answer.

use core::fmt;
use core::ops::ControlFlow;

use super::call::Ticket;
use super::options::Client;
use super::progress::Progress;
use super::receive::Answer;
use super::state::Phase;
use crate::time::Timestamp;

/// What a typed client's error was, as the server sent it. The body can be written anew
/// from a value: the challenge with whatever `serde` makes of an SDK's type.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Reply<B> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: B,
}

impl<B> Reply<B> {
    /// A challenge: status 401.
    pub const fn challenge(body: B) -> Self {
        Self { status: 401, body }
    }

    /// Any other error.
    pub const fn new(status: u16, body: B) -> Self {
        Self { status, body }
    }
}

/// A body has the session in it.
impl<B> fmt::Debug for Reply<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, body: _ } = self;
        f.debug_struct("Reply").field("status", status).finish_non_exhaustive()
    }
}

impl Client<'_> {
    /// The same as [`receive`](Self::receive) where somebody else has read the answer: a
    /// typed client, whose result goes through.
    ///
    /// `read` says what an error was: `None` if no answer came, or one that makes no sense.
    /// `Break` has the call's own result: its success, or the error that ended the flow.
    /// `Continue`: [`next`](Self::next) says how it goes on.
    ///
    /// A ticket of another request changes nothing, and its error says `Continue`.
    pub fn settle<T, E, B: AsRef<[u8]>, const N: usize>(
        &self,
        progress: &mut Progress<N>,
        ticket: Ticket,
        result: Result<T, E>,
        read: impl FnOnce(&E) -> Option<Reply<B>>,
        now: Timestamp,
    ) -> ControlFlow<Result<T, E>> {
        let awaited = progress.state.awaited(progress.call.origin(), ticket).is_some();
        let error = match result {
            Ok(value) => {
                if awaited {
                    progress.state.phase = Phase::Done;
                }
                return ControlFlow::Break(Ok(value));
            }
            Err(error) => error,
        };
        match read(&error) {
            Some(reply) => {
                let answer = Answer::new(reply.status, reply.body.as_ref());
                // An error is no result, whatever its status.
                let _ = self.receive_as(progress, ticket, answer, now, |_| None::<()>);
            }
            None => self.no_answer(progress, ticket, now),
        }
        if awaited && progress.is_over() { ControlFlow::Break(Err(error)) } else { ControlFlow::Continue(()) }
    }
}
