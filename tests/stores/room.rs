//! Who finds room in a full store, and who has to go: rule U16.

use matrix_uia::Millis;
use matrix_uia::server::store::{Bound, FixedStore, Lifetimes, NotStored, OwnerKey, Store as _, Stored};

use super::Kind;
use super::sessions::*;

pub(super) fn the_oldest_session_that_proved_nothing_is_evicted<K: Kind>() {
    let mut store = K::new::<3>();
    for number in 1..=3 {
        store.open(number, number);
    }
    store.pass(1, 4);
    assert_eq!(evicted(store.begin(4, 4)), Some(2));
    assert_eq!(evicted(store.begin(5, 4)), Some(3));
    assert_eq!(evicted(store.begin(6, 5)), Some(4));
    assert_eq!(store.numbers(), [1, 5, 6]);
}

pub(super) fn a_change_that_proves_nothing_keeps_the_place_in_line<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.open(2, 1);
    let read = store.session(1);
    let bound = bound(id(1), read, at(2)).unwrap();
    assert_eq!(store.replace(id(1), read.revision(), &bound, None, at(2)), Ok(()));
    assert_ne!(store.session(1), read);
    assert_eq!(evicted(store.begin(3, 3)), Some(1));
    assert_eq!(evicted(store.begin(4, 3)), Some(2));
}

/// Lesson 16: the cap holds, whatever is in the store.
pub(super) fn proved_claimed_and_consumed_sessions_are_not_evicted<K: Kind>() {
    let mut store = K::new::<3>();
    for number in 1..=3 {
        store.open(number, 0);
        store.pass(number, 0);
    }
    let receipt = store.claim(2, 0);
    let _ = store.claim(3, 0);
    store.succeed(receipt, 0);
    let before = store.numbers();
    assert!(matches!(store.begin(4, 1), Err(NotStored::Full { kept: Some(4), .. })));
    assert_eq!(store.numbers(), before);
    assert_eq!((store.len(), store.has(4)), (3, false));
}

pub(super) fn a_full_store_says_how_long_it_will_be_full<K: Kind>() {
    let wait = |result: Result<Stored<u32>, NotStored<u32>>| match result {
        Err(NotStored::Full { wait, .. }) => wait.get() / 1_000,
        other => panic!("{other:?}"),
    };
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.pass(1, 0);
    store.open(2, 10);
    store.pass(2, 10);
    assert_eq!(wait(store.begin(3, 10)), LIFETIME - 10);
    let receipt = store.claim(2, 20);
    store.succeed(receipt, 20);
    assert_eq!(wait(store.begin(3, 50)), REPLAY - 30);
    assert_eq!(wait(K::new::<0>().begin(3, 50)), LIFETIME, "it can't know");
}

pub(super) fn the_expired_make_room_before_those_that_proved_nothing<K: Kind>() {
    let mut store = K::new::<3>();
    store.open(1, 0);
    store.pass(1, 0);
    store.open(2, 1);
    store.open(3, 2);
    store.consume(3, 2);
    assert_eq!(evicted(store.begin(4, 2 + REPLAY)), Some(3), "the tombstone, though 2 has proved nothing");
    assert_eq!(evicted(store.begin(5, LIFETIME)), Some(1), "the expired one, though 2 has proved nothing");
    assert_eq!(evicted(store.begin(6, LIFETIME)), Some(2));
}

pub(super) fn a_store_of_none_is_always_full<K: Kind>() {
    let mut store = K::new::<0>();
    assert_eq!(store.capacity(), 0);
    let full = |result| matches!(result, Err(NotStored::Full { kept: Some(1), .. }));
    assert!(full(store.begin(1, 0)) && full(store.begin_of(owner(1), 1, 0)));
    assert!(store.is_empty() && !store.has(1));
    assert!(store.expired(LIFETIME).is_empty());
    assert!(store.remove(&id(1)).is_none());
}

pub(super) fn a_store_of_one_has_room_for_one<K: Kind>() {
    let mut store = K::new::<1>();
    assert_eq!(store.capacity(), 1);
    store.open(1, 0);
    assert_eq!(evicted(store.begin(2, 0)), Some(1));
    store.pass(2, 0);
    assert!(matches!(store.begin(3, 0), Err(NotStored::Full { .. })));
    assert_eq!(store.numbers(), [2]);
}

pub(super) fn a_store_has_room_for_as_many_as_it_says<K: Kind>() {
    let mut store = K::new::<700>();
    assert_eq!(store.capacity(), 700);
    for number in 1..=700 {
        store.open(number, 0);
        store.pass(number, 0);
    }
    assert!(matches!(store.begin(701, 0), Err(NotStored::Full { .. })));
    assert!((1..=700).all(|number| store.has(number)));
    assert!(store.remove(&id(350)).is_some());
    store.open(701, 0);
    assert_eq!((store.len(), store.has(350), store.has(701)), (700, false, true));
}

