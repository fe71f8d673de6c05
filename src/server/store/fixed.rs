//! The store without a heap.
//!
//! ```text
//!  heads   [ 2 | - | 1 | - ]        the bucket that the hash names
//!            │       │
//!  chains  [ - | 3 | - | - ]        the next of the same bucket: of slot 2 it is 3
//!  slots   [ 1 ] [ 2 ] [ 3 ] [ ]
//! ```

use core::fmt;

use super::delegate::store_of_a_slab;
use super::end_open::EndOpen;
use super::index::Index;
use super::lifetimes::Lifetimes;
use super::outcome::{NotStored, Stored};
use super::owner::OwnerKey;
use super::owners::Scan;
use super::record::Record;
use super::slab::Slab;
use super::slot::{Slot, Slots};
use super::table::Table;
use crate::server::session::{Revision, Session, SessionId};
use crate::time::Timestamp;

/// A store of at most `N` sessions that needs no heap.
///
/// It takes 280 bytes for each of the `N`, besides what `K` needs. A `static` store also
/// occupies that many bytes of flash; one made at run time does not.
///
/// Where a new session has an owner, each of the `N` is looked at to find the owner's
/// others. That is meant for some hundreds of them; a `HashedStore`
/// finds them without.
///
/// One owner may have all of the `N` sessions, unless
/// [`with_sessions_per_owner`](Self::with_sessions_per_owner) says less.
///
/// ```
/// use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
/// use matrix_uia::Millis;
///
/// const LIFETIMES: Lifetimes = Lifetimes::new(Millis::from_secs(900), Millis::from_secs(60));
/// static STORE: std::sync::Mutex<FixedStore<(), 16>> = std::sync::Mutex::new(FixedStore::new(LIFETIMES));
/// assert_eq!(STORE.lock().map(|store| store.capacity()).ok(), Some(16));
/// ```
pub struct FixedStore<K, const N: usize>(Slab<Array<K, N>, Buckets<N>, Scan>);

impl<K, const N: usize> FixedStore<K, N> {
    /// An empty store.
    #[must_use]
    pub const fn new(lifetimes: Lifetimes) -> Self {
        Self(Slab::new(Array::new(), Buckets::new(), Scan, lifetimes)).with_sessions_per_owner(N)
    }
}

store_of_a_slab!([K, const N: usize] FixedStore<K, N>, "FixedStore");

struct Array<K, const N: usize>(heapless::Vec<Slot<K, Session>, N>);

impl<K, const N: usize> Array<K, N> {
    const fn new() -> Self {
        Self(heapless::Vec::new())
    }
}

impl<K, const N: usize> Slots for Array<K, N> {
    type Kept = K;
    type Form = Session;

    fn limit(&self) -> usize {
        N.min(Index::MOST)
    }

    fn get(&self, at: Index) -> Option<&Slot<K, Session>> {
        self.0.get(at.position())
    }

    fn get_mut(&mut self, at: Index) -> Option<&mut Slot<K, Session>> {
        self.0.get_mut(at.position())
    }

    fn grow(&mut self) -> Option<Index> {
        let at = Index::at(self.0.len())?;
        self.0.push(Slot::vacant()).ok()?;
        Some(at)
    }
}

/// A table of at most `N` slots, in as many buckets.
pub(super) struct Buckets<const N: usize> {
    heads: [Option<Index>; N],
    /// By a slot's position, the next of its bucket.
    chains: [Option<Index>; N],
}

impl<const N: usize> Buckets<N> {
    pub(super) const fn new() -> Self {
        Self { heads: [None; N], chains: [None; N] }
    }

    /// The bucket of a hash: scaled down to `N`. No division, which small processors do
    /// slowly, and `N` may be any number.
    fn bucket(hash: u64) -> usize {
        (hash >> 32).wrapping_mul(N as u64).wrapping_shr(32) as usize
    }

    /// The link that follows `before` in the bucket; its head, without one.
    fn link(&mut self, bucket: usize, before: Option<Index>) -> Option<&mut Option<Index>> {
        match before {
            Some(before) => self.chains.get_mut(before.position()),
            None => self.heads.get_mut(bucket),
        }
    }
}

impl<const N: usize> Table for Buckets<N> {
    fn find(&self, hash: u64, is_it: impl Fn(Index) -> bool) -> Option<Index> {
        let mut next = *self.heads.get(Self::bucket(hash))?;
        while let Some(at) = next.filter(|at| !is_it(*at)) {
            next = *self.chains.get(at.position())?;
        }
        next
    }

    fn enter(&mut self, hash: u64, at: Index, _: impl Fn(Index) -> u64) {
        let head = self.heads.get_mut(Self::bucket(hash));
        let rest = head.and_then(|head| head.replace(at));
        if let Some(chain) = self.chains.get_mut(at.position()) {
            *chain = rest;
        }
    }

    fn leave(&mut self, hash: u64, at: Index) {
        let bucket = Self::bucket(hash);
        let mut before = None;
        while let Some(here) = self.link(bucket, before).and_then(|link| *link) {
            if here == at {
                let rest = self.chains.get_mut(at.position()).and_then(Option::take);
                if let Some(link) = self.link(bucket, before) {
                    *link = rest;
                }
                return;
            }
            before = Some(here);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::rules::Rules;
    use crate::server::store::interface::Store;
    use crate::server::store::testing::session;
    use crate::time::Millis;

    const LIFETIMES: Lifetimes = Lifetimes::new(Millis::from_secs(900), Millis::from_secs(60));

    #[test]
    fn a_place_takes_what_the_docs_say() {
        let ten = size_of::<FixedStore<(), 10>>();
        assert!(size_of::<FixedStore<(), 110>>().abs_diff(ten) <= 100 * 280);
        assert!(ten <= 10 * 280 + 256, "{ten}");
    }

    #[test]
    fn every_hash_has_a_bucket() {
        for byte in 0..=255 {
            let hash = u64::from_le_bytes([byte; 8]);
            assert!(Buckets::<1>::bucket(hash) < 1);
            assert!(Buckets::<7>::bucket(hash) < 7);
            assert!(Buckets::<4096>::bucket(hash) < 4096);
        }
        assert_eq!(Buckets::<7>::bucket(u64::MAX), 6, "and every bucket a hash");
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
            let insert = |store: &mut FixedStore<u8, 3>, number| {
                let (owner, now) = (OwnerKey::NOBODY, Timestamp::default());
                assert!(store.insert(neighbour(number), &session(), number, owner, now).is_ok());
            };
            for number in 0..3 {
                insert(&mut store, number);
            }
            for (gone, number) in order.into_iter().enumerate() {
                let left = order.iter().skip(gone);
                assert!(left.clone().all(|it| store.load(&neighbour(*it)).map(|it| *it.kept) == Some(*it)));
                assert_eq!(store.remove(&neighbour(number)).map(|it| it.kept), Some(number));
                assert!(store.load(&neighbour(number)).is_none());
            }
            insert(&mut store, 9);
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
