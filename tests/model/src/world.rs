//! Everything that can happen, one event after the other.

use std::cell::OnceCell;

use matrix_uia::Rules;
use matrix_uia::server::operation::{ChangePassword, GetLoginToken, Register, UploadSigningKeys};
use matrix_uia::server::reference::Subject;
use matrix_uia::wire::Auth;

use crate::facts::{
    Account, CLAIM, Facts, Known, LIFETIME, OPERATIONS, STAGES, Setup, Status, policy_of, user,
};
use crate::flight::Flight;
use crate::host::{Around, Host, Reserved};
use crate::request::{Ask, Incoming, Named, Request, data};
use crate::session::{Id, State};
use crate::visit::{Brings, Flight as PageFlight, Visit};

/// Something that happens.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A request comes in, and so many of its questions are answered.
    Request(Request, u8),
    /// A page is visited, and so many of its questions are answered.
    Visit(Visit, u8),
    /// So many more questions of a request or a visit are answered.
    GoOn(u8, u8),
    /// A client hangs up, or its process dies.
    HangUp(u8),
    /// Time passes, or the clock is set back; in milliseconds.
    Time(i64),
    /// The other policy holds.
    Policy,
    /// A user's credentials are replaced.
    NewEpoch(u8),
    /// A user's account may do more, or less.
    Status(u8, Status),
    /// A user's token ends, or there is one again.
    Token(u8),
    /// The store removes a session.
    Evict(u8),
    /// The next commit loses.
    Lose,
    /// The next new session finds no room.
    Full,
    /// The next call is carried out, and its session is not written.
    CutOff,
}

