//! Sequences of everything that can happen to sessions, beside the reference model:
//! requests, verdicts, completions from outside, grants used and given back, stale
//! snapshots, clocks that jump both ways, policies that change, the store in between.
//!
//! The input: 6 bytes of policy and rules, then operations of 6 bytes each.
#![no_main]

#[path = "server_ops/input.rs"]
mod input;
#[path = "server_ops/seen.rs"]
mod seen;

use std::collections::BTreeMap;
use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use matrix_uia::server::operation::{
    ChangePassword, Deactivate, GetLoginToken, Operation, Reference, Register, Subject, UserRef,
};
use matrix_uia::server::session::{NotCompleted, Pending, Proof, Receipt, Resolved, Visit, Visited, Write};
use matrix_uia::wire::{Auth, AuthType, Raw};
use matrix_uia::{BindingKey, Call, Flows, Guard, Rules, Session, Step, Text, Timestamp};
use matrix_uia_fuzz::model::{self, Answered, Id, Model, Policy, Request, Stage, State, World};

use input::{Input, LIFETIME, POLICIES, STAGES, TERMS, id, input, proof, real, rules, slot, verdict};
use seen::{Seen, compare, only_counts, same, shown};

fuzz_target!(|input: &[u8]| {
    let Some((head, rest)) = input.split_first_chunk::<6>() else { return };
    match head[0] % 3 {
        0 => run::<Register>(1, 10, head, rest),
        1 => run::<ChangePassword>(2, 7, head, rest),
        _ => run::<GetLoginToken>(8, 7, head, rest),
    }
});

/// A store that remembers every state of every session.
#[derive(Default)]
struct Store {
    now: BTreeMap<Id, (Session, Model)>,
    past: BTreeMap<Id, Vec<(Session, Model)>>,
}

impl Store {
    /// A snapshot, perhaps of a while ago.
    fn read(&self, slot: Option<Id>, back: u8) -> Option<(Session, Model)> {
        let past = self.past.get(&slot?)?;
        let current = self.now.get(&slot?)?;
        let back = usize::from(back);
        Some(past.len().checked_sub(back + 1).and_then(|at| past.get(at)).unwrap_or(current).clone())
    }

    /// Carries a write out, beside what the model says is to be written; `false` if the
    /// revision has passed.
    fn write(&mut self, write: Write<'_>, expected: &Option<(Id, Model)>) -> bool {
        let (at, session, revision) = match write {
            Write::Keep => {
                assert!(expected.is_none(), "the model writes {expected:?}");
                return true;
            }
            Write::Insert { id, session } => (slot(id), session, None),
            Write::Replace { id, expected, session } => (slot(id), session, Some(expected)),
            _ => unreachable!("no such write"),
        };
        let Some((expected_at, model)) = expected else { panic!("the model writes nothing: {write:?}") };
        assert_eq!(at, *expected_at);
        compare(session, model);
        let old = self.now.get(&at);
        match (revision, old) {
            (None, old) => assert!(old.is_none(), "a new session has a new ID"),
            (Some(revision), Some((old, _))) if revision == old.revision() => {}
            // Lost the race, or the session has been removed.
            (Some(_), _) => return false,
        }
        // Whatever is stored goes through its serialised form.
        let stored = serde_json::to_string(session).unwrap();
        let session: Session = serde_json::from_str(&stored).unwrap();
        compare(&session, model);
        self.past.entry(at).or_default().push((session.clone(), model.clone()));
        self.now.insert(at, (session, model.clone()));
        true
    }
}

/// A question that has been asked.
struct Asked<'r, Op: Operation> {
    pending: Option<Pending<'r, Op>>,
    /// An answer that lost a race is applied again.
    resolved: Option<(Resolved<'r, Op>, Answered)>,
    request: Request,
    at: (Id, Stage, bool),
    policy: Policy,
}

/// A grant that is being used.
struct Held {
    slot: Id,
    receipt: Receipt,
    model: Model,
}

