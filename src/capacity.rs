//! The one error of every bound.

use core::fmt;

/// Something did not fit into a bound of the crate or a buffer of the caller.
///
/// It names the bound and nothing of what was to go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityError {
    what: &'static str,
}

impl CapacityError {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what }
    }
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no room for the {}", self.what)
    }
}

impl core::error::Error for CapacityError {}
