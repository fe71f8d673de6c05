//! A host: accounts, sessions and reservations in memory, which carries out every change.
//!
//! It keeps each session as text, as another process would find it, and beside it the
//! model of it.

use std::collections::BTreeMap;

use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::exchange::OneTransaction;
use matrix_uia::server::reference::Reference;
use matrix_uia::server::session::Proof;
use matrix_uia::{Millis, Rules, Session, SessionId, Timestamp};

use crate::answers::Plan;
use crate::ends::Success;
use crate::facts::{Account, Policy, Stage};
use crate::params::{Given, SLOTS};
use crate::seen;
use crate::session::{Id, Model};

/// What the store has of one session.
#[derive(Clone)]
pub(crate) struct Kept {
    text: String,
    pub(crate) model: Model,
    /// The parameters that are kept beside it.
    params: Given,
}

/// Something that was reserved for a session.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "the stage is for whoever reads what has failed")]
pub(crate) struct Reservation {
    pub(crate) session: Id,
    pub(crate) stage: Stage,
    pub(crate) state: Reserved,
    /// A request that knew of it was dropped, and told nobody.
    pub(crate) dropped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::enum_variant_names, reason = "it is what the state is called")]
pub(crate) enum Reserved {
    /// In a transaction that goes on.
    Pending,
    /// That transaction was undone.
    Undone,
    Reserved,
    GivenBack,
    Spent,
}

/// What a call did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effect {
    /// The session of the call, if anybody had to authenticate.
    pub(crate) session: Option<Id>,
    /// The name of its record, if the host claims first.
    pub(crate) record: Option<Id>,
    pub(crate) success: Success,
}

/// One request's transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) now: u64,
    pub(crate) accounts: Vec<Option<Account>>,
    pub(crate) ended_tokens: Vec<u8>,
    accounts_version: u64,
    pub(crate) session: Option<Model>,
    /// The parameters that were kept beside the session.
    pub(crate) params: Given,
    /// What was reserved in it.
    pub(crate) pending: Vec<u64>,
    pub(crate) effect: Option<Effect>,
}

/// It is one value.
impl OneTransaction for Host {}

pub(crate) struct Host {
    pub(crate) now: u64,
    pub(crate) one_transaction: bool,
    pub(crate) accounts: Vec<Option<Account>>,
    pub(crate) accounts_version: u64,
    pub(crate) ended_tokens: Vec<u8>,
    store: BTreeMap<Id, Kept>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) records: BTreeMap<Id, Success>,
    /// The sessions whose call was carried out.
    pub(crate) carried_out: Vec<Id>,
    /// The IDs of sessions that answers have carried, the newest first.
    pub(crate) known: Vec<Id>,
    /// How many of the next commits lose, find no room, or are cut off in the middle.
    pub(crate) lose: u8,
    pub(crate) full: u8,
    pub(crate) cut_off: u8,
}

