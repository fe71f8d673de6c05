//! A request and the facts that were loaded for it: what has to come of it.

use ErrorCode::{
    Forbidden, InvalidParam, LimitExceeded, MissingParam, Unknown, UnknownToken, UserDeactivated, UserInUse,
    UserLocked, WeakPassword,
};
use matrix_uia::Rules;
use matrix_uia::server::operation::Replayable;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::rules::UnknownSession;
use matrix_uia::server::session::Proof;
use matrix_uia::wire::error::ErrorCode;

use crate::answers::{Answer, Plan, Put};
use crate::facts::{Account, CLAIM, Caller, DUMMY, Policy, RECENT, SSO, STAGES, Stage, Status, TERMS};
use crate::judge::{Heard, judge};
use crate::params::{Bound, SLOTS, Slot};
use crate::request::{Admission, Ask, Form, Incoming, fault};
use crate::session::{Id, Model, State};

/// What a decision depends on beside the session and the request.
pub(crate) struct World<'w> {
    pub(crate) policy: Policy,
    pub(crate) rules: &'w Rules,
    pub(crate) one_transaction: bool,
    pub(crate) now: u64,
    pub(crate) caller: Caller,
    pub(crate) accounts: &'w [Option<Account>],
}

/// What has become of the request so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SoFar {
    pub(crate) answered: Option<Answered>,
    /// The parameters for which a password was hashed.
    pub(crate) hashed: Option<[Slot; SLOTS]>,
    /// The revision at which this request has claimed its session.
    pub(crate) claim: Option<u32>,
    /// The account that was asked for in this transaction.
    pub(crate) named: Option<Option<Account>>,
}

/// A stage that has been looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) id: Id,
    pub(crate) stage: Stage,
    /// Nothing was attempted: the host was asked again.
    pub(crate) polled: bool,
    pub(crate) heard: Heard,
    pub(crate) caller: Option<Subject>,
    pub(crate) in_transaction: bool,
    /// What it proved has been given back, or is held by the session as stored.
    pub(crate) settled: bool,
}

/// What is asked of the host, in this order, and what has to come of it then.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) account: Option<UserRef>,
    pub(crate) admit: bool,
    pub(crate) then: Then,
}

#[derive(Debug)]
pub(crate) enum Then {
    Verify(Asked),
    Hash(Id, [Slot; SLOTS]),
    Perform(Box<Granted>),
    Repeat(Box<Repeated>),
    Recall(Box<Recalling>),
    Commit(Box<Plan>),
}

/// A question about a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) id: Id,
    pub(crate) stage: Stage,
    pub(crate) polled: bool,
    /// What the host said that the session waits for.
    pub(crate) awaited: Option<u64>,
    pub(crate) user: Option<UserRef>,
    pub(crate) by_token: bool,
    pub(crate) registers: bool,
    pub(crate) by_address: bool,
}

/// A call that is to be carried out.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// `None`: nobody has to authenticate.
    pub(crate) live: Option<Live>,
    pub(crate) caller: Option<Subject>,
    pub(crate) claimed: bool,
    pub(crate) unused: Option<(Id, Proof)>,
}

/// An answer that is to be made again.
#[derive(Debug)]
pub(crate) struct Repeated {
    pub(crate) id: Id,
    pub(crate) outcome: u64,
    pub(crate) user: Option<UserRef>,
    /// What is written if there is no such answer any more.
    pub(crate) gone: Plan,
    pub(crate) unused: Option<(Id, Proof)>,
}

/// A claim that nobody has ended.
#[derive(Debug)]
pub(crate) struct Recalling {
    pub(crate) id: Id,
    pub(crate) model: Model,
    pub(crate) arrived: u64,
    pub(crate) unused: Option<(Id, Proof)>,
}

/// A session that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) id: Id,
    pub(crate) model: Model,
    pub(crate) new: bool,
    pub(crate) changed: bool,
    pub(crate) keep: bool,
    /// Whether the terms that were last shown are those of today.
    pub(crate) terms_seen: bool,
    /// As it was read, or begun.
    pub(crate) before: Model,
}

