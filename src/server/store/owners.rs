//! How many sessions each owner has, and which of them goes first.
//!
//! ```text
//!  owner's key ─► root of the owner's tree, which also has the number of its sessions
//! ```
//!
//! An owner takes no memory of its own: with its last session it is gone.

use super::index::Index;
use super::owner::OwnerKey;
use super::slot::{Rank, Slot, Slots};
use super::table::Table;
use super::tree::Tree;

pub(super) struct Owners<T> {
    roots: T,
}

impl<T> Owners<T> {
    pub(super) const fn new(roots: T) -> Self {
        Self { roots }
    }
}

impl<T: Table> Owners<T> {
    /// How many sessions the owner has; none is counted of nobody.
    pub(super) fn count(&self, slots: &impl Slots, owner: OwnerKey) -> u32 {
        count(slots, self.tree(slots, owner))
    }

    /// The owner's oldest session of that rank.
    pub(super) fn first(&self, slots: &impl Slots, owner: OwnerKey, rank: Rank) -> Option<Index> {
        let first = self.tree(slots, owner).first_from(slots, (rank, 0));
        first.filter(|at| slots.get(*at).is_some_and(|slot| slot.rank == rank))
    }

    /// Counts a session, which is in its slot by now.
    pub(super) fn add<S: Slots>(&mut self, slots: &mut S, at: Index) {
        let owner = slots.get(at).map_or(OwnerKey::NOBODY, Slot::owner);
        if owner == OwnerKey::NOBODY {
            return;
        }
        let before = self.tree(slots, owner);
        let count = count(slots, before).saturating_add(1);
        let mut after = before;
        after.insert(slots, at);
        self.settle(slots, owner, [before, after], count);
    }

    /// Counts a session no more, which is still in its slot, with its rank and serial as
    /// they were when it was counted.
    pub(super) fn remove<S: Slots>(&mut self, slots: &mut S, at: Index) {
        let owner = slots.get(at).map_or(OwnerKey::NOBODY, Slot::owner);
        if owner == OwnerKey::NOBODY {
            return;
        }
        let before = self.tree(slots, owner);
        let count = count(slots, before).saturating_sub(1);
        let mut after = before;
        after.remove(slots, at);
        self.settle(slots, owner, [before, after], count);
    }

    fn tree(&self, slots: &impl Slots, owner: OwnerKey) -> Tree {
        let is_it = |at| slots.get(at).is_some_and(|slot| slot.owner() == owner);
        let root = (owner != OwnerKey::NOBODY).then(|| self.roots.find(owner.get(), is_it));
        Tree { root: root.flatten() }
    }

    /// Has the owner found by the root as it is now.
    fn settle(&mut self, slots: &mut impl Slots, owner: OwnerKey, [before, after]: [Tree; 2], count: u32) {
        if let Some(slot) = after.root.and_then(|at| slots.get_mut(at)) {
            slot.owned = count;
        }
        if before == after {
            return;
        }
        if let Some(at) = before.root {
            self.roots.leave(owner.get(), at);
        }
        if let Some(at) = after.root {
            let hash_of = |at| slots.get(at).map_or(0, |slot| slot.owner().get());
            self.roots.enter(owner.get(), at, hash_of);
        }
    }
}

fn count(slots: &impl Slots, tree: Tree) -> u32 {
    tree.root.and_then(|at| slots.get(at)).map_or(0, |slot| slot.owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::fixed::Buckets;
    use crate::server::store::testing::{Few, fill};

    #[test]
    fn sessions_are_counted_for_each_owner_and_an_owner_without_any_is_gone() {
        let (mut owners, mut slots) = (Owners::new(Buckets::<12>::new()), Few::<12>::new());
        let owner = |number: u64| OwnerKey::from_u64(number << 40 | number);
        while let Some(at) = slots.grow() {
            fill(&mut slots, at, owner(at.position() as u64 % 3).get());
            owners.add(&mut slots, at);
        }
        let counts = |owners: &Owners<_>, slots: &_| [0, 1, 2].map(|it| owners.count(slots, owner(it)));
        assert_eq!(counts(&owners, &slots), [0, 4, 4], "nobody's are not counted");
        assert_eq!(owners.first(&slots, owner(1), Rank::Nothing), Index::at(1));
        assert_eq!(owners.first(&slots, owner(1), Rank::Proved), None);
        for (left, position) in (0..4_u32).rev().zip([4, 1, 10, 7]) {
            owners.remove(&mut slots, Index::at(position).unwrap());
            assert_eq!(counts(&owners, &slots), [0, left, 4]);
        }
        assert_eq!(owners.tree(&slots, owner(1)).root, None);
    }
}
