//! Ending the open sessions that the host picks.

use super::index::Index;
use super::owners::Owners;
use super::record::Record;
use super::slab::{Gone, Slab};
use super::slot::Slots;
use super::table::Table;
use crate::server::session::{Form, SessionId};

/// See [`Store::end_open`](super::Store::end_open).
pub(super) struct EndOpen<'s, S, T, O, F> {
    slab: &'s mut Slab<S, T, O>,
    next: Option<Index>,
    which: F,
}

impl<'s, S, T, O, F> EndOpen<'s, S, T, O, F> {
    pub(super) const fn new(slab: &'s mut Slab<S, T, O>, which: F) -> Self {
        Self { next: slab.open.first(), slab, which }
    }
}

impl<K, S, T, O, F> Iterator for EndOpen<'_, S, T, O, F>
where
    S: Slots<Kept = K>,
    T: Table,
    O: Owners<S>,
    F: FnMut(&SessionId, &Record<&K>) -> bool,
{
    type Item = Gone<K>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.next?;
            let slot = self.slab.slots.get(at)?;
            self.next = slot.turn.after;
            let (id, item) = slot.item.as_ref()?;
            if !item.form.is_claimed() && (self.which)(id, &item.record()) {
                return self.slab.remove_at(at);
            }
        }
    }
}