impl Answered {
    fn proof(&self) -> Option<Proof> {
        match self.heard {
            Heard::Passed(proof, _) => Some(proof).filter(|proof| proof.is_reservation() && !self.settled),
            _ => None,
        }
    }

    /// The account that was proved.
    pub(crate) fn account(&self) -> Option<Subject> {
        match self.heard {
            Heard::Passed(_, account) => account,
            _ => None,
        }
    }

    /// What it proved, if the session doesn't hold it.
    pub(crate) fn unused(&self, stored: Option<&Model>) -> Option<(Id, Proof)> {
        let held =
            |proof: &Proof| stored.is_some_and(|model| model.reservations().any(|held| held == *proof));
        self.proof().filter(|proof| !held(proof)).map(|proof| (self.id, proof))
    }

    /// Whether an account has changed since it was asked.
    pub(crate) fn is_outdated(&self, caller: Option<Subject>, named: Option<Subject>) -> bool {
        let changed = |then: Subject| match caller.or(named) {
            Some(now) => now.user == then.user && now.epoch != then.epoch,
            None => true,
        };
        self.caller != caller || self.account().is_some_and(changed)
    }
}

/// Whether an account may go on, by a token or named by a stage.
pub(crate) fn gate(status: Status, by_token: bool) -> Option<Plan> {
    match (status, by_token) {
        (Status::Active, _) => None,
        (Status::Locked, _) => Some(Plan::error(401, UserLocked)),
        (Status::Gone, true) => Some(Plan::error(401, UnknownToken)),
        (Status::Gone, false) => Some(Plan::error(403, UserDeactivated)),
    }
}

/// What has to come of a request, once its session and its account are read.
pub(crate) fn decide(
    world: &World<'_>,
    request: &Incoming,
    so_far: &SoFar,
    stored: Option<&Model>,
) -> Decision {
    let unused = so_far.answered.and_then(|answered| answered.unused(stored));
    let mut decision = Decision { account: None, admit: false, then: commit(Plan::default()) };
    let ends = |mut decision: Decision, plan: Plan| {
        decision.then = commit(plan.and_unused(unused));
        decision
    };
    let consumed = stored.is_some_and(Model::is_consumed);
    let caller = match world.caller {
        Caller::Ended => return ends(decision, Plan::error(401, UnknownToken)),
        Caller::Nobody => None,
        Caller::User(account) => match gate(account.status, true).filter(|_| !consumed) {
            Some(plan) => return ends(decision, plan),
            None => Some(account.subject),
        },
    };
    let mut named = so_far.named.flatten().map(|account| account.subject);
    if caller.is_none() && so_far.named.is_none() {
        // Nobody learns anything about the account of a session that needs a token.
        let asks = |model: &&Model| {
            !model.by_token && (!model.is_consumed() || request.facts.replay == Replayable::WithParams)
        };
        let proved = so_far.answered.and_then(|answered| answered.account());
        decision.account = stored.filter(asks).and_then(Model::user).or(proved.map(|account| account.user));
        let account = decision.account.and_then(|user| world.account(user));
        match account.and_then(|account| gate(account.status, false)) {
            Some(plan) if !consumed => return ends(decision, plan),
            // What the call has made is gone.
            Some(_) => {}
            None => named = account.map(|account| account.subject),
        }
    }
    if request.unchecked {
        decision.then = commit(not_admitted(world, request, stored, (caller, named), WeakPassword));
        return decision;
    }
    // What a call has made, such as the name in use, is no reason to refuse that call.
    // Another's session is as one that is not there.
    let over = stored.map_or(request.session.is_some(), |model| {
        model.is_consumed() || model.is_foreign(caller) || matches!(model.state, State::Claimed(_))
    });
    decision.admit = so_far.answered.is_none() && so_far.claim.is_none() && !over;
    if decision.admit {
        match request.admission {
            Admission::Refused => return ends(decision, Plan::error(403, Forbidden)),
            Admission::RefusedForParams => {
                decision.then = commit(not_admitted(world, request, stored, (caller, named), UserInUse));
                return decision;
            }
            admission if is_exempt(admission, request, caller) => {
                let bound = stored.map_or(Bound::NOTHING, |model| model.bound);
                let effective = bound.effective(&request.given);
                let hashed = !request.facts.needs_hash || so_far.hashed == Some(effective);
                let id = request.session.flatten().unwrap_or(request.fresh);
                decision.then = if hashed {
                    Then::Perform(Box::new(Granted { live: None, caller, claimed: false, unused: None }))
                } else {
                    Then::Hash(id, effective)
                };
                return decision;
            }
            _ => {}
        }
    }
    let turn = Turn { world, request, so_far, caller, named, unused };
    decision.then = match so_far.answered {
        Some(answered) => turn.apply(answered, stored),
        None => turn.receive(stored),
    };
    decision
}

