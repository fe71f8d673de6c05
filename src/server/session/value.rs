//! What the host stores between two requests.

use core::fmt;

use super::passed::Passed;
use super::proof::Proof;
use super::revision::Revision;
use crate::server::digest::Target;
use crate::server::operation::OperationId;
use crate::server::reference::{Reference, Subject, UserRef};
use crate::server::rules::Rules;
use crate::time::{CLOCK_TOLERANCE, Millis, Timestamp};
use crate::wire::StageId;

/// How many parameters of a call a session can bind.
pub(crate) const SLOTS: usize = 3;

/// What the host stores between two requests: a plain value of at most 192 bytes, copied as one.
///
/// It has no lifetime, no type parameter and no secret: of the request's parameters it
/// keeps [keyed digests](crate::server::digest), of what was proved a [reference](Proof).
/// It serialises with `serde`, names its format's version, and is checked when read back.
/// It does not hold its own [`SessionId`](super::SessionId); that is the key it is stored
/// under.
#[derive(Clone, Copy, PartialEq, Eq)]
// In this order: the short instructions of a small processor reach a few bytes from where a
// value begins, and the flags are looked at most.
#[repr(C)]
pub struct Session {
    pub(crate) phase: Phase,
    /// Whether an access token or a stage has said who authenticates.
    pub(crate) has_user: bool,
    /// Whether it was an access token.
    pub(crate) by_token: bool,
    pub(crate) bound: bool,
    /// Whether its ID holds it as it began: then what is over has to be remembered as long as
    /// its ID could begin it again.
    pub(crate) sealed: bool,
    pub(crate) failures: u16,
    pub(crate) revision: Revision,
    /// Claimed or consumed so many milliseconds after it was made.
    pub(crate) since: u32,
    pub(crate) terms: u32,
    pub(crate) epoch: u32,
    pub(crate) operation: OperationId,
    pub(crate) made: Timestamp,
    /// Who authenticates; meaningless unless `has_user`.
    pub(crate) user: UserRef,
    pub(crate) target: Target,
    /// The digests of the bound parameters; 0 for one that is not bound.
    pub(crate) slots: [u64; SLOTS],
    pub(crate) passed: Passed,
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Phase {
    /// Stages can pass.
    Open,
    /// As `Open`; the next stage waits for something outside.
    Awaiting,
    /// Complete, and a call is being carried out on the strength of it.
    Claimed,
    /// The call succeeded.
    Consumed,
    /// It is over, and stored because its ID could begin it again.
    Ended,
}

impl Session {
    /// One that begins, and the account of the token it begins with.
    pub(crate) fn new(
        made: Timestamp,
        operation: OperationId,
        target: Target,
        terms: u32,
        caller: Option<Subject>,
    ) -> Self {
        let mut session = Self {
            made,
            user: UserRef::new(0),
            target,
            operation,
            slots: [0; SLOTS],
            passed: Passed::new(),
            epoch: 0,
            terms,
            revision: Revision::default(),
            since: 0,
            failures: 0,
            phase: Phase::Open,
            has_user: false,
            by_token: caller.is_some(),
            bound: false,
            sealed: false,
        };
        if let Some(caller) = caller {
            session.set_account(caller);
        }
        session
    }

    /// Which call the session is for.
    #[must_use]
    pub const fn operation(&self) -> OperationId {
        self.operation
    }

    /// The user whose access token began the session.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        self.account().filter(|_| self.by_token)
    }

    /// Whether it was begun with an access token of this user, or with none if it is `None`.
    pub(crate) fn is_for_token_of(&self, caller: Option<&Subject>) -> bool {
        match caller {
            Some(caller) => self.by_token && self.has_user && self.user == caller.user,
            None => !(self.by_token && self.has_user),
        }
    }

    /// Who authenticates, by the access token or by a stage, and the epoch of the account
    /// when that was said.
    #[must_use]
    pub const fn account(&self) -> Option<Subject> {
        if self.has_user { Some(Subject::new(self.user, self.epoch)) } else { None }
    }

    /// Who authenticates.
    #[must_use]
    pub const fn user(&self) -> Option<UserRef> {
        if self.has_user { Some(self.user) } else { None }
    }

    /// When it was made. It lives [`Rules::session_lifetime`] from then on.
    #[must_use]
    pub const fn made(&self) -> Timestamp {
        self.made
    }

    /// How often it has been changed.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// How many attempts at a stage have failed.
    #[must_use]
    pub const fn failures(&self) -> u16 {
        self.failures
    }

