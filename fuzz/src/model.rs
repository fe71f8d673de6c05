//! The server's side of one authentication, by the rules U1 to U17: plain values, no
//! lifetimes, no sharing, one thing after the other.

use matrix_uia::StageOrder;
use matrix_uia::error::ErrorCode;
use matrix_uia::operation::Replayable;
use matrix_uia::session::{BodyBinding, Failure, NotCompleted, Params, Proof, UnknownSession};
use matrix_uia::{Millis, Rules};

use ErrorCode::{Forbidden, InvalidParam, LimitExceeded, MissingParam, Unknown};

/// How long a limited attempt has to wait, in milliseconds.
pub const LIMITED: u64 = 1;

pub type Stage = &'static str;
pub type Id = u8;

/// A policy: its flows, and which terms they present (0: none).
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub flows: &'static [&'static [Stage]],
    pub terms: u8,
}

/// What a transition depends on beside the session and the request.
#[derive(Clone, Copy)]
pub struct World<'w> {
    pub policy: Policy,
    pub rules: &'w Rules,
    pub now: u64,
    pub fresh: Id,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Which operation, and at which path.
    pub call: (u8, u8),
    pub replay: Replayable,
    /// The access token's user, and the epoch of the account.
    pub subject: Option<(u64, u32)>,
    pub params: Option<u8>,
    pub session: Option<Id>,
    pub ask: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    Absent,
    Poll,
    Attempt(Stage, Form),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Good,
    Missing,
    Invalid,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answered {
    Passed(Proof),
    Failed(Failure),
    /// Not yet, or another request is needed.
    Pending(u64),
    Unavailable,
    Limited,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub call: (u8, u8),
    pub subject: Option<(u64, u32)>,
    pub made: u64,
    pub passed: Vec<(Stage, Proof)>,
    pub failures: u16,
    pub params: Bound,
    pub state: State,
    pub terms: u8,
    pub revision: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    No,
    To(Option<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Open,
    Awaiting(Stage, u64),
    Claimed,
    Consumed { at: u64, outcome: u64 },
}

/// What is seen from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Challenge {
        id: Id,
        completed: Option<Vec<String>>,
        code: Option<ErrorCode>,
        keep: bool,
        ended: Option<Id>,
    },
    /// `stage` is told from the question, if the question is about the request's data.
    Verify {
        id: Id,
        stage: Option<Stage>,
        awaited: Option<u64>,
        user: Option<u64>,
    },
    Grant {
        proofs: Vec<Proof>,
        keep: bool,
    },
    Replay(u64),
    Reject(u16, ErrorCode),
}

/// An answer, what is stored before it, and what of a verdict had no use.
pub struct Outcome {
    pub answer: Answer,
    pub write: Option<(Id, Model)>,
    pub unused: Option<Proof>,
    /// What is asked about, and whether nothing was attempted.
    pub asked: Option<(Stage, bool)>,
    /// Where the parameters of what is granted come from.
    pub params: Option<Params>,
}

/// A session that goes on.
struct Live {
    id: Id,
    model: Model,
    new: bool,
    changed: bool,
    keep: bool,
    terms_seen: bool,
    given: Option<u8>,
    /// As it was read.
    before: Model,
}

impl Policy {
    /// How far the flows have come of which `passed` can be the beginning.
    fn open<'a>(
        &self,
        passed: &'a [(Stage, Proof)],
        order: StageOrder,
    ) -> impl Iterator<Item = &'static [Stage]> + 'a {
        self.flows.iter().copied().filter(move |flow| match order {
            StageOrder::Strict => {
                passed.len() <= flow.len() && passed.iter().zip(*flow).all(|(p, f)| p.0 == *f)
            }
            _ => passed.iter().all(|(stage, _)| flow.contains(stage)),
        })
    }

    pub fn is_next(&self, passed: &[(Stage, Proof)], stage: Stage, order: StageOrder) -> bool {
        passed.iter().all(|(done, _)| *done != stage)
            && self.open(passed, order).any(|flow| match order {
                StageOrder::Strict => flow.get(passed.len()) == Some(&stage),
                _ => flow.contains(&stage),
            })
    }

    /// Whether every stage of some flow has passed, and in strict order nothing else.
    pub fn is_complete(&self, passed: &[(Stage, Proof)], order: StageOrder) -> bool {
        self.flows.iter().any(|flow| match order {
            StageOrder::Strict => {
                flow.len() == passed.len() && flow.iter().zip(passed).all(|(f, p)| p.0 == *f)
            }
            _ => flow.iter().all(|stage| passed.iter().any(|(done, _)| done == stage)),
        })
    }
}

