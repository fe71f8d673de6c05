//! A visit to a page, and the facts that were loaded for it: what has to come of it.

use matrix_uia::server::operation::Replayable;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::session::Proof;
use matrix_uia::server::verdict::StageFailure;
use matrix_uia::wire::error::ErrorCode;

use crate::answers::{Answer, Plan};
use crate::facts::{Account, DUMMY, Facts, PIN, Policy, SSO, Stage, TERMS};
use crate::judge::{Heard, Judged, judge};
use crate::request::{Form, fault};
use crate::session::{Id, Model, State};
use crate::steps::{Answered, Asked, Live, World, gate};
use crate::visit::Brings;

/// What a page says in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    Open,
    Passed,
    Unknown,
    Account(u16, ErrorCode),
    Closed,
    OutOfOrder,
    Already,
    WrongUser,
    Malformed,
    Failed(StageFailure),
    Pending,
    TermsChanged,
    Unavailable,
    Limited,
}

/// A visit as the model sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visiting {
    pub(crate) id: Id,
    pub(crate) stage: Stage,
    pub(crate) brings: Brings,
    /// Whom the provider named, and the epoch of the account then.
    pub(crate) approved: Option<Subject>,
    pub(crate) form: Form,
    /// The terms that its page has shown.
    pub(crate) shown: Option<u8>,
    /// The operation of the policy that the host has found for the session.
    pub(crate) facts: Facts,
}

#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) account: Option<UserRef>,
    pub(crate) then: Then,
}

#[derive(Debug)]
pub(crate) enum Then {
    Verify(Asked),
    Commit(Box<Plan>, Said),
    /// There is nothing to be written.
    Respond(Said),
}

/// What has to come of a visit, once its session and the account of its user are read.
pub(crate) fn decide(
    world: &World<'_>,
    visit: &Visiting,
    (answered, asked_before): (Option<Answered>, Option<Option<Account>>),
    stored: Option<&Model>,
) -> Decision {
    let Some(model) = stored.filter(|model| model.operation == visit.facts.number) else {
        let unused = answered.and_then(|answered| answered.unused(None));
        let plan = Plan::default().and_unused(unused);
        let then = match unused {
            Some(_) => Then::Commit(Box::new(plan), Said::Unknown),
            None => Then::Respond(Said::Unknown),
        };
        return Decision { account: None, then };
    };
    let unused = answered.and_then(|answered| answered.unused(stored));
    let asks = !model.is_consumed() || visit.facts.replay == Replayable::WithParams;
    let proved = answered.and_then(|answered| answered.account()).map(|account| account.user);
    let asked = model.user().filter(|_| asks).or(proved).filter(|_| asked_before.is_none());
    let account = asked_before.unwrap_or_else(|| asked.and_then(|user| world.account(user)));
    let gated = account.and_then(|account| gate(account.status, model.by_token));
    let named = account.map(|account| account.subject).filter(|_| gated.is_none());
    let said = |said| Then::Commit(Box::new(Plan::default().and_unused(unused)), said);
    let then = match gated.filter(|_| !model.is_consumed()).and_then(|plan| plan.answer) {
        Some(Answer::Error(status, code)) => said(Said::Account(status, code)),
        _ => match step(world, visit, answered, model, named) {
            Ok(then) => then,
            Err(outcome) => said(outcome),
        },
    };
    Decision { account: asked, then }
}

fn step(
    world: &World<'_>,
    visit: &Visiting,
    answered: Option<Answered>,
    model: &Model,
    named: Option<Subject>,
) -> Result<Then, Said> {
    let (policy, rules, stage) = (&world.policy, world.rules, visit.stage);
    let open = matches!(model.state, State::Open | State::Awaiting(..));
    let account = named.filter(|_| model.account.is_some());
    if !open || model.is_over(policy, rules, world.now, account) {
        return Err(Said::Unknown);
    }
    if model.failures >= rules.max_failed_attempts {
        return Err(Said::Closed);
    }
    if model.has_passed(stage) {
        return Err(Said::Already);
    }
    if !policy.is_next(&model.stages(), stage, rules.stage_order) {
        return Err(Said::OutOfOrder);
    }
    let live = live(visit.id, model);
    let registers = visit.facts.registers;
    if let Some(answered) = answered {
        if answered.is_outdated(None, named) {
            return Err(Said::Unknown);
        }
        return Ok(judged(policy, judge(live, answered, registers)));
    }
    let approved = |proof, account| Answered {
        id: visit.id,
        stage,
        polled: true,
        heard: Heard::Passed(proof, account),
        caller: None,
        in_transaction: false,
        settled: false,
    };
    match visit.brings {
        Brings::Nothing => Err(Said::Open),
        Brings::Approval(_) => {
            let account = visit.approved;
            let proof = account.map_or(Proof::Nothing, |account| Proof::User(account.user));
            Ok(judged(policy, judge(live, approved(proof, account), registers)))
        }
        Brings::ApprovalOfUser => {
            let proof = named.map_or(Proof::Nothing, |account| Proof::User(account.user));
            Ok(judged(policy, judge(live, approved(proof, named), registers)))
        }
        // No form proves a single sign-on.
        Brings::Form if stage == SSO => Err(Said::Pending),
        Brings::Form if stage == TERMS && visit.shown.unwrap_or(model.terms) != policy.terms => {
            Err(Said::TermsChanged)
        }
        Brings::Form if fault(stage, visit.form).is_some() => Err(Said::Malformed),
        Brings::Form if stage == TERMS || stage == DUMMY => {
            Ok(judged(policy, judge(live, approved(Proof::Nothing, None), registers)))
        }
        Brings::Form => {
            let awaited = match model.state {
                State::Awaiting(waiting, reference) if waiting == stage && stage == PIN => Some(reference),
                _ => None,
            };
            Ok(Then::Verify(Asked {
                id: visit.id,
                stage,
                polled: false,
                awaited,
                user: model.user(),
                by_token: model.by_token,
                registers,
                by_address: visit.form == Form::ByAddress,
            }))
        }
    }
}

/// A page binds no parameters, and has shown its client no terms.
fn live(id: Id, model: &Model) -> Live {
    Live {
        id,
        model: model.clone(),
        new: false,
        changed: false,
        keep: false,
        terms_seen: true,
        before: model.clone(),
    }
}

fn judged(policy: &Policy, judged: Judged) -> Then {
    let (live, said, unused) = match judged {
        Judged::Passes(mut live, stage, proof, account) => {
            live.model.passed.push((stage, proof));
            live.model.state = State::Open;
            live.model.account = live.model.account.or(account);
            if stage == TERMS {
                live.model.terms = policy.terms;
            }
            live.changed = true;
            (live, Said::Passed, None)
        }
        Judged::Wrong(fails, unused) => (fails.counted(), Said::WrongUser, unused),
        Judged::Fails(fails) => {
            let said = match fails.failure {
                StageFailure::OtherUser => Said::WrongUser,
                failure => Said::Failed(failure),
            };
            (fails.counted(), said, None)
        }
        Judged::Waits(live, _) => (live, Said::Pending, None),
        Judged::Ends(plan) => {
            let limited = plan.answer == Some(Answer::Error(429, ErrorCode::LimitExceeded));
            let said = if limited { Said::Limited } else { Said::Unavailable };
            return Then::Commit(Box::default(), said);
        }
    };
    let plan = Plan { put: live.put(), ..Plan::default() }.and_unused(unused);
    Then::Commit(Box::new(plan), said)
}
