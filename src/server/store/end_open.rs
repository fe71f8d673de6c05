//! Ending the open sessions that the host picks.

use super::index::Index;
use super::record::Record;
use super::slab::{Gone, Slab};
use super::slot::Slots;
use super::table::Table;
use crate::SessionId;

/// See [`Store::end_open`](super::Store::end_open).
pub(super) struct EndOpen<'s, S, T, F> {
    slab: &'s mut Slab<S, T>,
    next: Option<Index>,
    which: F,
}

impl<'s, S, T, F> EndOpen<'s, S, T, F> {
    pub(super) const fn new(slab: &'s mut Slab<S, T>, which: F) -> Self {
        Self { next: slab.open.first(), slab, which }
    }
}

impl<K, S, T, F> Iterator for EndOpen<'_, S, T, F>
where
    S: Slots<Kept = K>,
    T: Table,
    F: FnMut(&SessionId, &Record<K>) -> bool,
{
    type Item = Gone<K>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.next?;
            let slot = self.slab.slots.get(at)?;
            self.next = slot.turn.after;
            let (id, record) = slot.item.as_ref()?;
            if !record.session.is_claimed() && (self.which)(id, record) {
                return self.slab.remove_at(at);
            }
        }
    }
}