pub(crate) fn commit(plan: Plan) -> Then {
    Then::Commit(Box::new(plan))
}

/// Rule U18, and the exemptions of single operations.
fn is_exempt(admission: Admission, request: &Incoming, caller: Option<Subject>) -> bool {
    caller.is_some()
        && match admission {
            Admission::ApplicationService => true,
            Admission::SigningKeys => request.facts.signs,
            Admission::Recent(ago) => request.facts.recent && u64::from(ago) < RECENT,
            _ => false,
        }
}

/// Rule U14: a call is refused for its parameters before the flow is complete. Others may
/// be sent, and are bound anew.
fn not_admitted(
    world: &World<'_>,
    request: &Incoming,
    stored: Option<&Model>,
    (caller, named): (Option<Subject>, Option<Subject>),
    code: ErrorCode,
) -> Plan {
    let mut plan = Plan::error(400, code);
    let (Some(id), Some(model)) = (request.session.flatten(), stored) else { return plan };
    let account = if model.by_token { caller } else { named };
    let theirs = model.by_token == caller.is_some() && model.account == account;
    let open = matches!(model.state, State::Open | State::Awaiting(..));
    let lifetime = world.rules.session_lifetime.get();
    if theirs && model.is_call(request) && open && model.bound.begun && model.age(world.now) < lifetime {
        let put = Model { bound: Bound::NOTHING, ..model.clone() }.touched();
        plan.put = Some(Put { id, expected: Some(model.revision), model: put, keep: false });
    }
    plan
}

impl World<'_> {
    pub(crate) fn account(&self, user: UserRef) -> Option<Account> {
        self.accounts.iter().flatten().find(|account| account.subject.user == user).copied()
    }
}

/// One look at the session.
pub(crate) struct Turn<'t> {
    world: &'t World<'t>,
    request: &'t Incoming,
    so_far: &'t SoFar,
    caller: Option<Subject>,
    named: Option<Subject>,
    unused: Option<(Id, Proof)>,
}

