//! The store's own time, which only goes forward.
//!
//! ```text
//!  host's   100 s ─► 110 s ─► 40 s ─► 111 s ─► 3000 s ─► 3010 s ─► 3070 s
//!  store's    0 s ─►  10 s ─► 10 s ─►  11 s ─►   11 s ─►   21 s ─►   81 s, and what was there at 3000 s is over
//!                            late             a leap             confirmed
//! ```
//!
//! The host's times come out of order: requests read its clock, then wait for a lock or a
//! verdict. Its clock may be set, forward or back, and may be wrong for a moment. So the
//! store's time goes forward by what the *highest* time so far has grown, and by no more
//! than a session's lifetime at once.
//!
//! A time that is further off, ahead or back, may be wrong: it opens a second count and
//! adds nothing. If a time near the first count comes next, the second is dropped. If the
//! second goes on for a minute, the first is dropped. Only then is a leap forward
//! believed: what was stored before it is over, whose age by the host's own times is more
//! than a lifetime.
//!
//! A time that is late by up to a minute is taken for what it is wherever it comes. One
//! that is later adds nothing either, and no span is counted twice for it.

use crate::time::{Millis, Timestamp};

#[derive(Debug)]
pub(super) struct Clock {
    time: Timestamp,
    count: Option<Count>,
    doubt: Option<Doubt>,
    /// The furthest that a time may be from the highest so far and be of the same count.
    reach: Millis,
    /// The serial up to which every session is over.
    over: u64,
}

/// The highest of the host's times so far, and what the store's was then.
#[derive(Clone, Copy, Debug)]
struct Count {
    host: Timestamp,
    time: Timestamp,
}

/// A count that may turn out to be of a wrong clock.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    count: Count,
    begun: Timestamp,
    /// The last session that was stored before it began.
    serial: u64,
}

/// How long a doubtful count goes on before it is believed; and the least reach there is,
/// for stores whose sessions live shorter than requests may be late.
const MINUTE: Millis = Millis::from_secs(60);

impl Count {
    // Called twice, and large on a processor of 32 bits.
    #[inline(never)]
    fn is_near(&self, now: Timestamp, reach: Millis) -> bool {
        now.since(self.host).max(self.host.since(now)) <= reach
    }

    /// Goes on to `now`, or stays where it is if that has been before.
    fn go_on(&mut self, now: Timestamp) -> Timestamp {
        self.time = self.time.after(now.since(self.host));
        self.host = self.host.max(now);
        self.time
    }
}

impl Clock {
    /// A clock for sessions and tombstones that live at most so long.
    pub(super) const fn new(lifetime: Millis) -> Self {
        let reach = if lifetime.get() > MINUTE.get() { lifetime } else { MINUTE };
        Self { time: Timestamp::from_millis(0), count: None, doubt: None, reach, over: 0 }
    }

    /// The store's time. It is what it was when the host's was last told.
    pub(super) const fn time(&self) -> Timestamp {
        self.time
    }

    /// Whether a session of that serial, which is due then, is over.
    pub(super) fn is_over(&self, due: Timestamp, serial: u64) -> bool {
        due <= self.time || serial <= self.over
    }

