//! How a granted call ends, and what that does to its session.

use matrix_uia::server::reference::Subject;
use matrix_uia::server::session::Proof;
use matrix_uia::wire::error::ErrorCode;

use crate::answers::{Answer, Plan, Put};
use crate::params::Bound;
use crate::session::{Id, Model, State};
use crate::steps::{Granted, Recalling, Repeated};

/// How a call succeeded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Success {
    pub(crate) reference: u64,
    /// The account that it made.
    pub(crate) account: Option<Subject>,
}

/// What is known of a call that nobody has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Recalled {
    CarriedOut(Success),
    NotCarriedOut,
    Unknown,
}

impl Model {
    fn consumed(mut self, success: Success, now: u64) -> Self {
        let at = self.moment(now);
        self.state = State::Consumed { at, outcome: success.reference };
        self.passed.clear();
        self.account = success.account.or(self.account);
        self.touched()
    }
}

impl Granted {
    /// Who is acted on.
    pub(crate) fn account(&self) -> Option<Subject> {
        self.caller.or(self.live.as_ref().and_then(|live| live.model.account))
    }

    /// The record's name, if the host claims first.
    pub(crate) fn record_under(&self) -> Option<Id> {
        self.live.as_ref().filter(|_| self.claimed).map(|live| live.id)
    }

    pub(crate) fn succeeded(self, success: Success, now: u64) -> Plan {
        let mut plan = Plan::only(Answer::Performed).and_unused(self.unused);
        if let Some(live) = self.live {
            plan.spend = live.model.reservations().map(|proof| (live.id, proof)).collect();
            // A session whose ID no answer has carried is never stored.
            plan.put = (!live.new).then(|| Put {
                id: live.id,
                expected: Some(live.before.revision),
                model: live.model.consumed(success, now),
                keep: live.keep,
            });
        }
        plan
    }

    /// Refused for a reason that is not authentication; perhaps for its parameters.
    pub(crate) fn refused(self, status: u16, code: ErrorCode, for_params: bool) -> Plan {
        let mut plan = Plan { undo: true, ..Plan::error(status, code) }.and_unused(self.unused);
        let Some(mut live) = self.live else { return plan };
        live.model.state = State::Open;
        live.changed = true;
        if for_params {
            (live.model.bound, live.keep) = (Bound::NOTHING, false);
        }
        if !live.new {
            plan.put = live.put();
        } else if live.model.is_worth_keeping() {
            let completed = Some(live.model.stages());
            plan.answer =
                Some(Answer::Challenge { id: live.id, completed, code: Some(code), extra: false });
            plan.put = live.put();
        } else {
            // It leaves nothing behind.
            plan.give_back.extend(live.model.reservations().map(|proof| (live.id, proof)));
        }
        plan
    }

    /// Another request has carried the call out.
    pub(crate) fn already(self, success: Success, arrived: u64) -> Plan {
        let live = self.live.expect("there is a record of its session");
        let put = Put {
            id: live.id,
            expected: Some(live.before.revision),
            model: live.model.consumed(success, arrived),
            keep: live.keep,
        };
        Plan { undo: true, put: Some(put), ..Plan::default() }.and_unused(self.unused)
    }
}

impl Recalling {
    pub(crate) fn recalled(self, recalled: Recalled) -> Plan {
        let Self { id, model, arrived, unused } = self;
        let expected = model.revision;
        let mut plan = Plan::default().and_unused(unused);
        let model = match recalled {
            Recalled::CarriedOut(success) => model.consumed(success, arrived),
            Recalled::NotCarriedOut => Model { state: State::Open, ..model }.touched(),
            Recalled::Unknown => {
                plan.remove = Some((id, expected));
                let reserved: Vec<(Id, Proof)> = model.reservations().map(|proof| (id, proof)).collect();
                plan.give_back.extend(reserved);
                return plan;
            }
        };
        plan.put = Some(Put { id, expected: Some(expected), model, keep: false });
        plan
    }
}

impl Repeated {
    pub(crate) fn repeated(self, gone: bool) -> Plan {
        if gone { self.gone } else { Plan::only(Answer::Performed).and_unused(self.unused) }
    }
}
