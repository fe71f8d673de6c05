//! The sessions of each owner in a tree of its own: for many slots.
//!
//! ```text
//!  owner's key ─► root of the owner's tree, which also has the number of its sessions
//! ```
//!
//! An owner takes no memory of its own: with its last session it is gone.

use super::index::Index;
use super::owner::OwnerKey;
use super::owners::Owners;
use super::slot::{Slot, Slots};
use super::table::Table;
use super::tree::Tree;
use crate::server::session::Worth;

pub(super) struct Trees<T> {
    roots: T,
}

impl<T> Trees<T> {
    pub(super) const fn new(roots: T) -> Self {
        Self { roots }
    }
}

impl<S: Slots, T: Table> Owners<S> for Trees<T> {
    fn count(&self, slots: &S, owner: OwnerKey) -> u32 {
        count(slots, self.tree(slots, owner))
    }

    fn first(&self, slots: &S, owner: OwnerKey, rank: Worth) -> Option<Index> {
        let first = self.tree(slots, owner).first_from(slots, (rank, 0));
        first.filter(|at| slots.get(*at).is_some_and(|slot| slot.rank == rank))
    }

    fn add(&mut self, slots: &mut S, at: Index) {
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

    fn remove(&mut self, slots: &mut S, at: Index) {
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
}

impl<T: Table> Trees<T> {
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
    use crate::server::store::owners::Scan;
    use crate::server::store::testing::{Few, fill};

    fn owner(number: u64) -> OwnerKey {
        OwnerKey::from_u64(number << 40 | number)
    }

    #[test]
    fn sessions_are_counted_for_each_owner_and_an_owner_without_any_is_gone() {
        let (mut trees, mut slots) = (Trees::new(Buckets::<12>::new()), Few::<12>::new());
        while let Some(at) = slots.grow() {
            fill(&mut slots, at, owner(at.position() as u64 % 3).get());
            trees.add(&mut slots, at);
        }
        let counts = |trees: &Trees<_>, slots: &_| [0, 1, 2].map(|it| trees.count(slots, owner(it)));
        assert_eq!(counts(&trees, &slots), [0, 4, 4], "nobody's are not counted");
        assert_eq!(trees.first(&slots, owner(1), Worth::Nothing), Index::at(1));
        assert_eq!(trees.first(&slots, owner(1), Worth::Proved), None);
        for (left, position) in (0..4_u32).rev().zip([4, 1, 10, 7]) {
            let at = Index::at(position).unwrap();
            trees.remove(&mut slots, at);
            slots.get_mut(at).unwrap().item = None;
            assert_eq!(counts(&trees, &slots), [0, left, 4]);
            for rank in [Worth::Nothing, Worth::Proved] {
                let scanned = Scan.first(&slots, owner(1), rank);
                assert_eq!(trees.first(&slots, owner(1), rank), scanned);
            }
            assert_eq!(Scan.count(&slots, owner(1)), left);
        }
        assert_eq!(trees.tree(&slots, owner(1)).root, None);
    }
}
