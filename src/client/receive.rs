//! What an answer changes.
//!
//! ```text
//!  2xx with the call's object ───────────────► Done
//!  401 with flows, or after one with flows ──► the challenge, merged; where is the flow now?
//!  429 ──────────────────────────────────────► wait, then the same step
//!  a Matrix error with any status but 3xx; 501 ► Failed, unless a 5xx answers a poll
//!  anything else, or nothing ────────────────► no answer: back off, then ask how things stand
//! ```

use super::call::{Origin, Ticket};
use super::choice::Chosen;
use super::kept::Kept;
use super::meaning::{self, SessionImpact};
use super::options::Client;
use super::progress::Progress;
use super::state::{Ended, Kind, MAX_SAME, MAX_STEPS, Phase, State, WaitReason};
use crate::time::{Millis, Timestamp};
use crate::wire::error::{AnyCode, ErrorCode, ErrorHead};
use crate::wire::json::Span;
use crate::wire::{AuthType, ChallengeBody, Parts};

/// What came back for a request.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Answer<'b> {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header as it came.
    pub retry_after: Option<&'b str>,
    /// The body.
    pub body: &'b [u8],
}

impl<'b> Answer<'b> {
    /// An answer without a `Retry-After` header.
    #[must_use]
    pub const fn new(status: u16, body: &'b [u8]) -> Self {
        Self { status, retry_after: None, body }
    }

    /// The same with one.
    #[must_use]
    pub const fn with_retry_after(mut self, retry_after: Option<&'b str>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// `Retry-After` in seconds. As a date it would have to be held against a clock that
    /// both sides share, so that counts as none.
    fn retry_after(&self) -> Option<Millis> {
        self.retry_after?.trim_ascii().parse().ok().map(Millis::from_secs)
    }
}

/// A body can be an access token.
impl core::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { status, retry_after, body: _ } = self;
        f.debug_struct("Answer")
            .field("status", status)
            .field("retry_after", retry_after)
            .finish_non_exhaustive()
    }
}

/// What became of an answer.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_enums, reason = "the result, or not yet, or none of ours: there is no more")]
#[must_use = "the result is in here, and kept nowhere else"]
pub enum Received<R> {
    /// The call has succeeded: its result.
    Result(R),
    /// [`Client::next`] says how it goes on.
    GoOn,
    /// It answers no request that is on its way, and changes nothing.
    Ignored,
}

/// The result can be an access token.
impl<R> core::fmt::Debug for Received<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Result(_) => "Result([redacted])",
            Self::GoOn => "GoOn",
            Self::Ignored => "Ignored",
        })
    }
}

/// How a challenge stands to what was known.
#[derive(Clone, Copy)]
struct Said {
    /// It is of another session.
    anew: bool,
    /// It is of the same one, and as far as it was.
    same: bool,
    /// It tells of an error.
    refused: bool,
    /// How many stages it says are completed, and whether that says less than was known;
    /// nothing if it says what has been counted before.
    completed: Option<(usize, bool)>,
}

