//! Whether a session can go on with a request: whose it is, for which call, how old, and
//! with which parameters.
//!
//! ```text
//!  none named ─► begin ──────────────────────────────────────────────────────────► Ok
//!  one named  ─► whose? ─► over? ─► for which call? ─► how old, how often? ─► bind ─► Ok
//! ```
//!
//! Whose it is comes first: before that is settled, nobody learns anything about it.

use super::work::{Before, Request, Side, Work, Write};
use crate::server::operation::Replayable;
use crate::server::sealed::Tombstone;
use crate::server::session::{Phase, Session};
use crate::wire::StageId;
use crate::wire::error::{ErrorCode, MatrixError};

/// Why a session does not go on.
pub(super) enum Located {
    /// It can't go on.
    Unknown,
    /// Another call is being carried out on the strength of it.
    Claimed,
    /// Its claim has lapsed.
    Lapsed,
    Consumed,
    Refused(MatrixError),
}

const OTHER_OPERATION: &str = "The session belongs to another operation.";
const OTHER_BODY: &str = "The request's parameters have changed since the session began.";

impl Work<'_> {
    /// Finds out whether the loaded session can go on with this request; begins one if the
    /// request names none.
    pub(super) fn locate(&mut self) -> Result<(), Located> {
        let Some(named) = self.request.call.session else {
            self.begin();
            return Ok(());
        };
        let (Some(id), Some(session)) = (named, &self.session) else { return Err(Located::Unknown) };
        // Whose session it is comes first: nobody learns anything about another's.
        if self.request.side == Side::Client && !session.is_for_token_of(self.caller.as_ref()) {
            return Err(Located::Unknown);
        }
        let call = &self.request.call;
        let same_call = session.operation == call.operation.id && session.target == call.target;
        if session.phase == Phase::Consumed {
            let replayed = same_call && self.is_replay(session);
            return Err(if replayed { Located::Consumed } else { Located::Unknown });
        }
        let run_out = session.made.has_run_out(self.request.rules.session_lifetime, self.now);
        let account_changed = !self.is_account_unchanged(session);
        if !same_call {
            // What is over for its own call is unknown to any other: where its ID holds it,
            // it may not be stored that it is over.
            let over = (run_out || account_changed) && !session.is_claimed();
            let refused = Located::Refused(MatrixError::new(ErrorCode::Forbidden, OTHER_OPERATION));
            return Err(if over { Located::Unknown } else { refused });
        }
        if let Some(since) = session.claimed_at()
            && self.claim != Some((id, session.revision))
        {
            let lapsed =
                self.now.since(since) >= self.request.rules.claim_for || session.made.is_future(self.now);
            return Err(if lapsed { Located::Lapsed } else { Located::Claimed });
        }
        let (policy, rules) = (self.request.policy, self.request.rules);
        let up_to_date = session.terms == policy.terms();
        let stale = account_changed
            || (!up_to_date && session.passed.contains(StageId::TERMS))
            || !policy.fits(session.passed.stages(), rules.stage_order);
        // Where nothing is stored, it can't be stored either that other terms have been shown.
        let outdated = self.is_unstored() && !up_to_date && self.request.side == Side::Client;
        if run_out || stale || outdated {
            self.end_session(!run_out);
            return Err(Located::Unknown);
        }
        if session.failures >= rules.max_failed_attempts {
            let left = rules.session_lifetime.left_after(self.now.since(session.made));
            return Err(Located::Refused(MatrixError::limited(left)));
        }
        self.before = Before { terms: session.terms, bound: session.bound, slots: session.slots };
        self.write = self.in_place();
        self.terms_seen = match self.request.side {
            Side::Page { shown: Some(shown) } => shown == policy.terms(),
            Side::Page { shown: None } | Side::Client => up_to_date,
        };
        if self.request.side == Side::Client {
            // It is about to be shown them, whatever the answer.
            self.changed = !up_to_date;
            if let Some(session) = &mut self.session {
                session.terms = policy.terms();
            }
        }
        if self.bind() {
            self.keep |= self.is_unstored() && self.gives_params();
            Ok(())
        } else {
            self.unbind();
            self.write = Write::Keep;
            Err(Located::Refused(MatrixError::new(ErrorCode::Forbidden, OTHER_BODY)))
        }
    }

    /// The same for a page; `Some` is the error of a session that is closed.
    pub(crate) fn locate_page(&mut self) -> Result<(), Option<MatrixError>> {
        self.locate().map_err(|located| {
            // A page ends no session: its client is told.
            (self.leaving, self.tombstone) = (None, Tombstone::NONE);
            match located {
                Located::Refused(error) => Some(error),
                _ => None,
            }
        })
    }

    /// Whether the account of the session's user is as it was then.
    pub(super) fn is_account_unchanged(&self, session: &Session) -> bool {
        let named = self.named.as_ref();
        let now = if session.by_token {
            self.caller.as_ref().or(named)
        } else {
            named.filter(|_| session.has_user)
        };
        match now {
            Some(now) => session.has_user && now.epoch == session.epoch && now.user == session.user,
            None => !session.has_user,
        }
    }

    /// Whether the request is the one again whose call has succeeded.
    fn is_replay(&self, session: &Session) -> bool {
        let operation = self.request.call.operation;
        let Some(at) = session.consumed_at() else { return false };
        // A request that came in before the call succeeded repeats nothing: it raced (rule
        // U15), and nobody's answer was lost.
        let arrived = self.request.arrived;
        let in_time = arrived >= at && self.now.since(at) < self.request.rules.replay_for;
        in_time
            && !session.made.is_future(self.now)
            && match operation.replay {
                Replayable::Never => false,
                Replayable::Always => self.repeats(session, false),
                // The answer holds a token: it is for the account as the call left it.
                Replayable::WithParams => {
                    session.bound
                        && self.repeats(session, true)
                        && session.account().is_some_and(|account| self.named == Some(account))
                }
            }
    }

    /// A session that begins with this request.
    pub(super) fn begin(&mut self) {
        let Request { call, policy, naming, .. } = &self.request;
        let (operation, terms) = (call.operation.id, policy.terms());
        let mut session = Session::new(self.now, operation, call.target, terms, self.caller);
        session.sealed = naming.is_sealed();
        self.id = self.request.fresh;
        self.before = Before { terms: session.terms, ..Before::default() };
        (self.session, self.unstored) = (Some(session), false);
        self.write = Write::Insert;
        (self.changed, self.keep, self.terms_seen) = (true, false, true);
        // Nothing is bound yet that this could differ from.
        self.bind();
    }
}