    /// Whether any stage has passed.
    #[must_use]
    pub const fn has_passed_stage(&self) -> bool {
        !self.passed.is_empty()
    }

    /// What the passed stages proved, in their order. When a session leaves its store
    /// without its call having succeeded, the host gives back what of this it had
    /// [reserved](Proof::is_reservation).
    pub fn proofs(&self) -> impl Iterator<Item = Proof> + '_ {
        self.passed.proofs(self.user)
    }

    /// When the call succeeded, if it has.
    #[must_use]
    pub fn consumed_at(&self) -> Option<Timestamp> {
        (self.phase == Phase::Consumed).then(|| self.moment())
    }

    /// When the call was claimed, if it is being carried out.
    #[must_use]
    pub fn claimed_at(&self) -> Option<Timestamp> {
        self.is_claimed().then(|| self.moment())
    }

    /// Whether what is kept beside it of a request's parameters still counts: not once they
    /// were refused, since others are bound anew then.
    #[must_use]
    pub fn keeps_params(&self) -> bool {
        self.slots != [0; SLOTS]
    }

    /// Whether a call is being carried out on the strength of this session.
    #[must_use]
    pub const fn is_claimed(&self) -> bool {
        matches!(self.phase, Phase::Claimed)
    }

    /// When there is no more use in keeping it.
    #[must_use]
    pub fn ends(&self, rules: &Rules) -> Timestamp {
        let over = self.made.after(rules.session_lifetime);
        match self.consumed_at() {
            // As long as the ID could begin the session again, by whichever worker's clock.
            Some(at) if self.is_sealed() => at.after(rules.replay_for).max(over.after(CLOCK_TOLERANCE)),
            Some(at) => at.after(rules.replay_for),
            None if self.has_ended() => over.after(CLOCK_TOLERANCE),
            None => over,
        }
    }

    /// Whether it ended before its time, and nothing but that is remembered of it.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        cfg!(feature = "sealed") && matches!(self.phase, Phase::Ended)
    }

    /// Whether its ID holds it as it [began](crate::server::sealed).
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        cfg!(feature = "sealed") && self.sealed
    }

    /// Whether anything has happened to it that its ID does not say.
    pub(crate) const fn is_touched(&self) -> bool {
        !matches!(self.phase, Phase::Open) || self.failures > 0 || !self.passed.is_empty()
    }

    /// What is left of it once it is over, at its next revision.
    #[cfg(feature = "sealed")]
    pub(crate) fn ended(&self) -> Self {
        let mut ended = *self;
        ended.unbind();
        (ended.phase, ended.passed) = (Phase::Ended, Passed::new());
        ended.touch();
        ended
    }

    fn moment(&self) -> Timestamp {
        self.made.after(Millis::new(u64::from(self.since)))
    }

    /// What the host called the result of the call, once it has succeeded.
    #[must_use]
    pub fn outcome(&self) -> Option<Reference> {
        if self.phase == Phase::Consumed { self.passed.next().map(|(_, outcome)| outcome) } else { None }
    }

    pub(crate) fn awaiting(&self) -> Option<(StageId, Reference)> {
        if self.phase == Phase::Awaiting { self.passed.next() } else { None }
    }

    pub(crate) fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.since = u32::try_from(now.since(self.made).get()).unwrap_or(u32::MAX);
    }

    /// The call did not happen: stages can pass again.
    pub(crate) const fn reopen(&mut self) {
        (self.phase, self.since) = (Phase::Open, 0);
    }

    /// Other parameters may be bound.
    pub(crate) const fn unbind(&mut self) {
        (self.bound, self.slots) = (false, [0; SLOTS]);
    }

    /// The call succeeded, and left this account, if it made one or logged into it.
    pub(crate) fn consume(&mut self, outcome: Reference, account: Option<Subject>, now: Timestamp) {
        self.enter(Phase::Consumed, now);
        self.passed = Passed::of_outcome(outcome);
        if let Some(account) = account {
            self.set_account(account);
        }
    }

    pub(crate) const fn set_account(&mut self, account: Subject) {
        self.user = account.user;
        self.epoch = account.epoch;
        self.has_user = true;
    }

    pub(crate) const fn touch(&mut self) {
        self.revision = self.revision.next();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("operation", &self.operation)
            .field("user", &self.user())
            .field("made", &self.made)
            .field("phase", &self.phase)
            .field("passed", &self.passed.stages())
            .field("failures", &self.failures)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_at_most_192_bytes() {
        assert!(size_of::<Session>() <= 192, "{}", size_of::<Session>());
    }
}
