//! The transition: what a request does to a session.

use core::fmt;

use super::step::{Change, ChangeKind};
use super::transition::{Input, Outcome, Side, Transition};
use super::{
    Call, Claim, Exempt, Facts, Grant, Outside, Pending, Replay, Rules, Session, SessionId, Step, Verdict,
    Write,
};
use crate::Timestamp;
use crate::server::flows::Flows;
use crate::server::operation::{Operation, UserRef};
use crate::wire::{Auth, StageId};

/// A policy and its rules, watching over one operation.
///
/// It is two references, made where it is needed:
///
/// ```
/// use matrix_uia::server::operation::ChangePassword;
/// use matrix_uia::wire::Auth;
/// use matrix_uia::{Call, Flows, Guard, Rules, SessionId, Step, Timestamp};
///
/// let flows = Flows::<ChangePassword>::new([["m.login.password"]], None)?;
/// let rules = Rules::default();
///
/// let call = Call::new(Auth::Absent, None);
/// let fresh = SessionId::from_entropy([1; 24]); // from the host's generator
/// let step = Guard::new(&flows, &rules).receive(call, None, fresh, Timestamp::from_millis(0));
///
/// let Step::Challenge(challenge) = step else { unreachable!("no auth, no success") };
/// let mut body = String::new();
/// challenge.write_body(&mut body)?;
/// assert!(body.starts_with(r#"{"flows":[{"stages":["m.login.password"]}],"params":{},"session":""#));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Guard<'p, Op: Operation> {
    flows: &'p Flows<'p, Op>,
    rules: &'p Rules,
}

impl<Op: Operation> Clone for Guard<'_, Op> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op: Operation> Copy for Guard<'_, Op> {}

impl<'p, Op: Operation> Guard<'p, Op> {
    /// Guards `Op` with these flows and rules.
    #[must_use]
    pub const fn new(flows: &'p Flows<'p, Op>, rules: &'p Rules) -> Self {
        Self { flows, rules }
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &'p Rules {
        self.rules
    }

    /// Takes one request.
    ///
    /// `stored` is what the store has under [`Call::session_id`], and `fresh` the ID of
    /// the session that begins if one does, made from fresh entropy. Nothing is
    /// verified here and nothing stored: the [`Step`] says what is to be done.
    ///
    /// `now` is when the request came in: that is how one that raced a call is told from
    /// one that repeats it.
    ///
    /// If the store turns the step's write down because its revision has passed, read
    /// again and receive again.
    pub fn receive<'r>(
        self,
        call: Call<'r, Op>,
        stored: Option<Session>,
        fresh: SessionId,
        now: Timestamp,
    ) -> Step<'r, Op>
    where
        'p: 'r,
    {
        let input = match call.auth {
            Auth::Absent => Input::Absent,
            Auth::Poll { .. } => Input::Poll,
            Auth::Attempt { auth_type, data, .. } => Input::Attempt(auth_type.id(), data),
        };
        let outcome = self.transition(&call.facts, fresh, now).receive(input, stored);
        self.step(&call.facts, outcome)
    }

    #[expect(clippy::too_many_arguments, reason = "one crate-private caller, which has them all by name")]
    pub(super) fn apply<'r>(
        self,
        facts: &Facts,
        id: SessionId,
        stage: StageId,
        polled: bool,
        verdict: Verdict<'r>,
        current: Option<Session>,
        fresh: SessionId,
        now: Timestamp,
    ) -> Step<'r, Op>
    where
        'p: 'r,
    {
        let outcome = self.transition(facts, fresh, now).apply(id, stage, polled, verdict, current);
        self.step(facts, outcome)
    }

    const fn transition<'f>(self, facts: &'f Facts, fresh: SessionId, now: Timestamp) -> Transition<'p, 'f> {
        Transition { policy: self.flows.policy(), rules: self.rules, facts, fresh, now, side: Side::Client }
    }

    fn step<'r>(self, facts: &Facts, outcome: Outcome<'r>) -> Step<'r, Op>
    where
        'p: 'r,
    {
        match outcome {
            Outcome::Challenge(challenge) => Step::Challenge(challenge),
            Outcome::Refused(refused) => Step::Reject(refused),
            Outcome::Claim { change, params, keep, unused } => {
                Step::Grant(Claim::new(change, params, keep, unused))
            }
            Outcome::Replay { id, outcome, unused } => {
                Step::Replay(Replay::new(id, outcome, facts.subject, unused))
            }
            Outcome::Verify(question) => Step::Verify(Pending { guard: self, facts: *facts, question }),
        }
    }

    /// The same policy as a fallback page sees it: stages pass, and nothing is granted.
    #[must_use]
    pub const fn outside(self) -> Outside<'p> {
        Outside::new::<Op>(self.flows.policy(), self.rules)
    }

    /// A grant without asking, for a token that completed authentication at
    /// `authenticated` and an operation that allows it. Rule U18.
    #[must_use]
    pub fn recent(self, user: UserRef, authenticated: Timestamp, now: Timestamp) -> Option<Grant<Op>> {
        let recently = now.since(authenticated) < self.rules.recent_auth && now >= authenticated;
        (Op::RECENT && recently).then(|| Exempt::Recent.assume_exempt(Some(user)))
    }

    /// A registration's session whose call was refused for its parameters before the
    /// flow was complete: other parameters may be sent, and are bound anew. Rule U14.
    ///
    /// `None` if there is nothing to change: no such session, or it is not this call's.
    #[must_use]
    pub fn refused_for_params(
        self,
        call: &Call<'_, Op>,
        stored: Option<Session>,
        now: Timestamp,
    ) -> Option<Completed> {
        let id = call.session_id()?;
        let session = stored?;
        let expected = session.revision();
        let session = session.rebindable(&call.facts, self.rules, now)?;
        Some(Completed { change: Change { id, session, kind: ChangeKind::Replace(expected) } })
    }
}

impl<Op: Operation> fmt::Debug for Guard<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("operation", &Op::DESCRIPTION)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// A change to a session that answers no request of its client.
#[derive(Debug)]
#[must_use = "an unstored change never happened"]
pub struct Completed {
    pub(super) change: Change,
}

impl Completed {
    /// What to store.
    pub const fn write(&self) -> Write<'_> {
        self.change.write()
    }

    /// The session as it becomes.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.change.session
    }
}
