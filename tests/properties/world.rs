//! The crate itself, driven beside the model, and what must hold whatever both say.

use matrix_uia::server::operation::{ChangePassword, Deactivate, Operation, Reference, Subject, UserRef};
use matrix_uia::server::session::{BodyBinding, Check, Pending, Receipt, UnknownSession, Visit, Visited};
use matrix_uia::wire::Auth as Dict;
use matrix_uia::{
    BindingKey, Call, Flows, Guard, Millis, Rules, Session, SessionId, StageOrder, Step, Text, Timestamp,
};
use serde_json::Value;
use std::sync::LazyLock;

use super::model::{
    Answer, Auth, Event, LIFETIME, Model, POLICIES, Phase, Request, STAGES, Surroundings, Switches, Verdict,
};
use super::seen::{Seen, Written, answered, proof, see, written};
use crate::support::{flows, id, stage};

static KEY: BindingKey = BindingKey::from_entropy([3; 16]);

static CHANGE: LazyLock<Vec<Flows<'static, ChangePassword>>> = LazyLock::new(policies);

static DEACTIVATE: LazyLock<Vec<Flows<'static, Deactivate>>> = LazyLock::new(policies);

fn policies<Op: Operation>() -> Vec<Flows<'static, Op>> {
    POLICIES
        .iter()
        .map(|policy| {
            let names: Vec<Vec<&str>> =
                policy.iter().map(|flow| flow.iter().map(|stage| STAGES[*stage]).collect()).collect();
            let names: Vec<&[&str]> = names.iter().map(Vec::as_slice).collect();
            flows(&names, None)
        })
        .collect()
}

/// An operation whose flows are at hand.
trait Guarded: Operation + Sized + 'static {
    fn flows(policy: usize) -> &'static Flows<'static, Self>;
}

impl Guarded for ChangePassword {
    fn flows(policy: usize) -> &'static Flows<'static, Self> {
        &CHANGE[policy]
    }
}

impl Guarded for Deactivate {
    fn flows(policy: usize) -> &'static Flows<'static, Self> {
        &DEACTIVATE[policy]
    }
}

pub(super) struct World {
    around: Surroundings,
    rules: Rules,
    kept: Vec<Kept>,
    receipts: Vec<(usize, Receipt)>,
}

/// A session as it was stored, its model, and what has become of its grants.
struct Kept {
    id: SessionId,
    stored: Option<Session>,
    older: Option<Session>,
    model: Option<Model>,
    /// A grant is out, and hasn't come back.
    granted: bool,
    succeeded: bool,
}

impl World {
    pub(super) fn new(switches: Switches, policy: usize) -> Self {
        let mut rules = Rules::default();
        rules.session_lifetime = Millis::new(LIFETIME);
        rules.stage_order = if switches.any_order { StageOrder::Any } else { StageOrder::Strict };
        rules.body_binding = [BodyBinding::OmittedOrExact, BodyBinding::Exact, BodyBinding::Any]
            [usize::from(switches.binding)];
        rules.unknown_session =
            if switches.reject { UnknownSession::Reject } else { UnknownSession::Restart };
        rules.one_shot = switches.one_shot;
        rules.replay_for = Millis::new(switches.replay_for);
        rules.max_failed_attempts = switches.max_failed;
        let around = Surroundings { now: 100_000, switches, policy, epoch: 0 };
        Self { around, rules, kept: Vec::new(), receipts: Vec::new() }
    }

    pub(super) fn happens(&mut self, event: Event) {
        match event {
            Event::Request(request) => self.request(&request, None),
            Event::Race(one, two) => self.request(&one, Some(&two)),
            Event::Stale(request) => {
                self.stale(&request);
                self.request(&request, None);
            }
            Event::Complete { session, stage, user } => self.complete(session, stage, user),
            Event::Visit { session, stage, verdict } => self.visit(session, stage, verdict),
            Event::Succeed => self.end(|receipt, now| receipt.succeeded(Reference::new(1), now), Some(false)),
            Event::Fail => self.end(|receipt, _| receipt.failed(), None),
            Event::Refuse => self.end(|receipt, _| receipt.refused_for_params(), Some(true)),
            Event::Abandon => self.abandon(),
            Event::Time(step) => self.around.now = self.around.now.saturating_add_signed(step),
            Event::Policy(policy) => self.around.policy = policy,
            Event::NewEpoch => self.around.epoch += 1,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.around.now)
    }

