//! The buckets of a limit, which can be given back to.

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most keys remembered at once, about 3 MB.
pub const MAX_KEYS: usize = 65_536;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub u64);

/// A bucket is one number, the "theoretical arrival time" of the GCRA: the later it lies, the emptier
/// the bucket; once it has passed, the bucket is full.
#[derive(Debug, Clone, Default)]
pub struct Buckets(Arc<Mutex<HashMap<Key, Nanos>>>);

impl Buckets {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Nanos>> {
        // Every change is one assignment: there is no half-made one to be afraid of.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn give_back(&self, key: Key, cost: Nanos) {
        // A key that is gone was dropped because its bucket was full, or near it.
        if let Some(arrival) = self.lock().get_mut(&key) {
            *arrival = arrival.saturating_sub(cost);
        }
    }
}

impl StateStore for Buckets {
    type Key = Key;

    fn measure_and_replace<T, F, E>(&self, key: &Key, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.lock();
        let (outcome, arrival) = measure(buckets.get(key).copied())?;
        buckets.insert(*key, arrival);
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<Key> for Buckets {
    /// Forgets the buckets that are full again, which loses nothing. Should that not make room, because
    /// somebody empties buckets faster than they refill, the fuller half of the others goes too: a flood
    /// of keys frees those who have tried least, never those who have tried most.
    fn retain_recent(&self, full_since: Nanos) {
        let mut buckets = self.lock();
        buckets.retain(|_, arrival| *arrival > full_since);
        if buckets.len() > MAX_KEYS / 2 {
            let mut arrivals: Vec<Nanos> = buckets.values().copied().collect();
            let middle = arrivals.len() / 2;
            let (_, median, _) = arrivals.select_nth_unstable(middle);
            buckets.retain(|_, arrival| *arrival > *median);
        }
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
