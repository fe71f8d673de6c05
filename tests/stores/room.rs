//! Who finds room, and who has to go: rule U16.

use matrix_uia::server::store::{NotStored, Store as _, Stored};

use super::Kind;
use super::sessions::*;

pub(super) fn the_oldest_untouched_session_is_evicted<K: Kind>() {
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

pub(super) fn a_change_without_a_passed_stage_keeps_its_place_in_line<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.open(2, 1);
    let read = store.session(1);
    let bound = bound(id(1), read.clone(), at(2)).unwrap();
    assert_eq!(store.replace(id(1), read.revision(), &bound, None, at(2)), Ok(()));
    assert_ne!(store.session(1), read);
    assert_eq!(evicted(store.begin(3, 3)), Some(1));
    assert_eq!(evicted(store.begin(4, 3)), Some(2));
}

/// Lesson 16: the cap holds, whatever is in the store.
pub(super) fn passed_claimed_and_consumed_sessions_are_not_evicted<K: Kind>() {
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

pub(super) fn the_expired_make_room_before_the_untouched<K: Kind>() {
    let mut store = K::new::<3>();
    store.open(1, 0);
    store.pass(1, 0);
    store.open(2, 1);
    store.open(3, 2);
    store.consume(3, 2);
    assert_eq!(evicted(store.begin(4, 2 + REPLAY)), Some(3), "the tombstone, though 2 is untouched");
    assert_eq!(evicted(store.begin(5, LIFETIME)), Some(1), "the expired one, though 2 is untouched");
    assert_eq!(evicted(store.begin(6, LIFETIME)), Some(2));
}

pub(super) fn a_store_of_none_is_always_full<K: Kind>() {
    let mut store = K::new::<0>();
    assert_eq!(store.capacity(), 0);
    assert!(matches!(store.begin(1, 0), Err(NotStored::Full { kept: Some(1), .. })));
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
