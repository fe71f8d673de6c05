//! Slots, the queues through them, and what happens to a session in them: all that the
//! two kinds of store share. They differ in where the slots are and how one is found.

use super::clock::{Clock, Lifetimes};
use super::queue::{Index, Lane, Link, Queue};
use super::{NotStored, Record, Stored};
use crate::server::session::Revision;
use crate::{Session, SessionId, Timestamp};

/// Room for one session.
pub(super) struct Slot<K> {
    item: Option<(SessionId, Record<K>)>,
    /// When its time is over, by the store's clock.
    due: Timestamp,
    pub(super) turn: Link,
    pub(super) eviction: Link,
    /// The next slot of the same bucket, for slots that have buckets.
    pub(super) chain: Option<Index>,
    standing: Standing,
}

impl<K> Slot<K> {
    pub(super) const VACANT: Self = Self {
        item: None,
        due: Timestamp::from_millis(0),
        turn: Link::NONE,
        eviction: Link::NONE,
        chain: None,
        standing: Standing::Untouched,
    };

    /// The ID of the session in it.
    pub(super) fn id(&self) -> Option<&SessionId> {
        self.item.as_ref().map(|(id, _)| id)
    }
}

/// What a session in a store is worth. It only ever rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// No stage has passed: may be evicted.
    Untouched,
    /// A stage has passed, or a claimant holds it.
    Passed,
    /// It was claimed when its time was over, and has been given more.
    Overtime,
    /// Its call has succeeded.
    Consumed,
}

impl Standing {
    fn of(session: &Session) -> Self {
        if session.consumed_at().is_some() {
            Self::Consumed
        } else if session.has_passed_stage() || session.is_claimed() {
            Self::Passed
        } else {
            Self::Untouched
        }
    }
}

