//! Whether a session can go on with a request: whose it is, for which call, how old, and
//! with which parameters.
//!
//! ```text
//!  none named ─► begin ──────────────────────────────────────────────────────────► Here
//!  one named  ─► whose? ─► over? ─► for which call? ─► how old, how often? ─► bind ─► Here
//! ```
//!
//! Whose it is comes first: before that is settled, nobody learns anything about it.

use super::step::{Change, ChangeKind};
use super::transition::{Side, Transition};
use super::{Binding, BodyBinding, Phase, Session, SessionId};
use crate::server::digest::Digest;
use crate::server::operation::{Reference, Replayable};
use crate::wire::AuthType;
use crate::wire::error::{ErrorCode, MatrixError};

/// What has happened so far to a session that goes on.
#[derive(Clone, Copy)]
pub(super) struct Current {
    pub(super) id: SessionId,
    pub(super) kind: ChangeKind,
    /// Whether there is anything to store.
    pub(super) changed: bool,
    /// Whether this request's parameters were bound just now.
    pub(super) bound: bool,
    /// Whether the terms the client last saw are those of today.
    pub(super) terms_seen: bool,
    /// The terms, and what was bound, before this request.
    pub(super) before: (u32, Binding, Digest),
}

pub(super) enum Located {
    /// It goes on: the session is where it was.
    Here(Current),
    /// It can't go on; if it was found and is over, under this ID.
    Unknown(Option<SessionId>),
    /// Another call is being carried out on the strength of it.
    Claimed(SessionId),
    Consumed(SessionId, Reference),
    Refused(MatrixError),
}

const OTHER_OPERATION: &str = "The session belongs to another operation.";
const OTHER_BODY: &str = "The request's parameters have changed since the session began.";

impl Transition<'_, '_> {
    /// Finds out whether the session can go on with this request; one that begins with it
    /// is put into `slot`.
    pub(super) fn locate<'s>(
        &self,
        slot: &'s mut Option<Session>,
        new_id: SessionId,
    ) -> Result<(&'s mut Session, Current), Located> {
        if self.facts.session.is_none() {
            let (session, current) = self.begin(new_id);
            return Ok((slot.insert(session), current));
        }
        match (self.facts.session.flatten(), slot) {
            (Some(id), Some(session)) => match self.look(id, session) {
                Located::Here(current) => Ok((session, current)),
                other => Err(other),
            },
            _ => Err(Located::Unknown(None)),
        }
    }

    fn look(&self, id: SessionId, session: &mut Session) -> Located {
        // Whose session it is comes first: nobody learns anything about another's.
        let user = self.facts.subject.map(|subject| subject.user);
        if user != session.subject().map(|subject| subject.user) {
            return Located::Unknown(None);
        }
        let same_call = session.operation == self.facts.operation && session.target == self.facts.target;
        if let Phase::Consumed(_, outcome) = session.phase {
            let replayed = same_call && self.is_replay(session);
            return if replayed { Located::Consumed(id, outcome) } else { Located::Unknown(None) };
        }
        if !same_call {
            return Located::Refused(MatrixError::new(ErrorCode::Forbidden, OTHER_OPERATION));
        }
        let age = self.now.since(session.made);
        let up_to_date = session.terms == self.policy.terms();
        let stale = self.facts.subject.is_some_and(|subject| subject.epoch != session.epoch)
            || (!up_to_date && session.passed.contains(AuthType::Terms.id()))
            || !self.policy.fits(session.passed.stages(), self.rules.stage_order);
        if age >= self.rules.session_lifetime || stale {
            // A claimed session is not over: its claimant will say how it ended.
            return Located::Unknown((!session.is_claimed()).then_some(id));
        }
        if session.failures >= self.rules.max_failed_attempts {
            return Located::Refused(MatrixError::limited(self.rules.session_lifetime.left_after(age)));
        }
        if session.is_claimed() {
            return Located::Claimed(id);
        }
        let kind = ChangeKind::Replace(session.revision);
        let before = (session.terms, session.binding, session.body);
        let terms_seen = match self.side {
            Side::Outside(Some(shown)) => shown == self.policy.terms(),
            Side::Outside(None) | Side::Client => up_to_date,
        };
        let mut current = Current { id, kind, changed: false, bound: false, terms_seen, before };
        if matches!(self.side, Side::Client) {
            // It is about to be shown them, whatever the answer.
            current.changed = !up_to_date;
            session.terms = self.policy.terms();
        }
        if self.bind(session, &mut current) {
            Located::Here(current)
        } else {
            Located::Refused(MatrixError::new(ErrorCode::Forbidden, OTHER_BODY))
        }
    }

    /// Whether the request is the one again whose call has succeeded.
    fn is_replay(&self, session: &Session) -> bool {
        let same_params = match (session.binding, self.facts.body) {
            (Binding::Digest, Some(body)) => session.body == body,
            (Binding::Digest, None) => self.facts.replay == Replayable::Always,
            // There is nothing to repeat.
            (Binding::Absent | Binding::Unbound, body) => {
                body.is_none() && self.facts.replay == Replayable::Always
            }
        };
        let at = session.consumed_at().unwrap_or(session.made);
        // A request that came in before the call succeeded repeats nothing: it raced (rule
        // U15), and nobody's answer was lost.
        let afterwards = self.now >= at && self.now.since(at) < self.rules.replay_for;
        same_params && afterwards && self.facts.replay != Replayable::Never
    }

    /// A session that begins with this request.
    pub(super) fn begin(&self, id: SessionId) -> (Session, Current) {
        let mut session = Session::new(self.facts, self.policy.terms(), self.now);
        let kind = ChangeKind::Insert;
        let before = (session.terms, session.binding, session.body);
        let mut current = Current { id, kind, changed: true, bound: false, terms_seen: true, before };
        // Nothing is bound yet that this could differ from.
        self.bind(&mut session, &mut current);
        (session, current)
    }

    /// Binds the request's parameters, or compares them with the bound ones.
    fn bind(&self, session: &mut Session, current: &mut Current) -> bool {
        if matches!(self.side, Side::Outside(_)) {
            return true;
        }
        let body = self.facts.body;
        let bind = match (session.binding, body, self.rules.body_binding) {
            (Binding::Unbound, Some(_), _) | (Binding::Unbound, None, BodyBinding::Exact) => true,
            (Binding::Unbound, None, _) => false,
            (_, Some(_), BodyBinding::Any) => body != Some(session.body),
            (_, None, BodyBinding::Any) => false,
            (Binding::Digest, None, BodyBinding::OmittedOrExact) => false,
            (Binding::Digest, Some(body), _) => return body == session.body,
            (Binding::Digest, None, BodyBinding::Exact) => return false,
            (Binding::Absent, body, _) => return body.is_none(),
        };
        if bind {
            session.binding = if body.is_some() { Binding::Digest } else { Binding::Absent };
            session.body = body.unwrap_or_default();
            current.changed = true;
            current.bound = body.is_some();
        }
        true
    }
}

impl Current {
    /// The change as it is to be stored, if it is.
    #[inline]
    pub(super) fn change(self, session: &Session, changed: bool) -> Change {
        let mut change = Change { id: self.id, session: session.clone(), kind: self.kind };
        match self.kind {
            ChangeKind::Replace(_) if !changed => change.kind = ChangeKind::None,
            ChangeKind::Replace(_) => change.session.touch(),
            ChangeKind::Insert | ChangeKind::None => {}
        }
        change
    }
}
