//! The lessons that are about the store.

use matrix_uia::server::store::{FixedStore, Lifetimes};

use super::sessions::*;

fn store<const N: usize>() -> FixedStore<u32, N> {
    FixedStore::new(Lifetimes::of(&RULES))
}

/// The sequence of the attack: requests whose time is 61 seconds old, each followed by one
/// on time. In 92 seconds the clock went forward by a quarter of an hour.
#[test]
fn lesson_102_a_late_request_after_an_early_one_counts_no_span_twice() {
    let mut store = store::<1>();
    store.open(1, 1_000);
    for second in 0..92 {
        let now = 1_000 + second;
        assert!(store.expired(now - 61).is_empty(), "late, after {second} s");
        assert!(store.expired(now).is_empty(), "on time, after {second} s");
    }
    assert!(store.expired(1_000 + LIFETIME - 1).is_empty());
    assert_eq!(store.expired(1_000 + LIFETIME), [1]);
}
