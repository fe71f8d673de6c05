//! Time as the host tells it: milliseconds, never read here.
//!
//! All arithmetic saturates, so a clock that steps backwards makes a span zero
//! rather than enormous: nothing is ever older than it was.

use serde::{Deserialize, Serialize};

/// A moment on the host's clock, in milliseconds.
///
/// Monotonic within one process; wall time (since the Unix epoch) where sessions
/// outlive the process. The crate only ever compares two of the host's own moments.
///
/// ```
/// use matrix_uia::{Millis, Timestamp};
/// let made = Timestamp::from_millis(1_000);
/// assert_eq!(Timestamp::from_millis(1_250).since(made), Millis::new(250));
/// assert_eq!(Timestamp::from_millis(0).since(made), Millis::new(0), "a clock that stepped back");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the clock's zero.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's zero.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` later, or the last one there is.
    #[must_use]
    pub const fn after(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// A span of time in milliseconds.
///
/// ```
/// use matrix_uia::Millis;
/// assert_eq!(Millis::new(1).as_secs_ceil(), 1, "`Retry-After` rounds up");
/// assert_eq!(Millis::from_secs(2).get(), 2_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(u64);

impl Millis {
    /// A span of `millis` milliseconds.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// A span of `secs` seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// The span in milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The span in whole seconds, rounded up, as `Retry-After` wants it.
    #[must_use]
    pub const fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(1_000)
    }

    /// What is left of this span once `used` has passed.
    #[must_use]
    pub const fn left_after(self, used: Self) -> Self {
        Self(self.0.saturating_sub(used.0))
    }
}