struct Run<'r, Op: Operation> {
    rules: &'r Rules,
    guards: [(Guard<'r, Op>, Policy); 2],
    policy: usize,
    clock: u64,
    fresh: Id,
    store: Store,
    asked: Vec<Asked<'r, Op>>,
    held: Vec<Held>,
    succeeded: Vec<Id>,
}

fn run<Op: Operation + Copy + Debug>(operation: u8, policies: u8, head: &[u8; 6], rest: &[u8]) {
    let rules = rules(head);
    let chosen = [head[1], head[2]].map(|byte| POLICIES[usize::from(byte % policies)]);
    let flows = chosen.map(|policy| {
        let params = Raw::parse(TERMS[usize::from(policy.terms)]).unwrap();
        Flows::<Op>::new(policy.flows.iter().copied(), Some(params)).unwrap()
    });
    let elsewhere = Flows::<Deactivate>::new([["m.login.dummy"]], None).unwrap();
    let (chunks, _) = rest.as_chunks::<6>();
    let inputs: Vec<Input> = chunks.iter().take(64).map(|bytes| input::<Op>(operation, *bytes)).collect();
    let mut run = Run {
        rules: &rules,
        guards: [(Guard::new(&flows[0], &rules), chosen[0]), (Guard::new(&flows[1], &rules), chosen[1])],
        policy: 0,
        clock: 1_000_000,
        fresh: 0,
        store: Store::default(),
        asked: Vec::new(),
        held: Vec::new(),
        succeeded: Vec::new(),
    };
    for input in &inputs {
        run.take(operation, input, &elsewhere);
    }
}

impl<'r, Op: Operation + Copy + Debug> Run<'r, Op> {
    fn world(&self) -> World<'r> {
        World { policy: self.guards[self.policy].1, rules: self.rules, now: self.clock, fresh: self.fresh }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock)
    }

    fn take(&mut self, operation: u8, input: &'r Input, elsewhere: &Flows<'_, Deactivate>) {
        let [_, _, _, back, stage, extra] = input.bytes;
        let back = if back & 8 == 0 { 0 } else { 1 + (extra >> 6) };
        match input.code % 16 {
            0..=5 if input.request.call.0 != operation => self.elsewhere(input, elsewhere),
            0..=5 => self.receive(input, back),
            6..=9 => self.answer(input, back),
            10 if input.code & 16 != 0 => self.visit(operation, input, back),
            10 => self.complete(operation, input.slot, STAGES[usize::from(stage % 8)], proof(extra), back),
            11 | 12 => self.redeem(extra),
            13 => self.rebind(input, back),
            14 => {
                let by = u64::from(extra & 0x7F) * 10;
                self.clock = if extra & 0x80 == 0 { self.clock + by } else { self.clock - by };
            }
            _ => match extra % 4 {
                0 | 1 => self.policy = 1 - self.policy,
                2 => self.abandon(input.slot),
                _ => drop(self.store.now.remove(&input.slot)),
            },
        }
    }

    fn call<Any: Operation>(request: &Request, auth: &'r str) -> Call<'r, Any> {
        let key = BindingKey::from_entropy([7; 16]);
        let params = request.params.map(|it| if it == 0 { "a" } else { "b" }).map(Text::new);
        let subject = request.subject.map(|(user, epoch)| Subject::new(UserRef::new(user), epoch));
        let call = Call::new(Auth::parse(auth.as_bytes()).unwrap(), subject);
        let call = call.with_params(key.params::<Any>().text(params).finish());
        if request.call.1 == 0 { call } else { call.at(key.target([Text::new("D")])) }
    }

    fn receive(&mut self, input: &'r Input, back: u8) {
        // Who loses a race reads again, and receives again.
        for back in [back, 0] {
            let request = &input.request;
            let (session, model) = self.store.read(request.session, back).unzip();
            let world = self.world();
            let expected = model::receive(&world, request, model);
            let call = Self::call::<Op>(request, &input.auth);
            let guard = self.guards[self.policy].0;
            let step = guard.receive(call, session.clone(), id(self.fresh), self.now());
            let again = guard.receive(call, session, id(self.fresh), self.now());
            let seen = shown(&step);
            assert!(same(&step, &again), "the same inputs, the same outputs");
            if self.settle(step, seen, expected, request, world.policy) {
                break;
            }
        }
    }

    /// Another operation with the session's name: what comes of it is only looked at.
    fn elsewhere(&mut self, input: &'r Input, flows: &Flows<'_, Deactivate>) {
        let (session, model) = self.store.read(input.request.session, 0).unzip();
        let policy = Policy { flows: &[&["m.login.dummy"]], terms: 0 };
        let expected = model::receive(&World { policy, ..self.world() }, &input.request, model);
        let call = Self::call::<Deactivate>(&input.request, &input.auth);
        let step = Guard::new(flows, self.rules).receive(call, session, id(self.fresh), self.now());
        assert_eq!(shown(&step).0, expected.answer);
    }

    fn answer(&mut self, input: &'r Input, back: u8) {
        if self.asked.is_empty() {
            return;
        }
        let mut asked = self.asked.remove(usize::from(input.slot) % self.asked.len());
        let (resolved, verdict) = match (asked.pending.take(), asked.resolved.take()) {
            (Some(pending), _) => {
                let verdict = verdict(input.bytes[4], input.bytes[5]);
                (pending.resolve(real(verdict)), verdict)
            }
            (None, Some(resolved)) => resolved,
            (None, None) => return,
        };
        let request = asked.request;
        let (session, model) = self.store.read(request.session, back).unzip();
        let before = session.clone();
        let world = World { policy: asked.policy, ..self.world() };
        if self.store.past.contains_key(&asked.at.0) && request.session.is_none() {
            // A host stores a new session's verdict once.
            return;
        }
        let expected = model::apply(&world, &request, asked.at, verdict, model);
        let step = resolved.apply(session.clone(), id(self.fresh), self.now());
        let again = resolved.apply(session, id(self.fresh), self.now());
        let seen = shown(&step);
        assert!(same(&step, &again), "the same inputs, the same outputs");
        let (_, unused, stored) = &seen;
        if let Answered::Passed(proof) = verdict {
            // What was proved is in use or given back, never lost.
            let held = before.iter().chain(stored).flat_map(Session::proofs).any(|held| held == proof);
            assert!(held || *unused == Some(proof), "{proof:?} is {unused:?}");
        }
        if let (Answered::Failed(_), Some(before), Some(after)) = (verdict, &before, stored) {
            // A stage that another request has completed is not verified again: what came of this
            // attempt doesn't matter then, and the call may go ahead (rule U8).
            let same = before.revision().get().wrapping_add(1) == after.revision().get();
            if same && !after.is_claimed() {
                only_counts(before, after);
            }
        }
        if !self.settle(step, seen, expected, &request, asked.policy) {
            asked.resolved = Some((resolved, verdict));
            self.asked.push(asked);
        }
    }

    /// Holds a step against the model and carries it out; `false` if its write lost.
    fn settle(
        &mut self,
        step: Step<'r, Op>,
        (answer, unused, _): Seen,
        expected: model::Outcome,
        request: &Request,
        policy: Policy,
    ) -> bool {
        assert_eq!(answer, expected.answer);
        assert_eq!(unused, expected.unused);
        let over = expected.write.as_ref().is_some_and(|(at, model)| {
            self.store.now.contains_key(at) && self.clock.saturating_sub(model.made) >= LIFETIME
        });
        assert!(!over, "nothing advances after expiry");
        let stored = match step {
            Step::Challenge(challenge) => self.store.write(challenge.write(), &expected.write),
            Step::Reject(refused) => self.store.write(refused.write(), &expected.write),
            Step::Replay(_) => true,
            Step::Verify(pending) => {
                assert!(expected.write.is_none());
                let (stage, polled) = expected.asked.expect("the model asks, too");
                let at = (slot(pending.session_id()), stage, polled);
                self.asked.push(Asked {
                    pending: Some(pending),
                    resolved: None,
                    request: *request,
                    at,
                    policy,
                });
                if request.session.is_none() {
                    self.fresh += 1;
                }
                true
            }
            Step::Grant(claim) => {
                let stored = self.store.write(claim.write(), &expected.write);
                if stored {
                    let (at, model) = expected.write.expect("a claim is stored");
                    let grant = claim.assume_stored();
                    assert_eq!(Some(grant.params()), expected.params);
                    assert_eq!(grant.user().map(UserRef::get), model.user());
                    assert_eq!(grant.has_subject(), model.subject.is_some());
                    self.granted(at, grant.redeem(), model, policy);
                }
                stored
            }
            _ => unreachable!("no such step"),
        };
        // An ID is used once.
        while self.store.past.contains_key(&self.fresh) {
            self.fresh += 1;
        }
        stored
    }

    fn granted(&mut self, at: Id, receipt: Receipt, model: Model, policy: Policy) {
        assert!(policy.is_complete(&model.passed, self.rules.stage_order), "granted too early");
        assert!(self.held.iter().all(|held| held.slot != at), "two grants of one session");
        assert!(!self.succeeded.contains(&at), "a grant of a consumed session");
        assert_eq!(receipt.session_id(), Some(id(at)));
        self.held.push(Held { slot: at, receipt, model });
    }

    fn redeem(&mut self, how: u8) {
        if self.held.is_empty() {
            return;
        }
        let Held { slot, receipt, model } = self.held.remove(usize::from(how >> 4) % self.held.len());
        let (redeemed, expected) = match how % 4 {
            0 | 1 => {
                let outcome = u64::from(how);
                let redeemed = receipt.succeeded(Reference::new(outcome), self.now());
                (redeemed, model.redeemed(Some(outcome), false, self.clock))
            }
            2 => (receipt.failed(), model.redeemed(None, false, self.clock)),
            _ => (receipt.refused_for_params(), model.redeemed(None, true, self.clock)),
        };
        let stored = self.store.write(redeemed.write(), &Some((slot, expected)));
        assert_eq!(stored, self.store.now.contains_key(&slot), "nobody else touches a claimed session");
        if how % 4 < 2 {
            self.succeeded.push(slot);
        }
    }

    /// Where a page finds the session, whose account is at `epoch` by now.
    fn at(slot: Id, stage: Stage, session: Option<&Session>, epoch: u32) -> Visit<'static> {
        let account = session.and_then(Session::subject).map(|subject| Subject::new(subject.user, epoch));
        Visit::new(id(slot), AuthType::from(stage), account)
    }

    fn complete(&mut self, operation: u8, at: Id, stage: Stage, proof: Proof, back: u8) {
        let (session, model) = self.store.read(Some(at), back).unzip();
        let expected = match model {
            Some(model) => model.completed(&self.world(), (operation, 0), stage, proof),
            None => Err(NotCompleted::Unknown),
        };
        let visit = Self::at(at, stage, session.as_ref(), 0);
        let done = self.guards[self.policy].0.outside().complete(visit, proof, session, self.now());
        match (done, expected) {
            (Ok(completed), Ok(model)) => drop(self.store.write(completed.write(), &Some((at, model)))),
            (done, expected) => assert_eq!(done.err(), expected.err()),
        }
    }

    /// A page's form is sent.
    fn visit(&mut self, operation: u8, input: &Input, back: u8) {
        let [_, _, who, what, stage, extra] = input.bytes;
        let (at, stage) = (input.slot, STAGES[usize::from(stage % 8)]);
        let epoch = u32::from(who & 7 == 7);
        let said = verdict(what, extra);
        let (shown, shown_model) = match who >> 3 & 3 {
            0 | 1 => (None, None),
            which => {
                let (guard, policy) = &self.guards[usize::from(which - 2)];
                (Some(guard.outside().terms()), Some(policy.terms))
            }
        };
        let (session, model) = self.store.read(Some(at), back).unzip();
        let (stored, expected) = match model {
            Some(model) => model.visited(&self.world(), (operation, epoch), stage, (shown_model, said)),
            None => (None, Err(NotCompleted::Unknown)),
        };
        let auth = matrix_uia_fuzz::attempt(stage, None);
        let Ok(Auth::Attempt { data, .. }) = Auth::parse(auth.as_bytes()) else { panic!("an attempt") };
        let visit = Self::at(at, stage, session.as_ref(), epoch).shown(shown);
        let outside = self.guards[self.policy].0.outside();
        let step = match outside.attempt(visit, data, session.clone(), self.now()) {
            Visited::Verify(inquiry) => {
                inquiry.resolve(real(said)).apply(visit.account(), session, self.now())
            }
            step => step,
        };
        let (write, came) = match &step {
            Visited::Passed(completed) => (completed.write(), Ok(())),
            Visited::Not(not) => (not.write(), Err(not.reason())),
            _ => panic!("asked twice"),
        };
        assert_eq!(came, expected, "{stage}");
        self.store.write(write, &stored.map(|model| (at, model)));
    }

    fn rebind(&mut self, input: &'r Input, back: u8) {
        if input.request.call.0 == 3 {
            return;
        }
        let (session, model) = self.store.read(input.request.session, back).unzip();
        let expected = model.and_then(|model| model.rebound(&self.world(), &input.request));
        let call = Self::call::<Op>(&input.request, &input.auth);
        let done = self.guards[self.policy].0.refused_for_params(&call, session, self.now());
        match (done, expected) {
            (Some(completed), Some(model)) => {
                self.store.write(completed.write(), &Some((input.slot, model)));
            }
            (done, expected) => assert_eq!(done.is_some(), expected.is_some()),
        }
    }

    /// Whoever held the grant was killed, and the call not carried out.
    fn abandon(&mut self, at: Id) {
        self.held.retain(|held| held.slot != at);
        let Some((session, mut model)) = self.store.now.remove(&at) else { return };
        if model.state == State::Claimed {
            model.state = State::Open;
            model.revision += 1;
        }
        let session = session.abandon_claim();
        compare(&session, &model);
        self.store.past.entry(at).or_default().push((session.clone(), model.clone()));
        self.store.now.insert(at, (session, model));
    }
}
