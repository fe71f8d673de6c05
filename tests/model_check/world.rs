//! The world that is explored: one account, one session, a handful of requests.

use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::server::operation::{ChangePassword, Reference, Subject, UserRef};
use matrix_uia::server::session::{
    Check, Claim, Proof, Receipt, StageFailure, Verdict, Visit, Visited, Write,
};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::wire::{AuthData, AuthType};
use matrix_uia::{BindingKey, Call, Flows, Guard, Rules, Session, SessionId, Step, Timestamp};
use stateright::{Model, Property};

type Op = ChangePassword;

const ALICE: UserRef = UserRef::new(1);
const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const FRESH: SessionId = SessionId::from_entropy([9; 24]);
const BEGUN: Timestamp = Timestamp::from_millis(1_000);
const ARRIVED: Timestamp = Timestamp::from_millis(2_000);
const SUCCEEDED: Timestamp = Timestamp::from_millis(3_000);
const REPEATED: Timestamp = Timestamp::from_millis(4_000);

static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);
static FLOWS: LazyLock<Flows<'static, Op>> =
    LazyLock::new(|| Flows::new([["m.login.password", "m.login.dummy"]], None).unwrap());

/// What a request brings, all of them to one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The right password.
    Right,
    /// A wrong one.
    Wrong,
    /// The dummy stage, which is the last.
    Dummy,
    /// Only the session.
    Poll,
    /// The dummy stage, with other parameters than the session is bound to.
    OtherParams,
    /// The dummy stage, sent once the call has succeeded: its answer was lost.
    Repeat,
    /// The dummy stage again, by the form of its fallback page.
    Page,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::Right, Self::Wrong, Self::Dummy, Self::Poll, Self::OtherParams, Self::Repeat, Self::Page];

    /// The session's ID is that of 24 bytes of `Z`.
    const fn body(self) -> &'static [u8] {
        match self {
            Self::Right => {
                br#"{"auth":{"session":"WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa","type":"m.login.password","user":"alice","password":"right"}}"#
            }
            Self::Wrong => {
                br#"{"auth":{"session":"WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa","type":"m.login.password","user":"alice","password":"wrong"}}"#
            }
            Self::Dummy | Self::Repeat | Self::Page => {
                br#"{"auth":{"session":"WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa","type":"m.login.dummy"}}"#
            }
            Self::Poll => br#"{"auth":{"session":"WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa"}}"#,
            Self::OtherParams => {
                br#"{"new_password":"rabbit-hole","auth":{"session":"WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa","type":"m.login.dummy"}}"#
            }
        }
    }

    const fn arrives(self) -> Timestamp {
        if matches!(self, Self::Repeat) { REPEATED } else { ARRIVED }
    }
}

/// A session as some step read it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read(Option<Session>);

impl Hash for Read {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        serde_json::to_string(&self.0).unwrap().hash(hasher);
    }
}

/// Where a request has got to: what its worker has in hand, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At {
    Idle,
    Loaded(Read),
    /// The question of the step taken from what was read is being looked up.
    Asked(Read),
    Reloaded(Read, Read),
    /// The claim of that step is stored.
    Claimed(Read, Option<Read>),
    /// The call has been tried; its end is still to be stored.
    Called(Read, Option<Read>, bool),
    Answered(Answer),
    Killed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    /// 401: so many stages have passed, and what was wrong.
    Challenged(usize, Option<ErrorCodeName>),
    Refused(ErrorCodeName),
    Succeeded,
    Failed,
    Replayed,
    /// The page says that the stage has passed, or that it hasn't.
    Shown(bool),
}

type ErrorCodeName = &'static str;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    kind: Kind,
    /// How often the account had been fenced when its token was looked up.
    epoch: u32,
    at: At,
}

/// Everything there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    stored: Read,
    requests: Vec<Request>,
    fenced: bool,
    dropped: bool,
    killed: bool,
    /// Something went wrong for a reason of its own, once.
    failed: bool,
    calls: u8,
    /// Wrong passwords that were answered as such.
    wrong: u16,
    /// The most stages that the session ever had.
    most: usize,
    lost_races: u8,
    /// A grant without a whole flow, or by a token of another epoch.
    unearned: bool,
}

