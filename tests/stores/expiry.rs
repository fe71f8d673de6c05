//! What time does to a store: each session and each tombstone ends when it should.

use matrix_uia::server::store::{Lifetimes, Store as _};
use matrix_uia::{Millis, Timestamp};

use super::Kind;
use super::sessions::*;

pub(super) fn a_session_expires_at_its_lifetime_not_before<K: Kind>() {
    for (now, over) in [(0, false), (LIFETIME - 1, false), (LIFETIME, true), (LIFETIME + 1, true)] {
        let mut store = K::new::<1>();
        store.open(1, 50);
        assert_eq!(!store.expired(50 + now).is_empty(), over, "after {now} s");
        assert_eq!(store.has(1), !over);
    }
    let mut store = K::new::<1>();
    store.open(1, 0);
    let last = at(LIFETIME).as_millis() - 1;
    assert!(store.expire(Timestamp::from_millis(last)).is_none(), "to the millisecond");
    assert!(store.expire(Timestamp::from_millis(last + 1)).is_some());
}

pub(super) fn a_tombstone_expires_at_its_replay_time_not_before<K: Kind>() {
    // Consumed early it goes early, and consumed late it goes after its lifetime.
    for consumed in [20, LIFETIME - 1] {
        for (now, over) in [(0, false), (REPLAY - 1, false), (REPLAY, true), (REPLAY + 1, true)] {
            let mut store = K::new::<1>();
            store.open(1, 0);
            store.consume(1, consumed);
            assert_eq!(!store.expired(consumed + now).is_empty(), over, "after {now} s");
            assert_eq!(store.has(1), !over);
        }
    }
}

pub(super) fn a_passed_stage_does_not_prolong_a_session<K: Kind>() {
    let mut store = K::new::<1>();
    store.open(1, 0);
    store.pass(1, LIFETIME - 1);
    assert_eq!(store.expired(LIFETIME), [1]);
}

pub(super) fn sessions_expire_in_the_order_they_were_made<K: Kind>() {
    let mut store = K::new::<8>();
    for number in 1..=4 {
        store.open(number, number);
    }
    for number in [3, 1] {
        store.pass(number, 5);
    }
    assert_eq!(store.expired(LIFETIME + 2), [1, 2]);
    assert_eq!(store.expired(LIFETIME + 4), [3, 4]);
    assert!(store.expired(LIFETIME + 4).is_empty());
}

pub(super) fn tombstones_expire_in_the_order_they_were_consumed<K: Kind>() {
    let mut store = K::new::<8>();
    for number in 1..=4 {
        store.open(number, number);
    }
    for (number, now) in [(3, 10), (1, 20), (4, 30)] {
        store.consume(number, now);
    }
    assert_eq!(store.expired(20 + REPLAY), [3, 1]);
    assert_eq!(store.expired(LIFETIME + 4), [4, 2]);
}

pub(super) fn no_time_at_all_is_over_at_once<K: Kind>() {
    let mut store = K::with::<1>(Lifetimes::new(Millis::from_secs(LIFETIME), Millis::new(0)));
    store.open(1, 7);
    store.consume(1, 8);
    assert_eq!(store.expired(8), [1]);

    let mut store = K::with::<1>(Lifetimes::new(Millis::new(0), Millis::new(0)));
    store.open(1, 7);
    store.pass(1, 7);
    let _ = store.claim(1, 7);
    assert_eq!(store.expired(7), [1], "claimed or not");
}

/// What it reserved would be given back while the call is carried out. Rule U22.
pub(super) fn a_claimed_session_is_given_one_more_lifetime<K: Kind>() {
    let mut store = K::new::<4>();
    for number in 1..=3 {
        store.open(number, number);
    }
    store.pass(2, 10);
    let _ = store.claim(2, 10);
    assert_eq!(store.expired(LIFETIME + 1), [1]);
    assert!(store.expired(LIFETIME + 2).is_empty());
    assert_eq!(store.expired(LIFETIME + 3), [3], "the others don't wait for it");
    assert!(store.expired(2 * LIFETIME + 1).is_empty());
    assert_eq!(store.expired(2 * LIFETIME + 2), [2], "its claimant will never come");
}

pub(super) fn a_claim_that_succeeds_late_leaves_a_tombstone<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.pass(1, 0);
    let receipt = store.claim(1, LIFETIME - 1);
    assert!(store.expired(LIFETIME).is_empty());
    store.succeed(receipt, LIFETIME + 5);
    assert!(store.expired(LIFETIME + 4 + REPLAY).is_empty());
    assert_eq!(store.expired(LIFETIME + 5 + REPLAY), [1]);
}

pub(super) fn a_claim_that_fails_late_does_not_live_on<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.pass(1, 0);
    let receipt = store.claim(1, LIFETIME - 1);
    assert!(store.expired(LIFETIME).is_empty());
    assert_eq!(store.apply(receipt.failed().write(), None, at(LIFETIME)).unwrap().evicted, None);
    assert!(claim(id(1), store.session(1), at(LIFETIME)).is_none(), "its guard knows");
    assert_eq!(store.expired(2 * LIFETIME), [1]);
}

pub(super) fn a_clock_set_back_neither_kills_nor_revives<K: Kind>() {
    let mut store = K::new::<4>();
    let year = 1_000_000;
    store.open(1, year);
    assert!(store.expired(year + LIFETIME - 10).is_empty());
    // Set back by a long way, it goes on from there.
    assert!(store.expired(100).is_empty());
    store.open(2, 105);
    assert!(store.expired(109).is_empty());
    assert_eq!(store.expired(110), [1], "its last ten seconds have passed");
    assert!(store.expired(104 + LIFETIME).is_empty());
    assert_eq!(store.expired(105 + LIFETIME), [2], "and the one made since has its whole lifetime");

    // Time that was over stays over.
    store.open(3, 5_000);
    assert_eq!(evicted(store.begin(4, 5_000 + LIFETIME)), None);
    assert_eq!(store.expired(10), [3]);
}

/// Requests read the clock, then wait for each other.
pub(super) fn times_out_of_order_do_not_add_up<K: Kind>() {
    let mut store = K::new::<1>();
    store.open(1, 100);
    for _ in 0..LIFETIME {
        assert!(store.expired(100 + DISORDER).is_empty());
        assert!(store.expired(100).is_empty());
    }
    assert!(store.expired(100 + LIFETIME - 1).is_empty());
    assert_eq!(store.expired(100 + LIFETIME), [1]);
}

pub(super) fn a_moment_in_a_wrong_year_does_not_block_the_queue<K: Kind>() {
    let mut store = K::new::<4>();
    let wrong = 1_000_000_000;
    store.open(1, 100);
    assert_eq!(store.expired(wrong), [1], "nobody could know");
    store.open(2, wrong);
    store.open(3, 200);
    assert!(store.expired(199 + LIFETIME).is_empty());
    assert_eq!(store.expired(200 + LIFETIME), [2, 3]);
}

pub(super) fn a_session_stored_late_is_due_no_later<K: Kind>() {
    let mut store = K::new::<4>();
    let old = session(id(1), at(0));
    assert_eq!(store.insert(id(1), &old, 1, at(900)).unwrap().evicted, None);
    store.open(2, 900);
    let older = session(id(3), at(0));
    assert_eq!(store.insert(id(3), &older, 3, at(950)).unwrap().evicted, None);
    assert!(store.expired(LIFETIME - 1).is_empty());
    assert_eq!(store.expired(LIFETIME), [1]);
    assert_eq!(store.expired(900 + LIFETIME), [2, 3], "but no sooner than those before it");
}
