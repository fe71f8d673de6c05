//! Slots, the queues and trees through them, and what happens to a session in them: all
//! that the two kinds of store share.

use super::clock::Clock;
use super::index::Index;
use super::lifetimes::Lifetimes;
use super::outcome::{NotStored, Stored};
use super::owner::OwnerKey;
use super::owners::Owners;
use super::queue::{Lane, Queue};
use super::record::Record;
use super::slot::{Item, Slots};
use super::table::{Table, hash};
use crate::server::session::{Form, Revision, Session, SessionId, Worth};
use crate::time::Timestamp;

/// What left a store, under the ID it had.
pub(super) type Gone<K> = (SessionId, Record<K>);

// In this order, so that short instructions reach what is small: the slots may lie within.
#[repr(C)]
pub(super) struct Slab<S, T, O> {
    vacant: Queue,
    pub(super) open: Queue,
    pub(super) consumed: Queue,
    /// The open sessions whose stages have proved nothing.
    pub(super) nothing: Queue,
    len: usize,
    pub(super) per_owner: u32,
    /// The last serial that was given.
    pub(super) serial: u64,
    pub(super) clock: Clock,
    pub(super) lifetimes: Lifetimes,
    pub(super) owners: O,
    /// The slots by their sessions' IDs.
    ids: T,
    pub(super) slots: S,
}

impl<S, T, O> Slab<S, T, O> {
    pub(super) const fn new(slots: S, ids: T, owners: O, lifetimes: Lifetimes) -> Self {
        Self {
            slots,
            ids,
            owners,
            per_owner: u32::MAX,
            lifetimes,
            clock: Clock::new(lifetimes.longest()),
            serial: 0,
            len: 0,
            vacant: Queue::new(Lane::Turn),
            open: Queue::new(Lane::Turn),
            consumed: Queue::new(Lane::Turn),
            nothing: Queue::new(Lane::Eviction),
        }
    }

