//! A request that is on its way, as a value: what happens to it happens to the progress,
//! and where nothing happens to it, it was abandoned.

use core::fmt;
use core::ops::ControlFlow;

use super::call::Ticket;
use super::options::Client;
use super::progress::Progress;
use super::receive::{Answer, Received};
use super::settle::Reply;
use crate::time::Timestamp;

/// A guard for the time that a request is on its way. It is dropped where a future is
/// cancelled or an error returned early: then the request counts as
/// [abandoned](Client::abandon), and the flow can go on.
///
/// ```
/// use matrix_uia::client::{Answer, Call, Client, Next, Progress, Received};
/// # use matrix_uia::{Timestamp, wire::Raw};
/// # fn post(_: &str) -> Result<(u16, &'static [u8]), &'static str> { Ok((200, b"{}")) }
/// # fn store(_: &Progress) {}
/// # let now = || Timestamp::from_millis(0);
/// # let client = Client::new(&[]);
/// let call = Call::new("logout", Raw::parse("{}")?)?;
/// # let mut progress = Progress::<4096>::new(call.name());
/// let Next::Send(request) = client.next(&mut progress, now()) else { panic!() };
/// let (ticket, mut body) = (request.ticket(), String::new());
/// request.write(&call, &mut body)?;
/// // Written, then stored, then sent:
/// let flight = client.flight(&mut progress, ticket, now());
/// store(flight.progress());
/// let received = match post(&body) {
///     Ok((status, body)) => flight.receive(Answer::new(status, body), now()),
///     Err(_) => { flight.no_answer(now()); Received::GoOn }
/// };
/// assert!(matches!(received, Received::Result(b"{}")));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use = "dropped, it says that the request was abandoned"]
pub struct Flight<'f, const N: usize> {
    client: Client<'f>,
    progress: &'f mut Progress<N>,
    ticket: Ticket,
    since: Timestamp,
}

impl<'c> Client<'c> {
    /// The request of that ticket is about to be sent.
    pub fn flight<'f, const N: usize>(
        &self,
        progress: &'f mut Progress<N>,
        ticket: Ticket,
        now: Timestamp,
    ) -> Flight<'f, N>
    where
        'c: 'f,
    {
        Flight { client: *self, progress, ticket, since: now }
    }
}

impl<const N: usize> Flight<'_, N> {
    /// The progress, to be stored before the request is sent.
    #[must_use]
    pub const fn progress(&self) -> &Progress<N> {
        self.progress
    }

    /// As [`Client::receive`].
    pub fn receive<'b>(self, answer: Answer<'b>, now: Timestamp) -> Received<&'b [u8]> {
        let (client, ticket) = (self.client, self.ticket);
        client.receive(self.progress, ticket, answer, now)
    }

    /// As [`Client::receive_as`].
    pub fn receive_as<'b, R>(
        self,
        answer: Answer<'b>,
        now: Timestamp,
        read: impl FnOnce(&'b [u8]) -> Option<R>,
    ) -> Received<R> {
        let (client, ticket) = (self.client, self.ticket);
        client.receive_as(self.progress, ticket, answer, now, read)
    }

    /// As [`Client::settle`].
    ///
    /// # Errors
    ///
    /// None of its own: `Break` has the call's result.
    pub fn settle<T, E, B: AsRef<[u8]>>(
        self,
        result: Result<T, E>,
        read: impl FnOnce(&E) -> Option<Reply<B>>,
        now: Timestamp,
    ) -> ControlFlow<Result<T, E>> {
        let (client, ticket) = (self.client, self.ticket);
        client.settle(self.progress, ticket, result, read, now)
    }

    /// As [`Client::no_answer`].
    pub fn no_answer(self, now: Timestamp) {
        let (client, ticket) = (self.client, self.ticket);
        client.no_answer(self.progress, ticket, now);
    }

    /// As [`Client::not_sent`].
    pub fn not_sent(self) {
        let (client, ticket) = (self.client, self.ticket);
        client.not_sent(self.progress, ticket);
    }
}

/// Once the answer was taken, this ticket is nobody's, and nothing changes.
impl<const N: usize> Drop for Flight<'_, N> {
    fn drop(&mut self) {
        self.client.no_answer(self.progress, self.ticket, self.since);
    }
}

impl<const N: usize> fmt::Debug for Flight<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client: _, progress, ticket, since } = self;
        f.debug_struct("Flight")
            .field("progress", progress)
            .field("ticket", ticket)
            .field("since", since)
            .finish_non_exhaustive()
    }
}
