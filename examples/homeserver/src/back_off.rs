//! When what failed is tried again: each by itself, so that one that never succeeds keeps no other waiting.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// What has failed, and how long each of it is left alone. It has as many entries as the last turn had failures.
#[derive(Debug)]
pub struct BackOff<K> {
    first: Duration,
    longest: Duration,
    failed: HashMap<K, Turn>,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    failed_at: Instant,
    pause: Duration,
}

impl<K: Copy + Eq + Hash> BackOff<K> {
    /// A pause doubles with every failure, from `first` to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failed: HashMap::new() }
    }

    /// Whether it may be tried: it has never failed, or its pause is over.
    pub fn is_due(&self, key: K, now: Instant) -> bool {
        self.failed.get(&key).is_none_or(|turn| now.saturating_duration_since(turn.failed_at) >= turn.pause)
    }

    pub fn has_failed(&mut self, key: K, now: Instant) {
        let pause = match self.failed.get(&key) {
            Some(turn) => turn.pause.saturating_mul(2).min(self.longest),
            None => self.first,
        };
        self.failed.insert(key, Turn { failed_at: now, pause });
    }

    pub fn has_succeeded(&mut self, key: K) {
        self.failed.remove(&key);
    }

    /// Forgets all but these: the others are not to be tried any more, whoever has seen to that.
    pub fn retain(&mut self, keep: impl Fn(K) -> bool) {
        self.failed.retain(|key, _| keep(*key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_of_each_doubles_up_to_a_bound_and_is_its_own() {
        let (second, begun) = (Duration::from_secs(1), Instant::now());
        let mut back_off = BackOff::new(2 * second, 10 * second);
        let mut now = begun;
        for pause in [2, 4, 8, 10, 10] {
            assert!(back_off.is_due("bad", now));
            back_off.has_failed("bad", now);
            assert!(!back_off.is_due("bad", now + pause * second - Duration::from_millis(1)), "{pause}");
            assert!(back_off.is_due("good", now));
            now += pause * second;
        }
        back_off.has_succeeded("bad");
        back_off.has_failed("bad", now);
        assert!(back_off.is_due("bad", now + 2 * second), "it begins anew");
        back_off.retain(|key| key != "bad");
        assert!(back_off.is_due("bad", now));
    }
}
