//! A session in plain values.

use matrix_uia::Rules;
use matrix_uia::server::operation::Replayable;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::session::Proof;

use crate::facts::{DUMMY, PASSWORD, Policy, Stage, TERMS};
use crate::params::Bound;
use crate::request::Incoming;

/// The number that a session's ID is made of.
pub(crate) type Id = u64;

/// A session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) operation: u8,
    pub(crate) target: bool,
    /// Who authenticates, by a token or a stage.
    pub(crate) account: Option<Subject>,
    pub(crate) by_token: bool,
    pub(crate) made: u64,
    pub(crate) passed: Vec<(Stage, Proof)>,
    pub(crate) failures: u16,
    pub(crate) bound: Bound,
    pub(crate) state: State,
    pub(crate) terms: u8,
    pub(crate) revision: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Open,
    Awaiting(Stage, u64),
    Claimed(u64),
    Consumed { at: u64, outcome: u64 },
}

/// By how much a clock may have been set back.
const TOLERANCE: u64 = 60_000;

impl Model {
    pub(crate) fn stages(&self) -> Vec<Stage> {
        self.passed.iter().map(|(stage, _)| *stage).collect()
    }

    pub(crate) fn has_passed(&self, stage: &str) -> bool {
        self.passed.iter().any(|(passed, _)| *passed == stage)
    }

    pub(crate) fn user(&self) -> Option<UserRef> {
        self.account.map(|account| account.user)
    }

    pub(crate) fn is_consumed(&self) -> bool {
        matches!(self.state, State::Consumed { .. })
    }

    /// What the host has reserved for it.
    pub(crate) fn reservations(&self) -> impl Iterator<Item = Proof> + '_ {
        self.passed.iter().map(|(_, proof)| *proof).filter(|proof| proof.is_reservation())
    }

    /// Whether a stage has passed that its user can't simply pass again.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.passed.iter().any(|(stage, _)| ![DUMMY, TERMS, PASSWORD].contains(stage))
    }

    pub(crate) fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.made)
    }

    pub(crate) fn is_future(&self, now: u64) -> bool {
        self.made.saturating_sub(now) > TOLERANCE
    }

    /// The moment a call was claimed or has succeeded: never before it was made.
    pub(crate) fn moment(&self, now: u64) -> u64 {
        self.made + self.age(now)
    }

    /// Whether it is over, whoever asks; `account` is that of its user by now.
    pub(crate) fn is_over(&self, policy: &Policy, rules: &Rules, now: u64, account: Option<Subject>) -> bool {
        self.is_gone(rules, now, account)
            || (self.has_passed(TERMS) && self.terms != policy.terms)
            || !policy.fits(&self.stages(), rules.stage_order)
    }

    /// Whether it is over for every operation.
    pub(crate) fn is_gone(&self, rules: &Rules, now: u64, account: Option<Subject>) -> bool {
        self.age(now) >= rules.session_lifetime.get() || self.is_future(now) || self.account != account
    }

    /// Whether it belongs to the access token of another user than `caller`, or to none where
    /// there is one.
    pub(crate) fn is_foreign(&self, caller: Option<Subject>) -> bool {
        let token = self.account.filter(|_| self.by_token).map(|account| account.user);
        caller.map(|caller| caller.user) != token
    }

    pub(crate) fn is_call(&self, request: &Incoming) -> bool {
        self.operation == request.facts.number && self.target == request.target
    }

    /// Whether the request is the one again whose call has succeeded; `named` is the
    /// account that the call has made, as it is now.
    pub(crate) fn is_replayed(
        &self,
        request: &Incoming,
        rules: &Rules,
        (arrived, now): (u64, u64),
        named: Option<Subject>,
    ) -> bool {
        let State::Consumed { at, .. } = self.state else { return false };
        let kinds = &request.facts.params;
        let params = match request.facts.replay {
            Replayable::Never => false,
            Replayable::Always => self.bound.is_repeated(kinds, &request.given, false),
            _ => {
                self.bound.begun
                    && self.bound.is_repeated(kinds, &request.given, true)
                    && self.account.is_some()
                    && self.account == named
            }
        };
        // What came in before it succeeded raced it.
        let in_time = arrived >= at && now.saturating_sub(at) < rules.replay_for.get();
        self.is_call(request) && in_time && params && !self.is_future(now)
    }

    pub(crate) fn touched(mut self) -> Self {
        self.revision += 1;
        self
    }
}
