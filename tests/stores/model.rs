//! The same rules by looking at everything each time, and any sequence held against them.

use matrix_uia::server::reference::UserRef;
use matrix_uia::server::session::{Revision, Worth};
use matrix_uia::server::store::{Bound, Lifetimes, NotStored, OwnerKey, Record, Store};
use matrix_uia::{Session, SessionId};
use proptest::prelude::*;

use super::Kind;
use super::sessions::{
    Claim, LIFETIME, MINUTE, REPLAY, RULES, Receipt, Steps as _, at, bound, claim, dummy, id, owner, passed,
    session,
};

type Gone = Option<(SessionId, Session, u32)>;

fn parts(gone: Option<(SessionId, Record<u32>)>) -> Gone {
    gone.map(|(id, record)| (id, record.session, record.kept))
}

struct Entry {
    id: SessionId,
    session: Session,
    kept: u32,
    owner: OwnerKey,
    due: u64,
    /// Which came first; anew when it takes a new place among those that expire.
    turn: u64,
    /// The same among those that may be evicted for any other.
    line: u64,
    overtime: bool,
}

impl Entry {
    fn is_consumed(&self) -> bool {
        self.session.consumed_at().is_some()
    }

    fn is_open(&self) -> bool {
        !self.session.worth().is_held()
    }

    fn gone(self) -> (SessionId, Session, u32) {
        (self.id, self.session, self.kept)
    }
}

/// A count of the host's time: the highest it was, and what the store's was then.
#[derive(Clone, Copy)]
struct Count {
    host: u64,
    time: u64,
}

#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    capacity: usize,
    per_owner: usize,
    time: u64,
    count: Option<Count>,
    /// With the time at which it began, and the turn before that.
    doubt: Option<(Count, u64, u64)>,
    /// All of that turn or before are over.
    over: u64,
    turns: u64,
    lines: u64,
}

impl Model {
    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn tell(&mut self, now: u64) {
        let near = |count: Count| now.abs_diff(count.host) <= LIFETIME;
        let mut count = self.count.unwrap_or(Count { host: now, time: self.time });
        if let Some((doubt, begun, before)) = self.doubt {
            let ahead = begun > count.host;
            if !near(count) && now >= begun + MINUTE && (ahead || near(doubt)) {
                self.over = if ahead { before } else { self.over };
                (count, self.doubt) = (doubt, None);
            }
        }
        let late = |(doubt, begun, _): (Count, u64, u64)| begun > count.host && now + MINUTE >= doubt.host;
        let is_doubts = self.doubt.is_some_and(|it| near(it.0) && (late(it) || !near(count)));
        if !is_doubts && near(count) {
            self.doubt = None;
        } else if !is_doubts {
            let before = self.doubt.map_or(self.turns, |doubt| doubt.2);
            self.doubt = Some((Count { host: now, time: self.time }, now, before));
        }
        let current = self.doubt.as_mut().map_or(&mut count, |doubt| &mut doubt.0);
        let host = current.host.max(now);
        *current = Count { host, time: current.time + (host - current.host) };
        self.time = self.time.max(current.time);
        self.count = Some(count);
    }

    /// The first of those that `which` picks, by `order`.
    fn take<O: Ord>(&mut self, order: impl Fn(&Entry) -> O, which: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let picked = self.entries.iter().enumerate().filter(|(_, entry)| which(entry));
        let (index, _) = picked.min_by_key(|(_, entry)| order(entry))?;
        Some(self.entries.remove(index))
    }

    /// One whose time is over, of those that `which` picks and in the order of `rank`:
    /// only the first of a rank can go, and nothing overtakes it.
    fn take_over(&mut self, rank: impl Fn(&Entry) -> u8, which: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let (time, over) = (self.time, self.over);
        for current in 0..4 {
            let of_rank = |entry: &Entry| which(entry) && rank(entry) == current;
            while let Some(first) = self.take(|entry| entry.turn, of_rank) {
                let is_over = first.due <= time || first.turn <= over;
                if is_over && (!first.session.is_claimed() || first.overtime) {
                    return Some(first);
                }
                self.entries.push(first);
                if !is_over {
                    break;
                }
                let turn = self.turn();
                if let Some(last) = self.entries.last_mut() {
                    (last.overtime, last.due, last.turn) = (true, time + LIFETIME, turn);
                }
            }
        }
        None
    }

