//! The store's time against the time that has really passed, over random sequences.
//! Lesson 102.

use proptest::prelude::*;

use super::Kind;
use super::sessions::*;

/// A store, and what the host's clock would say if it were right and read at once.
struct Pair<S> {
    store: S,
    now: u64,
    /// By a session's number, the age it has at zero.
    made: Vec<u64>,
}

impl<S: Steps> Pair<S> {
    fn new(store: S) -> Self {
        Self { store, now: 1_000 * LIFETIME, made: Vec::new() }
    }

    /// A request that says so comes in, at a moment from which its session's age counts:
    /// what has run out goes, and a new session comes. None goes early.
    fn request(&mut self, says: u64, made: u64) {
        for gone in self.store.expired(says) {
            let age = self.now - self.made[gone as usize];
            assert!(age >= LIFETIME, "{gone} is {age} s old");
        }
        let number = self.made.len() as u64;
        assert!(self.store.begin(number, says).unwrap().evicted.is_none());
        self.made.push(made);
    }

    fn on_time(&mut self) {
        self.request(self.now, self.now);
    }

    fn late(&mut self, by: u64) {
        self.request(self.now - by, self.now - by);
    }

    /// Asked once a minute by a right clock, every session goes within two lifetimes.
    fn ends(mut self) {
        for _ in 0..2 * LIFETIME / MINUTE + 2 {
            self.now += MINUTE;
            let _ = self.store.expired(self.now);
        }
        assert!(self.store.is_empty());
    }
}

/// Requests may be late by any span up to a lifetime, and single times by any at all wrong.
pub(super) fn nobody_loses_time_to_late_or_wrong_times<K: Kind>() {
    #[derive(Clone, Debug)]
    enum Event {
        Pass(u64),
        Late(u64),
        Wrong(u64),
    }
    let wrong =
        prop_oneof![Just(0), Just(u64::MAX / 1_000), 0..=u64::MAX / 1_000, 990 * LIFETIME..1_010 * LIFETIME,];
    let event = prop_oneof![
        2 => (0..=LIFETIME / 2).prop_map(Event::Pass),
        2 => (0..=LIFETIME).prop_map(Event::Late),
        1 => wrong.prop_map(Event::Wrong),
    ];
    proptest!(|(events in prop::collection::vec(event, 1..100))| {
        let mut pair = Pair::new(K::new::<256>());
        pair.on_time();
        for event in events {
            match event {
                Event::Pass(secs) => pair.now += secs,
                Event::Late(secs) => pair.late(secs),
                // A time that is wrong by less than a lifetime can't be told from a right one.
                Event::Wrong(says) if says.abs_diff(pair.now) > LIFETIME => pair.request(says, pair.now),
                Event::Wrong(_) => {}
            }
            pair.on_time();
        }
        pair.ends();
    });
}

/// Requests may come seldom, and late by up to a minute.
pub(super) fn nobody_loses_time_to_a_long_silence<K: Kind>() {
    let silences = vec![0, 1, 30, MINUTE, LIFETIME / 2, LIFETIME, LIFETIME + 1, LIFETIME + 30, 9 * LIFETIME];
    let event = (prop::sample::select(silences), 0..=MINUTE);
    proptest!(|(events in prop::collection::vec(event, 1..100))| {
        let mut pair = Pair::new(K::new::<256>());
        pair.on_time();
        for (silence, late) in events {
            pair.now += silence;
            pair.late(late);
        }
        pair.ends();
    });
}