pub(super) fn vacated_places_are_used_again<K: Kind>() {
    let mut store = K::new::<5>();
    for number in 1..=100 {
        store.open(number, number);
        if number > 4 {
            assert_eq!(store.remove(&id(number - 4)).unwrap().session.made(), at(number - 4));
        }
    }
    assert_eq!(store.numbers(), [97, 98, 99, 100]);
}

/// Lesson 72: a flow of `m.login.dummy` alone, whose call then fails, is worth nothing.
pub(super) fn a_claim_for_nothing_that_fails_is_evicted_again<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.open(2, 1);
    let receipt = store.claim_for_nothing(1, 2);
    assert_eq!(evicted(store.begin(3, 2)), Some(2), "1 is claimed");
    store.fail(receipt, 3);
    assert!(store.session(1).has_passed_stage());
    assert_eq!(evicted(store.begin(4, 4)), Some(3), "its place in line is a new one");
    assert_eq!(evicted(store.begin(5, 4)), Some(1));
    assert_eq!(store.numbers(), [4, 5]);
}

pub(super) fn a_claim_that_fails_is_evicted_for_its_owners_only<K: Kind>() {
    let mut store = K::new::<1>();
    store.open_of(owner(7), 1, 0);
    store.pass(1, 0);
    let receipt = store.claim(1, 0);
    assert!(store.begin_of(owner(7), 2, 0).is_err(), "it is claimed");
    store.fail(receipt, 0);
    assert!(store.begin_of(owner(8), 2, 0).is_err());
    assert!(store.begin(2, 0).is_err(), "nobody is no owner");
    assert_eq!(evicted(store.begin_of(owner(7), 2, 0)), Some(1));
}

pub(super) fn in_a_full_store_an_owner_evicts_its_oldest_proved<K: Kind>() {
    let mut store = K::new::<5>();
    for number in 1..=5 {
        store.open_of(owner(1 + number % 2), number, number);
    }
    for number in [5, 4, 3, 2, 1] {
        store.pass(number, 10);
    }
    assert_eq!(evicted(store.begin_of(owner(1), 6, 11)), Some(2), "though it proved something after 4");
    store.pass(6, 11);
    assert_eq!(evicted(store.begin_of(owner(2), 7, 11)), Some(1));
    assert_eq!(evicted(store.begin_of(owner(2), 8, 11)), Some(7), "which has proved nothing");
    store.pass(8, 11);
    let stranger = store.begin_of(owner(3), 9, 11).unwrap_err();
    let wait = Millis::from_secs(3 + LIFETIME - 11);
    assert_eq!(stranger, NotStored::Full { bound: Bound::Store, wait, kept: Some(9) });
    assert_eq!(store.numbers(), [3, 4, 5, 6, 8]);
}

pub(super) fn an_owner_at_its_bound_makes_room_itself<K: Kind>() {
    let mut store = K::with::<8>(Lifetimes::of(&RULES), 3);
    store.open(9, 0);
    for number in 1..=3 {
        store.open_of(owner(1), number, 0);
    }
    store.pass(1, 0);
    assert_eq!(evicted(store.begin_of(owner(1), 4, 1)), Some(2), "the oldest that has proved nothing");
    assert_eq!(evicted(store.begin_of(owner(1), 5, 1)), Some(3));
    store.pass(5, 1);
    store.pass(4, 1);
    assert_eq!(evicted(store.begin_of(owner(1), 6, 2)), Some(1), "else the oldest that has proved something");
    store.open_of(owner(2), 7, 2);
    assert_eq!(store.numbers(), [9, 4, 5, 6, 7]);
}

pub(super) fn an_owner_of_claimed_and_consumed_sessions_has_to_wait<K: Kind>() {
    let mut store = K::with::<8>(Lifetimes::of(&RULES), 2);
    for number in 1..=2 {
        store.open_of(owner(1), number, number);
        store.pass(number, number);
    }
    let receipt = store.claim(1, 2);
    let _ = store.claim(2, 2);
    let refused = |store: &mut K::Of<8>, wait: u64, now: u64| {
        let refused = store.begin_of(owner(1), 3, now).unwrap_err();
        let wait = Millis::from_secs(wait);
        assert_eq!(refused, NotStored::Full { bound: Bound::Owner, wait, kept: Some(3) });
    };
    refused(&mut store, LIFETIME - 2, 3);
    store.succeed(receipt, 5);
    refused(&mut store, REPLAY, 5);
    store.open_of(owner(2), 4, 6);
    store.open(5, 6);
    assert_eq!(evicted(store.begin_of(owner(1), 3, 5 + REPLAY)), Some(1), "its tombstone has run out");
}