impl Turn<'_> {
    fn receive(&self, stored: Option<&Model>) -> Then {
        let attempts = matches!(self.request.ask, Ask::Attempt(..));
        let one_shot = self.request.session.is_none() && attempts;
        if self.request.ask == Ask::Absent || (one_shot && !self.world.rules.one_shot) {
            return commit(self.challenge(&self.begin(), attempts, None));
        }
        let live = match self.find(stored) {
            Ok(live) => live,
            Err(then) => return then,
        };
        match self.request.ask {
            Ask::Attempt(stage, form) => self.attempt(live, STAGES[usize::from(stage)], form),
            _ => self.poll(live),
        }
    }

    fn apply(&self, answered: Answered, stored: Option<&Model>) -> Then {
        let outdated = answered.is_outdated(self.caller, self.named);
        let live = match self.find(stored) {
            Ok(live) => live,
            Err(then) => return then,
        };
        if outdated && self.request.session.is_none() {
            return commit(self.unknown(None));
        }
        let next =
            self.world.policy.is_next(&live.model.stages(), answered.stage, self.world.rules.stage_order);
        if outdated || !next {
            // Another request was faster.
            return self.go_on(live);
        }
        if answered.settled {
            return commit(self.challenge(&live, true, None));
        }
        // The session takes what was proved, or the verdict says what becomes of it.
        let turn = Turn { unused: None, ..*self };
        judge(live, answered, self.request.facts.registers).into_then(&turn)
    }

    /// The session the request is about, or what comes of one that can't go on with it.
    fn find(&self, stored: Option<&Model>) -> Result<Live, Then> {
        let (world, request) = (self.world, self.request);
        let Some(named) = request.session else { return Ok(self.begin()) };
        let (Some(id), Some(model)) = (named, stored) else { return Err(commit(self.unknown(None))) };
        // Whose it is comes first.
        if model.is_foreign(self.caller) {
            return Err(commit(self.unknown(None)));
        }
        if let State::Consumed { outcome, .. } = model.state {
            let times = (request.arrived, world.now);
            if !model.is_replayed(request, world.rules, times, self.named) {
                return Err(commit(self.unknown(None)));
            }
            let user = self.caller.or(self.named).map(|account| account.user);
            let gone = self.unknown(None);
            return Err(Then::Repeat(Box::new(Repeated { id, outcome, user, gone, unused: self.unused })));
        }
        let account =
            if model.by_token { self.caller } else { self.named.filter(|_| model.account.is_some()) };
        if !model.is_call(request) {
            let claimed = matches!(model.state, State::Claimed(_));
            let gone = !claimed && model.is_gone(world.rules, world.now, account);
            return Err(commit(if gone { self.unknown(None) } else { self.error(403, Forbidden) }));
        }
        if let State::Claimed(at) = model.state
            && self.so_far.claim != Some(model.revision)
        {
            let lapsed = world.now.saturating_sub(at) >= CLAIM || model.is_future(world.now);
            return Err(if lapsed {
                let (model, arrived, unused) = (model.clone(), request.arrived, self.unused);
                Then::Recall(Box::new(Recalling { id, model, arrived, unused }))
            } else {
                // Its stages may be those of an older policy.
                let completed = model.stages().into_iter().filter(|stage| world.policy.offers(stage));
                let completed = Some(completed.collect());
                let answer = Answer::Challenge { id, completed, code: None, extra: false };
                commit(Plan::only(answer).and_unused(self.unused))
            });
        }
        if model.is_over(&world.policy, world.rules, world.now, account) {
            return Err(commit(self.unknown(Some((id, model)))));
        }
        if model.failures >= world.rules.max_failed_attempts {
            return Err(commit(self.error(429, LimitExceeded)));
        }
        let bound = model.bound.after(&request.facts.params, world.rules.body_binding, &request.given);
        let Some(bound) = bound else { return Err(commit(self.error(403, Forbidden))) };
        let terms_seen = model.terms == world.policy.terms;
        let rebinds = bound != model.bound;
        Ok(Live {
            id,
            new: false,
            changed: rebinds || !terms_seen,
            keep: rebinds && request.given.iter().any(Option::is_some),
            terms_seen,
            before: model.clone(),
            model: Model { bound, terms: world.policy.terms, ..model.clone() },
        })
    }

    fn begin(&self) -> Live {
        let request = self.request;
        let rule = self.world.rules.body_binding;
        let bound = Bound::NOTHING.after(&request.facts.params, rule, &request.given);
        let before = Model {
            operation: request.facts.number,
            target: request.target,
            account: self.caller,
            by_token: self.caller.is_some(),
            made: self.world.now,
            passed: Vec::new(),
            failures: 0,
            bound: Bound::NOTHING,
            state: State::Open,
            terms: self.world.policy.terms,
            revision: 0,
        };
        let model = Model { bound: bound.expect("nothing is bound yet"), ..before.clone() };
        let keep = request.given.iter().any(Option::is_some);
        Live { id: request.fresh, model, new: true, changed: true, keep, terms_seen: true, before }
    }

    fn attempt(&self, live: Live, stage: Stage, form: Form) -> Then {
        let order = self.world.rules.stage_order;
        if live.model.has_passed(stage) {
            return self.go_on(live);
        }
        if !self.world.policy.is_next(&live.model.stages(), stage, order) {
            return self.no_attempt(live, InvalidParam);
        }
        match (stage, fault(stage, form)) {
            (_, Some(Form::Missing)) => self.no_attempt(live, MissingParam),
            (_, Some(_)) => self.no_attempt(live, InvalidParam),
            (TERMS, _) if !live.terms_seen => commit(self.challenge(&live, true, None)),
            (DUMMY | TERMS, _) => {
                let account = None;
                self.pass(live, stage, Proof::Nothing, account)
            }
            (SSO, _) => self.poll(live),
            _ => {
                let awaited = match live.model.state {
                    State::Awaiting(waiting, reference) if waiting == stage => Some(reference),
                    _ => None,
                };
                let by_address = form == Form::ByAddress;
                Then::Verify(Asked { by_address, ..self.asked(&live, stage, false, awaited) })
            }
        }
    }

    fn asked(&self, live: &Live, stage: Stage, polled: bool, awaited: Option<u64>) -> Asked {
        Asked {
            id: live.id,
            stage,
            polled,
            awaited,
            user: live.model.user(),
            by_token: live.model.by_token,
            registers: self.request.facts.registers,
            by_address: false,
        }
    }

    fn poll(&self, live: Live) -> Then {
        match live.model.state {
            State::Awaiting(stage, reference)
                if self.world.policy.is_next(&live.model.stages(), stage, self.world.rules.stage_order) =>
            {
                Then::Verify(self.asked(&live, stage, true, Some(reference)))
            }
            _ => self.go_on(live),
        }
    }

    /// What can't be an attempt changes nothing of a session that there is (rule U6).
    fn no_attempt(&self, live: Live, code: ErrorCode) -> Then {
        let live = if live.new { live } else { Live { model: live.before.clone(), changed: false, ..live } };
        commit(self.challenge(&live, true, Some(code)))
    }

    pub(crate) fn pass(&self, mut live: Live, stage: Stage, proof: Proof, account: Option<Subject>) -> Then {
        live.model.passed.push((stage, proof));
        live.model.state = State::Open;
        live.model.account = live.model.account.or(account);
        live.changed = true;
        self.go_on(live)
    }

    fn go_on(&self, live: Live) -> Then {
        if !self.world.policy.is_complete(&live.model.stages(), self.world.rules.stage_order) {
            return commit(self.challenge(&live, true, None));
        }
        let effective = live.model.bound.effective(&self.request.given);
        if self.request.facts.needs_hash && self.so_far.hashed != Some(effective) {
            return Then::Hash(live.id, effective);
        }
        let ours = self.so_far.claim == Some(live.before.revision);
        if self.world.one_transaction || live.new || ours {
            let claimed = !live.new && !self.world.one_transaction;
            let (caller, unused) = (self.caller, self.unused);
            return Then::Perform(Box::new(Granted { live: Some(live), caller, claimed, unused }));
        }
        let state = State::Claimed(live.model.moment(self.world.now));
        let model = Model { state, ..live.model }.touched();
        let put = Put { id: live.id, expected: Some(live.before.revision), model, keep: live.keep };
        commit(Plan { put: Some(put), ..Plan::default() }.and_unused(self.unused))
    }

    pub(crate) fn challenge(&self, live: &Live, show_completed: bool, code: Option<ErrorCode>) -> Plan {
        let completed = show_completed.then(|| live.model.stages());
        let answer = Answer::Challenge { id: live.id, completed, code, extra: false };
        Plan { put: live.put(), ..Plan::only(answer) }.and_unused(self.unused)
    }

    pub(crate) fn error(&self, status: u16, code: ErrorCode) -> Plan {
        Plan::error(status, code).and_unused(self.unused)
    }

    /// Rule U12; what is over is removed, and what it had reserved is given back.
    fn unknown(&self, over: Option<(Id, &Model)>) -> Plan {
        let mut plan = if self.world.rules.unknown_session == UnknownSession::Reject {
            self.error(400, Unknown)
        } else {
            self.challenge(&self.begin(), true, Some(Unknown))
        };
        if let Some((id, model)) = over {
            plan.remove = Some((id, model.revision));
            plan.give_back.extend(model.reservations().map(|proof| (id, proof)));
        }
        plan
    }
}

impl Live {
    /// How it is stored, if it has to be.
    pub(crate) fn put(&self) -> Option<Put> {
        let expected = (!self.new).then_some(self.before.revision);
        let model = if self.new { self.model.clone() } else { self.model.clone().touched() };
        (self.new || self.changed).then_some(Put { id: self.id, expected, model, keep: self.keep })
    }
}
