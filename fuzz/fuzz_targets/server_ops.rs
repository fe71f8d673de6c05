//! Sequences of everything that can happen to sessions, beside the reference model:
//! requests, verdicts, completions from outside, grants used and given back, stale
//! snapshots, clocks that jump both ways, policies that change, the store in between.
//!
//! The input: 6 bytes of policy and rules, then operations of 6 bytes each.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use matrix_uia::error::ErrorCode;
use matrix_uia::operation::{
    ChangePassword, Deactivate, GetLoginToken, Operation, Reference, Register, Subject, UserRef,
};
use matrix_uia::session::{
    BodyBinding, Challenge, Check, Failure, NotCompleted, Pending, Proof, Receipt, Resolved, UnknownSession,
    Verdict, Visit, Visited, Write,
};
use matrix_uia::wire::{Auth, AuthType, Raw};
use matrix_uia::{
    BindingKey, Call, Flows, Guard, Millis, Rules, Session, SessionId, StageOrder, Step, Text, Timestamp,
};
use matrix_uia_fuzz::model::{
    self, Answer, Answered, Ask, Form, Id, LIMITED, Model, Policy, Request, Stage, State, World,
};
use serde_json::Value;

const STAGES: [Stage; 8] = [
    "m.login.dummy",
    "m.login.password",
    "m.login.email.identity",
    "m.login.recaptcha",
    "m.login.sso",
    "org.example.pin",
    "m.login.terms",
    "org.example.elsewhere",
];
const POLICIES: [Policy; 10] = [
    Policy { flows: &[&["m.login.dummy"]], terms: 0 },
    Policy { flows: &[&["m.login.password"]], terms: 0 },
    Policy {
        flows: &[&["m.login.password", "m.login.email.identity"], &["m.login.password", "m.login.dummy"]],
        terms: 0,
    },
    Policy {
        flows: &[&["m.login.recaptcha", "m.login.dummy"], &["m.login.dummy", "m.login.password"]],
        terms: 0,
    },
    Policy { flows: &[&["org.example.pin", "m.login.sso"]], terms: 0 },
    Policy {
        flows: &[&["m.login.sso"], &["m.login.password"], &["org.example.pin", "m.login.dummy"]],
        terms: 0,
    },
    Policy {
        flows: &[&["m.login.password", "m.login.recaptcha", "org.example.pin", "m.login.dummy"]],
        terms: 0,
    },
    // Only registration may ask for terms.
    Policy {
        flows: &[&["m.login.terms", "m.login.dummy"], &["m.login.password", "m.login.terms"]],
        terms: 1,
    },
    Policy {
        flows: &[&["m.login.terms", "m.login.dummy"], &["m.login.password", "m.login.terms"]],
        terms: 2,
    },
    Policy { flows: &[&["m.login.dummy", "m.login.terms", "m.login.email.identity"]], terms: 2 },
];
const TERMS: [&str; 3] = [
    "{}",
    r#"{"m.login.terms":{"policies":{"p":{"version":"1"}}}}"#,
    r#"{"m.login.terms":{"policies":{"p":{"version":"2"}}}}"#,
];
const LIFETIME: u64 = 1_000;
const REPLAY: u64 = 400;
/// How many sessions can be named.
const NAMED: u8 = 12;

fuzz_target!(|input: &[u8]| {
    let Some((head, rest)) = input.split_first_chunk::<6>() else { return };
    match head[0] % 3 {
        0 => run::<Register>(1, 10, head, rest),
        1 => run::<ChangePassword>(2, 7, head, rest),
        _ => run::<GetLoginToken>(8, 7, head, rest),
    }
});

fn rules(head: &[u8; 6]) -> Rules {
    let mut rules = Rules::default();
    rules.session_lifetime = Millis::new(LIFETIME);
    rules.replay_for = Millis::new(REPLAY);
    rules.stage_order = if head[3] & 1 == 0 { StageOrder::Strict } else { StageOrder::Any };
    rules.one_shot = head[3] & 2 == 0;
    rules.unknown_session = if head[3] & 4 == 0 { UnknownSession::Restart } else { UnknownSession::Reject };
    rules.body_binding =
        [BodyBinding::OmittedOrExact, BodyBinding::Exact, BodyBinding::Any][usize::from(head[4] % 3)];
    rules.max_failed_attempts = u16::from(head[5] % 4) + 1;
    rules
}

/// One operation, its text made in advance: a step borrows from the request.
struct Input {
    code: u8,
    slot: Id,
    bytes: [u8; 6],
    request: Request,
    auth: String,
}

fn id(slot: Id) -> SessionId {
    SessionId::from_entropy([slot; 24])
}

