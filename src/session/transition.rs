//! The one server transition, without the operation's type: one copy of the code for
//! every operation.
//!
//! ```text
//!  receive ─┐                       ┌─► nothing there: begin, restart or refuse
//!           ├─► locate ─► Located ──┤
//!  apply  ──┘                       └─► here it is: attempt, poll, or apply a verdict
//! ```
//!
//! Both ways in go through `locate`, so a verdict meets every check that a request meets:
//! in between, the session may have expired, moved on, or been closed.

use super::step::{Challenge, Change, ChangeKind, Check, Ended, Failure, Refused, Verdict};
use super::{
    Binding, BodyBinding, Facts, NotCompleted, Params, Phase, Proof, Rules, Session, SessionError, SessionId,
    UnknownSession,
};
use crate::Timestamp;
use crate::error::{ErrorCode, Reject};
use crate::flows::Policy;
use crate::operation::{OperationId, Reference, Replayable, UserRef};
use crate::wire::{AuthData, AuthType, Malformed, StageId};

/// What came in.
pub(super) enum Input<'r> {
    Absent,
    Poll,
    Attempt(StageId, Result<AuthData<'r>, Malformed>),
}

/// What goes out.
pub(super) enum Outcome<'r> {
    Challenge(Challenge<'r>),
    Verify(Ask<'r>),
    Claim(Change, Params),
    Replay(SessionId, Reference),
    Refused(Refused),
}

pub(super) struct Ask<'r> {
    pub(super) id: SessionId,
    pub(super) stage: StageId,
    pub(super) check: Check<'r>,
    pub(super) user: Option<UserRef>,
}

/// Everything a transition depends on beside the session and the input.
pub(super) struct Transition<'p, 'f> {
    pub(super) policy: &'p Policy<'p>,
    pub(super) rules: &'p Rules,
    pub(super) facts: &'f Facts,
    pub(super) fresh: SessionId,
    pub(super) now: Timestamp,
}

/// A session that goes on, and what has happened to it so far.
struct Current {
    change: Change,
    /// Whether there is anything to store.
    changed: bool,
    /// Whether this request's parameters were bound just now.
    bound: bool,
    /// Whether the terms the client last saw are those of today.
    terms_seen: bool,
}

enum Located<'r> {
    Here(Current),
    /// It can't go on, for that reason, and this is left of it.
    Unknown(Option<Ended>),
    Answer(Outcome<'r>),
}

const MISSING: &str = "A key that the stage needs is missing.";
const INVALID: &str = "A key of the auth dict has the wrong type or form.";
const NOT_NEXT: &str = "This stage can't be attempted now.";
const OTHER_OPERATION: &str = "The session belongs to another operation.";
const OTHER_BODY: &str = "The request's parameters have changed since the session began.";
const OTHER_USER: &str = "These are not the credentials of the user who makes the request.";
const UNKNOWN_SESSION: &str = "Unknown or expired session.";

