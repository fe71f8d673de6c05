//! How a slot is found by a hash: by its session's ID, or by its owner's key.

use super::index::Index;
use crate::server::session::SessionId;

/// Slots by 64 bits each that are spread evenly.
pub(super) trait Table {
    /// The slot entered under `hash` that is the one looked for.
    fn find(&self, hash: u64, is_it: impl Fn(Index) -> bool) -> Option<Index>;
    /// Enters a slot that is not in the table. `hash_of` is what each slot that is in the
    /// table was entered under.
    fn enter(&mut self, hash: u64, at: Index, hash_of: impl Fn(Index) -> u64);
    /// Takes out a slot, if it was entered under `hash`.
    fn leave(&mut self, hash: u64, at: Index);
}

/// The 64 bits that an ID is found by.
///
/// They are the ID's own: it is made from the host's entropy, so its bytes are spread
/// evenly already. A client may ask for any ID it likes, but has no say in which IDs are
/// *stored*, so it can't make them collide; that is what a keyed hasher would be for.
pub(super) fn hash(id: &SessionId) -> u64 {
    id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