    fn take_any_over(&mut self) -> Option<Entry> {
        self.take_over(|entry| u8::from(!entry.is_consumed()), |_| true)
    }

    fn expire(&mut self, now: u64) -> Gone {
        self.tell(now);
        self.take_any_over().map(Entry::gone)
    }

    fn make_room(&mut self, owner: OwnerKey) -> Result<Option<Entry>, (Bound, u64)> {
        let theirs = |entry: &Entry| entry.owner == owner && owner != OwnerKey::NOBODY;
        let of_theirs = |entry: &Entry| theirs(entry) && entry.is_open();
        let order = |entry: &Entry| (entry.session.worth(), entry.turn);
        let is_owner_full = self.entries.iter().filter(|entry| theirs(entry)).count() >= self.per_owner;
        if is_owner_full && owner != OwnerKey::NOBODY {
            let rank = |entry: &Entry| match entry.session.worth() {
                Worth::Over => 0,
                Worth::Nothing => 1,
                Worth::Proved => 2,
                Worth::Claimed => 3,
            };
            let gone = self.take_over(rank, theirs).or_else(|| self.take(order, of_theirs));
            return gone.map(Some).ok_or_else(|| (Bound::Owner, self.wait(theirs)));
        }
        if self.entries.len() < self.capacity {
            return Ok(None);
        }
        let gone = self.take_any_over();
        let gone = gone.or_else(|| self.take(|entry| entry.line, |it| it.session.worth() == Worth::Nothing));
        let gone = gone.or_else(|| self.take(order, of_theirs));
        gone.map(Some).ok_or_else(|| (Bound::Store, self.wait(|_| true)))
    }

    /// Until the first of those that `which` picks is due: the first open or consumed one.
    fn wait(&self, which: impl Fn(&Entry) -> bool) -> u64 {
        let first = |consumed| {
            let picked = self.entries.iter().filter(|it| which(it) && it.is_consumed() == consumed);
            picked.min_by_key(|entry| entry.turn).map(|entry| entry.due)
        };
        let due = [first(true), first(false)].into_iter().flatten().min();
        due.map_or(LIFETIME, |due| due.saturating_sub(self.time))
    }

    fn insert(
        &mut self,
        (id, session, kept, owner): (SessionId, Session, u32, OwnerKey),
        now: u64,
    ) -> Result<Gone, (Bound, u64)> {
        self.tell(now);
        let gone = self.make_room(owner)?;
        self.lines += 1;
        let (due, turn, line) = (self.time + LIFETIME, self.turn(), self.lines);
        self.entries.push(Entry { id, session, kept, owner, due, turn, line, overtime: false });
        Ok(gone.map(Entry::gone))
    }

    fn replace(&mut self, id: SessionId, expected: Revision, session: &Session, now: u64) -> bool {
        self.tell(now);
        let (time, turns) = (self.time, self.turns + 1);
        let found = self.entries.iter_mut().find(|entry| entry.id == id);
        let Some(entry) = found.filter(|entry| entry.session.revision() == expected) else { return false };
        let (was_consumed, was) = (entry.is_consumed(), entry.session.worth());
        entry.session = *session;
        if entry.is_consumed() && !was_consumed {
            (entry.due, entry.turn, self.turns) = (time + REPLAY, turns, turns);
        }
        if session.worth() == Worth::Nothing && was != Worth::Nothing {
            self.lines += 1;
            entry.line = self.lines;
        }
        true
    }

    fn in_line(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|entry| (entry.is_consumed(), entry.turn));
        entries
    }
}

