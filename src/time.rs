//! Time as the host tells it: milliseconds, never read here.
//!
//! All arithmetic saturates, so a clock that steps backwards makes a span zero
//! rather than enormous: nothing is ever older than it was.
//!
//! A clock can also have been wrong when something was stored. What was made later than
//! now, by more than [`CLOCK_TOLERANCE`], is over (rule U16, lesson 104); otherwise it
//! would live until the clock reaches the wrong time.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// How far ahead of now a stored time may lie: the clocks of several machines differ a
/// little. What was made later than that is over.
pub const CLOCK_TOLERANCE: Millis = Millis::from_secs(60);

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
///
/// let now = Timestamp::from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default());
/// assert!(now > made);
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
    // Called often, and many instructions on a processor of 32 bits.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` later, or the last one there is.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn after(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Whether this time lies later than `now` by more than [`CLOCK_TOLERANCE`]: the clock
    /// was wrong when it was stored, or is wrong now.
    ///
    /// ```
    /// use matrix_uia::Timestamp;
    /// let now = Timestamp::from_millis(1_000);
    /// assert!(!Timestamp::from_millis(61_000).is_future(now), "the clocks of two machines");
    /// assert!(Timestamp::from_millis(61_001).is_future(now));
    /// ```
    #[must_use]
    pub const fn is_future(self, now: Self) -> bool {
        self.0 > now.after(CLOCK_TOLERANCE).0
    }

    /// Whether what was made at this time and lives for `lifetime` is over at `now`: it is
    /// too old, or was made in the [future](Self::is_future).
    ///
    /// Use it for every stored moment that something lives from: a login token, the
    /// last use of a session, a reservation.
    #[must_use]
    pub const fn has_run_out(self, lifetime: Millis, now: Self) -> bool {
        self.is_future(now) || now.since(self).0 >= lifetime.0
    }

    /// Whether this deadline is over at `now`: it has passed, or lies further ahead than
    /// anything that lives for at most `longest` can end.
    ///
    /// Use it where the end is stored and not the beginning, such as the expiry of an
    /// access token.
    ///
    /// ```
    /// use matrix_uia::{Millis, Timestamp};
    /// let (hour, now) = (Millis::from_secs(3_600), Timestamp::from_millis(1_000));
    /// assert!(!now.after(hour).has_passed(hour, now));
    /// assert!(now.has_passed(hour, now));
    /// // Stored while the clock said 2099:
    /// assert!(Timestamp::from_millis(4_070_908_800_000).has_passed(hour, now));
    /// ```
    #[must_use]
    pub const fn has_passed(self, longest: Millis, now: Self) -> bool {
        self.0 <= now.0 || self.is_future(now.after(longest))
    }
}

/// The moment so long after the clock's zero: of wall time, the Unix epoch.
impl From<Duration> for Timestamp {
    fn from(since_zero: Duration) -> Self {
        Self(u64::try_from(since_zero.as_millis()).unwrap_or(u64::MAX))
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const LIFETIME: Millis = Millis::from_secs(900);

    fn ahead(millis: u64) -> Timestamp {
        NOW.after(Millis::new(millis))
    }

    #[test]
    fn time_made_in_the_future_is_tolerated_for_a_minute() {
        for (millis, over) in [(0, false), (60_000, false), (60_001, true), (u64::MAX, true)] {
            assert_eq!(ahead(millis).is_future(NOW), over, "{millis}");
            assert_eq!(ahead(millis).has_run_out(LIFETIME, NOW), over, "{millis}");
        }
        let made = Timestamp::from_millis(100_000);
        assert!(!made.has_run_out(LIFETIME, Timestamp::from_millis(999_999)));
        assert!(made.has_run_out(LIFETIME, NOW), "its lifetime is over");
    }

    #[test]
    fn deadline_ends_when_it_passes_and_when_it_is_absurd() {
        assert!(NOW.has_passed(LIFETIME, NOW));
        for (millis, over) in [(1, false), (900_000, false), (960_000, false), (960_001, true)] {
            assert_eq!(ahead(millis).has_passed(LIFETIME, NOW), over, "{millis}");
        }
    }

    #[test]
    fn last_moments_of_the_clock_do_not_overflow() {
        let last = Timestamp::from_millis(u64::MAX);
        assert!(!last.is_future(last));
        assert!(last.has_passed(LIFETIME, last));
        assert!(!last.has_run_out(LIFETIME, last));
    }
}
