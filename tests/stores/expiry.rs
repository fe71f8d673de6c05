//! What time does to a store: each session and each tombstone ends when it should.

use matrix_uia::server::store::{Lifetimes, Store as _};
use matrix_uia::{Millis, Timestamp};

use super::Kind;
use super::sessions::*;

pub(super) fn a_session_expires_at_its_lifetime_not_before<K: Kind>() {
    for (now, over) in [(0, false), (LIFETIME - 1, false), (LIFETIME, true), (LIFETIME + 1, true)] {
        let mut store = K::new::<1>();
        store.open(1, 50);
        assert!(store.expired(50 + now / 2).is_empty());
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
    let mut store = K::of::<1>(Lifetimes::new(Millis::from_secs(LIFETIME), Millis::new(0)));
    store.open(1, 7);
    store.consume(1, 8);
    assert_eq!(store.expired(8), [1]);

    let mut store = K::of::<1>(Lifetimes::new(Millis::new(0), Millis::new(0)));
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
    store.fail(receipt, LIFETIME);
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
    store.open(1, 2_000);
    for late in [1, MINUTE, MINUTE + 1, LIFETIME, LIFETIME + 1, 2_000] {
        for _ in 0..LIFETIME {
            assert!(store.expired(2_000).is_empty());
            assert!(store.expired(2_000 - late).is_empty(), "{late}");
        }
    }
    assert!(store.expired(2_000 + LIFETIME - 1).is_empty());
    assert_eq!(store.expired(2_000 + LIFETIME), [1]);
}

pub(super) fn a_moment_in_a_wrong_year_ends_nobodys_session<K: Kind>() {
    let mut store = K::new::<4>();
    let wrong = 1_000_000_000;
    store.open(1, 100);
    for now in [wrong, wrong, wrong + 1] {
        assert!(store.expired(now).is_empty());
    }
    store.open(2, wrong + 1);
    store.open(3, 200);
    assert!(store.expired(99 + LIFETIME).is_empty());
    assert_eq!(store.expired(100 + LIFETIME), [1]);
    assert!(store.has(2), "the queue is that of the insertions, and 2 is due with 1 or later");
    assert_eq!(store.expired(200 + LIFETIME), [2, 3]);
}

/// After a night without a request.
pub(super) fn a_long_silence_is_believed_a_minute_later<K: Kind>() {
    let mut store = K::new::<4>();
    let morning = 20 * LIFETIME;
    store.open(1, 0);
    store.open(2, 10);
    store.pass(2, 10);
    store.open(3, morning);
    assert!(store.expired(morning + MINUTE - 1).is_empty(), "it might be a wrong time");
    store.open(4, morning + MINUTE - 1);
    assert_eq!(store.expired(morning + MINUTE), [1, 2]);
    assert!(store.expired(morning + LIFETIME - 1).is_empty(), "the new ones have all of their time");
    assert_eq!(store.expired(morning + LIFETIME), [3]);
}

/// A server that nobody asks anything for longer than a lifetime, again and again.
pub(super) fn one_request_an_hour_expires_what_was_there_two_before<K: Kind>() {
    let mut store = K::new::<8>();
    let hour = 3 * LIFETIME;
    for number in 1..=5 {
        store.open(number, number * hour);
        store.pass(number, number * hour);
        let over = number.saturating_sub(2);
        assert_eq!(store.expired(number * hour), if over > 0 { vec![over] } else { vec![] });
    }
}

pub(super) fn a_session_stored_late_is_due_no_later<K: Kind>() {
    let mut store = K::new::<4>();
    let old = session(id(1), at(0));
    assert_eq!(store.insert(id(1), &old, 1, owner(1), at(900)).unwrap().evicted, None);
    store.open(2, 900);
    let older = session(id(3), at(0));
    assert_eq!(store.insert(id(3), &older, 3, owner(1), at(950)).unwrap().evicted, None);
    assert!(store.expired(LIFETIME - 1).is_empty());
    assert_eq!(store.expired(LIFETIME), [1]);
    assert_eq!(store.expired(900 + LIFETIME), [2, 3], "but no sooner than those before it");
}