    fn request(&mut self, request: &Request, meanwhile: Option<&Request>) {
        if request.operation == 0 {
            self.request_of::<ChangePassword>(request, meanwhile);
        } else {
            self.request_of::<Deactivate>(request, meanwhile);
        }
    }

    /// The auth dict as a client writes it.
    fn dict(&self, request: &Request) -> String {
        let name = request.session.map(|index| match self.kept.get(index) {
            Some(kept) => kept.id.expose().to_string(),
            None => "nowhere".to_owned(),
        });
        match (request.auth, name) {
            (Auth::Absent, _) => "null".to_owned(),
            (Auth::Poll, None) => "{}".to_owned(),
            (Auth::Poll, Some(name)) => format!(r#"{{"session":"{name}"}}"#),
            (Auth::Attempt { stage: which, malformed }, name) => {
                let mut auth = stage(STAGES[which], name.as_deref().unwrap_or_default());
                if name.is_none() {
                    auth["session"] = Value::Null;
                }
                if STAGES[which] == "m.login.password" {
                    auth["user"] = "alice".into();
                    auth["password"] = if malformed { Value::Null } else { "p".into() };
                }
                auth.to_string()
            }
        }
    }

    fn call<'r, Op: Operation>(&self, request: &Request, dict: &'r str) -> Call<'r, Op> {
        let subject = request.user.map(|user| Subject::new(UserRef::new(user.into()), self.around.epoch));
        let body = request.body.map(|body| Text::new(["zero", "one"][usize::from(body)]));
        Call::new(Dict::parse(dict.as_bytes()).unwrap(), subject)
            .with_params(KEY.params::<Op>().text(body).finish())
    }

    /// Where the request's session is, unless it asks for a new one.
    fn index(&self, request: &Request) -> Option<usize> {
        let index = request.session.filter(|_| !matches!(request.auth, Auth::Absent))?;
        self.kept.get(index).map(|_| index)
    }

    fn stored(&self, index: Option<usize>) -> Option<Session> {
        index.and_then(|index| self.kept[index].stored.clone())
    }

    fn model(&self, index: Option<usize>) -> Option<&Model> {
        self.kept[index?].model.as_ref()
    }

    fn request_of<Op: Guarded>(&mut self, request: &Request, meanwhile: Option<&Request>) {
        let rules = self.rules.clone();
        let guard = Guard::new(Op::flows(self.around.policy), &rules);
        let dict = self.dict(request);
        let call = self.call::<Op>(request, &dict);
        let index = self.index(request);
        let fresh = id(1_000 + self.kept.len() as u64);
        let told = self.around.receive(self.model(index), request);
        let step = || guard.receive(call, self.stored(index), fresh, self.now());
        let (one, two) = (step(), step());
        if let (Step::Verify(pending), Step::Verify(again)) = (one, two) {
            assert_eq!(told.answer, Answer::Verify, "{request:?}");
            let (polled, which) = self.what_is_asked(&pending, request, index);
            let verdict = answered(request.verdict, which);
            assert_eq!(pending.session_id(), again.session_id());
            let (resolved, again) = (pending.resolve(verdict), again.resolve(verdict));
            if let Some(other) = meanwhile {
                self.request(other, None);
            }
            // The policy may not have changed within a request, but the session may have.
            let fresh = id(1_000 + self.kept.len() as u64);
            let told = self.around.apply(self.model(index), request, which, polled);
            let now = self.now();
            let (seen, receipt) = see(resolved.apply(self.stored(index), fresh, now));
            assert_eq!(seen, see(again.apply(self.stored(index), fresh, now)).0, "the same twice");
            self.check_failure(index, request, &seen);
            self.settle(index, seen, receipt, told);
            return;
        }
        let (seen, receipt) = see(step());
        assert_eq!(seen, see(step()).0, "the same twice");
        self.settle(index, seen, receipt, told);
    }

    fn what_is_asked<Op: Operation>(
        &self,
        pending: &Pending<'_, Op>,
        request: &Request,
        index: Option<usize>,
    ) -> (bool, usize) {
        match (pending.check(), request.auth) {
            (Check::Awaited { .. }, _) => match self.model(index).unwrap().phase {
                Phase::Awaiting(which) => (true, which),
                other => panic!("nothing is awaited in {other:?}"),
            },
            (_, Auth::Attempt { stage, .. }) => (false, stage),
            other => panic!("{other:?}"),
        }
    }

    /// The model and the crate agree, and what was to be stored is stored.
    fn settle(
        &mut self,
        index: Option<usize>,
        seen: Seen,
        receipt: Option<Receipt>,
        told: super::model::Told,
    ) {
        assert_eq!(seen.answer, told.answer);
        if let Answer::Challenge { completed: Some(completed), .. } = &seen.answer {
            let mut once = completed.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), completed.len(), "no stage twice");
            assert!(self.around.fits(completed), "a beginning of a flow: {completed:?}");
        }
        if let Some(ended) = seen.ended {
            let index = index.unwrap();
            assert!(told.over && self.kept[index].id == ended);
            (self.kept[index].stored, self.kept[index].model) = (None, None);
        } else {
            assert!(!told.over);
        }
        let granted = seen.answer == Answer::Grant;
        let at = match seen.write {
            None => {
                assert!(told.begun.is_none() && !granted);
                index
            }
            Some((id, None, session)) => {
                let model = Some(told.begun.expect("the model begins one too"));
                assert_ne!(session.revision().get(), u32::MAX);
                self.kept.push(Kept {
                    id,
                    stored: Some(restart(&session)),
                    older: None,
                    model,
                    granted: false,
                    succeeded: false,
                });
                Some(self.kept.len() - 1)
            }
            Some((id, Some(expected), session)) => {
                let kept = &mut self.kept[index.unwrap()];
                assert_eq!(kept.id, id);
                let before = kept.stored.replace(restart(&session)).unwrap();
                assert_eq!(before.revision(), expected, "against what was read");
                assert_eq!(session.revision().get(), expected.get() + 1, "and one further");
                assert!(
                    self.around.now.saturating_sub(before.made().as_millis()) < LIFETIME,
                    "nothing advances after expiry"
                );
                kept.older = Some(before);
                index
            }
        };
        if let (Some(index), Some(model)) = (index, told.stored) {
            self.kept[index].model = Some(model);
        }
        if granted {
            let kept = &mut self.kept[at.unwrap()];
            let model = kept.model.as_ref().unwrap();
            assert!(self.around.is_whole(&model.completed), "only after a whole flow");
            assert_eq!(kept.stored.as_ref().unwrap().proofs().count(), model.completed.len());
            assert!(!kept.granted && !kept.succeeded, "never a second grant");
            kept.granted = true;
            self.receipts.push((at.unwrap(), receipt.unwrap()));
        }
    }

    /// A failed stage changes the count, and nothing else.
    fn check_failure(&self, index: Option<usize>, request: &Request, seen: &Seen) {
        let Some((_, Some(_), after)) = &seen.write else { return };
        let failed = matches!(request.verdict, Verdict::Failed | Verdict::UnknownThreepid);
        let refused = matches!(
            seen.answer,
            Answer::Reject(403, _) | Answer::Challenge { code: Some("M_FORBIDDEN"), .. }
        );
        if !failed || !refused {
            return;
        }
        let plain = |session: &Session| {
            let mut value = serde_json::to_value(session).unwrap();
            for key in ["failures", "revision", "binding", "body"] {
                value[key] = Value::Null;
            }
            value
        };
        let before = self.stored(index).unwrap();
        assert_eq!(plain(&before), plain(after));
        assert!(after.failures() <= before.failures() + 1);
    }

    /// A step computed on what was read before somebody else wrote: its write is turned
    /// down, and a claim that isn't stored grants nothing.
    fn stale(&self, request: &Request) {
        let Some(index) = self.index(request) else { return };
        let kept = &self.kept[index];
        let (Some(older), Some(newest)) = (&kept.older, &kept.stored) else { return };
        let dict = self.dict(request);
        let rules = self.rules.clone();
        let step = |flows: &Flows<'static, ChangePassword>| {
            let call = self.call::<ChangePassword>(request, &dict);
            see(Guard::new(flows, &rules).receive(call, Some(older.clone()), id(1), self.now())).0
        };
        if let Some((_, Some(expected), _)) = step(ChangePassword::flows(self.around.policy)).write {
            assert_ne!(expected, newest.revision());
        }
    }

    /// Where a page finds the session.
    fn at(&self, index: usize, which: usize) -> Option<(Visit<'static>, Option<Session>)> {
        let kept = self.kept.get(index)?;
        let subject = kept.stored.as_ref().and_then(Session::subject);
        let account = subject.map(|subject| Subject::new(subject.user, self.around.epoch));
        Some((Visit::new(kept.id, STAGES[which].into(), account), kept.stored.clone()))
    }

    fn complete(&mut self, index: usize, which: usize, user: u8) {
        let Some((visit, stored)) = self.at(index, which) else { return };
        let outside = Guard::new(ChangePassword::flows(self.around.policy), &self.rules).outside();
        let done = outside.complete(visit, proof(which, user), stored, self.now());
        let model = self.kept[index].model.as_ref();
        let model = model.and_then(|model| self.around.complete(model, 0, which, user));
        assert_eq!(done.is_ok(), model.is_some(), "{done:?}");
        if let Ok(done) = done {
            let written = written(done.write());
            self.changed(index, written, model);
        }
    }

    fn visit(&mut self, index: usize, which: usize, verdict: Verdict) {
        let Some((visit, stored)) = self.at(index, which) else { return };
        let outside = Guard::new(ChangePassword::flows(self.around.policy), &self.rules).outside();
        let auth = Auth::Attempt { stage: which, malformed: false };
        let request = Request { session: None, user: None, operation: 0, body: None, auth, verdict };
        let dict = self.dict(&request);
        let Ok(Dict::Attempt { data, .. }) = Dict::parse(dict.as_bytes()) else { unreachable!("an attempt") };
        let step = match outside.attempt(visit, data, stored.clone(), self.now()) {
            Visited::Verify(inquiry) => {
                inquiry.resolve(answered(verdict, which)).apply(visit.account(), stored, self.now())
            }
            step => step,
        };
        let model = self.kept[index].model.as_ref();
        let (passes, model) = model.map_or((false, None), |model| self.around.visit(model, which, verdict));
        let (passed, write) = match &step {
            Visited::Passed(completed) => (true, written(completed.write())),
            Visited::Not(not) => (false, written(not.write())),
            _ => unreachable!("asked twice"),
        };
        assert_eq!((passed, write.is_some()), (passes, model.is_some()), "{step:?}");
        self.changed(index, write, model);
    }

    /// What came from outside is stored.
    fn changed(&mut self, index: usize, write: Option<Written>, model: Option<Model>) {
        let Some((_, expected, session)) = write else { return };
        let kept = &mut self.kept[index];
        assert_eq!(expected, kept.stored.as_ref().map(Session::revision));
        assert!(!session.is_claimed(), "nothing is granted to a page");
        kept.older = kept.stored.replace(restart(&session));
        kept.model = model;
    }

    /// The host reports how the oldest call that is being carried out ended.
    /// `Some(rebind)` or, for a call that succeeded, `Some(false)`.
    fn end(
        &mut self,
        how: impl FnOnce(Receipt, Timestamp) -> matrix_uia::server::session::Redeemed,
        what: Option<bool>,
    ) {
        if self.receipts.is_empty() {
            return;
        }
        let (index, receipt) = self.receipts.remove(0);
        let now = self.now();
        let kept = &mut self.kept[index];
        let redeemed = how(receipt, now);
        let (_, expected, session) = written(redeemed.write()).unwrap();
        // An abandoned claim has been written meanwhile: its late report is turned down.
        if kept.stored.as_ref().map(Session::revision) != expected {
            return;
        }
        kept.older = kept.stored.replace(restart(&session));
        kept.granted = false;
        let succeeded = what == Some(false);
        kept.succeeded |= succeeded;
        let model = kept.model.as_mut().unwrap();
        let at = kept.stored.as_ref().unwrap().made().as_millis().max(self.around.now);
        model.ended(if succeeded { Phase::Consumed(at) } else { Phase::Open }, what == Some(true));
    }

    /// The process that held the oldest claim was killed.
    fn abandon(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let (index, _lost) = self.receipts.remove(0);
        let kept = &mut self.kept[index];
        let stored = kept.stored.take().unwrap();
        kept.stored = Some(restart(&stored.clone().abandon_claim()));
        kept.older = Some(stored);
        kept.granted = false;
        kept.model.as_mut().unwrap().ended(Phase::Open, false);
    }
}

/// As another process reads it.
fn restart(session: &Session) -> Session {
    let stored = serde_json::to_string(session).unwrap();
    let read: Session = serde_json::from_str(&stored).unwrap();
    assert_eq!(&read, session);
    read
}
