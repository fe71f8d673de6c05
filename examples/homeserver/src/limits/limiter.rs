//! One limit: one bucket of attempts per key (a user, an address), kept by `governor`.
//!
//! Only *failed* authentication counts, but whether an attempt fails is known when the work is done, and
//! many may be under way at once. A limiter that looked first and counted afterwards would let a thousand
//! guesses sent together all look before the first is counted. So an [`Attempt`] is counted when it
//! begins and given back if it turns out not to be a failure. `governor` can't give back, hence the
//! buckets here, an implementation of its [`StateStore`] that can.

use super::buckets::{Buckets, Key, MAX_KEYS};
use crate::config::RateLimit;
use crate::failure::Failure;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::ShrinkableKeyedStateStore as _;
use governor::{Quota, RateLimiter};
use matrix_uia::{MatrixError, Millis};
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU64;
use std::time::Duration;

/// The key is over its limit; the next attempt is free in so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    pub retry_after_ms: NonZeroU64,
}

impl Limited {
    /// The same in the crate's units.
    pub const fn wait(self) -> Millis {
        Millis::new(self.retry_after_ms.get())
    }
}

impl From<Limited> for Failure {
    fn from(limited: Limited) -> Self {
        MatrixError::limited(limited.wait()).into()
    }
}

/// One limit, for any number of keys.
#[derive(Debug)]
pub struct Limiter<C: Clock = MonotonicClock> {
    governor: RateLimiter<Key, Buckets, C, NoOpMiddleware<C::Instant>>,
    /// The same buckets as the governor's, which keeps its own to itself.
    buckets: Buckets,
    /// Keys are remembered as keyed hashes: of one size whatever a client sends, and no address or
    /// user name stays in memory.
    hasher: RandomState,
    /// What one attempt costs, in the time that a bucket is measured in.
    cost: Nanos,
}

impl Limiter {
    pub fn new(limit: RateLimit) -> Self {
        Self::with_clock(limit, MonotonicClock)
    }
}

impl<C: Clock> Limiter<C> {
    fn with_clock(limit: RateLimit, clock: C) -> Self {
        let period = period(limit);
        // `None` is for a period of zero, which `period` doesn't give.
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(limit.burst));
        let buckets = Buckets::default();
        Self {
            governor: RateLimiter::new(quota.allow_burst(limit.burst), buckets.clone(), clock),
            buckets,
            hasher: RandomState::new(),
            cost: Nanos::from(period),
        }
    }

    /// Counts one attempt, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`Limited`] if the key has none left. Nothing is counted then: asking again doesn't prolong it.
    pub fn check(&self, key: &str) -> Result<(), Limited> {
        self.take(self.key(key))
    }

    /// Begins an attempt of which only a failure shall count.
    ///
    /// # Errors
    ///
    /// [`Limited`] if the key has none left: verify nothing.
    pub fn attempt(&self, key: &str) -> Result<Attempt<'_>, Limited> {
        let key = self.key(key);
        self.take(key)?;
        Ok(Attempt { buckets: &self.buckets, key, cost: self.cost })
    }

    /// Whether an attempt would be refused now. Counts nothing, and promises nothing for later: what
    /// goes on to verify something wants an [`Attempt`].
    ///
    /// # Errors
    ///
    /// [`Limited`] if the key has none left.
    #[cfg(test)]
    pub fn would_limit(&self, key: &str) -> Result<(), Limited> {
        self.attempt(key).map(Attempt::forgive)
    }

    /// Counts a failure that no [`Attempt`] stood for.
    #[cfg(test)]
    pub fn record_failure(&self, key: &str) {
        // An empty bucket can't get emptier.
        let _already_limited = self.check(key);
    }

    fn key(&self, key: &str) -> Key {
        Key(self.hasher.hash_one(key))
    }

    fn take(&self, key: Key) -> Result<(), Limited> {
        self.governor.check_key(&key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.governor.clock().now()).as_nanos();
            let ms = u64::try_from(wait.div_ceil(1_000_000)).unwrap_or(u64::MAX);
            Limited { retry_after_ms: NonZeroU64::new(ms).unwrap_or(NonZeroU64::MIN) }
        })?;
        if self.buckets.len() > MAX_KEYS {
            self.governor.retain_recent();
        }
        Ok(())
    }
}

/// An attempt under way. It counts as failed unless it is forgiven: also when the client hangs up and
/// the handler is dropped in the middle.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as failed"]
pub struct Attempt<'l> {
    buckets: &'l Buckets,
    key: Key,
    cost: Nanos,
}

impl Attempt<'_> {
    /// It was right, or it was no attempt at all (a stage that merely isn't done yet).
    pub fn forgive(self) {
        self.buckets.give_back(self.key, self.cost);
    }
}

