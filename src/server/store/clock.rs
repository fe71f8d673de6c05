//! When a session's time is over, by the store's own clock.
//!
//! ```text
//!  host's   100 s ──► 200 s ──► 30 s ──► 130 s         it stepped back by 170 s
//!  store's  100 s ──► 200 s ──► 200 s ─► 300 s
//! ```
//!
//! Each slot remembers when it is due by the store's clock. Comparing the host's with
//! when the session was made would do as long as nobody sets it: but after one moment in
//! the wrong year, sessions of that year would stand at the head of the queue until it
//! came.

use crate::{Millis, Rules, Session, Timestamp};

/// How long a store keeps sessions.
///
/// One store has one pair of these, whichever operations its sessions are for: that is
/// what makes them expire in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    session: Millis,
    replay: Millis,
}

impl Lifetimes {
    /// Those of `rules`.
    ///
    /// ```
    /// use matrix_uia::server::store::Lifetimes;
    /// use matrix_uia::{Millis, Rules};
    /// let default = Lifetimes::new(Millis::from_secs(15 * 60), Millis::from_secs(60));
    /// assert_eq!(Lifetimes::of(&Rules::default()), default);
    /// ```
    #[must_use]
    pub const fn of(rules: &Rules) -> Self {
        Self::new(rules.session_lifetime, rules.replay_for)
    }

    /// A session's from its making, and a consumed one's from its call's success.
    #[must_use]
    pub const fn new(session_lifetime: Millis, replay_for: Millis) -> Self {
        Self { session: session_lifetime, replay: replay_for }
    }

    /// That of a session, from its making.
    pub(super) const fn session(&self) -> Millis {
        self.session
    }

    /// What is left of a session's at `now`.
    pub(super) fn left(&self, session: &Session, now: Timestamp) -> Millis {
        match session.consumed_at() {
            Some(at) => self.replay.left_after(now.since(at)),
            None => self.session.left_after(now.since(session.made())),
        }
    }
}

/// A clock that goes with the host's, and waits while that has stepped back.
#[derive(Debug)]
pub(super) struct Clock {
    /// The host's time up to which this clock has gone.
    seen: Timestamp,
    time: Timestamp,
}

/// By how much the host's times may be out of order without its clock having stepped
/// back: requests read it, then wait for the store's lock or for a verdict. Were every
/// such inversion taken for a step, the store's clock would gain on the host's with each,
/// and sessions expire early.
const DISORDER: Millis = Millis::from_secs(60);

impl Clock {
    pub(super) const fn new() -> Self {
        Self { seen: Timestamp::from_millis(0), time: Timestamp::from_millis(0) }
    }

    /// What the store's clock shows when the host's shows `now`.
    pub(super) fn read(&mut self, now: Timestamp) -> Timestamp {
        if now > self.seen {
            self.time = self.time.after(now.since(self.seen));
            self.seen = now;
        } else if self.seen.since(now) > DISORDER {
            self.seen = now;
        }
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times<const N: usize>(secs: [u64; N]) -> [u64; N] {
        let mut clock = Clock::new();
        secs.map(|now| clock.read(Timestamp::default().after(Millis::from_secs(now))).as_millis() / 1_000)
    }

    #[test]
    fn it_goes_with_the_hosts() {
        assert_eq!(times([100, 100, 200, 1_000_000]), [100, 100, 200, 1_000_000]);
    }

    #[test]
    fn it_waits_for_times_out_of_order_and_gains_nothing_by_them() {
        assert_eq!(times([100, 99, 100, 99, 100, 101]), [100, 100, 100, 100, 100, 101]);
        assert_eq!(times([100, 40, 100, 101]), [100, 100, 100, 101], "at the bound");
    }

    #[test]
    fn a_step_back_stops_it_for_a_moment_only() {
        assert_eq!(times([100, 200, 30, 130]), [100, 200, 200, 300]);
        assert_eq!(times([100, 39, 40]), [100, 100, 101], "just over the bound");
    }

    #[test]
    fn a_moment_in_a_wrong_year_is_survived() {
        assert_eq!(times([100, 1_000_000, 100, 101]), [100, 1_000_000, 1_000_000, 1_000_001]);
    }
}