impl Client<'_> {
    /// Takes the answer to the request that has that ticket. Any JSON object counts as the
    /// call's result.
    pub fn receive<'b, const N: usize>(
        &self,
        progress: &mut Progress<N>,
        ticket: Ticket,
        answer: Answer<'b>,
        now: Timestamp,
    ) -> Received<&'b [u8]> {
        self.receive_as(progress, ticket, answer, now, Some)
    }

    /// The same, where only what `read` can read is the call's result: a login without the
    /// keys that a login has is none, and counts as no answer (rule C7). `read` is given
    /// the body of a 2xx that is a JSON object and no standard error.
    pub fn receive_as<'b, R, const N: usize>(
        &self,
        progress: &mut Progress<N>,
        ticket: Ticket,
        answer: Answer<'b>,
        now: Timestamp,
        read: impl FnOnce(&'b [u8]) -> Option<R>,
    ) -> Received<R> {
        let Progress { call, kept, state } = progress;
        let Some(kind) = state.awaited(call.origin(), ticket) else { return Received::Ignored };
        state.phase = Phase::Ready;
        match answer.status {
            200..=299 => {
                if let Some(ErrorHead { code: None, .. }) = ErrorHead::read(answer.body)
                    && let Some(result) = read(answer.body)
                {
                    state.phase = Phase::Done;
                    return Received::Result(result);
                }
            }
            // Whoever redirects is in between, whatever else is said there (rule C7).
            300..=399 => {
                self.lost(state, kind, kept.has_session(), now);
                return Received::GoOn;
            }
            // Nothing but a challenge was ever kept as a whole body.
            401 if kept.is_of(answer.body) => {
                let said = Said { anew: false, same: true, refused: kept.has_code(), completed: None };
                self.challenged(state, kind, said, now);
                return Received::GoOn;
            }
            401 => {
                if let Ok((text, newer)) = Parts::read(answer.body)
                    && let mut said = newer.of(text)
                    && !meaning::is_about_the_token(said.code)
                    && (said.has_flows() || (kept.has_flows() && is_a_state(&said)))
                {
                    self.challenge(kept, state, kind, (text, newer, &mut said), now);
                    return Received::GoOn;
                }
            }
            _ => {}
        }
        self.refusal(kept, state, kind, answer, now);
        Received::GoOn
    }

    /// Begins with a challenge that somebody else has received: an SDK whose own request
    /// was answered with a 401. Anything but a challenge ends it as it ends any flow.
    ///
    /// A progress that has begun ignores it.
    pub fn begin<const N: usize>(
        &self,
        progress: &mut Progress<N>,
        answer: Answer<'_>,
        now: Timestamp,
    ) -> Received<()> {
        let Progress { call, kept, state } = progress;
        if state.phase != Phase::Ready || kept.has_flows() {
            return Received::Ignored;
        }
        state.number_from(now);
        let ticket = call.origin().ticket(state.send(Kind::Start));
        self.receive_as(progress, ticket, answer, now, |_| Some(()))
    }

    /// No answer came to the request that has that ticket: the connection broke, or it
    /// took too long.
    ///
    /// Whether the request arrived nobody knows; so the server is asked how things stand,
    /// after a wait, and the credential isn't sent again unless the stage is still open.
    pub fn no_answer<const N: usize>(&self, progress: &mut Progress<N>, ticket: Ticket, now: Timestamp) {
        let Progress { call, kept, state } = progress;
        if let Some(kind) = state.awaited(call.origin(), ticket) {
            self.lost(state, kind, kept.has_session(), now);
        }
    }

    /// The request that has that ticket was not sent: it couldn't be written, the program
    /// is offline. Nothing has happened and nothing is in doubt, so there is no wait, and
    /// no count of how often: whoever calls this decides when to try again.
    pub fn not_sent<const N: usize>(&self, progress: &mut Progress<N>, ticket: Ticket) {
        let Progress { call, kept: _, state } = progress;
        if let Some(kind) = state.awaited(call.origin(), ticket) {
            state.take_back(kind);
        }
    }

    /// Whoever waited for an answer is no more, and the ticket with it: a future that was
    /// dropped, a dialogue that was closed. As [`no_answer`](Self::no_answer), for whatever
    /// request is on its way; without one nothing changes.
    pub fn abandon<const N: usize>(&self, progress: &mut Progress<N>, now: Timestamp) {
        let ticket = progress.call.origin().ticket(progress.state.ticket);
        self.no_answer(progress, ticket, now);
    }

    fn challenge<const N: usize>(
        &self,
        kept: &mut Kept<N>,
        state: &mut State,
        kind: Kind,
        (text, mut parts, newer): (&str, Parts, &mut ChallengeBody<'_>),
        now: Timestamp,
    ) {
        // Servers that have none send an empty one.
        if newer.session.is_some_and(|session| session.expose().is_empty()) {
            (parts.session, newer.session) = (Span::NONE, None);
        }
        let known = kept.without_code();
        let anew = match (known.session, newer.session) {
            (Some(known), Some(newer)) => known.expose() != newer.expose(),
            _ => false,
        };
        let same_flows = newer.flows.is_none_or(|newer| known.flows == Some(newer));
        let same_completed = newer
            .completed
            .is_none_or(|raw| known.completed == Some(raw) || newer.completed().eq(known.completed()));
        let before = known.completed().count();
        let same_session = known.session.is_some() == newer.session.is_some() && !anew;
        // What is left out is carried over; that counts as another offer, which costs only work.
        let offers = same_flows && same_completed && same_session;
        let params = newer.params == known.params;
        let holds = |chosen: &Chosen| offers && (params || !chosen.hangs_on_params());
        if !state.chosen.0.as_ref().is_some_and(holds) {
            state.chosen.0 = None;
        }
        let same = !anew && known.has_flows() && same_flows && same_completed;
        let refused = newer.code.is_some();
        if kept.merge(text, parts, newer, anew).is_err() {
            return state.end(Ended::TooLarge);
        }
        let completed = kept.completed().count();
        let said = Said { anew, same, refused, completed: Some((completed, anew || completed < before)) };
        self.challenged(state, kind, said, now);
    }

    /// What a challenge changes, once it is known.
    fn challenged(&self, state: &mut State, kind: Kind, said: Said, now: Timestamp) {
        let Said { anew, same, refused, completed } = said;
        state.lost = false;
        // That the server answers how things stand says nothing of whether it ever answers
        // what was lost: that is counted until it does.
        if kind != Kind::Resume {
            state.retries = 0;
        }
        if anew {
            state.elsewhere = None;
            state.flow = None;
            state.doubt |= state.unanswered;
            // What was answered is asked for again: a server that begins anew each time
            // would else be told the password each time.
            state.again = false;
        } else if kind.is_submit() {
            state.again = false;
        }
        if completed.is_some_and(|(completed, fell_back)| state.circles(completed, fell_back)) {
            return state.end(Ended::Loop);
        }
        if anew && kind.is_submit() && state.secret && !self.attended {
            return state.end(Ended::Refused);
        }
        if !same {
            state.same = 0;
            state.acted = false;
        } else if kind == Kind::Poll || (kind == Kind::Submit && state.polls_email()) {
            self.poll_again(state, now);
        } else if kind.is_submit() {
            if refused && !self.attended {
                return state.end(Ended::Refused);
            }
            state.same = if refused { 0 } else { state.same.saturating_add(1) };
            if state.same >= if kind == Kind::SubmitCustom { MAX_STEPS } else { MAX_SAME } {
                state.end(Ended::Loop);
            }
        }
    }

    fn refusal<const N: usize>(
        &self,
        kept: &mut Kept<N>,
        state: &mut State,
        kind: Kind,
        answer: Answer<'_>,
        now: Timestamp,
    ) {
        let error = ErrorHead::read(answer.body).unwrap_or_default();
        let ErrorHead { name, code, message, .. } = error;
        if answer.status == 429 || matches!(code, Some(AnyCode::Known(ErrorCode::LimitExceeded))) {
            let wait = answer.retry_after().or(error.retry_after);
            self.limited(state, kind, wait, now);
            if state.is_over() {
                kept.error(code, name, message);
            }
            return;
        }
        let asks_only = matches!(kind, Kind::Poll | Kind::Resume);
        // Nothing that a homeserver says: whoever is in between has decided nothing. A
        // homeserver in trouble can be asked again by whoever only asks.
        let decided = code.is_some() && (answer.status < 500 || !asks_only);
        if !decided && answer.status != 501 {
            return self.lost(state, kind, kept.has_session(), now);
        }
        let meaning = SessionImpact::of_error(self.credential, answer.status, &error);
        kept.error(code, name, message);
        state.end(Ended::Answer { status: answer.status, meaning });
    }

    fn limited(&self, state: &mut State, kind: Kind, wait: Option<Millis>, now: Timestamp) {
        let too_long = wait.is_some_and(|wait| wait > self.patience.max_retry_after);
        if too_long || state.retries >= self.patience.max_retries {
            return state.end(Ended::RateLimited(wait));
        }
        let wait = wait.unwrap_or_else(|| self.patience.retry_wait(state.retries));
        state.retries = state.retries.saturating_add(1);
        state.acted = false;
        state.again |= kind.is_submit();
        state.automatic = state.automatic.saturating_sub(1);
        state.pause(now, wait, WaitReason::RateLimited);
    }

    fn lost(&self, state: &mut State, kind: Kind, has_session: bool, now: Timestamp) {
        state.lose(kind, has_session);
        if kind == Kind::Poll {
            return self.poll_again(state, now);
        }
        if state.retries >= self.patience.max_unanswered {
            return state.end(Ended::NoAnswer);
        }
        let wait = self.patience.retry_wait(state.retries);
        state.retries = state.retries.saturating_add(1);
        state.pause(now, wait, WaitReason::NoAnswer);
    }

    /// Another poll later, if there may be one: that is looked at when it is due.
    fn poll_again(&self, state: &mut State, now: Timestamp) {
        if let Some(elsewhere) = &mut state.elsewhere {
            elsewhere.polls = elsewhere.polls.saturating_add(1);
            let wait = self.patience.poll_wait(elsewhere.polls);
            state.pause(now, wait, WaitReason::Elsewhere);
        }
    }
}

impl State {
    /// What the request with that ticket was for, if it is the one on its way.
    pub(super) fn awaited(&self, origin: Origin, ticket: Ticket) -> Option<Kind> {
        match self.phase {
            Phase::InFlight(kind) if ticket.is(origin, self.ticket) => Some(kind),
            _ => None,
        }
    }

    /// Whether the stage being answered is an e-mail's: its answer is a poll.
    fn polls_email(&self) -> bool {
        self.elsewhere_at(AuthType::EmailIdentity).is_some()
    }
}

/// Whether a 401 without flows says anything that a challenge says. What a proxy says of
/// its own password is an object as well.
const fn is_a_state(body: &ChallengeBody<'_>) -> bool {
    body.session.is_some() || body.code.is_some() || body.has_completed() || body.params().is_some()
}
