//! Why a stored value is refused when it is read back.

use core::fmt;

/// What is wrong with it, and nothing of what is in it. `serde` makes its format's error
/// of this.
pub(crate) struct DecodeError(pub(crate) &'static str);

impl DecodeError {
    /// The form is that of an earlier version of this crate, or a later one.
    pub(crate) const VERSION: Self = Self("written in another version's form");
    /// Something was changed after it was written.
    pub(crate) const DAMAGED: Self = Self("changed since it was written");
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
