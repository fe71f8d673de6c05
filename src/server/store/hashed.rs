//! The store that grows to a limit.
//!
//! ```text
//!  tables  ID's own bytes, owner's key ─► number of a slot
//!  chunks  [ 256 slots ] [ 256 slots ] [ 256 slots …
//! ```
//!
//! Slots stand in chunks that never move: one vector would copy every session it has
//! whenever it doubled, need three times the memory while at it, and have one request
//! wait for all that.

use alloc::vec::Vec;
use core::fmt;

use hashbrown::HashTable;

use super::delegate::store_of_a_slab;
use super::end_open::EndOpen;
use super::index::Index;
use super::lifetimes::Lifetimes;
use super::outcome::{NotStored, Stored};
use super::owner::{OwnerKey, SESSIONS_PER_OWNER};
use super::record::Record;
use super::slab::Slab;
use super::slot::{Slot, Slots};
use super::table::Table;
use super::trees::Trees;
use crate::server::session::{Compact, Revision, Session, SessionId};
use crate::time::Timestamp;

/// A store on the heap that grows to a limit.
///
/// For each session it takes 184 bytes, besides what `K` needs, 16 bytes and an allocation
/// for each stage that has passed, and 20 to 40 bytes for each that the limit allows. What it
/// has grown to it keeps, for the next sessions.
///
/// One owner may have [`SESSIONS_PER_OWNER`] sessions, unless
/// [`with_sessions_per_owner`](Self::with_sessions_per_owner) says another number.
///
/// ```
/// use matrix_uia::server::store::{HashedStore, Lifetimes, Store};
/// use matrix_uia::Rules;
/// let store = HashedStore::<()>::new(Lifetimes::of(&Rules::default()), 100_000);
/// assert_eq!((store.len(), store.capacity()), (0, 100_000));
/// ```
pub struct HashedStore<K = ()>(Slab<Chunks<K>, HashTable<Index>, Trees<HashTable<Index>>>);

impl<K> HashedStore<K> {
    /// An empty store that will hold `limit` sessions (at most four thousand million).
    #[must_use]
    pub fn new(lifetimes: Lifetimes, limit: usize) -> Self {
        Self(Slab::new(Chunks::new(limit), table(limit), Trees::new(table(limit)), lifetimes))
            .with_sessions_per_owner(SESSIONS_PER_OWNER)
    }
}

store_of_a_slab!([K] HashedStore<K>, "HashedStore");

/// Slots of one allocation.
const CHUNK: usize = 256;

/// The largest limit for which a table is made whole at once. A table that has to grow
/// looks at every session there is, while a request waits.
const PREPARED: usize = 1 << 20;

/// An empty table for that many slots.
fn table(limit: usize) -> HashTable<Index> {
    // At half its load or less, a removal leaves next to no tombstones in the table, so
    // that it doesn't have to be cleaned of them either.
    HashTable::with_capacity(limit.min(PREPARED).saturating_mul(7).div_ceil(4))
}

impl Table for HashTable<Index> {
    fn find(&self, hash: u64, is_it: impl Fn(Index) -> bool) -> Option<Index> {
        Self::find(self, hash, |at| is_it(*at)).copied()
    }

    fn enter(&mut self, hash: u64, at: Index, hash_of: impl Fn(Index) -> u64) {
        self.insert_unique(hash, at, |at| hash_of(*at));
    }

    fn leave(&mut self, hash: u64, at: Index) {
        if let Ok(entry) = self.find_entry(hash, |it| *it == at) {
            entry.remove();
        }
    }
}

struct Chunks<K> {
    chunks: Vec<Vec<Slot<K, Compact>>>,
    slots: usize,
    limit: usize,
}

impl<K> Chunks<K> {
    fn new(limit: usize) -> Self {
        Self { chunks: Vec::new(), slots: 0, limit: limit.min(Index::MOST) }
    }
}

impl<K> Slots for Chunks<K> {
    type Kept = K;
    type Form = Compact;

    fn limit(&self) -> usize {
        self.limit
    }

    fn get(&self, at: Index) -> Option<&Slot<K, Compact>> {
        self.chunks.get(at.position() / CHUNK)?.get(at.position() % CHUNK)
    }

    fn get_mut(&mut self, at: Index) -> Option<&mut Slot<K, Compact>> {
        self.chunks.get_mut(at.position() / CHUNK)?.get_mut(at.position() % CHUNK)
    }

    fn grow(&mut self) -> Option<Index> {
        let room = self.limit.saturating_sub(self.slots);
        let at = Index::at(self.slots).filter(|_| room > 0)?;
        if self.slots.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(room.min(CHUNK)));
        }
        self.chunks.last_mut()?.push(Slot::vacant());
        self.slots = self.slots.saturating_add(1);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_leaves_a_table_once() {
        let mut table = table(2);
        let [first, second] = [0, 1].map(|position| Index::at(position).unwrap());
        table.enter(7, first, |_| 7);
        table.enter(8, second, |_| 8);
        table.leave(7, first);
        assert_eq!(table.iter().copied().collect::<Vec<_>>(), [second]);
        table.leave(7, first);
        assert_eq!(table.len(), 1);
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
        let mut table = table(1_000);
        let room = table.capacity();
        assert!(room >= 1_750, "{room}");
        let hash_of = |at: Index| (at.position() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for at in (0..1_000).filter_map(Index::at) {
            table.enter(hash_of(at), at, hash_of);
        }
        assert_eq!(table.capacity(), room);
        assert!(super::table(usize::MAX).capacity() < 4 * PREPARED);
    }
}