impl State {
    pub(super) fn requests(&self) -> impl Iterator<Item = Kind> + '_ {
        self.requests.iter().map(|request| request.kind)
    }

    fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        self.requests.iter().filter_map(|request| match request.at {
            At::Answered(answer) => Some(answer),
            _ => None,
        })
    }
}

/// How the host keeps sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// Claims are stored against their revision, then the call is made.
    CompareAndSet,
    /// The call and the session's end are one transaction.
    Transaction,
    /// Revisions are ignored, to see whether anybody would notice.
    LastWriteWins,
}

pub(super) struct World {
    host: Host,
    requests: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The request's next step.
    Step(usize),
    /// The same, but the call fails for its own reason.
    FailCall(usize),
    /// Its process is killed.
    Kill(usize),
    /// The store drops the session.
    Drop,
    /// The account's credentials are replaced elsewhere.
    Fence,
}

impl World {
    pub(super) const fn new(host: Host, requests: usize) -> Self {
        Self { host, requests }
    }

    /// The step that a request takes from what it has read: the crate's own, each time anew.
    fn step(request: &Request, first: &Read, then: Option<&Read>) -> Step<'static, Op> {
        let parsed = ChangePasswordRequest::parse(request.kind.body()).unwrap();
        let call: Call<'static, Op> = parsed.call(&KEY, Some(Subject::new(ALICE, request.epoch)));
        assert_eq!(call.session_id(), Some(id()));
        let now = request.kind.arrives();
        let step = Guard::new(&FLOWS, &RULES).receive(call, first.0.clone(), FRESH, now);
        let Some(then) = then else { return step };
        let Step::Verify(question) = step else { unreachable!("it asked before") };
        let verdict = match question.check() {
            Check::Password { password, .. } if password.expose() == "right" => {
                Verdict::Passed(Proof::User(ALICE))
            }
            _ => Verdict::Failed(StageFailure::Credentials),
        };
        question.resolve(verdict).apply(then.0.clone(), FRESH, now)
    }

    /// Carries a write out. `false`: somebody else was faster.
    fn write(&self, state: &mut State, write: Write<'_>) -> bool {
        let Write::Replace { id: key, expected, session } = write else {
            // A new session is another one: nobody here has its ID.
            return true;
        };
        assert_eq!(key, id());
        let current = state.stored.0.as_ref().map(Session::revision);
        if current != Some(expected) && self.host != Host::LastWriteWins {
            state.lost_races = 1;
            return false;
        }
        state.most = state.most.max(session.proofs().count());
        state.stored = Read(Some(session.clone()));
        true
    }

    fn settle(&self, state: &mut State, i: usize, first: Read, then: Option<Read>) {
        let request = state.requests[i].clone();
        if request.kind == Kind::Page {
            state.requests[i].at = self.visit(state, &request, first);
            return;
        }
        let again = if then.is_some() { At::Asked(first.clone()) } else { At::Idle };
        let at = match Self::step(&request, &first, then.as_ref()) {
            Step::Verify(_) => At::Asked(first),
            Step::Challenge(challenge) => {
                if self.write(state, challenge.write()) {
                    let code = challenge.error_code();
                    if code == Some(ErrorCode::Forbidden) {
                        state.wrong += 1;
                    }
                    let passed = challenge.session().proofs().count();
                    At::Answered(Answer::Challenged(passed, code.map(ErrorCode::name)))
                } else {
                    again
                }
            }
            Step::Reject(refused) => {
                if self.write(state, refused.write()) {
                    At::Answered(Answer::Refused(refused.reject().code().name()))
                } else {
                    again
                }
            }
            Step::Replay(_) => At::Answered(Answer::Replayed),
            Step::Grant(claim) if self.host == Host::Transaction => {
                self.in_transaction(state, &request, claim).unwrap_or(again)
            }
            Step::Grant(claim) => {
                if self.write(state, claim.write()) {
                    At::Claimed(first, then)
                } else {
                    again
                }
            }
            _ => unreachable!("there is no other step"),
        };
        state.requests[i].at = at;
    }

    /// A page's form passes the stage or doesn't, and that is all it ever does.
    fn visit(&self, state: &mut State, request: &Request, read: Read) -> At {
        let account = Some(Subject::new(ALICE, request.epoch));
        let visit = Visit::new(id(), AuthType::Dummy, account);
        let outside = Guard::new(&FLOWS, &RULES).outside();
        let (passed, stored) = match outside.attempt(visit, Ok(AuthData::Dummy), read.0, ARRIVED) {
            Visited::Passed(completed) => (true, self.write(state, completed.write())),
            Visited::Not(not) => (false, self.write(state, not.write())),
            _ => unreachable!("a dummy stage asks nothing"),
        };
        if stored { At::Answered(Answer::Shown(passed)) } else { At::Idle }
    }

    fn in_transaction(&self, state: &mut State, request: &Request, claim: Claim<Op>) -> Option<At> {
        let receipt = redeem(state, request, claim.assume_in_transaction());
        let gated = state.fenced;
        let ended = if gated { receipt.failed() } else { receipt.succeeded(Reference::new(1), SUCCEEDED) };
        let stored = self.write(state, ended.write());
        stored.then(|| {
            state.calls += u8::from(!gated);
            At::Answered(if gated { Answer::Failed } else { Answer::Succeeded })
        })
    }

    /// The end of a call whose claim was stored.
    fn end(&self, state: &mut State, i: usize, first: &Read, then: Option<&Read>, succeeded: bool) {
        let request = state.requests[i].clone();
        let Step::Grant(claim) = Self::step(&request, first, then) else { unreachable!("it was granted") };
        let receipt = redeem(state, &request, claim.assume_stored());
        let ended =
            if succeeded { receipt.succeeded(Reference::new(1), SUCCEEDED) } else { receipt.failed() };
        // Only the store itself may have dropped a claimed session.
        let _ = self.write(state, ended.write());
        state.requests[i].at = At::Answered(if succeeded { Answer::Succeeded } else { Answer::Failed });
    }

    fn take(&self, state: &mut State, i: usize, call_fails: bool) {
        match state.requests[i].at.clone() {
            At::Idle => {
                state.requests[i].epoch = u32::from(state.fenced);
                state.requests[i].at = At::Loaded(state.stored.clone());
            }
            At::Loaded(read) => self.settle(state, i, read, None),
            At::Asked(first) => state.requests[i].at = At::Reloaded(first, state.stored.clone()),
            At::Reloaded(first, then) => self.settle(state, i, first, Some(then)),
            At::Claimed(first, then) => {
                // The gate, asked in the act that makes the call.
                let succeeds = !call_fails && !state.fenced;
                state.failed |= call_fails;
                state.calls += u8::from(succeeds);
                state.requests[i].at = At::Called(first, then, succeeds);
            }
            At::Called(first, then, succeeded) => self.end(state, i, &first, then.as_ref(), succeeded),
            At::Answered(_) | At::Killed => {}
        }
    }
}

