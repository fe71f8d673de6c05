//! Whose time is over.

use super::index::Index;
use super::owners::Owners;
use super::queue::Queue;
use super::slab::{Gone, Slab};
use super::slot::Slots;
use super::table::Table;
use crate::server::session::Form as _;
use crate::time::Timestamp;

impl<S: Slots, T: Table, O: Owners<S>> Slab<S, T, O> {
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Gone<S::Kept>> {
        self.clock.tell(now, self.serial);
        self.pop_over()
    }

    /// Takes out a session whose time is over.
    pub(super) fn pop_over(&mut self) -> Option<Gone<S::Kept>> {
        if let Some(at) = self.first_over(&self.consumed) {
            return self.remove_at(at);
        }
        // Each session is given overtime once, so this costs nothing over all calls.
        loop {
            let at = self.first_over(&self.open)?;
            if !self.give_overtime(at) {
                return self.remove_at(at);
            }
        }
    }

    /// Whether there is a session whose time is over.
    pub(super) fn is_any_over(&self) -> bool {
        self.first_over(&self.consumed).is_some() || self.first_over(&self.open).is_some()
    }

    pub(super) fn is_over(&self, at: Index) -> bool {
        self.slots.get(at).is_some_and(|slot| self.clock.is_over(slot.due, slot.serial))
    }

    /// Gives a claimed session more time, as if it had just been made; once.
    pub(super) fn give_overtime(&mut self, at: Index) -> bool {
        let Some(slot) = self.slots.get_mut(at) else { return false };
        let claimed = slot.item.as_ref().is_some_and(|(_, item)| item.form.is_claimed());
        if !claimed || slot.overtime {
            return false;
        }
        slot.overtime = true;
        let due = self.clock.time().after(self.lifetimes.session());
        self.owners.remove(&mut self.slots, at);
        self.open.unlink(&mut self.slots, at);
        self.put_last(at, due);
        self.owners.add(&mut self.slots, at);
        true
    }

    /// When a place will be free; if none ever will, a lifetime from now.
    pub(super) fn next_due(&self, firsts: [Option<Index>; 2]) -> Timestamp {
        let due = |at: Option<Index>| Some(self.slots.get(at?)?.due);
        match firsts.map(due) {
            [Some(one), Some(other)] => one.min(other),
            [Some(due), None] | [None, Some(due)] => due,
            [None, None] => self.clock.time().after(self.lifetimes.session()),
        }
    }

    fn first_over(&self, queue: &Queue) -> Option<Index> {
        queue.first().filter(|at| self.is_over(*at))
    }
}