    /// Tells it the host's time. The last session that has been stored has that serial;
    /// the first one's is 1.
    pub(super) fn tell(&mut self, now: Timestamp, serial: u64) {
        let fresh = Count { host: now, time: self.time };
        let mut count = self.count.unwrap_or(fresh);
        let mut is_near = count.is_near(now, self.reach);
        if let Some(mut doubt) = self.doubt {
            let goes_on = doubt.count.is_near(now, self.reach);
            let is_ahead = doubt.begun > count.host;
            // Just before a leap forward a time may be near both counts: it is late.
            let is_late = is_ahead && now.after(MINUTE) >= doubt.count.host;
            // One that is ahead needs no time near it: where requests are rare, each may
            // be a leap.
            let is_believed = (goes_on || is_ahead) && now.since(doubt.begun) >= MINUTE;
            if is_believed && !is_near {
                if is_ahead {
                    self.over = doubt.serial;
                }
                (count, is_near, self.doubt) = (doubt.count, goes_on, None);
            } else if goes_on && (is_late || !is_near) {
                self.time = self.time.max(doubt.count.go_on(now));
                self.doubt = Some(doubt);
                return;
            }
        }
        if is_near {
            self.doubt = None;
            self.time = self.time.max(count.go_on(now));
        } else {
            // What was stored since the first count was left may be young.
            let serial = self.doubt.map_or(serial, |doubt| doubt.serial);
            self.doubt = Some(Doubt { count: fresh, begun: now, serial });
        }
        self.count = Some(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: u64 = 900;

    /// The store's times in seconds, and up to which session all are over: one is stored
    /// after each time that is told.
    fn told<const N: usize>(secs: [u64; N]) -> ([u64; N], u64) {
        let mut clock = Clock::new(Millis::from_secs(LIFETIME));
        let mut serials = 0..;
        let times = secs.map(|now| {
            let serial = serials.next().unwrap();
            clock.tell(Timestamp::default().after(Millis::from_secs(now)), serial);
            clock.time().as_millis() / 1_000
        });
        (times, clock.over)
    }

    fn times<const N: usize>(secs: [u64; N]) -> [u64; N] {
        let (times, over) = told(secs);
        assert_eq!(over, 0);
        times
    }

    #[test]
    fn it_goes_with_the_hosts_from_zero() {
        assert_eq!(times([100, 100, 200, 1_100]), [0, 0, 100, 1_000]);
    }

    #[test]
    fn a_time_out_of_order_adds_nothing() {
        assert_eq!(times([1_000, 999, 1_000, 939, 1_000, 100, 1_001]), [0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_time_later_than_a_lifetime_adds_nothing_either() {
        assert_eq!(times([2_000, 1_099, 2_001, 1_100, 2_002, 1_101]), [0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_clock_set_back_a_little_stops_it_until_it_has_caught_up() {
        assert_eq!(times([1_000, 1_010, 500, 800, 1_010, 1_011]), [0, 10, 10, 10, 10, 11]);
    }

    #[test]
    fn a_clock_set_back_by_far_goes_on_from_there() {
        assert_eq!(times([1_000_000, 1_000_010, 100, 110, 160, 170]), [0, 10, 10, 20, 70, 80]);
    }

    #[test]
    fn a_moment_in_a_wrong_year_changes_nothing() {
        let wrong = 1_000_000_000;
        assert_eq!(times([100, wrong, 101, wrong + 1, 102, 103]), [0, 0, 1, 1, 2, 3]);
        assert_eq!(times([wrong, 100, 101, 102]), [0, 0, 1, 2], "nor at the start");
    }

    #[test]
    fn the_largest_time_changes_nothing() {
        let mut clock = Clock::new(Millis::from_secs(LIFETIME));
        for (now, time) in [(5, 0), (u64::MAX, 0), (u64::MAX, 0), (6, 1), (u64::MAX, 1), (7, 2)] {
            clock.tell(Timestamp::from_millis(now), 1);
            assert_eq!((clock.time().as_millis(), clock.over), (time, 0));
        }
    }

    #[test]
    fn a_leap_forward_is_believed_after_a_minute() {
        // After the 4th time nobody's is over yet; after the 5th, what was there at the 3rd is.
        let (times, over) = told([100, 110, 5_000, 5_059]);
        assert_eq!((times, over), ([0, 10, 10, 69], 0));
        let (times, over) = told([100, 110, 5_000, 5_059, 5_060, 5_061]);
        assert_eq!((times, over), ([0, 10, 10, 69, 70, 71], 2));
    }

    #[test]
    fn one_time_an_hour_is_enough() {
        let (times, over) = told([0, 3_600, 7_200, 10_800]);
        assert_eq!((times, over), ([0; 4], 2), "all but what was stored after the last two but one");
    }

    #[test]
    fn no_single_time_adds_more_than_a_lifetime() {
        assert_eq!(times([0, LIFETIME]), [0, LIFETIME]);
        assert_eq!(times([0, LIFETIME + 1]), [0, 0]);
        let mut short = Clock::new(Millis::new(1));
        for (now, time) in [(0, 0), (60_000, 60_000), (120_001, 60_000)] {
            short.tell(Timestamp::from_millis(now), 0);
            assert_eq!(short.time().as_millis(), time, "or a minute, if that is more");
        }
    }
}
