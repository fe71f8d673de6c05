//! The sessions of one owner in the order of their eviction: a tree through the slots
//! themselves.
//!
//! ```text
//!              (Proved, 3)                 left: less worth or older
//!             ╱           ╲                right: more worth or younger
//!   (Nothing, 5)        (Claimed, 1)
//! ```
//!
//! It is a treap: a search tree by [`Place`] in which no slot stands below one of lower
//! priority. The priority is taken from the session's ID, so it is random, and the tree is
//! as deep as the logarithm of its size. A queue would do if sessions kept the worth they
//! began with; but one that proves something late is still older than those that began
//! after it.

use super::index::Index;
use super::slot::{Place, Slot, Slots};
use super::table::hash;
use crate::server::session::Worth;

/// The root says all of the tree; the rest is in the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) root: Option<Index>,
}

/// Where a link to a slot is written.
#[derive(Clone, Copy)]
enum Spot {
    Root,
    Left(Index),
    Right(Index),
}

fn place(slots: &impl Slots, at: Index) -> Place {
    slots.get(at).map_or((Worth::Over, u64::MAX), Slot::place)
}

fn priority(slots: &impl Slots, at: Index) -> u64 {
    slots.get(at).and_then(Slot::id).map_or(0, hash)
}

impl Tree {
    /// Adds a slot, whose place is not in the tree.
    pub(super) fn insert(&mut self, slots: &mut impl Slots, at: Index) {
        let (its_place, its_priority) = (place(slots, at), priority(slots, at));
        let (mut spot, mut next) = (Spot::Root, self.root);
        while let Some(here) = next.filter(|here| priority(slots, *here) >= its_priority) {
            spot = if its_place < place(slots, here) { Spot::Left(here) } else { Spot::Right(here) };
            next = self.get(slots, spot);
        }
        self.set(slots, spot, Some(at));
        // What stood there is divided between its two sides.
        let (mut before, mut after) = (Spot::Left(at), Spot::Right(at));
        while let Some(here) = next {
            let (spot, inner) = if place(slots, here) < its_place {
                (&mut before, Spot::Right(here))
            } else {
                (&mut after, Spot::Left(here))
            };
            self.set(slots, *spot, next);
            *spot = inner;
            next = self.get(slots, inner);
        }
        self.set(slots, before, None);
        self.set(slots, after, None);
    }

    /// Takes a slot out, if it is in the tree. Its place has to be what it was when it was
    /// added.
    pub(super) fn remove(&mut self, slots: &mut impl Slots, at: Index) {
        let its_place = place(slots, at);
        let (mut spot, mut next) = (Spot::Root, self.root);
        while let Some(here) = next.filter(|here| *here != at) {
            spot = if its_place < place(slots, here) { Spot::Left(here) } else { Spot::Right(here) };
            next = self.get(slots, spot);
        }
        if next.is_none() {
            return;
        }
        let [mut left, mut right] = [Spot::Left(at), Spot::Right(at)].map(|side| self.get(slots, side));
        while let (Some(lower), Some(higher)) = (left, right) {
            if priority(slots, lower) >= priority(slots, higher) {
                self.set(slots, spot, left);
                spot = Spot::Right(lower);
                left = self.get(slots, spot);
            } else {
                self.set(slots, spot, right);
                spot = Spot::Left(higher);
                right = self.get(slots, spot);
            }
        }
        self.set(slots, spot, left.or(right));
        self.set(slots, Spot::Left(at), None);
        self.set(slots, Spot::Right(at), None);
    }

    /// The first slot at `least` or after it.
    pub(super) fn first_from(self, slots: &impl Slots, least: Place) -> Option<Index> {
        let (mut found, mut next) = (None, self.root);
        while let Some(slot) = next.and_then(|here| slots.get(here)) {
            if slot.place() < least {
                next = slot.branch.right;
            } else {
                found = next;
                next = slot.branch.left;
            }
        }
        found
    }

    fn get(self, slots: &impl Slots, spot: Spot) -> Option<Index> {
        match spot {
            Spot::Root => self.root,
            Spot::Left(at) => slots.get(at)?.branch.left,
            Spot::Right(at) => slots.get(at)?.branch.right,
        }
    }

    fn set(&mut self, slots: &mut impl Slots, spot: Spot, to: Option<Index>) {
        let link = match spot {
            Spot::Root => Some(&mut self.root),
            Spot::Left(at) => slots.get_mut(at).map(|slot| &mut slot.branch.left),
            Spot::Right(at) => slots.get_mut(at).map(|slot| &mut slot.branch.right),
        };
        if let Some(link) = link {
            *link = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::testing::{Few, fill};

    const COUNT: usize = 200;

    /// The slots in their order; and whether each has a priority as high as any below it.
    fn walk(slots: &Few<COUNT>, at: Option<Index>, line: &mut std::vec::Vec<usize>) -> usize {
        let Some(here) = at else { return 0 };
        let branch = slots.get(here).unwrap().branch;
        let below = [branch.left, branch.right].into_iter().flatten();
        assert!(below.clone().all(|child| priority(slots, child) <= priority(slots, here)));
        let left = walk(slots, branch.left, line);
        line.push(here.position());
        let right = walk(slots, branch.right, line);
        left.max(right).saturating_add(1)
    }

    fn full() -> (Tree, Few<COUNT>) {
        let (mut tree, mut slots) = (Tree { root: None }, Few::new());
        while let Some(at) = slots.grow() {
            fill(&mut slots, at, 0);
            tree.insert(&mut slots, at);
        }
        (tree, slots)
    }

    #[test]
    fn slots_stand_in_the_order_of_their_places_and_not_deep() {
        let (tree, slots) = full();
        let mut line = std::vec::Vec::new();
        let depth = walk(&slots, tree.root, &mut line);
        assert!(line.iter().copied().eq(0..COUNT));
        assert!(depth < 30, "{depth}");
        assert_eq!(tree.first_from(&slots, (Worth::Nothing, 0)), Index::at(0));
    }

    #[test]
    fn a_slot_that_changes_its_place_is_found_in_the_new_one() {
        let (mut tree, mut slots) = full();
        // 7 is no factor of 200: in this order every slot comes once.
        for step in 0..COUNT {
            let at = Index::at(step * 7 % COUNT).unwrap();
            tree.remove(&mut slots, at);
            slots.get_mut(at).unwrap().rank = Worth::Proved;
            tree.insert(&mut slots, at);
            let mut line = std::vec::Vec::new();
            walk(&slots, tree.root, &mut line);
            assert_eq!(line.len(), COUNT);
            assert!(line.is_sorted_by_key(|position| place(&slots, Index::at(*position).unwrap())));
            let proved = tree.first_from(&slots, (Worth::Proved, 0)).unwrap();
            assert_eq!(slots.get(proved).unwrap().rank, Worth::Proved);
        }
    }

    #[test]
    fn what_is_not_in_the_tree_is_not_taken_out() {
        let (mut tree, mut slots) = full();
        let at = Index::at(100).unwrap();
        for _ in 0..2 {
            tree.remove(&mut slots, at);
            let mut line = std::vec::Vec::new();
            walk(&slots, tree.root, &mut line);
            assert_eq!(line.len(), COUNT - 1);
            assert!(!line.contains(&100));
        }
        for position in 0..COUNT {
            tree.remove(&mut slots, Index::at(position).unwrap());
        }
        assert_eq!(tree.root, None);
    }
}
