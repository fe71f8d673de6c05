//! The store that grows to a limit.
//!
//! ```text
//!  table   ID's own bytes ─► number of a slot
//!  chunks  [ 256 slots ] [ 256 slots ] [ 256 slots …
//! ```
//!
//! Slots stand in chunks that never move: one vector would copy every session it has
//! whenever it doubled, need three times the memory while at it, and have one request
//! wait for all that.

use alloc::vec::Vec;
use core::fmt;

use hashbrown::HashTable;

use super::queue::Index;
use super::slab::{Slab, Slot, Slots, hash};
use super::{Lifetimes, NotStored, Record, Stored, store_of_a_slab};
use crate::server::session::Revision;
use crate::{Session, SessionId, Timestamp};

/// A store on the heap that grows to a limit.
///
/// For each session it takes 248 bytes, besides what `K` needs, and 10 to 20 bytes for
/// each that the limit allows. What it has grown to it keeps, for the next sessions.
///
/// ```
/// use matrix_uia::server::store::{HashedStore, Lifetimes, Store};
/// use matrix_uia::Rules;
/// let store = HashedStore::<()>::new(Lifetimes::of(&Rules::default()), 100_000);
/// assert_eq!((store.len(), store.capacity()), (0, 100_000));
/// ```
pub struct HashedStore<K = ()>(Slab<Chunks<K>>);

impl<K> HashedStore<K> {
    /// An empty store that will hold `limit` sessions (at most four thousand million).
    #[must_use]
    pub fn new(lifetimes: Lifetimes, limit: usize) -> Self {
        Self(Slab::new(Chunks::new(limit), lifetimes))
    }
}

store_of_a_slab!([K] HashedStore<K>, "HashedStore");

/// Slots of one allocation.
const CHUNK: usize = 256;

/// The largest limit for which the table is made whole at once. A table that has to
/// grow looks at every session there is, while a request waits.
const PREPARED: usize = 1 << 20;

struct Chunks<K> {
    table: HashTable<Index>,
    chunks: Vec<Vec<Slot<K>>>,
    slots: usize,
    limit: usize,
}

impl<K> Chunks<K> {
    fn new(limit: usize) -> Self {
        // At half its load or less, a removal leaves next to no tombstones in the table,
        // so that it doesn't have to be cleaned of them either.
        let room = limit.min(PREPARED).saturating_mul(7).div_ceil(4);
        Self {
            table: HashTable::with_capacity(room),
            chunks: Vec::new(),
            slots: 0,
            limit: limit.min(Index::MOST),
        }
    }
}

fn slot<K>(chunks: &[Vec<Slot<K>>], at: Index) -> Option<&Slot<K>> {
    chunks.get(at.position() / CHUNK)?.get(at.position() % CHUNK)
}

impl<K> Slots for Chunks<K> {
    type Kept = K;

    fn limit(&self) -> usize {
        self.limit
    }

    fn get(&self, at: Index) -> Option<&Slot<K>> {
        slot(&self.chunks, at)
    }

    fn get_mut(&mut self, at: Index) -> Option<&mut Slot<K>> {
        self.chunks.get_mut(at.position() / CHUNK)?.get_mut(at.position() % CHUNK)
    }

    fn grow(&mut self) -> Option<Index> {
        let room = self.limit.saturating_sub(self.slots);
        let at = Index::at(self.slots).filter(|_| room > 0)?;
        if self.slots.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(room.min(CHUNK)));
        }
        self.chunks.last_mut()?.push(Slot::VACANT);
        self.slots = self.slots.saturating_add(1);
        Some(at)
    }

    fn find(&self, id: &SessionId) -> Option<Index> {
        let is_it = |at: &Index| self.get(*at).and_then(Slot::id) == Some(id);
        self.table.find(hash(id), is_it).copied()
    }

    fn enter(&mut self, id: &SessionId, at: Index) {
        let Self { table, chunks, .. } = self;
        let again = |at: &Index| slot(chunks, *at).and_then(Slot::id).map_or(0, hash);
        table.insert_unique(hash(id), at, again);
    }

    fn leave(&mut self, id: &SessionId, at: Index) {
        if let Ok(entry) = self.table.find_entry(hash(id), |it| *it == at) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_left_stays_in_no_table() {
        let mut chunks = Chunks::<()>::new(2);
        let [one, two] = [1, 2].map(|byte| SessionId::from_entropy([byte; 24]));
        let [first, second] = [(); 2].map(|()| chunks.grow().unwrap());
        chunks.enter(&one, first);
        chunks.enter(&two, second);
        chunks.leave(&one, first);
        assert_eq!(chunks.table.iter().copied().collect::<Vec<_>>(), [second]);
        chunks.leave(&one, first);
        assert_eq!(chunks.table.len(), 1, "it leaves once");
    }

    #[test]
    fn the_limit_is_kept_to_the_slot() {
        for limit in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1] {
            let mut chunks = Chunks::<()>::new(limit);
            let slots = core::iter::from_fn(|| chunks.grow()).count();
            assert_eq!(slots, limit);
            assert!(chunks.chunks.iter().all(|chunk| chunk.len() <= CHUNK), "of chunks");
        }
    }

    #[test]
    fn a_table_is_made_whole_but_for_a_limit_without_measure() {
        let mut chunks = Chunks::<()>::new(1_000);
        let room = chunks.table.capacity();
        assert!(room >= 1_750, "{room}");
        for number in 0..1_000_u16 {
            let mut entropy = [0; 24];
            entropy[..2].copy_from_slice(&number.to_le_bytes());
            let at = chunks.grow().unwrap();
            chunks.enter(&SessionId::from_entropy(entropy), at);
        }
        assert_eq!(chunks.table.capacity(), room);
        assert!(Chunks::<()>::new(usize::MAX).table.capacity() < 4 * PREPARED);
    }
}
