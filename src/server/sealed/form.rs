//! An untouched session as bytes, as few as hold it.

use super::untouched::Untouched;
use crate::server::digest::Target;
use crate::server::operation::OperationId;
use crate::server::reference::{Subject, UserRef};
use crate::server::session::SLOTS;
use crate::time::Timestamp;

// What is absent takes no room: an ID is to be short. The first byte says what there is.
const CALLER: u8 = 1;
const TARGET: u8 = 1 << 1;
const TERMS: u8 = 1 << 2;
const BOUND: u8 = 1 << 3;
const FIRST_SLOT: u8 = 1 << 4;
/// The operation is one of the specification's: half of its number tells which. That is made of
/// its name, and so the same in every version of the crate.
const KNOWN: u8 = 1 << 7;

impl Untouched {
    pub(super) const MAX_LEN: usize = 1 + 6 + 8 + 16 + 4 + 8 + 4 + 8 * SLOTS;

    /// Writes it into `room`; how many bytes that took. `None`: there is no room, or the host's
    /// clock is beyond the year 10,000.
    pub(super) fn write(&self, room: &mut [u8]) -> Option<usize> {
        let mut out = Writer { room, len: 1 };
        let mut flags = 0;
        let [0, 0, a, b, c, d, e, f] = self.made.as_millis().to_be_bytes() else { return None };
        out.put(&[a, b, c, d, e, f])?;
        if OperationId::KNOWN.contains(&self.operation) {
            flags |= KNOWN;
            out.put(&half(self.operation))?;
        } else {
            out.put(&self.operation.bits().to_be_bytes())?;
        }
        if let Some(Subject { user, epoch }) = self.caller {
            flags |= CALLER;
            out.put(user.as_bytes())?;
            out.put(&epoch.to_be_bytes())?;
        }
        if self.target != Target::default() {
            flags |= TARGET;
            out.put(&self.target.bits().to_be_bytes())?;
        }
        if self.terms != 0 {
            flags |= TERMS;
            out.put(&self.terms.to_be_bytes())?;
        }
        if self.bound {
            flags |= BOUND;
        }
        for (index, slot) in self.slots.iter().enumerate() {
            if *slot != 0 {
                flags |= slot_flag(index);
                out.put(&slot.to_be_bytes())?;
            }
        }
        let len = out.len;
        *room.first_mut()? = flags;
        Some(len)
    }

    /// Reads it again; `None` for what [`write`](Self::write) does not write.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (flags, mut left) = bytes.split_first()?;
        let has = |flag: u8| flags & flag != 0;
        let [a, b, c, d, e, f] = take(&mut left)?;
        let made = Timestamp::from_millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        let operation = if has(KNOWN) {
            let given = take(&mut left)?;
            *OperationId::KNOWN.iter().find(|known| half(**known) == given)?
        } else {
            OperationId::from_bits(u64::from_be_bytes(take(&mut left)?))
        };
        let mut caller = None;
        if has(CALLER) {
            let user = UserRef::from_bytes(take(&mut left)?);
            caller = Some(Subject::new(user, u32::from_be_bytes(take(&mut left)?)));
        }
        let mut target = Target::default();
        if has(TARGET) {
            target = Target::from_bits(u64::from_be_bytes(take(&mut left)?));
        }
        let terms = if has(TERMS) { u32::from_be_bytes(take(&mut left)?) } else { 0 };
        let mut slots = [0; SLOTS];
        for (index, slot) in slots.iter_mut().enumerate() {
            if has(slot_flag(index)) {
                *slot = u64::from_be_bytes(take(&mut left)?);
            }
        }
        let untouched = Self { made, caller, operation, target, terms, bound: has(BOUND), slots };
        left.is_empty().then_some(untouched)
    }
}

const fn half(operation: OperationId) -> [u8; 4] {
    let [.., a, b, c, d] = operation.bits().to_be_bytes();
    [a, b, c, d]
}

const fn slot_flag(index: usize) -> u8 {
    if index < SLOTS { FIRST_SLOT.wrapping_shl(index as u32) } else { 0 }
}

fn take<const N: usize>(left: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = left.split_first_chunk()?;
    *left = rest;
    Some(*taken)
}

struct Writer<'w> {
    room: &'w mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.room.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untouched(operation: OperationId) -> Untouched {
        let (caller, target) = (Some(Subject::new(UserRef::new(7), 3)), Target::from_bits(5));
        let made = Timestamp::from_millis(1_700_000_000_000);
        Untouched { made, caller, operation, target, terms: 9, bound: true, slots: [1; SLOTS] }
    }

    #[test]
    fn what_is_written_is_read_again_whatever_the_operation() {
        let own = OperationId::from_bits(OperationId::KNOWN[0].bits() ^ (1 << 63));
        for operation in OperationId::KNOWN.iter().copied().chain([own]) {
            let (before, mut room) = (untouched(operation), [0; Untouched::MAX_LEN]);
            let len = before.write(&mut room).unwrap();
            assert_eq!(Untouched::read(&room[..len]), Some(before));
            assert_eq!(Untouched::read(&room[..len - 1]), None);
            let short = usize::from(operation != own) * 4;
            assert_eq!(len, Untouched::MAX_LEN - short);
        }
    }

    #[test]
    fn half_a_number_names_one_operation_of_the_specification() {
        let mut halves: std::vec::Vec<_> = OperationId::KNOWN.iter().map(|known| half(*known)).collect();
        halves.sort_unstable();
        halves.dedup();
        assert_eq!(halves.len(), OperationId::KNOWN.len());
    }
}
