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

use super::step::{Challenge, Change, ChangeKind, Check, Failure, Refused, Verdict};
use super::{
    Binding, BodyBinding, Facts, Params, Phase, Proof, Question, Rules, Session, SessionError, SessionId,
    UnknownSession,
};
use crate::Timestamp;
use crate::digest::Digest;
use crate::error::{ErrorCode, Reject};
use crate::flows::Policy;
use crate::operation::{Operation as _, Reference, Register, Replayable};
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
    Verify(Question<'r>),
    Claim { change: Change, params: Params, keep: bool, unused: Option<Proof> },
    Replay { id: SessionId, outcome: Reference, unused: Option<Proof> },
    Refused(Refused),
}

/// Who is at the other end.
#[derive(Clone, Copy)]
pub(super) enum Side {
    /// The client, which is told how the session stands and gets the grant.
    Client,
    /// A page or an identity provider, and the terms it has shown: nothing is bound, no
    /// terms count as shown to the client, and nothing is ever granted.
    Outside(Option<u32>),
}

/// Everything a transition depends on beside the session and the input.
pub(super) struct Transition<'p, 'f> {
    pub(super) policy: &'p Policy<'p>,
    pub(super) rules: &'p Rules,
    pub(super) facts: &'f Facts,
    pub(super) fresh: SessionId,
    pub(super) now: Timestamp,
    pub(super) side: Side,
}

/// What has happened so far to a session that goes on.
#[derive(Clone, Copy)]
pub(super) struct Current {
    id: SessionId,
    kind: ChangeKind,
    /// Whether there is anything to store.
    changed: bool,
    /// Whether this request's parameters were bound just now.
    bound: bool,
    /// Whether the terms the client last saw are those of today.
    terms_seen: bool,
    /// The terms, and what was bound, before this request.
    before: (u32, Binding, Digest),
}

pub(super) enum Located {
    /// It goes on: the session is where it was.
    Here(Current),
    /// It can't go on; if it was found and is over, under this ID.
    Unknown(Option<SessionId>),
    /// Another call is being carried out on the strength of it.
    Claimed(SessionId),
    Consumed(SessionId, Reference),
    Refused(Reject),
}

const MISSING: &str = "A key that the stage needs is missing.";
const INVALID: &str = "A key of the auth dict has the wrong type or form.";
const NOT_NEXT: &str = "This stage can't be attempted now.";
const OTHER_OPERATION: &str = "The session belongs to another operation.";
const OTHER_BODY: &str = "The request's parameters have changed since the session began.";
const OTHER_USER: &str = "These are not the credentials of the user who makes the request.";
const UNKNOWN_SESSION: &str = "Unknown or expired session.";