/// The time in which one attempt comes back, within what 64 bits of nanoseconds can reckon with.
fn period(limit: RateLimit) -> Duration {
    /// No bucket takes longer to refill; a rate of zero means this.
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let longest = Duration::from_nanos(CENTURY.as_nanos() as u64 / NonZeroU64::from(limit.burst));
    Duration::try_from_secs_f64(1.0 / limit.per_second)
        .map_or(longest, |period| period.clamp(Duration::from_nanos(1), longest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::num::NonZeroU32;

    fn limiter(burst: u32, per_second: f64) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let burst = NonZeroU32::new(burst).unwrap();
        (Limiter::with_clock(RateLimit { burst, per_second }, clock.clone()), clock)
    }

    fn limited(ms: u64) -> Result<(), Limited> {
        Err(Limited { retry_after_ms: NonZeroU64::new(ms).unwrap() })
    }

    #[test]
    fn a_burst_passes_then_one_at_a_time() {
        let (limiter, clock) = limiter(3, 10.0);
        for _ in 0..3 {
            assert_eq!(limiter.check("alice"), Ok(()));
        }
        assert_eq!(limiter.check("alice"), limited(100));
        assert_eq!(limiter.check("bob"), Ok(()), "a limit is per key");
        clock.advance(Duration::from_micros(99_500));
        assert_eq!(limiter.check("alice"), limited(1), "rounded up: waiting that long is enough");
        clock.advance(Duration::from_micros(500));
        assert_eq!(limiter.check("alice"), Ok(()));
        assert_eq!(limiter.check("alice"), limited(100));
    }

    #[test]
    fn looking_counts_nothing() {
        let (limiter, _) = limiter(1, 1.0);
        for _ in 0..10 {
            assert_eq!(limiter.would_limit("alice"), Ok(()));
        }
        limiter.record_failure("alice");
        limiter.record_failure("alice");
        assert_eq!(limiter.would_limit("alice"), limited(1000));
    }

    #[test]
    fn only_attempts_that_are_forgiven_are_free() {
        let (limiter, _) = limiter(2, 1.0);
        for _ in 0..10 {
            limiter.attempt("alice").unwrap().forgive();
        }
        drop(limiter.attempt("alice").unwrap());
        drop(limiter.attempt("alice").unwrap());
        assert!(limiter.attempt("alice").is_err());
    }

    #[test]
    fn attempts_under_way_count_as_failures() {
        let (limiter, _) = limiter(2, 1.0);
        let first = limiter.attempt("alice").unwrap();
        let _second = limiter.attempt("alice").unwrap();
        assert!(limiter.attempt("alice").is_err(), "a wave of guesses is no way around the limit");
        first.forgive();
        assert!(limiter.attempt("alice").is_ok());
    }

    #[test]
    fn giving_back_late_does_not_fill_a_bucket_over_its_brim() {
        let (limiter, clock) = limiter(1, 1.0);
        let attempt = limiter.attempt("alice").unwrap();
        clock.advance(Duration::from_secs(60));
        attempt.forgive();
        assert_eq!(limiter.check("alice"), Ok(()));
        assert_eq!(limiter.check("alice"), limited(1000));
    }

    #[test]
    fn extreme_rates_neither_panic_nor_divide_by_zero() {
        for (burst, per_second) in [(1, 0.0), (u32::MAX, 0.0), (1, f64::MIN_POSITIVE), (7, f64::MAX)] {
            let (limiter, clock) = limiter(burst, per_second);
            clock.advance(Duration::from_secs(1));
            assert_eq!(limiter.check("alice"), Ok(()), "{burst} {per_second}");
        }
        let (never, clock) = limiter(1, 0.0);
        assert_eq!(never.check("alice"), Ok(()));
        clock.advance(Duration::from_secs(24 * 3600));
        assert!(never.check("alice").is_err(), "a rate of zero gives nothing back");
    }

    #[test]
    fn memory_is_bounded_and_the_worst_offender_is_not_forgotten() {
        let (limiter, _) = limiter(2, 0.001);
        limiter.record_failure("mallory");
        limiter.record_failure("mallory");
        for key in 0..3 * MAX_KEYS {
            limiter.record_failure(&key.to_string());
        }
        assert!(limiter.buckets.len() <= MAX_KEYS, "{}", limiter.buckets.len());
        assert!(limiter.would_limit("mallory").is_err());
    }

    #[test]
    fn refilled_buckets_are_the_first_to_go() {
        let (limiter, clock) = limiter(2, 1000.0);
        for key in 0..MAX_KEYS {
            limiter.record_failure(&key.to_string());
        }
        clock.advance(Duration::from_secs(1));
        limiter.record_failure("alice");
        assert_eq!(limiter.buckets.len(), 1);
    }
}