pub(super) fn of_an_owners_own_what_has_run_out_goes_first<K: Kind>() {
    let mut store = K::with::<8>(Lifetimes::of(&RULES), 3);
    store.open_of(owner(2), 9, 0);
    store.open_of(owner(1), 1, 0);
    store.pass(1, 0);
    store.open_of(owner(1), 2, 10);
    store.open_of(owner(1), 3, 10);
    assert_eq!(evicted(store.begin_of(owner(1), 4, LIFETIME)), Some(1), "though 2 has proved nothing");
    assert_eq!(evicted(store.begin_of(owner(1), 5, LIFETIME)), Some(2));
    let _ = store.claim_for_nothing(3, LIFETIME);
    assert_eq!(evicted(store.begin_of(owner(1), 6, LIFETIME + 10)), Some(4), "3 is claimed: overtime");
    assert_eq!(store.numbers(), [9, 5, 3, 6]);
}

pub(super) fn who_leaves_no_longer_counts<K: Kind>() {
    let mut store = K::with::<8>(Lifetimes::of(&RULES), 2);
    let fill = |store: &mut K::Of<8>, numbers: [u64; 2], now: u64| {
        for number in numbers {
            store.open_of(owner(1), number, now);
            store.pass(number, now);
        }
    };
    fill(&mut store, [1, 2], 0);
    assert!(store.remove(&id(1)).is_some() && store.remove(&id(2)).is_some());
    fill(&mut store, [3, 4], 0);
    assert_eq!(store.expired(LIFETIME), [3, 4]);
    fill(&mut store, [5, 6], LIFETIME);
    assert_eq!(store.end_open(|_, _| true).count(), 2);
    fill(&mut store, [7, 8], LIFETIME);
    let receipt = store.claim(7, LIFETIME);
    store.succeed(receipt, LIFETIME);
    assert_eq!(store.expired(LIFETIME + REPLAY), [7]);
    store.open_of(owner(1), 9, LIFETIME + REPLAY);
    assert_eq!(evicted(store.begin_of(owner(1), 10, LIFETIME + REPLAY)), Some(9), "and who is left counts");
}

/// A stage proves who the user is; the session stays its first owner's.
pub(super) fn a_session_stays_its_first_owners<K: Kind>() {
    let mut store = K::with::<8>(Lifetimes::of(&RULES), 1);
    store.open_of(owner(1), 1, 0);
    store.pass(1, 0);
    let receipt = store.claim(1, 0);
    store.fail(receipt, 0);
    assert_eq!(store.load(&id(1)).unwrap().owner, owner(1));
    store.open_of(owner(2), 2, 0);
    assert_eq!(evicted(store.begin_of(owner(1), 3, 0)), Some(1));
}

pub(super) fn without_an_owner_only_the_store_is_the_bound<K: Kind>() {
    let mut store = K::with::<4>(Lifetimes::of(&RULES), 1);
    for number in 1..=4 {
        store.open(number, 0);
        store.pass(number, 0);
    }
    assert!(matches!(store.begin(5, 0), Err(NotStored::Full { bound: Bound::Store, .. })));
    assert_eq!(store.load(&id(1)).unwrap().owner, OwnerKey::NOBODY);
}

pub(super) fn a_bound_of_none_lets_nobody_with_an_owner_in<K: Kind>() {
    let mut store = K::with::<4>(Lifetimes::of(&RULES), 0);
    let wait = Millis::from_secs(LIFETIME);
    let refused = store.begin_of(owner(1), 1, 0).unwrap_err();
    assert_eq!(refused, NotStored::Full { bound: Bound::Owner, wait, kept: Some(1) });
}

/// Lesson 63: the bound is where it should be.
#[cfg(feature = "alloc")]
#[test]
fn u16_an_owner_may_have_a_thousand_sessions_unless_told_otherwise() {
    use matrix_uia::server::store::{HashedStore, SESSIONS_PER_OWNER};
    let mut store = HashedStore::new(Lifetimes::of(&RULES), 2_000);
    for number in 1..=SESSIONS_PER_OWNER as u64 {
        store.open_of(owner(1), number, 0);
    }
    assert_eq!(evicted(store.begin_of(owner(1), 2_000, 0)), Some(1));
    store.open_of(owner(2), 2_001, 0);
    assert_eq!((store.len(), SESSIONS_PER_OWNER), (1_001, 1_000));
}

#[test]
fn u16_one_owner_may_fill_a_fixed_store_unless_told_otherwise() {
    let mut store = FixedStore::<u32, 2>::new(Lifetimes::of(&RULES));
    store.open_of(owner(1), 1, 0);
    store.open_of(owner(1), 2, 0);
    assert_eq!(evicted(store.begin_of(owner(1), 3, 0)), Some(1));
}