    pub(super) const fn set_sessions_per_owner(&mut self, limit: usize) {
        let most = u32::MAX as usize;
        self.per_owner = if limit > most { u32::MAX } else { (limit & most) as u32 };
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

impl<S: Slots, T: Table, O: Owners<S>> Slab<S, T, O> {
    pub(super) fn capacity(&self) -> usize {
        self.slots.limit()
    }

    pub(super) fn load(&self, id: &SessionId) -> Option<Record<&S::Kept>> {
        let (_, item) = self.slots.get(self.find(id)?)?.item.as_ref()?;
        Some(item.record())
    }

    pub(super) fn revision(&self, id: &SessionId) -> Option<Revision> {
        let (_, item) = self.slots.get(self.find(id)?)?.item.as_ref()?;
        Some(item.form.revision())
    }

    pub(super) fn insert(
        &mut self,
        id: SessionId,
        session: &Session,
        kept: S::Kept,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Stored<S::Kept>, NotStored<S::Kept>> {
        self.clock.tell(now, self.serial);
        if self.find(&id).is_some() {
            return Err(NotStored::Conflict { kept: Some(kept) });
        }
        let evicted = match self.make_room(owner) {
            Ok(evicted) => evicted,
            Err((bound, wait)) => return Err(NotStored::Full { bound, wait, kept: Some(kept) }),
        };
        self.put(id, session, kept, owner, now);
        Ok(Stored { evicted })
    }

    #[inline(never)]
    pub(super) fn replace(
        &mut self,
        id: SessionId,
        expected: Revision,
        session: &Session,
        kept: Option<S::Kept>,
        now: Timestamp,
    ) -> Result<(), NotStored<S::Kept>> {
        self.clock.tell(now, self.serial);
        let found = self.find(&id).and_then(|at| Some((at, self.slots.get_mut(at)?)));
        let Some((at, slot)) = found else { return Err(NotStored::Conflict { kept }) };
        let as_read = slot.item.as_mut().filter(|(_, item)| item.form.revision() == expected);
        let Some((_, item)) = as_read else { return Err(NotStored::Conflict { kept }) };
        item.form.set(session);
        if let Some(kept) = kept {
            item.kept = kept;
        }
        let (was, is) = (slot.rank, session.worth());
        if is != was && was != Worth::Over {
            let due = self.clock.time().after(self.lifetimes.left(session, now));
            self.change_rank(at, is, due);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &SessionId) -> Option<Record<S::Kept>> {
        let (_, record) = self.remove_at(self.find(id)?)?;
        Some(record)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SessionId, Record<&S::Kept>)> {
        self.queued(&self.open).chain(self.queued(&self.consumed))
    }

    fn queued(&self, queue: &Queue) -> impl Iterator<Item = (&SessionId, Record<&S::Kept>)> {
        let slot = |at: Option<Index>| self.slots.get(at?);
        let slots = core::iter::successors(slot(queue.first()), move |it| slot(it.turn.after));
        slots.filter_map(|slot| slot.item.as_ref().map(|(id, item)| (id, item.record())))
    }

    fn find(&self, id: &SessionId) -> Option<Index> {
        let is_it = |at| self.slots.get(at).and_then(|slot| slot.id()) == Some(id);
        self.ids.find(hash(id), is_it)
    }

    /// Puts a new session into a vacant slot, of which there has to be one.
    #[inline(never)]
    fn put(&mut self, id: SessionId, session: &Session, kept: S::Kept, owner: OwnerKey, now: Timestamp) {
        let Some(at) = self.vacancy() else { return };
        let (rank, serial) = (session.worth(), self.next_serial());
        let due = self.clock.time().after(self.lifetimes.left(session, now));
        self.vacant.unlink(&mut self.slots, at);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.item = Some((id, Item { form: S::Form::of(session), kept, owner }));
            (slot.due, slot.serial, slot.rank, slot.overtime) = (due, serial, rank, false);
        }
        self.turn_of(rank, |queue, slots| queue.push(slots, at));
        if rank == Worth::Nothing {
            self.nothing.push(&mut self.slots, at);
        }
        let Self { slots, ids, owners, .. } = self;
        ids.enter(hash(&id), at, |at| slots.get(at).and_then(|slot| slot.id()).map_or(0, hash));
        owners.add(slots, at);
        self.len = self.len.wrapping_add(1);
    }

    /// A vacant slot: the one used last, which is likely still in the processor's cache.
    fn vacancy(&mut self) -> Option<Index> {
        if self.vacant.last().is_none() {
            let at = self.slots.grow()?;
            self.vacant.push(&mut self.slots, at);
        }
        self.vacant.last()
    }

    /// Has the session stand where its new rank belongs. A consumed one is due then, and
    /// comes last; any other keeps its place among those that expire.
    fn change_rank(&mut self, at: Index, is: Worth, due: Timestamp) {
        let Some(was) = self.slots.get(at).map(|slot| slot.rank) else { return };
        self.owners.remove(&mut self.slots, at);
        if was == Worth::Nothing {
            self.nothing.unlink(&mut self.slots, at);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            slot.rank = is;
        }
        match is {
            Worth::Nothing => self.nothing.push(&mut self.slots, at),
            Worth::Proved | Worth::Claimed => {}
            Worth::Over => {
                self.open.unlink(&mut self.slots, at);
                self.put_last(at, due);
            }
        }
        self.owners.add(&mut self.slots, at);
    }

    /// Puts a session that stands in no queue last among those of its rank that expire.
    pub(super) fn put_last(&mut self, at: Index, due: Timestamp) {
        let serial = self.next_serial();
        let Some(slot) = self.slots.get_mut(at) else { return };
        (slot.due, slot.serial) = (due, serial);
        let rank = slot.rank;
        self.turn_of(rank, |queue, slots| queue.push(slots, at));
    }

    pub(super) fn remove_at(&mut self, at: Index) -> Option<Gone<S::Kept>> {
        self.owners.remove(&mut self.slots, at);
        let slot = self.slots.get_mut(at)?;
        let rank = slot.rank;
        let (id, item) = slot.item.take()?;
        self.ids.leave(hash(&id), at);
        self.turn_of(rank, |queue, slots| queue.unlink(slots, at));
        if rank == Worth::Nothing {
            self.nothing.unlink(&mut self.slots, at);
        }
        self.vacant.push(&mut self.slots, at);
        self.len = self.len.wrapping_sub(1);
        Some((id, item.into_record()))
    }

    fn turn_of(&mut self, rank: Worth, act: impl FnOnce(&mut Queue, &mut S)) {
        let queue = match rank {
            Worth::Nothing | Worth::Proved | Worth::Claimed => &mut self.open,
            Worth::Over => &mut self.consumed,
        };
        act(queue, &mut self.slots);
    }

    const fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::rules::Rules;
    use crate::server::store::testing::session;

    #[test]
    fn the_lifetimes_are_those_that_the_session_names() {
        let (session, rules) = (session(), Rules::default());
        let left = Lifetimes::of(&rules).left(&session, session.made());
        assert_eq!(session.made().after(left), session.ends(&rules));
    }
}