impl<'p> Transition<'p, '_> {
    pub(super) fn receive<'r>(&self, input: Input<'r>, mut stored: Option<Session>) -> Outcome<'r>
    where
        'p: 'r,
    {
        let attempts = matches!(input, Input::Attempt(..));
        if matches!(input, Input::Absent)
            || (attempts && self.facts.session.is_none() && !self.rules.one_shot)
        {
            let (session, current) = self.begin(self.fresh);
            return self.challenge(&session, current, None, |challenge| challenge.show_completed = attempts);
        }
        let slot = &mut stored;
        match self.locate(slot, self.fresh) {
            Ok((session, current)) => match input {
                Input::Attempt(stage, data) => self.attempt(session, current, stage, data),
                Input::Absent | Input::Poll => self.ask_awaited(session, current),
            },
            Err(located) => self.answer(located, stored.as_ref(), None),
        }
    }

    pub(super) fn apply<'r>(
        &self,
        id: SessionId,
        stage: StageId,
        polled: bool,
        verdict: Verdict<'r>,
        mut current: Option<Session>,
    ) -> Outcome<'r>
    where
        'p: 'r,
    {
        let unused = unheld(proof_of(verdict), current.as_ref());
        match self.locate(&mut current, id) {
            Ok((session, now)) if self.is_next(session, stage) => {
                self.judge(session, now, stage, polled, verdict)
            }
            // Another request was faster.
            Ok((session, now)) => self.go_on(session, now).giving_back(unused),
            Err(located) => self.answer(located, current.as_ref(), unused),
        }
    }

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
            return Located::Refused(Reject::new(ErrorCode::Forbidden, OTHER_OPERATION));
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
            return Located::Refused(Reject::limited(self.rules.session_lifetime.left_after(age)));
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
            Located::Refused(Reject::new(ErrorCode::Forbidden, OTHER_BODY))
        }
    }

    /// The answer where no session goes on; `unused` is what a verdict proved in vain.
    fn answer<'r>(&self, located: Located, stored: Option<&Session>, unused: Option<Proof>) -> Outcome<'r>
    where
        'p: 'r,
    {
        match (located, stored) {
            (Located::Claimed(id), Some(session)) => {
                let kind = ChangeKind::None;
                let before = (session.terms, session.binding, session.body);
                let current = Current { id, kind, changed: false, bound: false, terms_seen: true, before };
                self.challenge(session, current, None, |challenge| challenge.unused = unused)
            }
            (Located::Consumed(id, outcome), _) => Outcome::Replay { id, outcome, unused },
            (Located::Refused(reject), _) => Outcome::Refused(Refused { reject, change: None, unused }),
            (Located::Unknown(_), _) if self.rules.unknown_session == UnknownSession::Reject => {
                let reject = Reject::new(ErrorCode::Unknown, UNKNOWN_SESSION);
                Outcome::Refused(Refused { reject, change: None, unused })
            }
            (Located::Unknown(ended), _) => self.restart(ended, unused),
            (Located::Here(_) | Located::Claimed(_), _) => self.restart(None, unused),
        }
    }

    /// A new session in place of one that can't go on.
    fn restart<'r>(&self, ended: Option<SessionId>, unused: Option<Proof>) -> Outcome<'r>
    where
        'p: 'r,
    {
        let (session, current) = self.begin(self.fresh);
        let error = SessionError(ErrorCode::Unknown, UNKNOWN_SESSION);
        self.challenge(&session, current, Some(error), |challenge| {
            challenge.ended = ended;
            challenge.unused = unused;
        })
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
    fn begin(&self, id: SessionId) -> (Session, Current) {
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

    pub(super) fn attempt<'r>(
        &self,
        session: &mut Session,
        current: Current,
        stage: StageId,
        data: Result<AuthData<'r>, Malformed>,
    ) -> Outcome<'r>
    where
        'p: 'r,
    {
        if session.passed.contains(stage) {
            return self.go_on(session, current);
        }
        // What can't be an attempt changes nothing (rule U6), so it binds nothing either.
        let as_it_was = match current.kind {
            ChangeKind::Replace(_) => Current { changed: false, bound: false, ..current },
            _ => current,
        };
        let refuse =
            |code, message| self.challenge(session, as_it_was, Some(SessionError(code, message)), |_| {});
        if !self.is_next(session, stage) {
            return refuse(ErrorCode::InvalidParam, NOT_NEXT);
        }
        let check = match data {
            Err(Malformed::Missing(_)) => return refuse(ErrorCode::MissingParam, MISSING),
            Err(Malformed::Invalid(_)) => return refuse(ErrorCode::InvalidParam, INVALID),
            Ok(AuthData::Dummy) => return self.pass(session, current, stage, Proof::Nothing),
            // Whoever accepts must have been shown what is accepted.
            Ok(AuthData::Terms) if current.terms_seen => {
                return self.pass(session, current, stage, Proof::Nothing);
            }
            Ok(AuthData::Terms) => return self.challenge(session, current, None, |_| {}),
            Ok(AuthData::Sso | AuthData::OAuth) => return self.ask_awaited(session, current),
            Ok(AuthData::Password { identifier, password }) => Check::Password { identifier, password },
            Ok(AuthData::Recaptcha { response }) => Check::Recaptcha { response },
            Ok(AuthData::EmailIdentity(creds)) => Check::Email(creds),
            Ok(AuthData::Msisdn(creds)) => Check::Msisdn(creds),
            Ok(AuthData::RegistrationToken { token }) => Check::RegistrationToken { token },
            Ok(AuthData::Custom(data)) => {
                let awaited = session.awaiting().filter(|(waiting, _)| *waiting == stage);
                Check::Custom { data, reference: awaited.map(|(_, reference)| reference) }
            }
        };
        Outcome::Verify(Question {
            operation: session.operation,
            id: current.id,
            stage,
            check,
            user: session.user(),
        })
    }

    /// Nothing to verify in the request itself: the call goes ahead if all has passed,
    /// else the host is asked about what the session waits for.
    fn ask_awaited<'r>(&self, session: &mut Session, current: Current) -> Outcome<'r>
    where
        'p: 'r,
    {
        match session.awaiting() {
            Some((stage, reference)) if self.is_next(session, stage) => {
                let check = Check::Awaited { reference };
                Outcome::Verify(Question {
                    operation: session.operation,
                    id: current.id,
                    stage,
                    check,
                    user: session.user(),
                })
            }
            _ => self.go_on(session, current),
        }
    }

    fn go_on<'r>(&self, session: &mut Session, current: Current) -> Outcome<'r>
    where
        'p: 'r,
    {
        let complete = self.policy.is_complete(session.passed.stages(), self.rules.stage_order);
        if complete && matches!(self.side, Side::Client) {
            self.claim(session, current)
        } else {
            self.challenge(session, current, None, |_| {})
        }
    }

    pub(super) fn judge<'r>(
        &self,
        session: &mut Session,
        mut current: Current,
        stage: StageId,
        polled: bool,
        verdict: Verdict<'r>,
    ) -> Outcome<'r>
    where
        'p: 'r,
    {
        let mut extra = None;
        match verdict {
            Verdict::Passed(proof) => {
                return if session.accepts(stage, proof) {
                    self.pass(session, current, stage, proof)
                } else {
                    let reject = Reject::new(ErrorCode::Forbidden, OTHER_USER);
                    self.fail(session, current, polled, reject).giving_back(Some(proof))
                };
            }
            Verdict::Failed(Failure::UnknownThreepid) => {
                let SessionError(code, message) = Failure::UnknownThreepid.error();
                return self.fail(session, current, polled, Reject::new(code, message));
            }
            Verdict::Failed(failure) => {
                // Asking how things stand is no attempt (rule U9).
                if !polled {
                    session.failures = session.failures.saturating_add(1);
                    current.changed = true;
                }
                return self.challenge(session, current, Some(failure.error()), |_| {});
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
        self.challenge(session, current, None, |challenge| challenge.extra = extra)
    }

    fn pass<'r>(
        &self,
        session: &mut Session,
        mut current: Current,
        stage: StageId,
        proof: Proof,
    ) -> Outcome<'r>
    where
        'p: 'r,
    {
        session.phase = Phase::Open;
        if stage == AuthType::Terms.id() {
            session.terms = self.policy.terms();
        }
        // A stage that is next has not passed, and no flow is longer than the list.
        let pushed = session.passed.push(stage, proof);
        debug_assert!(pushed, "the next stage has a place");
        current.changed = true;
        self.go_on(session, current)
    }

    fn claim<'r>(&self, session: &mut Session, current: Current) -> Outcome<'r> {
        let params = match (self.facts.body, session.binding) {
            (Some(_), _) => Params::Request,
            (None, Binding::Digest) => Params::Kept,
            (None, Binding::Absent | Binding::Unbound) => Params::Never,
        };
        session.phase = Phase::Claimed;
        let change = current.change(session, true);
        Outcome::Claim { change, params, keep: current.bound, unused: None }
    }

    /// An error in place of the 401, and still a failed attempt.
    ///
    /// Nothing else may change: the host is not told to keep the parameters, so they
    /// aren't bound, and the client has not been shown the terms.
    fn fail<'r>(&self, session: &mut Session, current: Current, polled: bool, reject: Reject) -> Outcome<'r> {
        (session.terms, session.binding, session.body) = current.before;
        if !polled {
            session.failures = session.failures.saturating_add(1);
        }
        // A session that this request began is never named to the client: not kept.
        let change = (current.kind != ChangeKind::Insert).then(|| current.change(session, !polled));
        Outcome::Refused(Refused { reject, change, unused: None })
    }

    #[inline]
    fn challenge<'r>(
        &self,
        session: &Session,
        current: Current,
        error: Option<SessionError>,
        finish: impl FnOnce(&mut Challenge<'r>),
    ) -> Outcome<'r>
    where
        'p: 'r,
    {
        let mut challenge = Challenge {
            change: current.change(session, current.changed),
            policy: self.policy,
            show_completed: true,
            error,
            extra: None,
            ended: None,
            unused: None,
            keep: current.bound,
        };
        finish(&mut challenge);
        Outcome::Challenge(challenge)
    }

    pub(super) fn is_next(&self, session: &Session, stage: StageId) -> bool {
        self.policy.is_next(session.passed.stages(), stage, self.rules.stage_order)
    }
}