impl Model {
    /// Who authenticates: whose token it is, else whom a stage proved.
    pub fn user(&self) -> Option<u64> {
        let proved = self.passed.iter().find_map(|(_, proof)| match proof {
            Proof::User(user) => Some(user.get()),
            _ => None,
        });
        self.subject.map(|(user, _)| user).or(proved)
    }

    fn accepts(&self, stage: Stage, proof: Proof) -> bool {
        match proof {
            Proof::User(user) => self.user().is_none_or(|expected| expected == user.get()),
            // Who registers is nobody yet: a provider vouches for whoever it is.
            _ if stage == "m.login.sso" => self.call.0 == 1 && self.user().is_none(),
            _ => stage != "m.login.password",
        }
    }

    fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.made)
    }

    fn over(&self, world: &World<'_>, request: &Request) -> bool {
        let terms_passed = self.passed.iter().any(|(stage, _)| *stage == "m.login.terms");
        self.age(world.now) >= world.rules.session_lifetime.get()
            || request.subject != self.subject
            || (terms_passed && self.terms != world.policy.terms)
            || world.policy.open(&self.passed, world.rules.stage_order).next().is_none()
    }

    fn is_replay(&self, at: u64, world: &World<'_>, request: &Request) -> bool {
        let params = match (self.params, request.params) {
            (Bound::To(Some(bound)), Some(given)) => bound == given,
            (Bound::To(Some(_)), None) => request.replay == Replayable::Always,
            // Nothing was bound, so there is nothing to repeat.
            (_, given) => given.is_none() && request.replay == Replayable::Always,
        };
        self.call == request.call
            && params
            && request.replay != Replayable::Never
            && world.now >= at
            && world.now.saturating_sub(at) < world.rules.replay_for.get()
    }

    /// The session as a verdict of its receipt leaves it.
    pub fn redeemed(mut self, outcome: Option<u64>, for_params: bool, now: u64) -> Self {
        self.state = State::Open;
        if let Some(outcome) = outcome {
            self.state = State::Consumed { at: self.made + self.age(now), outcome };
            self.passed.clear();
        }
        if for_params {
            self.params = Bound::No;
        }
        self.revision += 1;
        self
    }

    /// Whether anything from outside may come to the stage; `account` is the epoch by now.
    fn open_for(&self, world: &World<'_>, call: u8, account: u32, stage: Stage) -> Result<(), NotCompleted> {
        let open = matches!(self.state, State::Open | State::Awaiting(..));
        let epoch = self.subject.is_none_or(|(_, epoch)| epoch == account);
        let lifetime = world.rules.session_lifetime;
        let terms = self.terms == world.policy.terms || self.passed.iter().all(|it| it.0 != "m.login.terms");
        let fits = world.policy.open(&self.passed, world.rules.stage_order).next().is_some();
        if !open || self.call.0 != call || !epoch || self.age(world.now) >= lifetime.get() || !terms || !fits
        {
            return Err(NotCompleted::Unknown);
        }
        if self.failures >= world.rules.max_failed_attempts {
            return Err(NotCompleted::Closed(Millis::new(lifetime.get() - self.age(world.now))));
        }
        if self.passed.iter().any(|(done, _)| *done == stage) {
            return Err(NotCompleted::Already);
        }
        if !world.policy.is_next(&self.passed, stage, world.rules.stage_order) {
            return Err(NotCompleted::OutOfOrder);
        }
        Ok(())
    }

    fn passing(mut self, world: &World<'_>, stage: Stage, proof: Proof) -> Self {
        if stage == "m.login.terms" {
            self.terms = world.policy.terms;
        }
        self.state = State::Open;
        self.passed.push((stage, proof));
        self.revision += 1;
        self
    }

    /// A stage completed outside of any request.
    pub fn completed(
        self,
        world: &World<'_>,
        (call, account): (u8, u32),
        stage: Stage,
        proof: Proof,
    ) -> Result<Self, NotCompleted> {
        self.open_for(world, call, account, stage)?;
        if !self.accepts(stage, proof) {
            return Err(NotCompleted::WrongUser);
        }
        Ok(self.passing(world, stage, proof))
    }

    /// A page's form: the session as it is to be stored, and whether the stage has passed.
    pub fn visited(
        mut self,
        world: &World<'_>,
        (call, account): (u8, u32),
        stage: Stage,
        (shown, verdict): (Option<u8>, Answered),
    ) -> (Option<Self>, Result<(), NotCompleted>) {
        if let Err(reason) = self.open_for(world, call, account, stage) {
            return (None, Err(reason));
        }
        match (stage, verdict) {
            ("m.login.sso", _) => (None, Err(NotCompleted::Pending)),
            ("m.login.terms", _) if shown.unwrap_or(self.terms) != world.policy.terms => {
                (None, Err(NotCompleted::TermsChanged))
            }
            ("m.login.dummy" | "m.login.terms", _) => {
                (Some(self.passing(world, stage, Proof::Nothing)), Ok(()))
            }
            (_, Answered::Passed(proof)) if self.accepts(stage, proof) => {
                (Some(self.passing(world, stage, proof)), Ok(()))
            }
            (_, Answered::Passed(_) | Answered::Failed(_)) => {
                self.failures += 1;
                self.revision += 1;
                let reason = match verdict {
                    Answered::Failed(failure) => NotCompleted::Failed(failure),
                    _ => NotCompleted::WrongUser,
                };
                (Some(self), Err(reason))
            }
            (_, Answered::Pending(reference)) => {
                self.state = State::Awaiting(stage, reference);
                self.revision += 1;
                (Some(self), Err(NotCompleted::Pending))
            }
            (_, Answered::Unavailable) => (None, Err(NotCompleted::Unavailable)),
            (_, Answered::Limited) => (None, Err(NotCompleted::Limited(Millis::new(LIMITED)))),
        }
    }

    /// Other parameters may be sent.
    pub fn rebound(mut self, world: &World<'_>, request: &Request) -> Option<Self> {
        let open = matches!(self.state, State::Open | State::Awaiting(..));
        let ours = self.call == request.call && self.subject == request.subject;
        if !open
            || !ours
            || self.params == Bound::No
            || self.age(world.now) >= world.rules.session_lifetime.get()
        {
            return None;
        }
        self.params = Bound::No;
        self.revision += 1;
        Some(self)
    }
}

