//! How often a session has been changed.

/// How often a session has been changed. A change is stored only against the revision it
/// was computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Revision(u32);

impl Revision {
    /// The number, for a store that keeps it in a column of its own.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