/// What `session` has no use for. What another request of it put to use is not given back:
/// a host that reserves by session answers both with the one reservation.
pub(super) fn unheld(proof: Option<Proof>, session: Option<&Session>) -> Option<Proof> {
    proof.filter(|proof| session.into_iter().flat_map(Session::proofs).all(|held| held != *proof))
}

/// What the verdict proved, which is to be given back if nobody has use for it.
pub(super) const fn proof_of(verdict: Verdict<'_>) -> Option<Proof> {
    match verdict {
        Verdict::Passed(proof) => Some(proof),
        _ => None,
    }
}

impl Current {
    /// The change as it is to be stored, if it is.
    #[inline]
    fn change(self, session: &Session, changed: bool) -> Change {
        let mut change = Change { id: self.id, session: session.clone(), kind: self.kind };
        match self.kind {
            ChangeKind::Replace(_) if !changed => change.kind = ChangeKind::None,
            ChangeKind::Replace(_) => change.session.touch(),
            ChangeKind::Insert | ChangeKind::None => {}
        }
        change
    }
}

impl Outcome<'_> {
    /// Has the host give back what was proved for a stage that had no use for it.
    pub(super) fn giving_back(mut self, proof: Option<Proof>) -> Self {
        match &mut self {
            Self::Challenge(challenge) => challenge.unused = proof,
            Self::Refused(refused) => refused.unused = proof,
            Self::Claim { unused, .. } | Self::Replay { unused, .. } => *unused = proof,
            Self::Verify(_) => {}
        }
        self
    }
}

impl Session {
    /// Whether `proof` is of the user whom the session is for.
    fn accepts(&self, stage: StageId, proof: Proof) -> bool {
        match proof {
            Proof::User(user) => self.user().is_none_or(|expected| expected == user),
            // What identifies a user has to say which; but a provider vouches for whoever
            // registers before there is a user to name.
            _ if stage == AuthType::Sso.id() => self.operation == Register::ID && self.user().is_none(),
            _ => stage != AuthType::Password.id() && stage != AuthType::OAuth.id(),
        }
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