/// What the grant is good for, and whether it was earned.
fn redeem(state: &mut State, request: &Request, grant: matrix_uia::Grant<Op>) -> Receipt {
    let whole = grant.proofs().count() == 2 && grant.user() == Some(ALICE);
    state.unearned |= !whole || request.epoch != 0 || request.kind == Kind::OtherParams;
    grant.redeem()
}

const fn id() -> SessionId {
    SessionId::from_entropy([b'Z'; 24])
}

/// The session as the client's first request, with its parameters, left it.
fn begun() -> Session {
    let first = ChangePasswordRequest::parse(br#"{"new_password":"looking-glass"}"#).unwrap();
    let call = first.call(&KEY, Some(Subject::new(ALICE, 0)));
    let step = Guard::new(&FLOWS, &RULES).receive(call, None, id(), BEGUN);
    let Step::Challenge(challenge) = step else { unreachable!("no auth, no success") };
    challenge.session().clone()
}

/// Every choice of `count` kinds, whatever their order.
fn choices(count: usize, kinds: &[Kind]) -> Vec<Vec<Kind>> {
    let Some((first, rest)) = kinds.split_first().filter(|_| count > 0) else {
        return if count == 0 { vec![Vec::new()] } else { Vec::new() };
    };
    let with = choices(count - 1, kinds).into_iter().map(|mut chosen| {
        chosen.push(*first);
        chosen
    });
    with.chain(choices(count, rest)).collect()
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let request = |kind| Request { kind, epoch: 0, at: At::Idle };
        choices(self.requests, &Kind::ALL)
            .into_iter()
            .map(|kinds| State {
                stored: Read(Some(begun())),
                requests: kinds.into_iter().map(request).collect(),
                fenced: false,
                dropped: false,
                killed: false,
                failed: false,
                calls: 0,
                wrong: 0,
                most: 0,
                lost_races: 0,
                unearned: false,
            })
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, request) in state.requests.iter().enumerate() {
            match &request.at {
                // Nobody repeats what hasn't happened.
                At::Idle if request.kind == Kind::Repeat && state.calls == 0 => continue,
                At::Answered(_) | At::Killed => continue,
                At::Claimed(..) if !state.failed => actions.push(Action::FailCall(i)),
                _ => {}
            }
            actions.push(Action::Step(i));
            if !state.killed && request.at != At::Idle {
                actions.push(Action::Kill(i));
            }
        }
        if !state.dropped {
            actions.push(Action::Drop);
        }
        if !state.fenced {
            actions.push(Action::Fence);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Step(i) => self.take(&mut state, i, false),
            Action::FailCall(i) => self.take(&mut state, i, true),
            Action::Kill(i) => {
                state.requests[i].at = At::Killed;
                state.killed = true;
            }
            Action::Drop => {
                state.stored = Read(None);
                state.dropped = true;
            }
            Action::Fence => state.fenced = true,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("a call is carried out at most once", |_, state: &State| state.calls <= 1),
            Property::always("success is answered only for a call that took place", |_, state: &State| {
                let answered = |answer| matches!(answer, Answer::Succeeded | Answer::Replayed);
                state.calls == 1 || !state.answers().any(answered)
            }),
            Property::always("one success at most, the rest are repetitions", |_, state: &State| {
                state.answers().filter(|answer| *answer == Answer::Succeeded).count() <= 1
            }),
            Property::always("one request at most holds a grant", |_, state: &State| {
                let holds = |at: &At| matches!(at, At::Claimed(..) | At::Called(..));
                state.requests.iter().filter(|request| holds(&request.at)).count() <= 1
            }),
            Property::always("a grant is earned", |_, state: &State| !state.unearned),
            Property::always("every wrong password is counted, once", |_, state: &State| {
                state.stored.0.as_ref().is_none_or(|session| session.failures() == state.wrong)
            }),
            Property::always("what has passed stays passed", |_, state: &State| {
                let now = |session: &Session| {
                    session.consumed_at().is_some() || session.proofs().count() == state.most
                };
                state.stored.0.as_ref().is_none_or(now)
            }),
            Property::eventually("every request is answered", |_, state: &State| {
                state.requests.iter().all(|request| {
                    matches!(request.at, At::Answered(_) | At::Killed)
                        || (request.kind == Kind::Repeat && state.calls == 0)
                })
            }),
            Property::sometimes("a page passes a stage", |_, state: &State| {
                state.answers().any(|answer| answer == Answer::Shown(true))
            }),
            Property::sometimes("a race is lost", |_, state: &State| state.lost_races > 0),
            Property::sometimes("a lost answer is sent again", |_, state: &State| {
                state.answers().any(|answer| answer == Answer::Replayed)
            }),
            Property::sometimes("other parameters are refused", |_, state: &State| {
                state.answers().any(|answer| answer == Answer::Refused("M_FORBIDDEN"))
            }),
        ];
        if self.host == Host::CompareAndSet {
            properties.push(Property::sometimes("a call that failed is made again", |_, state: &State| {
                state.failed && state.calls == 1
            }));
        }
        properties
    }
}
