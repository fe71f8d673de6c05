//! The same rules by looking at everything each time, and any sequence held against them.

use matrix_uia::server::operation::{Reference, UserRef};
use matrix_uia::server::session::{Receipt, Write};
use matrix_uia::server::store::{Record, Store};
use matrix_uia::{Session, SessionId};
use proptest::prelude::*;

use super::Kind;
use super::sessions::{DISORDER, LIFETIME, REPLAY, Steps as _, at, bound, claim, id, passed, session};

type Gone = Option<(SessionId, Session, u32)>;

fn parts(gone: Option<(SessionId, Record<u32>)>) -> Gone {
    gone.map(|(id, record)| (id, record.session, record.kept))
}

struct Entry {
    id: SessionId,
    session: Session,
    kept: u32,
    due: u64,
    /// Which came first; anew when it takes a new place in line.
    turn: u64,
    overtime: bool,
}

impl Entry {
    fn is_consumed(&self) -> bool {
        self.session.consumed_at().is_some()
    }

    fn is_open(&self) -> bool {
        !self.is_consumed() && !self.session.is_claimed()
    }
}

#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    capacity: usize,
    seen: u64,
    time: u64,
    turns: u64,
}

impl Model {
    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn read(&mut self, now: u64) {
        self.time += now.saturating_sub(self.seen);
        if now > self.seen || self.seen - now > DISORDER {
            self.seen = now;
        }
    }

    /// The first in line of those that `which` picks.
    fn take(&mut self, which: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let picked = self.entries.iter().enumerate().filter(|(_, entry)| which(entry));
        let (index, _) = picked.min_by_key(|(_, entry)| entry.turn)?;
        Some(self.entries.remove(index))
    }

    fn take_due(&mut self) -> Option<Entry> {
        let time = self.time;
        if let Some(tombstone) = self.take(|entry| entry.is_consumed() && entry.due <= time) {
            return Some(tombstone);
        }
        loop {
            let mut entry = self.take(|entry| !entry.is_consumed() && entry.due <= time)?;
            if !entry.session.is_claimed() || entry.overtime {
                return Some(entry);
            }
            (entry.overtime, entry.due, entry.turn) = (true, time + LIFETIME, self.turn());
            self.entries.push(entry);
        }
    }

    fn expire(&mut self, now: u64) -> Gone {
        self.read(now);
        self.take_due().map(Entry::gone)
    }

    fn insert(&mut self, id: SessionId, session: Session, kept: u32, now: u64) -> Result<Gone, ()> {
        self.read(now);
        let mut gone = None;
        if self.entries.len() >= self.capacity {
            let untouched = |entry: &Entry| entry.is_open() && !entry.session.has_passed_stage();
            gone = Some(self.take_due().or_else(|| self.take(untouched)).ok_or(())?);
        }
        let (due, turn) = (self.time + LIFETIME, self.turn());
        self.entries.push(Entry { id, session, kept, due, turn, overtime: false });
        Ok(gone.map(Entry::gone))
    }

    fn apply(&mut self, write: Write<'_>, now: u64) -> bool {
        let Write::Replace { id, expected, session } = write else { panic!("{write:?}") };
        self.read(now);
        let (due, turn) = (self.time + REPLAY, self.turn());
        let found = self.entries.iter_mut().find(|entry| entry.id == id);
        let Some(entry) = found.filter(|entry| entry.session.revision() == expected) else { return false };
        let was_consumed = entry.is_consumed();
        entry.session = session.clone();
        if entry.is_consumed() && !was_consumed {
            (entry.due, entry.turn) = (due, turn);
        }
        true
    }

    fn in_line(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|entry| (entry.is_consumed(), entry.turn));
        entries
    }
}

impl Entry {
    fn gone(self) -> (SessionId, Session, u32) {
        (self.id, self.session, self.kept)
    }
}

/// Something that happens; a number picks one of what there is.
#[derive(Clone, Debug)]
enum Op {
    Begin,
    Bind(usize),
    Pass(usize),
    Claim(usize),
    Succeed(usize),
    Fail(usize),
    /// A write computed from something read at any time before.
    Stale(usize),
    Remove(usize),
    Expire,
    EndOpen(u64),
    Forward(u64),
    Back(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0_usize..1_000;
    let forward = prop::sample::select(vec![1, REPLAY - 1, REPLAY, LIFETIME / 3, LIFETIME - 1, LIFETIME]);
    let back = prop::sample::select(vec![1, DISORDER, DISORDER + 1, REPLAY, LIFETIME, 5 * LIFETIME]);
    prop_oneof![
        6 => Just(Op::Begin),
        1 => any.clone().prop_map(Op::Bind),
        6 => any.clone().prop_map(Op::Pass),
        5 => any.clone().prop_map(Op::Claim),
        2 => any.clone().prop_map(Op::Succeed),
        1 => any.clone().prop_map(Op::Fail),
        2 => any.clone().prop_map(Op::Stale),
        1 => any.prop_map(Op::Remove),
        4 => Just(Op::Expire),
        1 => (0_u64..2).prop_map(Op::EndOpen),
        4 => forward.prop_map(Op::Forward),
        1 => back.prop_map(Op::Back),
    ]
}

/// A store beside its model, and the calls that are being carried out.
struct Pair<S> {
    store: S,
    model: Model,
    now: u64,
    begun: u64,
    /// All that was ever read.
    reads: Vec<(SessionId, Session)>,
    receipts: Vec<Receipt>,
}

impl<S: Store<Kept = u32>> Pair<S> {
    fn new(store: S) -> Self {
        let model = Model { capacity: store.capacity(), ..Model::default() };
        Self { store, model, now: 10_000, begun: 0, reads: Vec::new(), receipts: Vec::new() }
    }