impl<'p> Transition<'p, '_> {
    pub(super) fn receive<'r>(&self, input: Input<'r>, stored: Option<Session>) -> Outcome<'r>
    where
        'p: 'r,
    {
        let (stage, data) = match input {
            Input::Absent => return self.challenge(self.begin(self.fresh), None).without_completed(),
            Input::Poll => return self.poll(stored),
            Input::Attempt(stage, data) => (stage, data),
        };
        if self.facts.session.is_none() && !self.rules.one_shot {
            return self.challenge(self.begin(self.fresh), None);
        }
        let current = match self.locate(stored, self.fresh) {
            Located::Here(current) => current,
            Located::Unknown(ended) => return self.restart(ended),
            Located::Answer(outcome) => return outcome,
        };
        self.attempt(current, stage, data)
    }

    /// Only a session: how do things stand?
    fn poll<'r>(&self, stored: Option<Session>) -> Outcome<'r>
    where
        'p: 'r,
    {
        match self.locate(stored, self.fresh) {
            Located::Here(current) => self.ask_awaited(current),
            Located::Unknown(ended) => self.restart(ended),
            Located::Answer(outcome) => outcome,
        }
    }

    pub(super) fn apply<'r>(
        &self,
        id: SessionId,
        stage: StageId,
        verdict: Verdict<'r>,
        current: Option<Session>,
    ) -> Outcome<'r>
    where
        'p: 'r,
    {
        let unused = match verdict {
            Verdict::Passed(proof) => Some(proof),
            _ => None,
        };
        match self.locate(current, id) {
            Located::Here(current) => self.judge(current, stage, verdict),
            Located::Unknown(ended) => self.restart(ended).giving_back(unused),
            Located::Answer(outcome) => outcome.giving_back(unused),
        }
    }

    /// Finds out whether the session can go on with this request.
    fn locate<'r>(&self, stored: Option<Session>, new_id: SessionId) -> Located<'r>
    where
        'p: 'r,
    {
        let (id, session) = match (self.facts.session, stored) {
            (None, _) => return Located::Here(self.begin(new_id)),
            (Some(Some(id)), Some(session)) => (id, session),
            _ => return Located::Unknown(None),
        };
        // Whose session it is comes first: nobody learns anything about another's.
        let user = self.facts.subject.map(|subject| subject.user);
        if user != session.subject().map(|subject| subject.user) {
            return Located::Unknown(None);
        }
        if let Phase::Consumed(_, outcome) = session.phase {
            return self.consumed(id, &session, outcome);
        }
        if session.operation != self.facts.operation || session.target != self.facts.target {
            let reject = Reject::new(ErrorCode::Forbidden, OTHER_OPERATION);
            return Located::Answer(Outcome::Refused(Refused::plain(reject)));
        }
        let age = self.now.since(session.made);
        let stale = self.facts.subject.is_some_and(|subject| subject.epoch != session.epoch)
            || (session.terms != self.policy.terms() && session.passed.contains(AuthType::Terms.id()))
            || !self.policy.fits(session.passed.stages(), self.rules.stage_order);
        if age >= self.rules.session_lifetime || stale {
            // A claimed session is not over: its claimant will say how it ended.
            let ended = (!session.is_claimed()).then_some(Ended { id, session });
            return Located::Unknown(ended);
        }
        if session.failures >= self.rules.max_failed_attempts {
            let wait = self.rules.session_lifetime.left_after(age);
            return Located::Answer(Outcome::Refused(Refused::plain(Reject::limited(wait))));
        }
        if session.is_claimed() {
            let change = Change { id, session, kind: ChangeKind::None };
            let current = Current { change, changed: false, bound: false, terms_seen: true };
            return Located::Answer(self.challenge(current, None));
        }
        let kind = ChangeKind::Replace(session.revision);
        let terms_seen = session.terms == self.policy.terms();
        let change = Change { id, session, kind };
        let mut current = Current { change, changed: !terms_seen, bound: false, terms_seen };
        current.change.session.terms = self.policy.terms();
        if self.bind(&mut current) {
            Located::Here(current)
        } else {
            let reject = Reject::new(ErrorCode::Forbidden, OTHER_BODY);
            Located::Answer(Outcome::Refused(Refused::plain(reject)))
        }
    }

    /// A session whose call has succeeded: the result again, or nothing.
    fn consumed<'r>(&self, id: SessionId, session: &Session, outcome: Reference) -> Located<'r> {
        let same_call = session.operation == self.facts.operation && session.target == self.facts.target;
        let same_params = match (session.binding, self.facts.body) {
            (Binding::Digest, Some(body)) => session.body == body,
            (Binding::Digest, None) => self.facts.replay == Replayable::Always,
            (Binding::Absent | Binding::Unbound, body) => body.is_none(),
        };
        let at = session.consumed_at().unwrap_or(session.made);
        let in_time = self.now.since(at) < self.rules.replay_for;
        if same_call && same_params && in_time && self.facts.replay != Replayable::Never {
            Located::Answer(Outcome::Replay(id, outcome))
        } else {
            Located::Unknown(None)
        }
    }

    /// A session that begins with this request.
    fn begin(&self, id: SessionId) -> Current {
        let session = Session::new(self.facts, self.policy.terms(), self.now);
        let change = Change { id, session, kind: ChangeKind::Insert };
        let mut current = Current { change, changed: true, bound: false, terms_seen: true };
        // Nothing is bound yet that this could differ from.
        self.bind(&mut current);
        current
    }

    /// Binds the request's parameters, or compares them with the bound ones.
    fn bind(&self, current: &mut Current) -> bool {
        let session = &mut current.change.session;
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

    fn attempt<'r>(
        &self,
        current: Current,
        stage: StageId,
        data: Result<AuthData<'r>, Malformed>,
    ) -> Outcome<'r>
    where
        'p: 'r,
    {
        let session = &current.change.session;
        if session.passed.contains(stage) {
            return self.go_on(current);
        }
        if !self.is_next(session, stage) {
            return self.challenge(current, Some(SessionError(ErrorCode::InvalidParam, NOT_NEXT)));
        }
        let awaited = session.awaiting().filter(|(waiting, _)| *waiting == stage).map(|(_, it)| it);
        let check = match data {
            Err(Malformed::Missing(_)) => {
                return self.challenge(current, Some(SessionError(ErrorCode::MissingParam, MISSING)));
            }
            Err(Malformed::Invalid(_)) => {
                return self.challenge(current, Some(SessionError(ErrorCode::InvalidParam, INVALID)));
            }
            Ok(AuthData::Dummy) => return self.pass(current, stage, Proof::Nothing),
            // Whoever accepts must have been shown what is accepted.
            Ok(AuthData::Terms) if current.terms_seen => return self.pass(current, stage, Proof::Nothing),
            Ok(AuthData::Terms) => return self.challenge(current, None),
            Ok(AuthData::Sso | AuthData::OAuth) => return self.ask_awaited(current),
            Ok(AuthData::Password { identifier, password }) => Check::Password { identifier, password },
            Ok(AuthData::Recaptcha { response }) => Check::Recaptcha { response },
            Ok(AuthData::EmailIdentity(creds)) => Check::Email(creds),
            Ok(AuthData::Msisdn(creds)) => Check::Msisdn(creds),
            Ok(AuthData::RegistrationToken { token }) => Check::RegistrationToken { token },
            Ok(AuthData::Custom(data)) => Check::Custom { data, reference: awaited },
        };
        self.ask(&current, stage, check)
    }

    fn ask<'r>(&self, current: &Current, stage: StageId, check: Check<'r>) -> Outcome<'r> {
        let user = current.change.session.user();
        Outcome::Verify(Ask { id: current.change.id, stage, check, user })
    }

    /// Nothing to verify in the request itself: the call goes ahead if all has passed,
    /// else the host is asked about what the session waits for.
    fn ask_awaited<'r>(&self, current: Current) -> Outcome<'r>
    where
        'p: 'r,
    {
        let session = &current.change.session;
        match session.awaiting() {
            Some((stage, reference)) if self.is_next(session, stage) => {
                self.ask(&current, stage, Check::Awaited { reference })
            }
            _ => self.go_on(current),
        }
    }

    fn go_on<'r>(&self, current: Current) -> Outcome<'r>
    where
        'p: 'r,
    {
        if self.is_complete(&current.change.session) {
            self.claim(current)
        } else {
            self.challenge(current, None)
        }
    }

    fn judge<'r>(&self, mut current: Current, stage: StageId, verdict: Verdict<'r>) -> Outcome<'r>
    where
        'p: 'r,
    {
        let session = &mut current.change.session;
        if !self.is_next(session, stage) {
            // Another request was faster.
            let unused = match verdict {
                Verdict::Passed(proof) => Some(proof),
                _ => None,
            };
            return self.go_on(current).giving_back(unused);
        }
        let mut extra = None;
        match verdict {
            Verdict::Passed(proof) => {
                return if session.accepts(stage, proof) {
                    self.pass(current, stage, proof)
                } else {
                    self.fail(current, Reject::new(ErrorCode::Forbidden, OTHER_USER)).giving_back(Some(proof))
                };
            }
            Verdict::Failed(Failure::UnknownThreepid) => {
                let SessionError(code, message) = Failure::UnknownThreepid.error();
                return self.fail(current, Reject::new(code, message));
            }
            Verdict::Failed(failure) => {
                session.failures = session.failures.saturating_add(1);
                current.changed = true;
                return self.challenge(current, Some(failure.error()));
            }
            Verdict::Unavailable => return Outcome::Refused(Refused::plain(Reject::unavailable())),
            Verdict::Limited(wait) => return Outcome::Refused(Refused::plain(Reject::limited(wait))),
            Verdict::Pending(reference) => session.phase = Phase::Awaiting(stage, reference),
            Verdict::Continue { extra: keys, reference } => {
                session.phase = Phase::Awaiting(stage, reference);
                extra = Some(keys);
            }
        }
        current.changed = true;
        match self.challenge(current, None) {
            Outcome::Challenge(challenge) => Outcome::Challenge(Challenge { extra, ..challenge }),
            other => other,
        }
    }

    fn pass<'r>(&self, mut current: Current, stage: StageId, proof: Proof) -> Outcome<'r>
    where
        'p: 'r,
    {
        let session = &mut current.change.session;
        session.phase = Phase::Open;
        // A stage that is next has not passed, and no flow is longer than the list.
        let pushed = session.passed.push(stage, proof);
        debug_assert!(pushed, "the next stage has a place");
        current.changed = true;
        self.go_on(current)
    }

    fn claim<'r>(&self, mut current: Current) -> Outcome<'r> {
        let session = &mut current.change.session;
        let params = match (self.facts.body, session.binding) {
            (Some(_), _) => Params::Request,
            (None, Binding::Digest) => Params::Kept,
            (None, Binding::Absent | Binding::Unbound) => Params::Never,
        };
        session.phase = Phase::Claimed;
        Outcome::Claim(current.stored(true), params)
    }

    /// An error in place of the 401, and still a failed attempt.
    fn fail<'r>(&self, mut current: Current, reject: Reject) -> Outcome<'r> {
        let session = &mut current.change.session;
        session.failures = session.failures.saturating_add(1);
        // A session that this request began is never named to the client: not kept.
        let known = current.change.kind != ChangeKind::Insert;
        let change = known.then(|| current.stored(true));
        Outcome::Refused(Refused { reject, change, unused: None })
    }

    fn challenge<'r>(&self, current: Current, error: Option<SessionError>) -> Outcome<'r>
    where
        'p: 'r,
    {
        let (changed, keep) = (current.changed, current.bound);
        Outcome::Challenge(Challenge {
            change: current.stored(changed),
            policy: self.policy,
            show_completed: true,
            error,
            extra: None,
            ended: None,
            unused: None,
            keep,
        })
    }

    /// The session that was named can't go on.
    fn restart<'r>(&self, ended: Option<Ended>) -> Outcome<'r>
    where
        'p: 'r,
    {
        if self.rules.unknown_session == UnknownSession::Reject {
            let reject = Reject::new(ErrorCode::Unknown, UNKNOWN_SESSION);
            return Outcome::Refused(Refused::plain(reject));
        }
        let error = SessionError(ErrorCode::Unknown, UNKNOWN_SESSION);
        match self.challenge(self.begin(self.fresh), Some(error)) {
            Outcome::Challenge(challenge) => Outcome::Challenge(Challenge { ended, ..challenge }),
            other => other,
        }
    }

    fn is_next(&self, session: &Session, stage: StageId) -> bool {
        self.policy.is_next(session.passed.stages(), stage, self.rules.stage_order)
    }

    fn is_complete(&self, session: &Session) -> bool {
        self.policy.is_complete(session.passed.stages(), self.rules.stage_order)
    }
}