/// A request comes in; `stored` is what the store has for the session it names.
pub fn receive(world: &World<'_>, request: &Request, stored: Option<Model>) -> Outcome {
    let one_shot_off = request.session.is_none() && !world.rules.one_shot;
    if request.ask == Ask::Absent {
        return hide_completed(challenge(begin(world, request, world.fresh), None));
    }
    if one_shot_off {
        return challenge(begin(world, request, world.fresh), None);
    }
    let live = match find(world, request, stored, world.fresh) {
        Ok(live) => live,
        Err(outcome) => return outcome,
    };
    match request.ask {
        Ask::Attempt(stage, form) => attempt(world, live, stage, form),
        _ => poll(world, live),
    }
}

/// A verdict on `stage` comes in; `polled` if nothing was attempted.
pub fn apply(
    world: &World<'_>,
    request: &Request,
    (id, stage, polled): (Id, Stage, bool),
    verdict: Answered,
    stored: Option<Model>,
) -> Outcome {
    // What the session holds already is in use; anything else without use is given back.
    let proof = match verdict {
        Answered::Passed(proof) if !stored.iter().flat_map(|it| &it.passed).any(|it| it.1 == proof) => {
            Some(proof)
        }
        _ => None,
    };
    let mut live = match find(world, request, stored, id) {
        Ok(live) => live,
        Err(outcome) => return Outcome { unused: proof, ..outcome },
    };
    if !world.policy.is_next(&live.model.passed, stage, world.rules.stage_order) {
        return Outcome { unused: proof, ..go_on(world, live) };
    }
    match verdict {
        Answered::Passed(proof) if live.model.accepts(stage, proof) => pass(world, live, stage, proof),
        Answered::Passed(proof) => Outcome { unused: Some(proof), ..fail(live, polled, None) },
        Answered::Failed(Failure::UnknownThreepid) => fail(live, polled, None),
        Answered::Failed(failure) => fail(live, polled, Some(code(failure))),
        Answered::Unavailable => reject(503, Unknown),
        Answered::Limited => reject(429, LimitExceeded),
        Answered::Pending(reference) => {
            live.model.state = State::Awaiting(stage, reference);
            live.changed = true;
            challenge(live, None)
        }
    }
}

