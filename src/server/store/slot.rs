//! Room for one session, and how it stands to the others.

use super::index::Index;
#[cfg(feature = "alloc")]
use super::links::Branch;
use super::links::Link;
use super::owner::OwnerKey;
use super::record::Record;
#[cfg(all(test, feature = "alloc"))]
use crate::server::session::Compact;
use crate::server::session::{Form, SessionId, Worth};
use crate::time::Timestamp;

/// A session as it stands in its slot.
pub(super) struct Item<K, F> {
    pub(super) form: F,
    pub(super) kept: K,
    pub(super) owner: OwnerKey,
}

impl<K, F: Form> Item<K, F> {
    /// The same for whoever reads it.
    pub(super) fn record(&self) -> Record<&K> {
        Record { session: self.form.session(), kept: &self.kept, owner: self.owner }
    }

    pub(super) fn into_record(self) -> Record<K> {
        Record { session: self.form.into_session(), kept: self.kept, owner: self.owner }
    }
}

/// Room for one session.
pub(super) struct Slot<K, F> {
    pub(super) item: Option<(SessionId, Item<K, F>)>,
    /// When its time is over, by the store's clock.
    pub(super) due: Timestamp,
    /// Which came first: counts up with every session that is put last in a queue of
    /// those that expire.
    pub(super) serial: u64,
    /// In the queue of the vacant, the open or the consumed.
    pub(super) turn: Link,
    /// In the queue of those that may be evicted for any session.
    pub(super) eviction: Link,
    /// In the tree of its owner.
    #[cfg(feature = "alloc")]
    pub(super) branch: Branch,
    /// How many sessions its owner has; only of the root of the owner's tree.
    #[cfg(feature = "alloc")]
    pub(super) owned: u32,
    pub(super) rank: Worth,
    /// Whether it was claimed when its time was over, and has been given more.
    pub(super) overtime: bool,
}

/// A session's place among its owner's: by worth, then by age. No two have the same.
#[cfg(feature = "alloc")]
pub(super) type Place = (Worth, u64);

impl<K, F> Slot<K, F> {
    /// One without a session. Not a constant: that would be as many bytes of the image as a
    /// slot has.
    pub(super) fn vacant() -> Self {
        Self {
            item: None,
            due: Timestamp::from_millis(0),
            serial: 0,
            turn: Link::NONE,
            eviction: Link::NONE,
            #[cfg(feature = "alloc")]
            branch: Branch::NONE,
            #[cfg(feature = "alloc")]
            owned: 0,
            rank: Worth::Nothing,
            overtime: false,
        }
    }

    /// The ID of the session in it.
    pub(super) fn id(&self) -> Option<&SessionId> {
        self.item.as_ref().map(|(id, _)| id)
    }

    /// The owner of the session in it.
    pub(super) fn owner(&self) -> OwnerKey {
        self.item.as_ref().map_or(OwnerKey::NOBODY, |(_, item)| item.owner)
    }

    #[cfg(feature = "alloc")]
    pub(super) fn place(&self) -> Place {
        (self.rank, self.serial)
    }
}

/// Where the slots are. The two kinds of store differ in this and in their tables.
pub(super) trait Slots {
    type Kept;
    /// In which form it keeps the sessions.
    type Form: Form;

    /// How many slots there can be.
    fn limit(&self) -> usize;
    fn get(&self, at: Index) -> Option<&Slot<Self::Kept, Self::Form>>;
    fn get_mut(&mut self, at: Index) -> Option<&mut Slot<Self::Kept, Self::Form>>;
    /// Adds a vacant slot; `None` at the limit.
    fn grow(&mut self) -> Option<Index>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session::Session;

    #[test]
    fn a_slot_adds_little_to_its_session() {
        assert!(size_of::<Slot<(), Session>>() <= 272, "{}", size_of::<Slot<(), Session>>());
        #[cfg(feature = "alloc")]
        assert!(size_of::<Slot<(), Compact>>() <= 184, "{}", size_of::<Slot<(), Compact>>());
    }
}