/// The ID that is made of a number.
pub(crate) fn id(number: Id) -> SessionId {
    let mut entropy = [0x5A; SessionId::ENTROPY];
    entropy[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_entropy(entropy)
}

pub(crate) fn number(id: SessionId) -> Id {
    Id::from_be_bytes(id.as_bytes()[..8].try_into().unwrap())
}

impl Host {
    pub(crate) fn new(one_transaction: bool, accounts: Vec<Option<Account>>) -> Self {
        Self {
            now: 1_000_000,
            one_transaction,
            accounts,
            accounts_version: 0,
            ended_tokens: Vec::new(),
            store: BTreeMap::new(),
            // No reference is 0, which stands for none.
            reservations: vec![Reservation {
                session: Id::MAX,
                stage: "",
                state: Reserved::Undone,
                dropped: true,
            }],
            records: BTreeMap::new(),
            carried_out: Vec::new(),
            known: Vec::new(),
            lose: 0,
            full: 0,
            cut_off: 0,
        }
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    pub(crate) fn model(&self, id: Id) -> Option<&Model> {
        self.store.get(&id).map(|kept| &kept.model)
    }

    pub(crate) fn sessions(&self) -> Vec<Id> {
        self.store.keys().copied().collect()
    }

    /// Begins a transaction; the session as it is read, and what is read with it.
    pub(crate) fn begin(&self, session: Option<Id>) -> (Option<Session>, Transaction) {
        let kept = session.and_then(|id| self.store.get(&id));
        let read = kept.map(|kept| serde_json::from_str(&kept.text).expect("what was stored is read back"));
        let transaction = Transaction {
            now: self.now,
            accounts: self.accounts.clone(),
            ended_tokens: self.ended_tokens.clone(),
            accounts_version: self.accounts_version,
            session: kept.map(|kept| kept.model.clone()),
            params: kept.map_or([None; SLOTS], |kept| kept.params),
            pending: Vec::new(),
            effect: None,
        };
        // Once its parameters are refused, what was kept of them counts no more.
        let counts = read.as_ref().is_some_and(Session::keeps_params);
        let params = if counts { transaction.params } else { [None; SLOTS] };
        (read, Transaction { params, ..transaction })
    }

    /// Reserves something for a session, anew for each question.
    pub(crate) fn reserve(
        &mut self,
        session: Id,
        stage: Stage,
        transaction: Option<&mut Transaction>,
    ) -> Reference {
        let state = if transaction.is_some() { Reserved::Pending } else { Reserved::Reserved };
        let number = self.reservations.len() as u64;
        self.reservations.push(Reservation { session, stage, state, dropped: false });
        if let Some(transaction) = transaction {
            transaction.pending.push(number);
        }
        Reference::new(number)
    }

    /// The transaction is undone.
    pub(crate) fn undo(&mut self, transaction: Option<Transaction>) {
        for number in transaction.into_iter().flat_map(|transaction| transaction.pending) {
            let reservation = &mut self.reservations[number as usize];
            assert_eq!(reservation.state, Reserved::Pending);
            reservation.state = Reserved::Undone;
        }
    }

    /// Carries out what is to be written, all of it or nothing. It is what the model says.
    pub(crate) fn commit<'c>(
        &mut self,
        mut transaction: Transaction,
        changes: impl Iterator<Item = Change<'c>>,
        plan: &Plan,
        given: &Given,
    ) -> Committed {
        let changes: Vec<Change<'c>> = changes.collect();
        seen::compare(&changes, plan);
        if plan.undo {
            transaction.effect = None;
        }
        let inserts = plan.put.as_ref().is_some_and(|put| put.expected.is_none());
        let lost = if std::mem::take(&mut self.lose) > 0 || !self.may_store(&transaction, plan) {
            Some(Committed::Lost)
        } else if inserts && self.full > 0 {
            self.full -= 1;
            Some(Committed::Full(Millis::new(7)))
        } else {
            None
        };
        if let Some(lost) = lost {
            self.undo(Some(transaction));
            return lost;
        }
        for number in &transaction.pending {
            self.reservations[*number as usize].state = Reserved::Reserved;
        }
        if let Some(effect) = transaction.effect {
            self.carry_out(&effect);
        }
        let cut_off = !self.one_transaction && transaction.effect.is_some() && {
            let stale = !self.is_as_read(plan);
            let cut_off = std::mem::take(&mut self.cut_off) > 0;
            stale || cut_off
        };
        for change in &changes {
            match *change {
                Change::Undo => {}
                Change::Spend { session, proof } => self.spend(number(session), proof),
                Change::GiveBack { session, proof } => self.give_back(number(session), proof),
                _ if cut_off => {}
                Change::Remove { id, .. } => drop(self.store.remove(&number(id)).expect("it was there")),
                Change::Put(Put { id, session, keep, .. }) => {
                    let put = plan.put.as_ref().expect("the model puts it too");
                    // A session that begins has nothing of the one that was named.
                    let goes_on = put.expected.is_some();
                    let mut params = if goes_on { transaction.params } else { [None; SLOTS] };
                    if keep {
                        for (kept, given) in params.iter_mut().zip(given) {
                            *kept = given.or(*kept);
                        }
                    }
                    let text = serde_json::to_string(session).unwrap();
                    let again: Session = serde_json::from_str(&text).expect("what is stored is read back");
                    assert_eq!(serde_json::to_string(&again).unwrap(), text);
                    self.store.insert(number(id), Kept { text, model: put.model.clone(), params });
                }
            }
        }
        Committed::Stored
    }

    /// Whether the sessions that are written are still as they were read.
    fn is_as_read(&self, plan: &Plan) -> bool {
        let revision = |id: Id| self.store.get(&id).map(|kept| kept.model.revision);
        plan.remove.is_none_or(|(id, expected)| revision(id) == Some(expected))
            && plan.put.as_ref().is_none_or(|put| revision(put.id) == put.expected)
    }

    fn may_store(&self, transaction: &Transaction, plan: &Plan) -> bool {
        let same_accounts = transaction.accounts_version == self.accounts_version;
        let unspent = plan.spend.iter().all(|(_, proof)| {
            let state = self.reservations[reference(*proof)].state;
            matches!(state, Reserved::Reserved | Reserved::Pending)
        });
        if self.one_transaction {
            let as_read = same_accounts && self.is_as_read(plan);
            assert!(unspent || !as_read, "nobody else gives back what a stored session holds");
            return as_read;
        }
        match transaction.effect {
            // The accounts' database has its say; the session is written after that.
            Some(effect) => {
                let first = effect.record.is_none_or(|record| !self.records.contains_key(&record));
                same_accounts && first && unspent
            }
            None => self.is_as_read(plan),
        }
    }

    fn carry_out(&mut self, effect: &Effect) {
        if let Some(record) = effect.record.filter(|_| !self.one_transaction) {
            assert!(self.records.insert(record, effect.success).is_none());
        }
        if let Some(session) = effect.session {
            assert!(!self.carried_out.contains(&session), "a call is carried out once");
            self.carried_out.push(session);
        }
    }

    fn spend(&mut self, session: Id, proof: Proof) {
        let reservation = &mut self.reservations[reference(proof)];
        assert_eq!((reservation.session, reservation.state), (session, Reserved::Reserved));
        reservation.state = Reserved::Spent;
    }

    /// The stage has failed: nobody is told of what was reserved for it.
    pub(crate) fn give_back_at_once(&mut self, reserved: Reference) {
        let reservation = &mut self.reservations[reserved.get() as usize];
        reservation.state = match reservation.state {
            Reserved::Pending => Reserved::Pending,
            _ => Reserved::GivenBack,
        };
        reservation.dropped = true;
    }

    /// What the session of a call that is on record has held is spent, whoever says that
    /// session is over.
    pub(crate) fn give_back(&mut self, session: Id, proof: Proof) {
        let on_record = self.records.contains_key(&session);
        let reservation = &mut self.reservations[reference(proof)];
        assert_eq!(reservation.session, session);
        if reservation.state == Reserved::Spent && on_record {
            return;
        }
        assert_eq!(reservation.state, Reserved::Reserved, "{reservation:?} is given back once");
        reservation.state = Reserved::GivenBack;
    }

    /// The store removes a session, for want of room or because its time is over.
    pub(crate) fn evict(&mut self, id: Id) {
        let Some(kept) = self.store.remove(&id) else { return };
        let session: Session = serde_json::from_str(&kept.text).unwrap();
        for proof in session.proofs().filter(|proof| proof.is_reservation()) {
            self.give_back(id, proof);
        }
    }

    /// Whether what was reserved is in use, or has been dealt with.
    pub(crate) fn is_settled(&self, number: usize) -> bool {
        let Reservation { session, state, dropped, .. } = self.reservations[number];
        let held = || {
            let model = self.store.get(&session).map(|kept| &kept.model);
            model.is_some_and(|model| model.reservations().any(|proof| reference(proof) == number))
        };
        match state {
            Reserved::Pending => false,
            Reserved::Reserved => dropped || held(),
            Reserved::Undone | Reserved::GivenBack | Reserved::Spent => true,
        }
    }
}

/// The number of a reservation.
pub(crate) fn reference(proof: Proof) -> usize {
    match proof {
        Proof::Threepid(it) | Proof::Token(it) | Proof::Other(it) => it.get() as usize,
        other => panic!("{other:?} is no reservation"),
    }
}

/// What a flight of any kind needs to look at the world.
#[derive(Clone, Copy)]
pub(crate) struct Around<'r> {
    pub(crate) rules: &'r Rules,
    pub(crate) policy: Policy,
    pub(crate) policy_number: usize,
}
