//! How many sessions each owner has, and which of them goes first.

use super::index::Index;
use super::owner::OwnerKey;
use super::slot::Slots;
use crate::server::session::Worth;

/// The sessions of each owner but [`OwnerKey::NOBODY`].
pub(super) trait Owners<S: Slots> {
    /// How many sessions the owner has.
    fn count(&self, slots: &S, owner: OwnerKey) -> u32;
    /// The owner's oldest session of that rank.
    fn first(&self, slots: &S, owner: OwnerKey, rank: Worth) -> Option<Index>;
    /// Counts a session, which is in its slot by now.
    fn add(&mut self, slots: &mut S, at: Index);
    /// Counts a session no more, which is still in its slot, with its rank and serial as
    /// they were when it was counted.
    fn remove(&mut self, slots: &mut S, at: Index);
}

/// Looks at every slot, and remembers nothing: for few slots, and a processor with little
/// room for code.
pub(super) struct Scan;

impl Scan {
    fn of<S: Slots>(slots: &S, owner: OwnerKey) -> impl Iterator<Item = Index> {
        let all = (0..slots.limit()).map_while(Index::at);
        let slots = all.map_while(|at| Some((at, slots.get(at)?)));
        let theirs = slots.filter(move |(_, slot)| slot.owner() == owner);
        theirs.map(|(at, _)| at)
    }
}

impl<S: Slots> Owners<S> for Scan {
    fn count(&self, slots: &S, owner: OwnerKey) -> u32 {
        if owner == OwnerKey::NOBODY {
            return 0;
        }
        u32::try_from(Self::of(slots, owner).count()).unwrap_or(u32::MAX)
    }

    fn first(&self, slots: &S, owner: OwnerKey, rank: Worth) -> Option<Index> {
        // Said here, for a host without owners: its compiler leaves all of this out then.
        if owner == OwnerKey::NOBODY {
            return None;
        }
        let of_rank = Self::of(slots, owner).filter_map(|at| Some((slots.get(at)?, at)));
        let of_rank = of_rank.filter(|(slot, _)| slot.rank == rank);
        of_rank.min_by_key(|(slot, _)| slot.serial).map(|(_, at)| at)
    }

    fn add(&mut self, _: &mut S, _: Index) {}

    fn remove(&mut self, _: &mut S, _: Index) {}
}