    /// Does it to both; `None` where there was nothing to do it to.
    fn run(&mut self, op: Op) -> Option<()> {
        match op {
            Op::Begin => {
                self.begun += 1;
                let (id, kept) = (id(self.begun), self.begun as u32);
                let session = session(id, at(self.now));
                let stored = self.store.insert(id, &session, kept, at(self.now));
                let expected = self.model.insert(id, session, kept, self.now);
                assert_eq!(stored.map(|stored| parts(stored.evicted)).map_err(drop), expected);
            }
            Op::Bind(which) => {
                let (id, read) = self.read(which)?;
                self.replace(id, &read, bound(id, read.clone(), at(self.now))?);
            }
            Op::Pass(which) => {
                let (id, read) = self.read(which)?;
                self.replace(id, &read, passed(id, read.clone(), at(self.now))?);
            }
            Op::Claim(which) => {
                let (id, read) = self.read(which)?;
                let claim = claim(id, read, at(self.now))?;
                self.apply(claim.write());
                self.receipts.push(claim.assume_stored().redeem());
            }
            Op::Succeed(which) => {
                let receipt = self.receipt(which)?;
                self.apply(receipt.succeeded(Reference::new(1), at(self.now)).write());
            }
            Op::Fail(which) => {
                let receipt = self.receipt(which)?;
                self.apply(receipt.failed().write());
            }
            Op::Stale(which) => {
                let (id, read) = self.reads.get(which.checked_rem(self.reads.len())?)?.clone();
                self.replace(id, &read, read.clone());
            }
            Op::Remove(which) => {
                let (id, _) = self.read(which)?;
                let removed = self.store.remove(&id).map(|record| (id, record));
                assert_eq!(parts(removed), self.model.take(|entry| entry.id == id).map(Entry::gone));
            }
            Op::Expire => {
                while let Some(gone) = parts(self.store.expire(at(self.now))) {
                    assert_eq!(self.model.expire(self.now), Some(gone));
                }
                assert_eq!(self.model.expire(self.now), None);
            }
            Op::EndOpen(user) => {
                let user = UserRef::new(user);
                for gone in self.store.end_open(|_, record| record.session.user() == Some(user)) {
                    let of_user = |entry: &Entry| entry.is_open() && entry.session.user() == Some(user);
                    assert_eq!(parts(Some(gone)), self.model.take(of_user).map(Entry::gone));
                }
            }
            Op::Forward(secs) => self.now += secs,
            Op::Back(secs) => self.now = self.now.saturating_sub(secs),
        }
        Some(())
    }

    fn read(&mut self, which: usize) -> Option<(SessionId, Session)> {
        let line = self.model.in_line();
        let id = line.get(which.checked_rem(line.len())?)?.id;
        let read = (id, self.store.load(&id).expect("what the model has").session.clone());
        self.reads.push(read.clone());
        Some(read)
    }

    fn receipt(&mut self, which: usize) -> Option<Receipt> {
        let which = which.checked_rem(self.receipts.len())?;
        Some(self.receipts.swap_remove(which))
    }

    fn replace(&mut self, id: SessionId, read: &Session, session: Session) {
        self.apply(Write::Replace { id, expected: read.revision(), session: &session });
    }

    fn apply(&mut self, write: Write<'_>) {
        let stored = self.store.apply(write, None, at(self.now));
        assert_eq!(stored.is_ok(), self.model.apply(write, self.now));
    }

    /// Everything that can be seen of both is the same.
    fn compare(&self) {
        assert_eq!(self.store.len(), self.model.entries.len());
        let line = self.model.in_line();
        let seen = self.store.iter().map(|(id, record)| (*id, &record.session, record.kept));
        let expected = line.iter().map(|entry| (entry.id, &entry.session, entry.kept));
        assert_eq!(seen.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        for number in 1..=self.begun {
            let there = line.iter().any(|entry| entry.id == id(number));
            assert_eq!(self.store.has(number), there, "{number}");
        }
    }
}

pub(super) fn any_sequence_is_as_the_model_says<K: Kind>() {
    fn hold<S: Store<Kept = u32>>(store: S, ops: &[Op]) {
        let mut pair = Pair::new(store);
        for op in ops {
            pair.run(op.clone());
            pair.compare();
        }
    }
    proptest!(|(ops in prop::collection::vec(op(), 0..120))| {
        hold(K::new::<1>(), &ops);
        hold(K::new::<3>(), &ops);
        hold(K::new::<12>(), &ops);
    });
}
