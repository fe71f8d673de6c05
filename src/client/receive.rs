//! What an answer changes.
//!
//! ```text
//!  2xx with an object ───────────────────────► Done
//!  401 with flows, or after one with flows ──► the challenge, merged; where is the flow now?
//!  429 ──────────────────────────────────────► wait, then the same step
//!  none, or a gateway's 5xx ─────────────────► back off, then ask how things stand
//!  anything else ────────────────────────────► Failed, unless it was only a poll
//! ```

use super::failure::{self, SessionImpact};
use super::kept::Kept;
use super::state::{Ended, Kind, MAX_SAME, MAX_STEPS, Phase, State, Ticket, WaitReason};
use super::{Client, Progress};
use crate::wire::error::{AnyCode, ErrorBody, ErrorCode};
use crate::wire::{AuthType, ChallengeBody};
use crate::{Millis, Timestamp};

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
        self.retry_after?.trim().parse().ok().map(Millis::from_secs)
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
pub enum Received<'b> {
    /// The call has succeeded: its result's body.
    Result(&'b [u8]),
    /// [`Client::next`] says how it goes on.
    GoOn,
    /// It answers no request that is on its way, and changes nothing.
    Ignored,
}

/// The result can be an access token.
impl core::fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Result(_) => "Result([redacted])",
            Self::GoOn => "GoOn",
            Self::Ignored => "Ignored",
        })
    }
}

impl Client<'_> {
    /// Takes the answer to the request that has that ticket.
    pub fn receive<'b, const N: usize>(
        &self,
        progress: &mut Progress<N>,
        ticket: Ticket,
        answer: Answer<'b>,
        now: Timestamp,
    ) -> Received<'b> {
        let Progress { kept, state } = progress;
        let Some(kind) = state.awaited(ticket) else { return Received::Ignored };
        state.phase = Phase::Ready;
        match answer.status {
            200..=299 if is_object(answer.body) => {
                state.phase = Phase::Done;
                return Received::Result(answer.body);
            }
            401 => {
                if let Ok(newer) = ChallengeBody::parse(answer.body)
                    && !failure::is_about_the_token(newer.code)
                    && (newer.has_flows() || kept.challenge().has_flows())
                {
                    self.challenge(kept, state, kind, newer, now);
                    return Received::GoOn;
                }
            }
            _ => {}
        }
        self.refusal(kept, state, kind, answer, now);
        Received::GoOn
    }

    /// No answer came to the request that has that ticket: the connection broke, or it
    /// took too long.
    ///
    /// Whether the request arrived nobody knows; so the server is asked how things stand,
    /// after a wait, and the credential isn't sent again unless the stage is still open.
    pub fn no_answer<const N: usize>(&self, progress: &mut Progress<N>, ticket: Ticket, now: Timestamp) {
        let Progress { kept, state } = progress;
        if let Some(kind) = state.awaited(ticket) {
            self.lost(state, kind, kept.challenge().session.is_some(), now);
        }
    }

    fn challenge<const N: usize>(
        &self,
        kept: &mut Kept<N>,
        state: &mut State,
        kind: Kind,
        mut newer: ChallengeBody<'_>,
        now: Timestamp,
    ) {
        // Servers that have none send an empty one.
        newer.session = newer.session.filter(|session| !session.expose().is_empty());
        let known = kept.challenge();
        let anew = match (known.session, newer.session) {
            (Some(known), Some(newer)) => known.expose() != newer.expose(),
            _ => false,
        };
        let same = !anew
            && known.has_flows()
            && newer.flows.is_none_or(|newer| known.flows == Some(newer))
            && newer
                .completed
                .is_none_or(|raw| known.completed == Some(raw) || newer.completed().eq(known.completed()));
        if kept.merge(&newer, anew).is_err() {
            return state.end(Ended::TooLarge);
        }
        let refused = newer.code.is_some();
        state.lost = false;
        state.retries = 0;
        if anew {
            state.elsewhere = None;
            state.flow = None;
            state.doubt |= state.unanswered;
            state.again = kind.is_submit();
        } else if kind.is_submit() {
            state.again = false;
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
        let error = ErrorBody::parse(answer.body);
        let code = error.as_ref().ok().and_then(|error| error.code);
        if answer.status == 429 || code == Some(AnyCode::Known(ErrorCode::LimitExceeded)) {
            let named = error.as_ref().ok().and_then(|error| error.retry_after);
            let wait = answer.retry_after().or(named);
            self.limited(state, kind, wait, now);
            if state.is_over() {
                kept.error(code, error.ok().and_then(|error| error.message));
            }
            return;
        }
        let asks_only = matches!(kind, Kind::Poll | Kind::Resume);
        // Something between here and the homeserver gave this up, or nothing intelligible
        // came; and whoever only asks can ask again.
        let no_answer = answer.status >= 500 && (code.is_none() || asks_only);
        if no_answer || (kind == Kind::Poll && code.is_none()) {
            return self.lost(state, kind, kept.challenge().session.is_some(), now);
        }
        let meaning = SessionImpact::of_error(answer.status, error.as_ref());
        kept.error(code, error.ok().and_then(|error| error.message));
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
    fn awaited(&self, ticket: Ticket) -> Option<Kind> {
        match self.phase {
            Phase::InFlight(kind) if Ticket(self.ticket) == ticket => Some(kind),
            _ => None,
        }
    }

    /// Whether the stage being answered is an e-mail's: its answer is a poll.
    fn polls_email(&self) -> bool {
        self.elsewhere_at(AuthType::EmailIdentity).is_some()
    }
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}