/// Something that happens; a number picks one of what there is.
#[derive(Clone, Debug)]
enum Op {
    /// By an owner of that number; zero is nobody.
    Begin(u64),
    Bind(usize),
    Pass(usize),
    Claim(usize),
    /// By the flow that proves nothing.
    Dummy(usize),
    Succeed(usize),
    Fail(usize),
    /// A write computed from something read at any time before.
    Stale(usize),
    Remove(usize),
    Expire,
    EndOpen(u64),
    Forward(u64),
    Back(u64),
    /// For one call the clock is wrong.
    Wrong(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0_usize..1_000;
    let forward = vec![1, MINUTE, REPLAY - 1, REPLAY, LIFETIME / 3, LIFETIME - 1, LIFETIME, 3 * LIFETIME];
    let forward = prop::sample::select(forward);
    let back = prop::sample::select(vec![1, MINUTE, MINUTE + 1, REPLAY, LIFETIME, 5 * LIFETIME]);
    let wrong = prop::sample::select(vec![0, 5_000, 20_000, 1_000_000_000, 1_000_000_060]);
    prop_oneof![
        6 => (0_u64..4).prop_map(Op::Begin),
        1 => any.clone().prop_map(Op::Bind),
        6 => any.clone().prop_map(Op::Pass),
        5 => any.clone().prop_map(Op::Claim),
        2 => any.clone().prop_map(Op::Dummy),
        2 => any.clone().prop_map(Op::Succeed),
        2 => any.clone().prop_map(Op::Fail),
        2 => any.clone().prop_map(Op::Stale),
        1 => any.prop_map(Op::Remove),
        4 => Just(Op::Expire),
        1 => (0_u64..2).prop_map(Op::EndOpen),
        4 => forward.prop_map(Op::Forward),
        1 => back.prop_map(Op::Back),
        1 => wrong.prop_map(Op::Wrong),
    ]
}

/// A store beside its model, and the calls that are being carried out.
struct Pair<S> {
    store: S,
    model: Model,
    now: u64,
    begun: u64,
    stored: u64,
    /// How many sessions were handed back.
    left: u64,
    /// All that was ever read.
    reads: Vec<(SessionId, Session)>,
    receipts: Vec<Receipt>,
}

impl<S: Store<Kept = u32>> Pair<S> {
    fn new(store: S, per_owner: usize) -> Self {
        let model = Model { capacity: store.capacity(), per_owner, ..Model::default() };
        Self {
            store,
            model,
            now: 10_000,
            begun: 0,
            stored: 0,
            left: 0,
            reads: Vec::new(),
            receipts: Vec::new(),
        }
    }

    /// Does it to both; `None` where there was nothing to do it to.
    fn run(&mut self, op: Op) -> Option<()> {
        match op {
            Op::Begin(of) => {
                self.begun += 1;
                let (id, kept, owner) = (id(self.begun), self.begun as u32, owner(of));
                let session = session(id, at(self.now));
                let stored = self.store.insert(id, &session, kept, owner, at(self.now));
                let stored = stored.map(|stored| parts(stored.evicted)).map_err(|error| match error {
                    NotStored::Full { bound, wait, kept: Some(back) } if back == kept => {
                        (bound, wait.get() / 1_000)
                    }
                    other => panic!("{other:?}"),
                });
                let expected = self.model.insert((id, session, kept, owner), self.now);
                assert_eq!(stored, expected);
                self.stored += u64::from(stored.is_ok());
                self.left += stored.ok().flatten().map_or(0, |_| 1);
            }
            Op::Bind(which) => {
                let (id, read) = self.read(which)?;
                self.replace(id, &read, bound(id, read, at(self.now))?);
            }
            Op::Pass(which) => {
                let (id, read) = self.read(which)?;
                self.replace(id, &read, passed(id, read, at(self.now))?);
            }
            Op::Claim(which) => {
                let (id, read) = self.read(which)?;
                let claim = claim(id, read, at(self.now))?;
                self.claimed(id, &read, claim);
            }
            Op::Dummy(which) => {
                let (id, read) = self.read(which)?;
                let claim = dummy(id, read, at(self.now))?;
                self.claimed(id, &read, claim);
            }
            Op::Succeed(which) => {
                let receipt = self.receipt(which)?;
                self.end(receipt, true);
            }
            Op::Fail(which) => {
                let receipt = self.receipt(which)?;
                self.end(receipt, false);
            }
            Op::Stale(which) => {
                let (id, read) = *self.reads.get(which.checked_rem(self.reads.len())?)?;
                self.replace(id, &read, read);
            }
            Op::Remove(which) => {
                let (id, _) = self.read(which)?;
                let removed = self.store.remove(&id).map(|record| (id, record));
                self.left += removed.iter().count() as u64;
                assert_eq!(parts(removed), self.model.take(|_| 0, |entry| entry.id == id).map(Entry::gone));
            }
            Op::Expire => {
                while let Some(gone) = parts(self.store.expire(at(self.now))) {
                    self.left += 1;
                    assert_eq!(self.model.expire(self.now), Some(gone));
                }
                assert_eq!(self.model.expire(self.now), None);
            }
            Op::EndOpen(user) => {
                let user = UserRef::new(user);
                for gone in self.store.end_open(|_, record| record.session.user() == Some(user)) {
                    self.left += 1;
                    let of_user = |entry: &Entry| entry.is_open() && entry.session.user() == Some(user);
                    let expected = self.model.take(|entry| entry.turn, of_user).map(Entry::gone);
                    assert_eq!(parts(Some(gone)), expected);
                }
            }
            Op::Forward(secs) => self.now += secs,
            Op::Back(secs) => self.now = self.now.saturating_sub(secs),
            Op::Wrong(now) => {
                let gone = parts(self.store.expire(at(now)));
                self.left += gone.iter().count() as u64;
                assert_eq!(gone, self.model.expire(now));
            }
        }
        Some(())
    }

