//! The state that is explored: one account, one session, a handful of requests.

use std::hash::{Hash, Hasher};

use matrix_uia::server::exchange::{HostKind, OneTransaction};

use super::request::{ARRIVED, Answer, Asks, Going, KEYS, Kind, Read, Said};

/// A claim that was made before has lapsed by now.
pub(super) const LATE: u64 = 20_000;
/// Every session is over by now, and so is what was reserved for it.
pub(super) const EXPIRED: u64 = 1_000_000_000;

/// A request, and where it has got to.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    /// Its number: what is random in it, and the milliseconds that it comes later.
    pub(super) number: u8,
    /// When its first question was asked.
    pub(super) arrived: Option<u64>,
    /// Every answer so far: the exchange is taken through them again at each step.
    pub(super) said: Vec<Said>,
    /// The same without what led to a commit that was lost. Two requests that differ in that
    /// only count as the same state.
    pub(super) log: Vec<Said>,
    pub(super) asks: Asks,
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Request {}

impl Hash for Request {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}

impl Request {
    pub(super) const fn new(kind: Kind, number: u8) -> Self {
        Self { kind, number, arrived: None, said: Vec::new(), log: Vec::new(), asks: Asks::Load }
    }

    fn key(&self) -> (Kind, Option<u64>, &[Said], Asks) {
        (self.kind, self.arrived, &self.log, self.asks)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.asks, Asks::Nothing(_) | Asks::Killed)
    }

    pub(super) fn has_answered_call(&self) -> bool {
        self.asks == Asks::Commit && matches!(self.log.last(), Some(Said::Succeeded(_)))
    }

    /// Whether the transaction that is open reserves the voucher's use.
    pub(super) fn reserves(&self) -> bool {
        let in_transaction = self.log.iter().rev().take_while(|said| !matches!(said, Said::Loaded(..)));
        in_transaction.into_iter().any(|said| *said == Said::Reserved)
    }

    pub(super) fn going(&self, host: Host) -> Going {
        let arrived = self.arrived.unwrap_or(ARRIVED);
        let begin = Going::begin(self.kind, host.kind(), host.sealed, self.number, arrived);
        self.said.iter().fold(begin, |going, said| going.say(said))
    }

    /// Takes in an answer. What was said since a load that led to a lost commit is over.
    pub(super) fn hear(&mut self, host: Host, said: Said) {
        let lost = said == Said::Lost;
        self.said.push(said.clone());
        self.log.push(said);
        self.asks = self.going(host).asks();
        if lost {
            assert_eq!(self.asks, Asks::Load);
            let load = self.log.iter().rposition(|said| matches!(said, Said::Loaded(..)));
            self.log.truncate(load.unwrap());
        }
        if self.is_over() {
            self.said.clear();
            self.log.clear();
        }
    }

    pub(super) fn end(&mut self) {
        *self = Self { asks: Asks::Killed, ..Self::new(self.kind, self.number) };
    }
}

/// The one use of the voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    Free,
    /// For the session.
    Reserved,
    Spent,
}

/// Where there is one transaction, a step changes all of it at once.
impl OneTransaction for State {}

/// Everything there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) stored: Read,
    pub(super) requests: Vec<Request>,
    pub(super) voucher: Use,
    pub(super) fenced: bool,
    pub(super) dropped: bool,
    /// The store has lost a session in the middle of a call, which none may evict. What was
    /// reserved for it ends with its own time.
    pub(super) lost_claim: bool,
    pub(super) killed: bool,
    pub(super) late: bool,
    /// Since a request was killed or a claim was lost, so much time has passed that all is over
    /// that it left.
    pub(super) expired: bool,
    /// The same, whenever it was.
    pub(super) ever_expired: bool,
    /// The record of the call, where it is left when a claim is stored.
    pub(super) record: bool,
    /// Something went wrong for a reason of its own, once.
    pub(super) failed: bool,
    pub(super) calls: u8,
    /// Wrong passwords that were answered as such.
    pub(super) wrong: u16,
    /// The most stages that the session ever had.
    pub(super) most: usize,
    pub(super) lost_race: bool,
    /// A grant without a whole flow, or by a token of another epoch.
    pub(super) unearned: bool,
}

impl State {
    pub(super) fn requests(&self) -> impl Iterator<Item = Kind> + '_ {
        self.requests.iter().map(|request| request.kind)
    }

    pub(super) fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        self.requests.iter().filter_map(|request| match request.asks {
            Asks::Nothing(answer) => Some(answer),
            _ => None,
        })
    }

    /// The call of the model does not count it up: nothing but the revisions and the record
    /// keeps it from being made twice.
    pub(super) const fn epoch(&self) -> u32 {
        self.fenced as u32
    }

    /// Not before this.
    pub(super) const fn now(&self) -> u64 {
        match (self.ever_expired, self.late) {
            (true, _) => EXPIRED,
            (false, true) => LATE,
            (false, false) => 0,
        }
    }

    /// Whether something may be reserved that no session and no request knows of: until its own
    /// time is over.
    pub(super) const fn left_something(&self) -> bool {
        (self.killed || self.lost_claim) && !self.expired
    }
}

/// Whether no stage can pass any more.
pub(super) fn is_over(session: &matrix_uia::Session) -> bool {
    session.consumed_at().is_some() || session.has_ended()
}

/// How the host keeps sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Whether the call and the session's end are one transaction.
    pub(super) one_transaction: bool,
    /// Whether it compares revisions; else the last write wins.
    pub(super) compares: bool,
    /// Whether it leaves a record of a call whose claim is stored.
    pub(super) records: bool,
    /// Whether it gives back what was reserved for a session that is long over.
    pub(super) settles: bool,
    /// Whether its session IDs are sealed: then none is stored at first, and whoever keeps an old
    /// ID can begin a session again that the store has dropped.
    pub(super) sealed: bool,
}

impl Host {
    /// Claims are stored against their revision, then the call is made.
    pub(super) const CLAIMS: Self =
        Self { one_transaction: false, compares: true, records: true, settles: true, sealed: false };
    /// The call and the session's end are one transaction.
    pub(super) const ONE_TRANSACTION: Self = Self { one_transaction: true, ..Self::CLAIMS };

    pub(super) const fn kind(self) -> HostKind<'static> {
        let kind =
            if self.one_transaction { HostKind::assume_one_transaction::<State>() } else { HostKind::CLAIMS };
        if self.sealed { kind.with_sealed_ids(&KEYS) } else { kind }
    }
}
