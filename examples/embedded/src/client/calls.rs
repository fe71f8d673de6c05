//! One call, from its first request to its result.

use core::fmt;

use matrix_uia::Timestamp;
use matrix_uia::client::{Answer, Call, Client, FlowFailure, Next, Progress, Received, Ticket};
use zeroize::{Zeroize, Zeroizing};

use crate::prompts::{answer, show};

/// The body of a request.
pub type Body = heapless::String<512>;
/// The body of an answer.
pub type Reply = heapless::String<1024>;

/// What is known of a call: the flows that the homeserver offers, and how far they are.
pub type Known = Progress<1024>;

/// What the device has around it. What is written to it is shown on its screen.
pub trait Surroundings: fmt::Write {
    /// What the user has typed; `None` if they have walked away.
    fn typed(&mut self) -> Option<&str>;

    /// Sends a request to the homeserver. Returns the status of the answer, whose body is in
    /// `reply`; `None` if no answer came, or one that is too long.
    fn post(&mut self, path: &str, body: &str, reply: &mut Reply) -> Option<u16>;

    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Sleeps until that moment.
    fn sleep(&mut self, until: Timestamp);
}

/// Why a call did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The user does not want it.
    Cancelled,
    /// The homeserver does not want it.
    Refused,
    /// The homeserver can't be reached, or has too much to do: try again later.
    Later,
    /// No answer came, and it can't be asked for: find out whether the call has been carried out
    /// before it is made again.
    Uncertain,
    /// The homeserver asks for what this device can't do: it takes another client.
    Unusable,
    /// What is to be sent, received or shown is longer than there is room for.
    TooLong,
}

impl From<fmt::Error> for Failure {
    fn from(_: fmt::Error) -> Self {
        Self::TooLong
    }
}

/// Makes a call: asks the user for whatever the homeserver asks for.
#[inline(never)]
pub fn make(
    client: &Client<'_>,
    call: &Call<'_>,
    path: &str,
    around: &mut impl Surroundings,
) -> Result<(), Failure> {
    // A device that may lose its power stores it before each request.
    let mut progress = Known::new(call.name());
    let mut body = Zeroizing::new(Body::new());
    let mut reply = Reply::new();
    loop {
        let request = match client.next(&mut progress, around.now()) {
            Next::Send(request) => request,
            Next::Prompt(prompt) => answer(prompt, around)?,
            Next::Wait { until, .. } => {
                around.sleep(until);
                continue;
            }
            Next::Failed(failure) => {
                say_why(&failure, around)?;
                return Err(failure_of(&failure));
            }
            Next::Uncertain(_) => return Err(Failure::Uncertain),
            _ => return Err(Failure::Unusable),
        };
        let ticket = request.ticket();
        body.zeroize();
        request.write(call, &mut *body).map_err(|_| Failure::TooLong)?;
        let status = around.post(path, &body, &mut reply);
        let answer = status.map(|status| Answer::new(status, reply.as_bytes()));
        if is_result(client, &mut progress, ticket, answer, around.now()) {
            return Ok(());
        }
    }
}

/// Hands in what came back for a request; whether it is the call's result. A call whose result
/// is of use, such as a login, takes it from there.
fn is_result(
    client: &Client<'_>,
    progress: &mut Known,
    ticket: Ticket,
    answer: Option<Answer<'_>>,
    now: Timestamp,
) -> bool {
    match answer {
        Some(answer) => matches!(client.receive(progress, ticket, answer, now), Received::Result(_)),
        None => {
            client.no_answer(progress, ticket, now);
            false
        }
    }
}

/// Shows what the homeserver says of it.
fn say_why(failure: &FlowFailure<'_>, screen: &mut impl fmt::Write) -> fmt::Result {
    let (FlowFailure::Answer { error, .. } | FlowFailure::Refused(error)) = failure else { return Ok(()) };
    match error.and_then(|error| error.message) {
        Some(words) => show(words, "\n", screen),
        None => Ok(()),
    }
}

fn failure_of(failure: &FlowFailure<'_>) -> Failure {
    match failure {
        FlowFailure::NoFlow(_) => Failure::Unusable,
        FlowFailure::RateLimited(_) | FlowFailure::NoAnswer | FlowFailure::TimedOut => Failure::Later,
        FlowFailure::TooLarge => Failure::TooLong,
        FlowFailure::Cancelled => Failure::Cancelled,
        _ => Failure::Refused,
    }
}