fn slot(id: SessionId) -> Id {
    id.as_bytes()[0]
}

fn input<Op: Operation>(operation: u8, bytes: [u8; 6]) -> Input {
    let [code, slot, who, what, stage, extra] = bytes;
    let slot = slot % NAMED;
    let session = (what & 0x80 == 0).then_some(slot);
    let stage = STAGES[usize::from(stage % 8)];
    let form = match (what >> 5 & 3, stage) {
        (1, "m.login.password" | "m.login.recaptcha" | "m.login.email.identity") => Form::Missing,
        (2, "m.login.password" | "m.login.recaptcha" | "m.login.email.identity") => Form::Invalid,
        _ => Form::Good,
    };
    let ask = match what & 7 {
        0 => Ask::Absent,
        1 | 2 => Ask::Poll,
        _ => Ask::Attempt(stage, form),
    };
    // A poll names a session, and the absence of auth none.
    let session = match ask {
        Ask::Absent => None,
        Ask::Poll => Some(slot),
        Ask::Attempt(..) => session,
    };
    // Now and then another operation, or another path.
    let (call, replay) = match extra % 16 {
        14 => ((3, 0), Deactivate::REPLAY),
        15 => ((operation, 1), Op::REPLAY),
        _ => ((operation, 0), Op::REPLAY),
    };
    let subject = [None, None, Some((1, 0)), Some((1, 0)), Some((1, 0)), Some((2, 0)), Some((1, 1)), None];
    let params = [None, None, Some(0), Some(1)][usize::from(who >> 3 & 3)];
    let request = Request { call, replay, subject: subject[usize::from(who & 7)], params, session, ask };
    let named = session.map(|slot| id(slot).expose());
    let named = named.as_ref().map(|id| id.as_str());
    let auth = match ask {
        Ask::Absent => "{}".to_owned(),
        Ask::Poll => format!(r#"{{"session":"{}"}}"#, named.unwrap_or_default()),
        Ask::Attempt(stage, form) => {
            let good = matrix_uia_fuzz::attempt(stage, named);
            match form {
                Form::Good => good,
                Form::Missing => good
                    .replace(r#""password":"p""#, r#""x":0"#)
                    .replace(r#""response""#, r#""y""#)
                    .replace("threepid_creds", "z"),
                Form::Invalid => {
                    good.replace(r#""p""#, "[]").replace(r#""r""#, "7").replace(r#""c""#, r#""/""#)
                }
            }
        }
    };
    Input { code, slot, bytes, request, auth }
}

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

fn compare(session: &Session, model: &Model) {
    assert_eq!(session.subject(), model.subject.map(|(user, epoch)| Subject::new(UserRef::new(user), epoch)));
    assert_eq!(session.user().map(UserRef::get), model.user());
    assert_eq!(session.made().as_millis(), model.made);
    assert_eq!(session.revision().get(), model.revision);
    assert_eq!(session.failures(), model.failures);
    assert_eq!(session.has_passed_stage(), !model.passed.is_empty());
    assert_eq!(session.proofs().collect::<Vec<_>>(), model.passed.iter().map(|it| it.1).collect::<Vec<_>>());
    assert_eq!(session.is_claimed(), model.state == State::Claimed);
    let consumed = match model.state {
        State::Consumed { at, .. } => Some(at),
        _ => None,
    };
    assert_eq!(session.consumed_at().map(Timestamp::as_millis), consumed);
    for (index, (stage, _)) in model.passed.iter().enumerate() {
        assert!(
            model.passed.iter().skip(index + 1).all(|(other, _)| other != stage),
            "{stage} has passed twice"
        );
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

/// A failure changes the count, and of the rest only what the request itself brought:
/// its parameters, and the terms that the answer shows.
fn only_counts(before: &Session, after: &Session) {
    let fields = |session: &Session| {
        let mut fields = serde_json::to_value(session).unwrap();
        for field in ["failures", "revision", "binding", "body", "terms"] {
            fields.as_object_mut().unwrap().remove(field);
        }
        fields
    };
    assert_eq!(fields(before), fields(after));
    assert!(after.failures() <= before.failures() + 1);
}

fn proof(byte: u8) -> Proof {
    match byte % 6 {
        0 | 1 => Proof::User(UserRef::new(1)),
        2 => Proof::User(UserRef::new(2)),
        3 => Proof::Nothing,
        4 => Proof::Threepid(Reference::new(u64::from(byte))),
        _ => Proof::Other(Reference::new(u64::from(byte))),
    }
}

fn verdict(kind: u8, detail: u8) -> Answered {
    match kind % 16 {
        0..=6 => Answered::Passed(proof(detail)),
        7 => Answered::Failed(Failure::Credentials),
        8 => Answered::Failed(Failure::UnknownThreepid),
        9 => Answered::Failed(
            [Failure::Captcha, Failure::Threepid, Failure::Token, Failure::Other][usize::from(detail % 4)],
        ),
        10..=12 => Answered::Pending(u64::from(detail)),
        13 => Answered::Unavailable,
        14 => Answered::Limited,
        _ => Answered::Failed(Failure::Other),
    }
}

fn real(verdict: Answered) -> Verdict<'static> {
    match verdict {
        Answered::Passed(proof) => Verdict::Passed(proof),
        Answered::Failed(failure) => Verdict::Failed(failure),
        Answered::Pending(reference) if reference % 2 == 0 => Verdict::Pending(Reference::new(reference)),
        Answered::Pending(reference) => Verdict::Continue {
            extra: Raw::parse(r#"{"hint":1,"session":"stolen"}"#).unwrap(),
            reference: Reference::new(reference),
        },
        Answered::Unavailable => Verdict::Unavailable,
        Answered::Limited => Verdict::Limited(Millis::new(LIMITED)),
    }
}

fn text(challenge: &Challenge<'_>) -> String {
    let mut body = String::with_capacity(512);
    challenge.write_body(&mut body).expect("a string has room");
    body
}

/// Whether two steps say and store the same.
fn same<Op: Operation>(a: &Step<'_, Op>, b: &Step<'_, Op>) -> bool {
    let body = |step: &Step<'_, Op>| {
        if let Step::Challenge(challenge) = step { text(challenge) } else { String::new() }
    };
    stored(a) == stored(b) && body(a) == body(b) && std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn stored<Op: Operation>(step: &Step<'_, Op>) -> Option<Session> {
    let write = match step {
        Step::Challenge(challenge) => challenge.write(),
        Step::Grant(claim) => claim.write(),
        Step::Reject(refused) => refused.write(),
        _ => Write::Keep,
    };
    match write {
        Write::Insert { session, .. } | Write::Replace { session, .. } => Some(session.clone()),
        _ => None,
    }
}

type Seen = (Answer, Option<Proof>, Option<Session>);

/// What is seen of a step from outside: the answer, the proof given back, the session
/// that is to be stored.
fn shown<Op: Operation>(step: &Step<'_, Op>) -> Seen {
    let stored = stored(step);
    match step {
        Step::Challenge(challenge) => {
            let body: Value = serde_json::from_str(&text(challenge)).expect("JSON is written");
            let body = body.as_object().expect("an object is written");
            let known = ["flows", "params", "session", "completed", "errcode", "error", "hint"];
            assert!(body.keys().all(|key| known.contains(&key.as_str())), "{body:?}");
            assert_eq!(body.contains_key("errcode"), body.contains_key("error"), "both or neither");
            assert!(body.contains_key("flows") && body.contains_key("params"));
            assert_eq!(body["session"], challenge.session_id().expose().as_str());
            let name = |stage: &Value| stage.as_str().expect("a name").to_owned();
            let answer = Answer::Challenge {
                id: slot(challenge.session_id()),
                completed: body
                    .get("completed")
                    .and_then(Value::as_array)
                    .map(|it| it.iter().map(name).collect()),
                code: body.get("errcode").and_then(Value::as_str).and_then(ErrorCode::from_name),
                keep: challenge.keep_params(),
                ended: challenge.ended().map(slot),
            };
            (answer, challenge.unused_proof(), stored)
        }
        Step::Verify(pending) => {
            let (stage, awaited) = match pending.check() {
                Check::Password { .. } => (Some("m.login.password"), None),
                Check::Recaptcha { .. } => (Some("m.login.recaptcha"), None),
                Check::Email(_) => (Some("m.login.email.identity"), None),
                Check::Awaited { reference } => (None, Some(reference.get())),
                Check::Custom { reference, .. } => (Some("org.example.pin"), reference.map(Reference::get)),
                _ => panic!("nobody asked for that"),
            };
            let user = pending.user().map(UserRef::get);
            (Answer::Verify { id: slot(pending.session_id()), stage, awaited, user }, None, None)
        }
        Step::Grant(claim) => {
            let proofs = stored.iter().flat_map(Session::proofs).collect();
            (Answer::Grant { proofs, keep: claim.keep_params() }, claim.unused_proof(), stored)
        }
        Step::Replay(replay) => (Answer::Replay(replay.outcome().get()), replay.unused_proof(), None),
        Step::Reject(refused) => {
            let reject = refused.reject();
            (Answer::Reject(reject.status(), reject.code()), refused.unused_proof(), stored)
        }
        _ => unreachable!("no such step"),
    }
}