    fn read(&mut self, which: usize) -> Option<(SessionId, Session)> {
        let line = self.model.in_line();
        let id = line.get(which.checked_rem(line.len())?)?.id;
        let read = (id, self.store.load(&id).expect("what the model has").session);
        assert_eq!(self.store.revision(&id), Some(read.1.revision()));
        self.reads.push(read);
        Some(read)
    }

    fn claimed(&mut self, id: SessionId, read: &Session, claim: Claim) {
        self.replace(id, read, claim.session);
        self.receipts.push(claim.receipt);
    }

    fn end(&mut self, receipt: Receipt, succeeded: bool) {
        let (id, claimed) = (receipt.id, receipt.session);
        self.replace(id, &claimed, receipt.end(succeeded, at(self.now)));
    }

    fn receipt(&mut self, which: usize) -> Option<Receipt> {
        let which = which.checked_rem(self.receipts.len())?;
        Some(self.receipts.swap_remove(which))
    }

    fn replace(&mut self, id: SessionId, read: &Session, session: Session) {
        let stored = self.store.replace(id, read.revision(), &session, None, at(self.now));
        assert_eq!(stored.is_ok(), self.model.replace(id, read.revision(), &session, self.now));
    }

    /// Everything that can be seen of both is the same.
    fn compare(&self) {
        assert_eq!(self.store.len(), self.model.entries.len());
        // Rule U25: whatever came leaves once.
        assert_eq!(self.store.len() as u64, self.stored - self.left);
        let line = self.model.in_line();
        let seen = self.store.iter().map(|(id, it)| (*id, it.session, *it.kept, it.owner));
        let expected = line.iter().map(|entry| (entry.id, entry.session, entry.kept, entry.owner));
        assert_eq!(seen.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        for number in 1..=self.begun {
            let there = line.iter().any(|entry| entry.id == id(number));
            assert_eq!(self.store.has(number), there, "{number}");
        }
    }
}

pub(super) fn any_sequence_is_as_the_model_says<K: Kind>() {
    fn hold<S: Store<Kept = u32>>(store: S, per_owner: usize, ops: &[Op]) {
        let mut pair = Pair::new(store, per_owner);
        for op in ops {
            pair.run(op.clone());
            pair.compare();
        }
    }
    let lifetimes = Lifetimes::of(&RULES);
    proptest!(|(ops in prop::collection::vec(op(), 0..120))| {
        hold(K::with::<1>(lifetimes, 1), 1, &ops);
        hold(K::with::<3>(lifetimes, 2), 2, &ops);
        hold(K::with::<12>(lifetimes, 4), 4, &ops);
        hold(K::with::<6>(lifetimes, 6), 6, &ops);
    });
}
