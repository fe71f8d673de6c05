//! Who makes room for a new session. Rule U16.
//!
//! ```text
//!  owner at its bound ─► of the owner's own: run out, else proved nothing, else proved something
//!  store full         ─► run out, else proved nothing, else the owner's own that proved something
//! ```
//!
//! The oldest of each. Claimed and consumed sessions never do.

use super::index::Index;
use super::outcome::Bound;
use super::owner::OwnerKey;
use super::owners::Owners;
use super::slab::{Gone, Slab};
use super::slot::Slots;
use super::table::Table;
use crate::server::session::Worth;
use crate::time::Millis;

impl<S: Slots, T: Table, O: Owners<S>> Slab<S, T, O> {
    /// Takes out at most one session, so that there is room for one of the owner's; or
    /// says which bound stands in the way, and for how long.
    pub(super) fn make_room(&mut self, owner: OwnerKey) -> Result<Option<Gone<S::Kept>>, (Bound, Millis)> {
        let (bound, gone) = if self.is_owner_full(owner) {
            let gone = self.pop_over_of(owner).or_else(|| self.evict_of(owner));
            (Bound::Owner, gone)
        } else if self.len() >= self.slots.limit() {
            let gone = self.pop_over().or_else(|| self.evict_any()).or_else(|| self.evict_of(owner));
            (Bound::Store, gone)
        } else {
            return Ok(None);
        };
        if gone.is_some() {
            return Ok(gone);
        }
        let firsts = match bound {
            Bound::Owner => [Worth::Claimed, Worth::Over].map(|rank| self.first_of(owner, rank)),
            Bound::Store => [self.open.first(), self.consumed.first()],
        };
        Err((bound, self.next_due(firsts).since(self.clock.time())))
    }

    fn is_owner_full(&self, owner: OwnerKey) -> bool {
        owner != OwnerKey::NOBODY && self.owners.count(&self.slots, owner) >= self.per_owner
    }

    /// Takes out one of the owner's sessions whose time is over.
    fn pop_over_of(&mut self, owner: OwnerKey) -> Option<Gone<S::Kept>> {
        // The owner's are looked for one worth after the other; that nobody's is over, the queues say.
        if !self.is_any_over() {
            return None;
        }
        for rank in [Worth::Over, Worth::Nothing, Worth::Proved, Worth::Claimed] {
            while let Some(at) = self.first_of(owner, rank).filter(|at| self.is_over(*at)) {
                if !self.give_overtime(at) {
                    return self.remove_at(at);
                }
            }
        }
        None
    }

    /// Takes out the oldest session that may be evicted for any other.
    fn evict_any(&mut self) -> Option<Gone<S::Kept>> {
        self.remove_at(self.nothing.first()?)
    }

    /// Takes out the oldest of the owner's sessions of least worth.
    fn evict_of(&mut self, owner: OwnerKey) -> Option<Gone<S::Kept>> {
        let ranks = [Worth::Nothing, Worth::Proved].into_iter();
        let at = ranks.filter_map(|rank| self.first_of(owner, rank)).next()?;
        self.remove_at(at)
    }

    fn first_of(&self, owner: OwnerKey, rank: Worth) -> Option<Index> {
        self.owners.first(&self.slots, owner, rank)
    }
}