fn code(failure: Failure) -> ErrorCode {
    match failure {
        Failure::Credentials | Failure::UnknownThreepid => Forbidden,
        Failure::Captcha => ErrorCode::CaptchaInvalid,
        Failure::Threepid => ErrorCode::ThreepidAuthFailed,
        _ => ErrorCode::Unauthorized,
    }
}

/// The session the request is about, or the answer if it can't go on with it.
fn find(world: &World<'_>, request: &Request, stored: Option<Model>, new: Id) -> Result<Live, Outcome> {
    let Some(id) = request.session else { return Ok(begin(world, request, new)) };
    let Some(model) = stored else { return Err(unknown(world, request, None)) };
    // Another user's session is no session.
    if request.subject.map(|it| it.0) != model.subject.map(|it| it.0) {
        return Err(unknown(world, request, None));
    }
    if let State::Consumed { at, outcome } = model.state {
        let again = model.is_replay(at, world, request);
        return Err(if again { just(Answer::Replay(outcome)) } else { unknown(world, request, None) });
    }
    if model.call != request.call {
        return Err(reject(403, Forbidden));
    }
    if model.over(world, request) {
        let ended = (model.state != State::Claimed).then_some(id);
        return Err(unknown(world, request, ended));
    }
    if model.failures >= world.rules.max_failed_attempts {
        return Err(reject(429, LimitExceeded));
    }
    let terms_seen = model.terms == world.policy.terms;
    let before = model.clone();
    let mut live = Live {
        id,
        new: false,
        changed: false,
        keep: false,
        terms_seen,
        given: request.params,
        before,
        model,
    };
    if live.model.state == State::Claimed {
        return Err(challenge(live, None));
    }
    live.changed = !terms_seen;
    live.model.terms = world.policy.terms;
    if bind(&mut live, world.rules.body_binding, request.params) {
        Ok(live)
    } else {
        Err(reject(403, Forbidden))
    }
}

fn begin(world: &World<'_>, request: &Request, id: Id) -> Live {
    let model = Model {
        call: request.call,
        subject: request.subject,
        made: world.now,
        passed: Vec::new(),
        failures: 0,
        params: Bound::No,
        state: State::Open,
        terms: world.policy.terms,
        revision: 0,
    };
    let before = model.clone();
    let given = request.params;
    let mut live = Live { id, model, new: true, changed: true, keep: false, terms_seen: true, given, before };
    bind(&mut live, world.rules.body_binding, request.params);
    live
}

/// Rule U13: `false` if the parameters are not those the session is bound to.
fn bind(live: &mut Live, rule: BodyBinding, given: Option<u8>) -> bool {
    let before = live.model.params;
    let after = match (rule, before, given) {
        (BodyBinding::Exact, Bound::No, given) => Bound::To(given),
        (BodyBinding::Exact, Bound::To(bound), given) if bound != given => return false,
        (_, before, None) => before,
        (BodyBinding::OmittedOrExact, Bound::To(bound), given) if bound != given => return false,
        (_, _, given) => Bound::To(given),
    };
    if after != before {
        live.model.params = after;
        live.changed = true;
        live.keep = given.is_some();
    }
    true
}

fn attempt(world: &World<'_>, live: Live, stage: Stage, form: Form) -> Outcome {
    let order = world.rules.stage_order;
    if live.model.passed.iter().any(|(done, _)| *done == stage) {
        return go_on(world, live);
    }
    if !world.policy.is_next(&live.model.passed, stage, order) {
        return no_attempt(live, InvalidParam);
    }
    match (form, stage) {
        (Form::Missing, _) => no_attempt(live, MissingParam),
        (Form::Invalid, _) => no_attempt(live, InvalidParam),
        (_, "m.login.dummy") => pass(world, live, stage, Proof::Nothing),
        (_, "m.login.terms") if live.terms_seen => pass(world, live, stage, Proof::Nothing),
        (_, "m.login.terms") => challenge(live, None),
        (_, "m.login.sso") => poll(world, live),
        _ => {
            let awaited = match live.model.state {
                State::Awaiting(waiting, reference) if waiting == stage && stage == "org.example.pin" => {
                    Some(reference)
                }
                _ => None,
            };
            let user = live.model.user();
            let answer = Answer::Verify { id: live.id, stage: Some(stage), awaited, user };
            Outcome { asked: Some((stage, false)), ..just(answer) }
        }
    }
}

