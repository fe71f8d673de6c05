//! How often a session has been changed.

use super::id::SessionId;
use crate::time::Timestamp;

/// How often a session has been changed, counted from where its store had it first. A change is
/// stored only against the revision it was computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Revision(u32);

impl Revision {
    /// The number, for a store that keeps it in a column of its own.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The first one of a session that its store may have had before, and dropped: another than
    /// any of then. `fresh` is the entropy of the request, if it has any of its own.
    pub(crate) fn anew(fresh: &SessionId, now: Timestamp) -> Self {
        let [a, b, c, d, ..] = *fresh.as_bytes();
        // Fibonacci hashing: two times that differ by little give numbers that differ by much.
        let time = (now.as_millis() as u32).wrapping_mul(0x9E37_79B1);
        // Half of all numbers are left to count up.
        Self((u32::from_le_bytes([a, b, c, d]) ^ time).wrapping_shr(1))
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
