//! The server's side of one authentication, by the rules U1 to U17: plain values, no
//! lifetimes, no sharing, one thing after the other.

mod steps;

use matrix_uia::server::operation::Replayable;
use matrix_uia::server::session::{NotCompleted, Params, Proof, StageFailure};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{Millis, Rules, StageOrder};
pub use steps::{apply, receive};

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
    Failed(StageFailure),
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