impl Current {
    /// The change as it is to be stored, if it is.
    const fn stored(mut self, changed: bool) -> Change {
        match self.change.kind {
            ChangeKind::Replace(_) if !changed => self.change.kind = ChangeKind::None,
            ChangeKind::Replace(_) => self.change.session.touch(),
            ChangeKind::Insert | ChangeKind::None => {}
        }
        self.change
    }
}

impl Outcome<'_> {
    fn without_completed(self) -> Self {
        match self {
            Self::Challenge(challenge) => Self::Challenge(Challenge { show_completed: false, ..challenge }),
            other => other,
        }
    }

    /// Has the host give back what was proved for a stage that had no use for it.
    fn giving_back(self, unused: Option<Proof>) -> Self {
        match self {
            Self::Challenge(challenge) => Self::Challenge(Challenge { unused, ..challenge }),
            Self::Refused(refused) => Self::Refused(Refused { unused, ..refused }),
            other => other,
        }
    }
}

impl Session {
    /// Whether `proof` is of the user whom the session is for.
    fn accepts(&self, stage: StageId, proof: Proof) -> bool {
        match proof {
            Proof::User(user) => self.user().is_none_or(|expected| expected == user),
            // What identifies a user has to say which.
            _ => {
                stage != AuthType::Password.id()
                    && stage != AuthType::Sso.id()
                    && stage != AuthType::OAuth.id()
            }
        }
    }

