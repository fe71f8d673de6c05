//! Values that have been checked, and are kept as they came.

use core::fmt;

/// A JSON value of the request, checked and kept as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// `{}`
    pub(crate) const EMPTY: Self = Self("{}");

    /// A value that has been checked before, with white space around it.
    pub(crate) const fn spaced(json: &'a str) -> Self {
        Self(json.trim_ascii())
    }

    /// A value that has been checked before.
    pub(crate) const fn trusted(json: &'a str) -> Self {
        Self(json)
    }

    /// The value's text, white space inside it as it came.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether the value is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }
}

/// What a client sends can be a credential: never shown.
impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw([redacted])")
    }
}