/// A request or a visit on its way.
enum AnyFlight<'r> {
    Register(Flight<'r, Register>),
    ChangePassword(Flight<'r, ChangePassword>),
    GetLoginToken(Flight<'r, GetLoginToken>),
    UploadSigningKeys(Flight<'r, UploadSigningKeys>),
    Page(Box<PageFlight<'r>>, u8),
}

macro_rules! of_operation {
    ($number:expr, $op:ident => $do:expr) => {
        match $number {
            0 => {
                type $op = Register;
                $do
            }
            1 => {
                type $op = ChangePassword;
                $do
            }
            2 => {
                type $op = GetLoginToken;
                $do
            }
            _ => {
                type $op = UploadSigningKeys;
                $do
            }
        }
    };
}

/// Most questions that one request is asked when nobody disturbs it.
const QUESTIONS: usize = 40;

/// The users there are: two, and one who has never been.
fn accounts() -> Vec<Option<Account>> {
    let account = |number| Some(Account { subject: Subject::new(user(number), 0), status: Status::Active });
    vec![account(0), account(1), None]
}

/// A host, and the requests that it is answering.
pub struct World<'r> {
    setup: Setup,
    rules: &'r Rules,
    policy: usize,
    host: Host,
    flights: Vec<AnyFlight<'r>>,
    fresh: Id,
}

/// Where what a request says is kept: its exchange borrows it.
#[derive(Default)]
pub struct Said<'r> {
    text: OnceCell<String>,
    auth: OnceCell<Auth<'r>>,
}

impl<'r> Said<'r> {
    fn auth(&'r self, incoming: &Incoming) -> &'r Auth<'r> {
        let text = self.text.get_or_init(|| auth(incoming));
        self.auth.get_or_init(|| Auth::parse(text.as_bytes()).unwrap())
    }
}

/// Lets all of it happen, and asserts on the way and in the end what has to hold.
pub fn run(setup: Setup, events: &[Event]) {
    let rules = setup.rules();
    let said: Vec<Said<'_>> = events.iter().map(|_| Said::default()).collect();
    let mut world = World::new(setup, &rules);
    for (event, said) in events.iter().zip(&said) {
        world.happens(event, said);
    }
    world.ends();
}

impl<'r> World<'r> {
    /// Nobody has asked for anything yet.
    #[must_use]
    pub fn new(setup: Setup, rules: &'r Rules) -> Self {
        let host = Host::new(!setup.claims, accounts());
        Self { setup, rules, policy: 0, host, flights: Vec::new(), fresh: 0 }
    }

    /// One event.
    pub fn happens(&mut self, event: &Event, said: &'r Said<'r>) {
        match *event {
            Event::Request(request, steps) => {
                let flight = self.request(request, said);
                self.flights.push(flight);
                self.go_on(self.flights.len() - 1, steps);
            }
            Event::Visit(visit, steps) => {
                if let Some(flight) = self.visit(&visit, said) {
                    self.flights.push(flight);
                    self.go_on(self.flights.len() - 1, steps);
                }
            }
            Event::GoOn(which, steps) => {
                if let Some(which) = usize::from(which).checked_rem(self.flights.len()) {
                    self.go_on(which, steps);
                }
            }
            Event::HangUp(which) => {
                if let Some(which) = usize::from(which).checked_rem(self.flights.len()) {
                    let flight = self.flights.remove(which);
                    self.hang_up(flight);
                }
            }
            Event::Time(step) => self.host.now = self.host.now.saturating_add_signed(step),
            Event::Policy => self.policy = 1 - self.policy,
            Event::NewEpoch(number) => {
                self.change(number, |account| {
                    account.subject = Subject::new(account.subject.user, account.subject.epoch + 1);
                });
            }
            Event::Status(number, status) => self.change(number, |account| account.status = status),
            Event::Token(number) => {
                self.host.accounts_version += 1;
                let ended = &mut self.host.ended_tokens;
                match ended.iter().position(|it| *it == number) {
                    Some(at) => drop(ended.remove(at)),
                    None => ended.push(number),
                }
            }
            Event::Evict(which) => {
                if let Some(id) = self.known(which) {
                    let claimed = self.host.model(id).is_some_and(|it| matches!(it.state, State::Claimed(_)));
                    // A claimed session is not evicted: whoever claimed it comes back.
                    if !claimed {
                        self.host.evict(id);
                    }
                }
            }
            Event::Lose => self.host.lose = 1,
            Event::Full => self.host.full = 1,
            Event::CutOff => self.host.cut_off = 1,
        }
    }

    fn change(&mut self, number: u8, change: impl FnOnce(&mut Account)) {
        if let Some(Some(account)) = self.host.accounts.get_mut(usize::from(number)) {
            change(account);
            self.host.accounts_version += 1;
        }
    }

    fn known(&self, which: u8) -> Option<Id> {
        let known = &self.host.known;
        known.get(usize::from(which).checked_rem(known.len())?).copied()
    }

    fn around(&self) -> Around<'r> {
        let policy_number = self.setup.policy(self.policy);
        Around { rules: self.rules, policy: policy_of(policy_number), policy_number }
    }

    fn fresh(&mut self) -> Id {
        self.fresh += 1;
        self.fresh
    }

    fn request(&mut self, request: Request, said: &'r Said<'r>) -> AnyFlight<'r> {
        let number = (self.setup.operation + request.operation) % OPERATIONS;
        let mut around = self.around();
        // Another operation has a policy that each of them may have.
        if number != self.setup.operation {
            around.policy_number %= crate::facts::POLICIES;
            around.policy = policy_of(around.policy_number);
        }
        let facts: Facts = of_operation!(number, Op => Op::FACTS);
        let name = match request.session {
            Named::None => None,
            Named::Known(which) => self.known(which).map(Some),
            Named::Nowhere => Some(Some(Id::MAX)),
            Named::Garbage => Some(None),
        };
        // A poll has to name a session, and where there is no auth nothing does.
        let session = match request.ask {
            Ask::Absent => None,
            Ask::Poll => Some(name.unwrap_or(Some(Id::MAX))),
            Ask::Attempt(..) => name,
        };
        let given = if facts.needs_hash || facts.signs { request.given } else { [None; 3] };
        let incoming = Incoming {
            facts,
            target: request.target,
            given,
            session,
            ask: request.ask,
            admission: request.admission,
            unchecked: request.unchecked,
            fresh: self.fresh(),
            arrived: self.host.now,
        };
        let auth = said.auth(&incoming);
        macro_rules! flight {
            ($kind:ident) => {
                AnyFlight::$kind(Flight::new(around, request, incoming, auth, &self.host))
            };
        }
        match number {
            0 => flight!(Register),
            1 => flight!(ChangePassword),
            2 => flight!(GetLoginToken),
            _ => flight!(UploadSigningKeys),
        }
    }

    fn visit(&mut self, visit: &Visit, said: &'r Said<'r>) -> Option<AnyFlight<'r>> {
        let session = match visit.session {
            Named::Known(which) => self.known(which)?,
            _ => Id::MAX,
        };
        let around = self.around();
        let shown = visit.shown.map(|other| self.setup.policy(usize::from(other)));
        let text = said.text.get_or_init(|| {
            let stage = STAGES[usize::from(visit.stage)];
            format!(r#"{{"type":"{stage}"{}}}"#, data(stage, visit.form))
        });
        // The provider names only whom it knows.
        if matches!(visit.brings, Brings::Approval(Some(user)) if user > 1) {
            return None;
        }
        let number = self.setup.operation;
        let host = &self.host;
        let flight =
            of_operation!(number, Op => PageFlight::new::<Op>(around, (visit, session), shown, text, host));
        Some(AnyFlight::Page(Box::new(flight), number))
    }

    fn go_on(&mut self, which: usize, steps: u8) {
        for _ in 0..steps {
            let host = &mut self.host;
            let over = match &mut self.flights[which] {
                AnyFlight::Register(flight) => flight.advance(host),
                AnyFlight::ChangePassword(flight) => flight.advance(host),
                AnyFlight::GetLoginToken(flight) => flight.advance(host),
                AnyFlight::UploadSigningKeys(flight) => flight.advance(host),
                AnyFlight::Page(flight, number) => of_operation!(*number, Op => flight.advance::<Op>(host)),
            };
            if over {
                drop(self.flights.remove(which));
                return;
            }
        }
    }

    fn hang_up(&mut self, flight: AnyFlight<'r>) {
        match flight {
            AnyFlight::Register(flight) => flight.hang_up(&mut self.host),
            AnyFlight::ChangePassword(flight) => flight.hang_up(&mut self.host),
            AnyFlight::GetLoginToken(flight) => flight.hang_up(&mut self.host),
            AnyFlight::UploadSigningKeys(flight) => flight.hang_up(&mut self.host),
            AnyFlight::Page(flight, _) => flight.hang_up(&mut self.host),
        }
    }

    /// Everybody who is on their way gets an answer; every session ends.
    pub fn ends(mut self) {
        (self.host.lose, self.host.full, self.host.cut_off) = (0, 0, 0);
        while let Some(last) = self.flights.len().checked_sub(1) {
            self.go_on(last, QUESTIONS as u8);
            assert!(self.flights.len() <= last, "a request that nobody disturbs has an end");
        }
        self.no_claim_is_left();
        self.host.now += LIFETIME;
        for id in self.host.sessions() {
            self.host.evict(id);
        }
        for (number, reservation) in self.host.reservations.iter().enumerate() {
            let ended = reservation.state != Reserved::Reserved || reservation.dropped;
            assert!(ended, "number {number} is neither spent nor given back: {reservation:?}");
        }
    }

    /// Rule U26: whoever died, the next request finds a session from which it can go on.
    fn no_claim_is_left(&mut self) {
        for id in self.host.sessions() {
            let Some(model) = self.host.model(id).cloned() else { continue };
            let State::Claimed(at) = model.state else { continue };
            self.host.now = self.host.now.max(at) + CLAIM;
            assert!(!self.host.one_transaction, "a host of one transaction stores no claim");
            let by_token = model.account.filter(|_| model.by_token);
            let user = by_token.map(|account| {
                let found = (0..2_u8).find(|number| user(*number) == account.user);
                found.expect("a user of ours")
            });
            if let Some(number) = user {
                self.host.ended_tokens.retain(|ended| *ended != number);
            }
            for account in self.host.accounts.iter_mut().flatten() {
                account.status = Status::Active;
            }
            let which = self.host.known.iter().position(|known| *known == id).expect("it was answered") as u8;
            let operation = (model.operation + OPERATIONS - self.setup.operation) % OPERATIONS;
            let target = model.target;
            let request = Request {
                session: Named::Known(which),
                user,
                operation,
                target,
                ask: Ask::Poll,
                ..Request::default()
            };
            // What it says is needed for no longer than this.
            let said = Said::default();
            let mut inner = World {
                setup: self.setup,
                rules: self.rules,
                policy: self.policy,
                host: std::mem::replace(&mut self.host, Host::new(false, Vec::new())),
                flights: Vec::new(),
                fresh: self.fresh,
            };
            inner.happens(&Event::Request(request, QUESTIONS as u8), &said);
            assert!(inner.flights.is_empty(), "it has an answer");
            let left = inner.host.model(id).is_some_and(|model| matches!(model.state, State::Claimed(_)));
            assert!(!left, "claimed for ever");
            (self.host, self.fresh) = (inner.host, inner.fresh);
        }
    }
}

/// The auth dict as a client writes it.
fn auth(incoming: &Incoming) -> String {
    let name = incoming.session.map(|session| match session {
        Some(number) => crate::host::id(number).expose().to_string(),
        None => "no session has that name".to_owned(),
    });
    let name = name.map(|name| format!(r#""session":"{name}""#));
    match incoming.ask {
        Ask::Absent => "{}".to_owned(),
        Ask::Poll => format!("{{{}}}", name.unwrap_or_default()),
        Ask::Attempt(stage, form) => {
            let stage = STAGES[usize::from(stage)];
            let name = name.map(|name| format!(",{name}")).unwrap_or_default();
            format!(r#"{{"type":"{stage}"{}{name}}}"#, data(stage, form))
        }
    }
}