    pub(super) fn completed_outside(
        mut self,
        policy: &Policy<'_>,
        rules: &Rules,
        operation: OperationId,
        auth_type: AuthType<'_>,
        proof: Proof,
        now: Timestamp,
    ) -> Result<Self, NotCompleted> {
        let stage = auth_type.id();
        let open = matches!(self.phase, Phase::Open | Phase::Awaiting(..));
        if !open || self.operation != operation || now.since(self.made) >= rules.session_lifetime {
            return Err(NotCompleted::Unknown);
        }
        if self.failures >= rules.max_failed_attempts {
            return Err(NotCompleted::Closed);
        }
        if self.passed.contains(stage) {
            return Err(NotCompleted::Already);
        }
        if !policy.is_next(self.passed.stages(), stage, rules.stage_order) {
            return Err(NotCompleted::OutOfOrder);
        }
        if !self.accepts(stage, proof) {
            return Err(NotCompleted::WrongUser);
        }
        self.phase = Phase::Open;
        self.passed.push(stage, proof);
        self.touch();
        Ok(self)
    }

    pub(super) fn rebindable(mut self, facts: &Facts, rules: &Rules, now: Timestamp) -> Option<Self> {
        let same = self.operation == facts.operation
            && self.target == facts.target
            && self.subject() == facts.subject;
        let open = matches!(self.phase, Phase::Open | Phase::Awaiting(..));
        if !same
            || !open
            || self.binding == Binding::Unbound
            || now.since(self.made) >= rules.session_lifetime
        {
            return None;
        }
        self.binding = Binding::Unbound;
        self.touch();
        Some(self)
    }
}
