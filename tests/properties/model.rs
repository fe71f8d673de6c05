//! What a session is supposed to do, in plain words: no digest, no revision, no JSON.

/// The stages there are: two that prove a user, one that proves nothing, two of the host's.
pub(super) const STAGES: [&str; 5] =
    ["m.login.password", "m.login.dummy", "org.example.code", "org.example.pin", "m.login.sso"];
const PASSWORD: usize = 0;
const DUMMY: usize = 1;
const SSO: usize = 4;

/// The policies there are, by number of stage.
pub(super) const POLICIES: [&[&[usize]]; 4] =
    [&[&[0, 2], &[0, 1], &[2, 1]], &[&[0, 2, 3]], &[&[1], &[4, 0]], &[&[0, 2, 1, 3, 4]]];

pub(super) const LIFETIME: u64 = 1_000;

#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    pub(super) any_order: bool,
    /// 0: omitted or exact, 1: exact, 2: any.
    pub(super) binding: u8,
    pub(super) reject: bool,
    pub(super) one_shot: bool,
    pub(super) replay_for: u64,
    pub(super) max_failed: u16,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Auth {
    Absent,
    Poll,
    Attempt { stage: usize, malformed: bool },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// Of that user, where the stage is about one.
    Passed(u8),
    Failed,
    UnknownThreepid,
    Pending,
    Continue,
    Unavailable,
    Limited,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// Which of the sessions there have been; one too many is unknown.
    pub(super) session: Option<usize>,
    pub(super) user: Option<u8>,
    pub(super) operation: u8,
    pub(super) body: Option<u8>,
    pub(super) auth: Auth,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Request(Request),
    /// The second comes through while the first is being verified.
    Race(Request, Request),
    /// Computed on a session that is no longer the newest, then again.
    Stale(Request),
    Complete {
        session: usize,
        stage: usize,
        user: u8,
    },
    /// A page's form is sent.
    Visit {
        session: usize,
        stage: usize,
        verdict: Verdict,
    },
    Succeed,
    Fail,
    Refuse,
    Abandon,
    Time(i64),
    Policy(usize),
    NewEpoch,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// `completed` is absent in answer to no auth; the code may be.
    Challenge {
        completed: Option<Vec<usize>>,
        code: Option<&'static str>,
    },
    Verify,
    Grant,
    Replay,
    Reject(u16, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    Open,
    Awaiting(usize),
    Claimed,
    Consumed(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    Not,
    Absent,
    To(u8),
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    user: Option<u8>,
    epoch: u32,
    operation: u8,
    made: u64,
    pub(super) completed: Vec<usize>,
    proved: Option<u8>,
    pub(super) failures: u16,
    pub(super) phase: Phase,
    bound: Bound,
}

/// All the model knows beside the sessions.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) now: u64,
    pub(super) switches: Switches,
    pub(super) policy: usize,
    pub(super) epoch: u32,
}

/// An answer, and what becomes of the session: stored, begun, or over.
pub(super) struct Told {
    pub(super) answer: Answer,
    pub(super) stored: Option<Model>,
    pub(super) begun: Option<Model>,
    pub(super) over: bool,
}

impl Told {
    fn only(answer: Answer) -> Self {
        Self { answer, stored: None, begun: None, over: false }
    }
}

impl Surroundings {
    fn flows(&self) -> &'static [&'static [usize]] {
        POLICIES[self.policy]
    }

    pub(super) fn fits(&self, completed: &[usize]) -> bool {
        self.flows().iter().any(|flow| {
            if self.switches.any_order {
                completed.iter().all(|stage| flow.contains(stage))
            } else {
                flow.starts_with(completed)
            }
        })
    }

    fn is_next(&self, completed: &[usize], stage: usize) -> bool {
        let mut then = completed.to_vec();
        then.push(stage);
        !completed.contains(&stage) && self.fits(&then)
    }

    pub(super) fn is_whole(&self, completed: &[usize]) -> bool {
        self.flows().iter().any(|flow| {
            if self.switches.any_order {
                flow.iter().all(|stage| completed.contains(stage))
            } else {
                *flow == completed
            }
        })
    }

    fn age(&self, since: u64) -> u64 {
        self.now.saturating_sub(since)
    }

    fn begin(&self, request: &Request) -> Model {
        let mut model = Model {
            user: request.user,
            epoch: self.epoch,
            operation: request.operation,
            made: self.now,
            completed: Vec::new(),
            proved: None,
            failures: 0,
            phase: Phase::Open,
            bound: Bound::Not,
        };
        self.bind(&mut model, request.body);
        model
    }

    fn restart(&self, request: &Request, over: bool) -> Told {
        if self.switches.reject {
            return Told::only(Answer::Reject(400, "M_UNKNOWN"));
        }
        let answer = Answer::Challenge { completed: Some(Vec::new()), code: Some("M_UNKNOWN") };
        Told { answer, stored: None, begun: Some(self.begin(request)), over }
    }

    /// Whether the parameters may be these; and they are bound, if they weren't.
    fn bind(&self, model: &mut Model, body: Option<u8>) -> bool {
        model.bound = match (model.bound, body, self.switches.binding) {
            (Bound::Not, None, 1) => Bound::Absent,
            (Bound::Not, body, _) => body.map_or(Bound::Not, Bound::To),
            (bound, body, 2) => body.map_or(bound, Bound::To),
            (Bound::To(bound), Some(body), _) if bound == body => Bound::To(bound),
            (Bound::To(bound), None, 0) => Bound::To(bound),
            (Bound::Absent, None, _) => Bound::Absent,
            _ => return false,
        };
        true
    }

    /// The session, if it can go on with this request.
    fn find(&self, stored: Option<&Model>, request: &Request) -> Result<Model, Told> {
        if request.session.is_none() {
            return Ok(self.begin(request));
        }
        let Some(stored) = stored.filter(|stored| stored.user == request.user) else {
            return Err(self.restart(request, false));
        };
        let same_call = stored.operation == request.operation;
        if let Phase::Consumed(at) = stored.phase {
            let same_params = match (stored.bound, request.body) {
                (Bound::To(bound), Some(body)) => bound == body,
                (_, body) => body.is_none(),
            };
            // What came in before it succeeded raced it.
            let in_time = self.now >= at && self.age(at) < self.switches.replay_for;
            return Err(if same_call && same_params && in_time {
                Told::only(Answer::Replay)
            } else {
                self.restart(request, false)
            });
        }
        if !same_call {
            return Err(Told::only(Answer::Reject(403, "M_FORBIDDEN")));
        }
        let other_epoch = request.user.is_some() && stored.epoch != self.epoch;
        if self.age(stored.made) >= LIFETIME || other_epoch || !self.fits(&stored.completed) {
            return Err(self.restart(request, stored.phase != Phase::Claimed));
        }
        if stored.failures >= self.switches.max_failed {
            return Err(Told::only(Answer::Reject(429, "M_LIMIT_EXCEEDED")));
        }
        if stored.phase == Phase::Claimed {
            return Err(Told::only(Answer::Challenge {
                completed: Some(stored.completed.clone()),
                code: None,
            }));
        }
        let mut model = stored.clone();
        if self.bind(&mut model, request.body) {
            Ok(model)
        } else {
            Err(Told::only(Answer::Reject(403, "M_FORBIDDEN")))
        }
    }

    pub(super) fn receive(&self, stored: Option<&Model>, request: &Request) -> Told {
        let no_session = request.session.is_none();
        let (stage, malformed) = match request.auth {
            Auth::Absent => return self.challenge_new(request, None),
            // An auth dict with neither type nor session.
            Auth::Poll if no_session => return self.challenge_new(request, None),
            Auth::Poll => (None, false),
            Auth::Attempt { .. } if no_session && !self.switches.one_shot => {
                return self.challenge_new(request, Some(Vec::new()));
            }
            Auth::Attempt { stage, malformed } => (Some(stage), malformed),
        };
        let model = match self.find(stored, request) {
            Ok(model) => model,
            Err(told) => return told,
        };
        match stage {
            None | Some(SSO) if stage.is_none() || self.is_next(&model.completed, SSO) => match model.phase {
                Phase::Awaiting(stage) if self.is_next(&model.completed, stage) => Told::only(Answer::Verify),
                _ => self.go_on(model, request),
            },
            Some(stage) if model.completed.contains(&stage) => self.go_on(model, request),
            Some(stage) if !self.is_next(&model.completed, stage) => {
                self.no_attempt(model, request, "M_INVALID_PARAM")
            }
            // Only a password can lack a key here.
            Some(PASSWORD) if malformed => self.no_attempt(model, request, "M_MISSING_PARAM"),
            Some(DUMMY) => self.pass(model, request, DUMMY),
            _ => Told::only(Answer::Verify),
        }
    }

    /// `polled`: nothing was attempted, the host was only asked again.
    pub(super) fn apply(
        &self,
        stored: Option<&Model>,
        request: &Request,
        stage: usize,
        polled: bool,
    ) -> Told {
        let before = stored.map_or(Bound::Not, |stored| stored.bound);
        let mut model = match self.find(stored, request) {
            Ok(model) => model,
            Err(told) => return told,
        };
        if !self.is_next(&model.completed, stage) {
            return self.go_on(model, request);
        }
        let about_a_user = stage == PASSWORD || stage == SSO;
        match request.verdict {
            Verdict::Passed(user)
                if about_a_user && model.user.or(model.proved).is_some_and(|it| it != user) =>
            {
                self.refuse(model, request, before, polled)
            }
            Verdict::Passed(user) => {
                model.proved = if about_a_user { Some(user) } else { model.proved };
                self.pass(model, request, stage)
            }
            Verdict::Failed => {
                model.failures += u16::from(!polled);
                self.stage_completed_elsewhere(model, request, Some("M_FORBIDDEN"))
            }
            Verdict::UnknownThreepid => self.refuse(model, request, before, polled),
            Verdict::Pending | Verdict::Continue => {
                model.phase = Phase::Awaiting(stage);
                self.stage_completed_elsewhere(model, request, None)
            }
            Verdict::Unavailable => Told::only(Answer::Reject(503, "M_UNKNOWN")),
            Verdict::Limited => Told::only(Answer::Reject(429, "M_LIMIT_EXCEEDED")),
        }
    }

    /// 403: only the count changes, and a session that nobody knows isn't kept.
    fn refuse(&self, mut model: Model, request: &Request, before: Bound, polled: bool) -> Told {
        model.bound = before;
        model.failures += 1;
        let stored = (request.session.is_some() && !polled).then_some(model);
        Told { stored, ..Told::only(Answer::Reject(403, "M_FORBIDDEN")) }
    }

    fn pass(&self, mut model: Model, request: &Request, stage: usize) -> Told {
        model.completed.push(stage);
        model.phase = Phase::Open;
        self.go_on(model, request)
    }

    fn go_on(&self, mut model: Model, request: &Request) -> Told {
        if !self.is_whole(&model.completed) {
            return self.stage_completed_elsewhere(model, request, None);
        }
        model.phase = Phase::Claimed;
        Told { answer: Answer::Grant, ..self.stage_completed_elsewhere(model, request, None) }
    }

    fn stage_completed_elsewhere(&self, model: Model, request: &Request, code: Option<&'static str>) -> Told {
        let answer = Answer::Challenge { completed: Some(model.completed.clone()), code };
        let (stored, begun) =
            if request.session.is_some() { (Some(model), None) } else { (None, Some(model)) };
        Told { answer, stored, begun, over: false }
    }

    /// What can't be an attempt changes nothing, and binds nothing either.
    fn no_attempt(&self, model: Model, request: &Request, code: &'static str) -> Told {
        Told { stored: None, ..self.stage_completed_elsewhere(model, request, Some(code)) }
    }

    fn challenge_new(&self, request: &Request, completed: Option<Vec<usize>>) -> Told {
        let begun = Some(self.begin(request));
        Told { begun, ..Told::only(Answer::Challenge { completed, code: None }) }
    }

    /// Whether anything from outside may come to the stage of the session.
    fn is_open(&self, stored: &Model, operation: u8, stage: usize) -> bool {
        matches!(stored.phase, Phase::Open | Phase::Awaiting(_))
            && stored.operation == operation
            && self.age(stored.made) < LIFETIME
            && (stored.user.is_none() || stored.epoch == self.epoch)
            && stored.failures < self.switches.max_failed
            && self.fits(&stored.completed)
            && self.is_next(&stored.completed, stage)
    }

    /// The session with the stage passed, if it may pass so.
    fn passed(stored: &Model, stage: usize, user: u8) -> Option<Model> {
        let about_a_user = stage == PASSWORD || stage == SSO;
        let wrong = about_a_user && stored.user.or(stored.proved).is_some_and(|it| it != user);
        (!wrong).then(|| {
            let mut model = stored.clone();
            model.completed.push(stage);
            model.proved = model.proved.or(about_a_user.then_some(user));
            model.phase = Phase::Open;
            model
        })
    }

    /// Whether the stage could be completed from outside; the session then.
    pub(super) fn complete(&self, stored: &Model, operation: u8, stage: usize, user: u8) -> Option<Model> {
        self.is_open(stored, operation, stage).then(|| Self::passed(stored, stage, user)).flatten()
    }

    /// A page's form is sent: whether the stage passed, and the session if it changed.
    pub(super) fn visit(&self, stored: &Model, stage: usize, verdict: Verdict) -> (bool, Option<Model>) {
        let with = |change: &dyn Fn(&mut Model)| {
            let mut model = stored.clone();
            change(&mut model);
            (false, Some(model))
        };
        match verdict {
            // No form proves a single sign-on.
            _ if stage == SSO || !self.is_open(stored, 0, stage) => (false, None),
            _ if stage == DUMMY => (true, Self::passed(stored, stage, 0)),
            Verdict::Passed(user) => match Self::passed(stored, stage, user) {
                Some(model) => (true, Some(model)),
                None => with(&|model| model.failures += 1),
            },
            Verdict::Failed | Verdict::UnknownThreepid => with(&|model| model.failures += 1),
            Verdict::Pending | Verdict::Continue => with(&|model| model.phase = Phase::Awaiting(stage)),
            Verdict::Unavailable | Verdict::Limited => (false, None),
        }
    }
}

impl Model {
    pub(super) fn ended(&mut self, phase: Phase, rebind: bool) {
        self.phase = phase;
        if rebind {
            self.bound = Bound::Not;
        }
    }
}
