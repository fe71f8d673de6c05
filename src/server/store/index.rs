//! The number of a slot.

use core::num::NonZeroU32;

/// The number of a slot, from one: an empty link is four zero bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index(NonZeroU32);

impl Index {
    /// Most slots there can be.
    pub(super) const MOST: usize = u32::MAX as usize;

    /// The number of the slot at `position`, which is from zero.
    pub(super) fn at(position: usize) -> Option<Self> {
        let number = u32::try_from(position).ok()?.checked_add(1)?;
        NonZeroU32::new(number).map(Self)
    }

    pub(super) const fn position(self) -> usize {
        self.0.get().wrapping_sub(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_numbers_as_slots_can_be() {
        assert_eq!(Index::at(0).map(Index::position), Some(0));
        assert_eq!(Index::at(Index::MOST - 1).map(Index::position), Some(Index::MOST - 1));
        assert_eq!(Index::at(Index::MOST), None);
    }
}