/// What can't be an attempt changes nothing of a session that there is (rule U6).
fn no_attempt(live: Live, code: ErrorCode) -> Outcome {
    if live.new {
        return challenge(live, Some(code));
    }
    let model = live.before.clone();
    challenge(Live { model, changed: false, keep: false, ..live }, Some(code))
}

fn poll(world: &World<'_>, live: Live) -> Outcome {
    match live.model.state {
        State::Awaiting(stage, reference)
            if world.policy.is_next(&live.model.passed, stage, world.rules.stage_order) =>
        {
            let user = live.model.user();
            let answer = Answer::Verify { id: live.id, stage: None, awaited: Some(reference), user };
            Outcome { asked: Some((stage, true)), ..just(answer) }
        }
        _ => go_on(world, live),
    }
}

fn go_on(world: &World<'_>, mut live: Live) -> Outcome {
    if !world.policy.is_complete(&live.model.passed, world.rules.stage_order) {
        return challenge(live, None);
    }
    live.model.state = State::Claimed;
    live.changed = true;
    let proofs = live.model.passed.iter().map(|(_, proof)| *proof).collect();
    let params = match (live.given, live.model.params) {
        (Some(_), _) => Params::Request,
        (None, Bound::To(Some(_))) => Params::Kept,
        (None, _) => Params::Never,
    };
    let keep = live.keep;
    let write = write(live);
    Outcome { write, params: Some(params), ..just(Answer::Grant { proofs, keep }) }
}

fn pass(world: &World<'_>, mut live: Live, stage: Stage, proof: Proof) -> Outcome {
    live.model.state = State::Open;
    live.model.passed.push((stage, proof));
    live.changed = true;
    go_on(world, live)
}

/// A failed stage: 401 with the state and `code`, or 403 without either.
fn fail(mut live: Live, polled: bool, code: Option<ErrorCode>) -> Outcome {
    // Asking how things stand is no attempt.
    if !polled {
        live.model.failures += 1;
        live.changed = true;
    }
    if code.is_some() {
        return challenge(live, code);
    }
    // A session the client never hears of is not kept; and of one it knows, an answer
    // without the state changes the count and nothing that the state would have shown.
    let count = (!polled && !live.new).then(|| Model {
        failures: live.model.failures,
        revision: live.before.revision + 1,
        ..live.before.clone()
    });
    Outcome { write: count.map(|model| (live.id, model)), ..reject(403, Forbidden) }
}

fn challenge(live: Live, code: Option<ErrorCode>) -> Outcome {
    let completed = live.model.passed.iter().map(|(stage, _)| (*stage).to_owned()).collect();
    let (id, keep) = (live.id, live.keep);
    let answer = Answer::Challenge { id, completed: Some(completed), code, keep, ended: None };
    Outcome { write: write(live), ..just(answer) }
}

fn hide_completed(mut outcome: Outcome) -> Outcome {
    if let Answer::Challenge { completed, .. } = &mut outcome.answer {
        *completed = None;
    }
    outcome
}

fn unknown(world: &World<'_>, request: &Request, over: Option<Id>) -> Outcome {
    if world.rules.unknown_session == UnknownSession::Reject {
        return reject(400, Unknown);
    }
    let mut outcome = challenge(begin(world, request, world.fresh), Some(Unknown));
    if let Answer::Challenge { ended, .. } = &mut outcome.answer {
        *ended = over;
    }
    outcome
}

fn write(mut live: Live) -> Option<(Id, Model)> {
    if live.changed && !live.new {
        live.model.revision += 1;
    }
    live.changed.then_some((live.id, live.model))
}

fn reject(status: u16, code: ErrorCode) -> Outcome {
    just(Answer::Reject(status, code))
}

fn just(answer: Answer) -> Outcome {
    Outcome { answer, write: None, unused: None, asked: None, params: None }
}
