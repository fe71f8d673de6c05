//! The lessons that are about the store.

use matrix_uia::Timestamp;
use matrix_uia::server::session::Worth;
use matrix_uia::server::store::{Bound, FixedStore, Lifetimes, NotStored, Store as _};

use super::sessions::*;

fn store<const N: usize>() -> FixedStore<u32, N> {
    FixedStore::new(Lifetimes::of(&RULES))
}

#[test]
fn lesson_16_a_full_store_keeps_to_its_cap_and_empties_in_time() {
    let mut store = store::<4>();
    for number in 1..=20 {
        if store.begin_of(owner(number), number, number).is_ok() {
            store.pass(number, number);
        }
    }
    assert_eq!(store.numbers(), [1, 2, 3, 4]);
    assert_eq!(store.expired(4 + LIFETIME), [1, 2, 3, 4]);
}

/// One peer passes a dummy stage in every session, and each call then fails.
#[test]
fn lesson_72_a_passed_dummy_stage_keeps_nobody_out() {
    let (mut store, attacker, alice) = (store::<4>(), owner(1), owner(2));
    for number in 1..=40 {
        assert!(store.begin_of(attacker, number, 0).is_ok());
        let receipt = store.claim_for_nothing(number, 0);
        store.fail(receipt, 0);
        assert_eq!(store.session(number).worth(), Worth::Nothing);
    }
    assert!(evicted(store.begin_of(alice, 41, 0)).is_some());
    store.pass(41, 0);
    for number in 42..=80 {
        assert!(store.begin_of(attacker, number, 0).is_ok());
    }
    assert_eq!(store.session(41).worth(), Worth::Proved, "nor does it cost anybody a proof");
}

/// One peer solves a captcha in every session.
#[test]
fn lesson_72_one_peer_cannot_take_the_store_from_all() {
    let mut store = store::<8>().with_sessions_per_owner(6);
    let attacker = owner(1);
    for number in 1..=40 {
        assert!(store.begin_of(attacker, number, 0).is_ok());
        store.pass(number, 0);
    }
    assert_eq!(store.len(), 6, "its own sessions make room");
    for number in 41..=42 {
        store.open_of(owner(number), number, 0);
        store.pass(number, 0);
    }
    assert_eq!(evicted(store.begin_of(attacker, 43, 0)), Some(35));
    assert!(store.has(41) && store.has(42));
}

#[test]
fn lesson_72_calls_under_way_count_against_the_bound() {
    let mut store = store::<8>().with_sessions_per_owner(2);
    for number in 1..=2 {
        store.open_of(owner(1), number, 0);
        let _ = store.claim_for_nothing(number, 0);
    }
    let refused = store.begin_of(owner(1), 3, 0);
    assert!(matches!(refused, Err(NotStored::Full { bound: Bound::Owner, .. })));
    store.open_of(owner(2), 3, 0);
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

#[test]
fn lesson_102_one_call_with_the_largest_time_ends_nobodys_session() {
    let mut store = store::<2>();
    store.open(1, 100);
    for _ in 0..2 {
        assert!(store.expire(Timestamp::from_millis(u64::MAX)).is_none());
        store.open(2, 101);
        assert!(store.remove(&id(2)).is_some());
    }
    assert!(store.expired(99 + LIFETIME).is_empty(), "now or later");
    assert_eq!(store.expired(100 + LIFETIME), [1], "and its time is over when it would have been");
}

#[test]
fn lesson_102_no_single_time_ends_the_session_just_made() {
    for ahead in [LIFETIME - 1, LIFETIME + 1, 2 * LIFETIME, 1_000 * LIFETIME] {
        let mut store = store::<1>();
        store.open(1, 100);
        assert!(store.expired(100 + ahead).is_empty(), "{ahead}");
    }
}

#[test]
fn lesson_110_a_request_takes_as_many_of_the_expired_as_it_asks_for() {
    let mut store = store::<40>();
    for number in 1..=40 {
        store.open(number, 0);
        store.pass(number, 0);
    }
    let mut gone = Vec::new();
    for left in [24, 8, 0] {
        let now = at(LIFETIME);
        gone.extend(core::iter::from_fn(|| store.expire(now)).take(16).map(|(id, _)| number(&id)));
        assert_eq!(store.len(), left);
    }
    assert!(gone.into_iter().eq(1..=40), "each once, and in their order");
}