/// The 64 bits that an ID is found by.
///
/// They are the ID's own: it is made from the host's entropy, so its bytes are spread
/// evenly already. A client may ask for any ID it likes, but has no say in which IDs are
/// *stored*, so it can't make them collide; that is what a keyed hasher would be for.
pub(super) fn hash(id: &SessionId) -> u64 {
    id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Where the slots are, and how one is found by the ID in it.
pub(super) trait Slots {
    type Kept;

    /// How many slots there can be.
    fn limit(&self) -> usize;
    fn get(&self, at: Index) -> Option<&Slot<Self::Kept>>;
    fn get_mut(&mut self, at: Index) -> Option<&mut Slot<Self::Kept>>;
    /// Adds a vacant slot; `None` at the limit.
    fn grow(&mut self) -> Option<Index>;

    /// The slot entered under `id`.
    fn find(&self, id: &SessionId) -> Option<Index>;
    /// Has the slot found by `id`, which is in it and in no other.
    fn enter(&mut self, id: &SessionId, at: Index);
    /// The reverse.
    fn leave(&mut self, id: &SessionId, at: Index);
}

pub(super) struct Slab<S> {
    slots: S,
    lifetimes: Lifetimes,
    clock: Clock,
    len: usize,
    vacant: Queue,
    open: Queue,
    consumed: Queue,
    /// The open sessions without a passed stage.
    untouched: Queue,
}

impl<S> Slab<S> {
    pub(super) const fn new(slots: S, lifetimes: Lifetimes) -> Self {
        Self {
            slots,
            lifetimes,
            clock: Clock::new(),
            len: 0,
            vacant: Queue::new(Lane::Turn),
            open: Queue::new(Lane::Turn),
            consumed: Queue::new(Lane::Turn),
            untouched: Queue::new(Lane::Eviction),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

impl<S: Slots> Slab<S> {
    pub(super) fn capacity(&self) -> usize {
        self.slots.limit()
    }

    pub(super) fn load(&self, id: &SessionId) -> Option<&Record<S::Kept>> {
        let (_, record) = self.slots.get(self.slots.find(id)?)?.item.as_ref()?;
        Some(record)
    }

    pub(super) fn insert(
        &mut self,
        id: SessionId,
        session: &Session,
        kept: S::Kept,
        now: Timestamp,
    ) -> Result<Stored<S::Kept>, NotStored<S::Kept>> {
        let time = self.clock.read(now);
        if self.slots.find(&id).is_some() {
            return Err(NotStored::Conflict { kept: Some(kept) });
        }
        let mut stored = Stored::QUIETLY;
        if self.len >= self.slots.limit() {
            stored.evicted = self.pop_due(time).or_else(|| self.remove_at(self.untouched.first()?));
        }
        let Some(at) = self.vacancy() else {
            return Err(NotStored::Full { wait: self.next_due(time).since(time), kept: Some(kept) });
        };
        let standing = Standing::of(session);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.item = Some((id, Record { session: session.clone(), kept }));
            slot.due = time.after(self.lifetimes.left(session, now));
            slot.standing = standing;
        }
        self.vacant.unlink(&mut self.slots, at);
        self.line_up(at, standing);
        self.slots.enter(&id, at);
        self.len = self.len.saturating_add(1);
        Ok(stored)
    }

    pub(super) fn replace(
        &mut self,
        id: SessionId,
        expected: Revision,
        session: &Session,
        kept: Option<S::Kept>,
        now: Timestamp,
    ) -> Result<(), NotStored<S::Kept>> {
        let time = self.clock.read(now);
        let found = self.slots.find(&id).and_then(|at| Some((at, self.slots.get_mut(at)?)));
        let Some((at, slot)) = found else { return Err(NotStored::Conflict { kept }) };
        let as_read = slot.item.as_mut().filter(|(_, record)| record.session.revision() == expected);
        let Some((_, record)) = as_read else { return Err(NotStored::Conflict { kept }) };
        record.session.clone_from(session);
        if let Some(kept) = kept {
            record.kept = kept;
        }
        let was = slot.standing;
        let is = was.max(Standing::of(session));
        slot.standing = is;
        if is != was && is == Standing::Consumed {
            slot.due = time.after(self.lifetimes.left(session, now));
            self.step_out(at, was);
            self.line_up(at, is);
        } else if is != was {
            self.untouched.unlink(&mut self.slots, at);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &SessionId) -> Option<Record<S::Kept>> {
        let (_, record) = self.remove_at(self.slots.find(id)?)?;
        Some(record)
    }

    pub(super) fn expire(&mut self, now: Timestamp) -> Option<(SessionId, Record<S::Kept>)> {
        let time = self.clock.read(now);
        self.pop_due(time)
    }

    pub(super) fn end_open<F>(&mut self, which: F) -> EndOpen<'_, S, F> {
        EndOpen { next: self.open.first(), slab: self, which }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SessionId, &Record<S::Kept>)> {
        self.queued(&self.open).chain(self.queued(&self.consumed))
    }

    fn queued(&self, queue: &Queue) -> impl Iterator<Item = (&SessionId, &Record<S::Kept>)> {
        let slot = |at: Option<Index>| self.slots.get(at?);
        let slots = core::iter::successors(slot(queue.first()), move |it| slot(it.turn.after()));
        slots.filter_map(|slot| slot.item.as_ref().map(|(id, record)| (id, record)))
    }

    fn pop_due(&mut self, time: Timestamp) -> Option<(SessionId, Record<S::Kept>)> {
        if let Some(at) = self.due(&self.consumed, time) {
            return self.remove_at(at);
        }
        // Each session is given overtime once, so this costs nothing over all calls.
        loop {
            let at = self.due(&self.open, time)?;
            if !self.give_overtime(at, time) {
                return self.remove_at(at);
            }
        }
    }

    /// The first of the queue, if its time is over.
    fn due(&self, queue: &Queue, time: Timestamp) -> Option<Index> {
        queue.first().filter(|at| self.slots.get(*at).is_some_and(|slot| slot.due <= time))
    }

    /// Puts a claimed session that is due at the end of the queue, as if just made.
    fn give_overtime(&mut self, at: Index, time: Timestamp) -> bool {
        let Some(slot) = self.slots.get_mut(at) else { return false };
        let claimed = slot.item.as_ref().is_some_and(|(_, record)| record.session.is_claimed());
        let given = claimed && slot.standing == Standing::Passed;
        if given {
            slot.standing = Standing::Overtime;
            slot.due = time.after(self.lifetimes.session());
            self.open.unlink(&mut self.slots, at);
            self.open.push(&mut self.slots, at);
        }
        given
    }

    /// When a place will be free; if none ever will, a lifetime from now.
    fn next_due(&self, time: Timestamp) -> Timestamp {
        let firsts = [self.open.first(), self.consumed.first()];
        let dues = firsts.into_iter().flatten().filter_map(|at| Some(self.slots.get(at)?.due));
        dues.min().unwrap_or_else(|| time.after(self.lifetimes.session()))
    }

    /// A vacant slot: the one used last, which is likely still in the processor's cache.
    fn vacancy(&mut self) -> Option<Index> {
        if self.vacant.last().is_none() {
            let at = self.slots.grow()?;
            self.vacant.push(&mut self.slots, at);
        }
        self.vacant.last()
    }

    fn remove_at(&mut self, at: Index) -> Option<(SessionId, Record<S::Kept>)> {
        let slot = self.slots.get_mut(at)?;
        let standing = slot.standing;
        let item = slot.item.take()?;
        self.slots.leave(&item.0, at);
        self.step_out(at, standing);
        self.vacant.push(&mut self.slots, at);
        self.len = self.len.saturating_sub(1);
        Some(item)
    }

    fn line_up(&mut self, at: Index, standing: Standing) {
        self.turn_of(standing, |queue, slots| queue.push(slots, at));
        if standing == Standing::Untouched {
            self.untouched.push(&mut self.slots, at);
        }
    }

    fn step_out(&mut self, at: Index, standing: Standing) {
        self.turn_of(standing, |queue, slots| queue.unlink(slots, at));
        if standing == Standing::Untouched {
            self.untouched.unlink(&mut self.slots, at);
        }
    }

    fn turn_of(&mut self, standing: Standing, act: impl FnOnce(&mut Queue, &mut S)) {
        let queue = match standing {
            Standing::Untouched | Standing::Passed | Standing::Overtime => &mut self.open,
            Standing::Consumed => &mut self.consumed,
        };
        act(queue, &mut self.slots);
    }
}

/// See [`Store::end_open`](super::Store::end_open).
pub(super) struct EndOpen<'s, S, F> {
    slab: &'s mut Slab<S>,
    next: Option<Index>,
    which: F,
}

impl<K, S, F> Iterator for EndOpen<'_, S, F>
where
    S: Slots<Kept = K>,
    F: FnMut(&SessionId, &Record<K>) -> bool,
{
    type Item = (SessionId, Record<K>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.next?;
            let slot = self.slab.slots.get(at)?;
            self.next = slot.turn.after();
            let (id, record) = slot.item.as_ref()?;
            if !record.session.is_claimed() && (self.which)(id, record) {
                return self.slab.remove_at(at);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::server::operation::ChangePassword;
    use crate::wire::Auth;
    use crate::{Call, Flows, Guard, Rules, Step};

    /// An untouched session, made at zero.
    pub(in crate::server::store) fn session() -> Session {
        let mut buffer = [0; 128];
        let flows = Flows::<ChangePassword>::in_buffer([["m.login.password"]], None, &mut buffer).unwrap();
        let fresh = SessionId::from_entropy([0; 24]);
        let call = Call::new(Auth::Absent, None);
        match Guard::new(&flows, &Rules::default()).receive(call, None, fresh, Timestamp::default()) {
            Step::Challenge(challenge) => challenge.session().clone(),
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn a_slot_adds_little_to_its_session() {
        assert!(size_of::<Slot<()>>() <= 248, "{}", size_of::<Slot<()>>());
    }

    #[test]
    fn the_lifetimes_are_those_that_the_session_names() {
        let (session, rules) = (session(), Rules::default());
        let left = Lifetimes::of(&rules).left(&session, session.made());
        assert_eq!(session.made().after(left), session.ends(&rules));
    }
}
