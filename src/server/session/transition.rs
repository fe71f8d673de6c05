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

use super::locate::{Current, Located};
use super::step::{Challenge, Change, ChangeKind, Refused};
use super::{
    Binding, Check, Facts, Params, Phase, Proof, Question, Rules, Session, SessionError, SessionId,
    StageFailure, UnknownSession, Verdict,
};
use crate::Timestamp;
use crate::server::flows::Policy;
use crate::server::operation::{Operation as _, Reference, Register};
use crate::wire::error::{ErrorCode, MatrixError};
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

const MISSING: &str = "A key that the stage needs is missing.";
const INVALID: &str = "A key of the auth dict has the wrong type or form.";
const NOT_NEXT: &str = "This stage can't be attempted now.";
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
        if self.facts.outdated && self.facts.session.is_none() {
            return self.restart(None, unused);
        }
        match self.locate(&mut current, id) {
            Ok((session, now)) if self.is_next(session, stage) => {
                self.judge(session, now, stage, polled, verdict)
            }
            // Another request was faster.
            Ok((session, now)) => self.go_on(session, now).giving_back(unused),
            Err(located) => self.answer(located, current.as_ref(), unused),
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
                let reject = MatrixError::new(ErrorCode::Unknown, UNKNOWN_SESSION);
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
        ask(session, current, stage, check)
    }

    /// Nothing to verify in the request itself: the call goes ahead if all has passed,
    /// else the host is asked about what the session waits for.
    fn ask_awaited<'r>(&self, session: &mut Session, current: Current) -> Outcome<'r>
    where
        'p: 'r,
    {
        match session.awaiting() {
            Some((stage, reference)) if self.is_next(session, stage) => {
                ask(session, current, stage, Check::Awaited { reference })
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
                    let reject = MatrixError::new(ErrorCode::Forbidden, OTHER_USER);
                    self.fail(session, current, polled, reject).giving_back(Some(proof))
                };
            }
            Verdict::Failed(StageFailure::UnknownThreepid) => {
                let SessionError(code, message) = StageFailure::UnknownThreepid.error();
                return self.fail(session, current, polled, MatrixError::new(code, message));
            }
            Verdict::Failed(failure) => {
                // Asking how things stand is no attempt (rule U9).
                if !polled {
                    session.failures = session.failures.saturating_add(1);
                    current.changed = true;
                }
                return self.challenge(session, current, Some(failure.error()), |_| {});
            }
            Verdict::Unavailable => return Outcome::Refused(Refused::plain(MatrixError::unavailable())),
            Verdict::Limited(wait) => return Outcome::Refused(Refused::plain(MatrixError::limited(wait))),
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
    fn fail<'r>(
        &self,
        session: &mut Session,
        current: Current,
        polled: bool,
        reject: MatrixError,
    ) -> Outcome<'r> {
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

/// The question whether `stage` of `session` has passed.
fn ask<'r>(session: &Session, current: Current, stage: StageId, check: Check<'r>) -> Outcome<'r> {
    let (operation, user) = (session.operation, session.user());
    Outcome::Verify(Question { operation, id: current.id, stage, check, user })
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
