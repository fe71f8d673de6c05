//! The store without a heap.
//!
//! ```text
//!  heads   [ 2 | - | 1 | - ]        the bucket that an ID's own bytes name
//!            │       │
//!  slots   [ 1 ] [ 2 ] [ 3 ] [ ]    each chained to the next of its bucket
//!            └─────────► 3
//! ```

use core::fmt;

use super::queue::Index;
use super::slab::{Slab, Slot, Slots, hash};
use super::{Lifetimes, NotStored, Record, Stored, store_of_a_slab};
use crate::server::session::Revision;
use crate::{Session, SessionId, Timestamp};

/// A store of at most `N` sessions that needs no heap.
///
/// It takes 256 bytes for each of the `N`, besides what `K` needs. As the value of a
/// `static` it takes as many of a microcontroller's flash, from which it is copied at
/// start; made at run time, it takes none.
///
/// ```
/// use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
/// use matrix_uia::Millis;
///
/// const LIFETIMES: Lifetimes = Lifetimes::new(Millis::from_secs(900), Millis::from_secs(60));
/// static STORE: std::sync::Mutex<FixedStore<(), 16>> = std::sync::Mutex::new(FixedStore::new(LIFETIMES));
/// assert_eq!(STORE.lock().map(|store| store.capacity()).ok(), Some(16));
/// ```
pub struct FixedStore<K, const N: usize>(Slab<Array<K, N>>);

impl<K, const N: usize> FixedStore<K, N> {
    /// An empty store.
    #[must_use]
    pub const fn new(lifetimes: Lifetimes) -> Self {
        Self(Slab::new(Array::new(), lifetimes))
    }
}

store_of_a_slab!([K, const N: usize] FixedStore<K, N>, "FixedStore");

pub(super) struct Array<K, const N: usize> {
    heads: [Option<Index>; N],
    slots: heapless::Vec<Slot<K>, N>,
}

impl<K, const N: usize> Array<K, N> {
    pub(super) const fn new() -> Self {
        Self { heads: [None; N], slots: heapless::Vec::new() }
    }

    /// The bucket of an ID: its hash, scaled down to `N`. No division, which small
    /// processors do slowly, and `N` may be any number.
    fn bucket(id: &SessionId) -> usize {
        (hash(id) >> 32).wrapping_mul(N as u64).wrapping_shr(32) as usize
    }
}

impl<K, const N: usize> Slots for Array<K, N> {
    type Kept = K;

    fn limit(&self) -> usize {
        N.min(Index::MOST)
    }

    fn get(&self, at: Index) -> Option<&Slot<K>> {
        self.slots.get(at.position())
    }

    fn get_mut(&mut self, at: Index) -> Option<&mut Slot<K>> {
        self.slots.get_mut(at.position())
    }

    fn grow(&mut self) -> Option<Index> {
        let at = Index::at(self.slots.len())?;
        self.slots.push(Slot::VACANT).ok()?;
        Some(at)
    }

    fn find(&self, id: &SessionId) -> Option<Index> {
        let mut next = *self.heads.get(Self::bucket(id))?;
        loop {
            let at = next?;
            let slot = self.get(at)?;
            if slot.id() == Some(id) {
                return Some(at);
            }
            next = slot.chain;
        }
    }

    fn enter(&mut self, id: &SessionId, at: Index) {
        let head = self.heads.get_mut(Self::bucket(id));
        let rest = head.and_then(|head| head.replace(at));
        if let Some(slot) = self.get_mut(at) {
            slot.chain = rest;
        }
    }

    fn leave(&mut self, id: &SessionId, at: Index) {
        let rest = self.get_mut(at).and_then(|slot| slot.chain.take());
        let Some(head) = self.heads.get_mut(Self::bucket(id)) else { return };
        if *head == Some(at) {
            *head = rest;
            return;
        }
        let mut before = *head;
        while let Some(slot) = before.and_then(|before| self.get_mut(before)) {
            if slot.chain == Some(at) {
                slot.chain = rest;
                return;
            }
            before = slot.chain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::Store;
    use crate::server::store::slab::tests::session;
    use crate::{Millis, Rules};

    const LIFETIMES: Lifetimes = Lifetimes::new(Millis::from_secs(900), Millis::from_secs(60));

    #[test]
    fn a_place_takes_what_the_docs_say() {
        let ten = size_of::<FixedStore<(), 10>>();
        assert!(size_of::<FixedStore<(), 110>>().abs_diff(ten) <= 100 * 256);
        assert!(ten <= 10 * 256 + 128, "{ten}");
    }

    #[test]
    fn every_id_has_a_bucket() {
        for byte in 0..=255 {
            let id = SessionId::from_entropy([byte; 24]);
            assert!(Array::<(), 1>::bucket(&id) < 1);
            assert!(Array::<(), 7>::bucket(&id) < 7);
            assert!(Array::<(), 4096>::bucket(&id) < 4096);
        }
        let last = SessionId::from_entropy([0xFF; 24]);
        assert_eq!(Array::<(), 7>::bucket(&last), 6, "and every bucket an ID");
    }

    /// The bytes that choose the bucket are the same; the others are not.
    fn neighbour(number: u8) -> SessionId {
        let mut entropy = [0x77; 24];
        entropy[23] = number;
        SessionId::from_entropy(entropy)
    }

    #[test]
    fn sessions_of_one_bucket_are_told_apart() {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for order in orders {
            let mut store = FixedStore::<u8, 3>::new(LIFETIMES);
            let now = Timestamp::default();
            for number in 0..3 {
                assert!(store.insert(neighbour(number), &session(), number, now).is_ok());
            }
            for (gone, number) in order.into_iter().enumerate() {
                let left = order.iter().skip(gone);
                assert!(left.clone().all(|it| store.load(&neighbour(*it)).map(|it| it.kept) == Some(*it)));
                assert_eq!(store.remove(&neighbour(number)).map(|it| it.kept), Some(number));
                assert!(store.load(&neighbour(number)).is_none());
            }
            assert!(store.insert(neighbour(9), &session(), 9, now).is_ok(), "the chain is whole");
            assert!(store.load(&neighbour(9)).is_some() && store.load(&neighbour(0)).is_none());
        }
    }

    #[test]
    fn a_static_can_hold_it() {
        static STORE: FixedStore<(), 2> = FixedStore::new(LIFETIMES);
        assert_eq!(STORE.capacity(), 2);
        assert_eq!(LIFETIMES, Lifetimes::of(&Rules::default()));
    }
}
