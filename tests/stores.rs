//! What every store has to do, run over both kinds; then both against a naive model.
//!
//! The sessions are real ones: each is what a guard made of a request, with two flows
//! (`m.login.recaptcha`, then `m.login.password`; and `m.login.dummy` alone), so that it
//! can have proved nothing or something, and be claimed or consumed.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod clock;
mod expiry;
mod lessons;
mod model;
mod room;
mod sessions;
mod worth;

use matrix_uia::Millis;
use matrix_uia::server::commit::{Put, SessionChanges};
use matrix_uia::server::reference::UserRef;
use matrix_uia::server::store::{Bound, FixedStore, Lifetimes, NotStored, OwnerKey, Store};

use clock::{nobody_loses_time_to_a_long_silence, nobody_loses_time_to_late_or_wrong_times};
use expiry::*;
use model::any_sequence_is_as_the_model_says;
use room::*;
use sessions::*;

/// One of the two kinds.
trait Kind {
    type Of<const N: usize>: Store<Kept = u32>;

    fn new<const N: usize>() -> Self::Of<N> {
        Self::of(Lifetimes::of(&RULES))
    }

    fn of<const N: usize>(lifetimes: Lifetimes) -> Self::Of<N>;

    fn with<const N: usize>(lifetimes: Lifetimes, per_owner: usize) -> Self::Of<N>;
}

struct Fixed;

impl Kind for Fixed {
    type Of<const N: usize> = FixedStore<u32, N>;

    fn of<const N: usize>(lifetimes: Lifetimes) -> FixedStore<u32, N> {
        FixedStore::new(lifetimes)
    }

    fn with<const N: usize>(lifetimes: Lifetimes, per_owner: usize) -> FixedStore<u32, N> {
        FixedStore::new(lifetimes).with_sessions_per_owner(per_owner)
    }
}

#[cfg(feature = "alloc")]
struct Hashed;

#[cfg(feature = "alloc")]
impl Kind for Hashed {
    type Of<const N: usize> = matrix_uia::server::store::HashedStore<u32>;

    fn of<const N: usize>(lifetimes: Lifetimes) -> Self::Of<N> {
        matrix_uia::server::store::HashedStore::new(lifetimes, N)
    }

    fn with<const N: usize>(lifetimes: Lifetimes, per_owner: usize) -> Self::Of<N> {
        Self::of::<N>(lifetimes).with_sessions_per_owner(per_owner)
    }
}

macro_rules! store_suite {
    ($($test:ident),+ $(,)?) => {
        mod fixed {
            $(#[test] fn $test() { super::$test::<super::Fixed>() })+
        }

        #[cfg(feature = "alloc")]
        mod hashed {
            $(#[test] fn $test() { super::$test::<super::Hashed>() })+
        }
    };
}

store_suite! {
    what_is_stored_is_found,
    what_is_kept_beside_it_stays_until_replaced,
    a_commit_is_carried_out_as_a_whole,
    an_id_is_stored_once,
    of_two_writers_one_wins,
    what_is_gone_is_not_replaced,
    of_two_removals_one_gets_it,
    the_oldest_session_that_proved_nothing_is_evicted,
    a_change_that_proves_nothing_keeps_the_place_in_line,
    proved_claimed_and_consumed_sessions_are_not_evicted,
    a_full_store_says_how_long_it_will_be_full,
    the_expired_make_room_before_those_that_proved_nothing,
    a_claim_for_nothing_that_fails_is_evicted_again,
    a_claim_that_fails_is_evicted_for_its_owners_only,
    in_a_full_store_an_owner_evicts_its_oldest_proved,
    an_owner_at_its_bound_makes_room_itself,
    an_owner_of_claimed_and_consumed_sessions_has_to_wait,
    of_an_owners_own_what_has_run_out_goes_first,
    who_leaves_no_longer_counts,
    a_session_stays_its_first_owners,
    without_an_owner_only_the_store_is_the_bound,
    a_bound_of_none_lets_nobody_with_an_owner_in,
    a_store_of_none_is_always_full,
    a_store_of_one_has_room_for_one,
    a_store_has_room_for_as_many_as_it_says,
    vacated_places_are_used_again,
    a_session_expires_at_its_lifetime_not_before,
    a_tombstone_expires_at_its_replay_time_not_before,
    a_passed_stage_does_not_prolong_a_session,
    sessions_expire_in_the_order_they_were_made,
    tombstones_expire_in_the_order_they_were_consumed,
    no_time_at_all_is_over_at_once,
    a_claimed_session_is_given_one_more_lifetime,
    a_claim_that_succeeds_late_leaves_a_tombstone,
    a_claim_that_fails_late_does_not_live_on,
    a_clock_set_back_neither_kills_nor_revives,
    times_out_of_order_do_not_add_up,
    a_moment_in_a_wrong_year_ends_nobodys_session,
    a_long_silence_is_believed_a_minute_later,
    one_request_an_hour_expires_what_was_there_two_before,
    nobody_loses_time_to_late_or_wrong_times,
    nobody_loses_time_to_a_long_silence,
    a_session_stored_late_is_due_no_later,
    the_open_sessions_of_a_user_end,
    ending_none_ends_none,
    a_copy_expires_as_the_original,
    nothing_secret_is_printed,
    any_sequence_is_as_the_model_says,
}

fn what_is_stored_is_found<K: Kind>() {
    let mut store = K::new::<4>();
    assert!(store.is_empty() && !store.has(1));
    store.open(1, 0);
    store.open(2, 5);
    assert!(!store.is_empty());
    assert_eq!(store.len(), 2);
    assert_eq!(store.session(1), session(id(1), at(0)));
    assert_eq!(store.session(2), session(id(2), at(5)));
    assert!(!store.has(3));
}

fn what_is_kept_beside_it_stays_until_replaced<K: Kind>() {
    let mut store = K::new::<4>();
    let first = session(id(1), at(0));
    let put = |expected, session, keep| SessionChanges {
        put: Some(Put { id: id(1), expected, session, keep }),
        remove: None,
    };
    let owner = OwnerKey::NOBODY;
    assert_eq!(store.commit(put(None, &first, false), Some(9), owner, at(0)).unwrap().evicted, None);
    assert_eq!(store.load(&id(1)).unwrap().kept, &0, "the default");

    let second = passed(id(1), first, at(0)).unwrap();
    let replace = || put(Some(first.revision()), &second, true);
    assert_eq!(store.commit(replace(), Some(7), owner, at(0)).unwrap().evicted, None);
    assert!(store.commit(replace(), Some(8), owner, at(0)).is_err(), "the revision has passed");
    let _ = store.claim(1, 0);
    assert_eq!(store.load(&id(1)).unwrap().kept, &7);
    assert_eq!(store.remove(&id(1)).unwrap().kept, 7);

    assert_eq!(
        store.commit(SessionChanges { put: None, remove: None }, Some(8), owner, at(0)).unwrap().evicted,
        None
    );
    assert!(store.is_empty());
}

fn a_commit_is_carried_out_as_a_whole<K: Kind>() {
    let mut store = K::new::<4>();
    store.open(1, 0);
    let (old, fresh) = (store.session(1), session(id(2), at(1)));
    let restart = |expected| {
        let put = Some(Put { id: id(2), expected: None, session: &fresh, keep: false });
        SessionChanges { put, remove: Some((id(1), expected)) }
    };
    store.pass(1, 0);
    assert!(store.commit(restart(old.revision()), None, OwnerKey::NOBODY, at(1)).is_err());
    assert!(store.has(1) && !store.has(2), "nothing of it");
    let now = store.session(1).revision();
    assert_eq!(store.commit(restart(now), None, OwnerKey::NOBODY, at(1)).unwrap().evicted, None);
    assert!(!store.has(1) && store.has(2), "all of it");
}

fn an_id_is_stored_once<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.pass(1, 0);
    let stored = store.session(1);
    let again = store.insert(id(1), &session(id(1), at(9)), 99, OwnerKey::NOBODY, at(9));
    assert_eq!(again.unwrap_err(), NotStored::Conflict { kept: Some(99) });
    assert_eq!((store.session(1), store.load(&id(1)).unwrap().kept), (stored, &1));
    assert_eq!(store.len(), 1);
}

/// Rule U15, lesson 12.
fn of_two_writers_one_wins<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.pass(1, 0);
    let read = store.session(1);
    let [one, two] = [0, 0].map(|_| claim(id(1), read, at(1)).unwrap());
    let expected = read.revision();
    store.replace(id(1), expected, &one.session, Some(10), at(1)).unwrap();
    let lost = store.replace(id(1), expected, &two.session, Some(20), at(1));
    assert_eq!(lost, Err(NotStored::Conflict { kept: Some(20) }));
    assert_eq!(store.load(&id(1)).unwrap().kept, &10);
    assert_eq!(store.session(1), one.session);
}

fn what_is_gone_is_not_replaced<K: Kind>() {
    let mut store = K::new::<1>();
    store.open(1, 0);
    let read = store.session(1);
    let next = passed(id(1), read, at(0)).unwrap();
    assert!(store.remove(&id(1)).is_some());
    let late = store.replace(id(1), read.revision(), &next, Some(3), at(0));
    assert_eq!(late.unwrap_err().into_kept(), Some(3));
    store.open(2, 0);
    assert!(store.replace(id(1), read.revision(), &next, None, at(0)).is_err(), "nor is its place's next");
    assert_eq!(store.numbers(), [2]);
}

fn of_two_removals_one_gets_it<K: Kind>() {
    let mut store = K::new::<2>();
    store.open(1, 0);
    store.open(2, 0);
    assert_eq!(store.remove(&id(1)).unwrap().session, session(id(1), at(0)));
    assert!(store.remove(&id(1)).is_none());
    assert_eq!((store.len(), store.has(1), store.has(2)), (1, false, true));
    assert!(store.expired(LIFETIME) == [2], "it is in no queue any more");
}

/// Rule D3, lesson 30: a reset that races the fence finds nothing to go on with.
fn the_open_sessions_of_a_user_end<K: Kind>() {
    let mut store = K::new::<16>();
    for number in 1..=10 {
        store.open(number, 0);
    }
    store.pass(2, 0);
    store.consume(4, 0);
    store.pass(6, 0);
    let receipt = store.claim(6, 0);
    let even = UserRef::new(0);
    let ended = store.end_open(|_, record| record.session.user() == Some(even));
    assert_eq!(ended.map(|(id, _)| number(&id)).collect::<Vec<_>>(), [2, 8, 10]);
    assert_eq!(store.numbers(), [1, 3, 5, 6, 7, 9, 4]);
    store.succeed(receipt, 1);
    assert_eq!(store.expired(1 + LIFETIME), [4, 6, 1, 3, 5, 7, 9]);
    assert!(store.is_empty());
}

fn ending_none_ends_none<K: Kind>() {
    let mut store = K::new::<4>();
    store.open(1, 0);
    store.open(2, 0);
    assert_eq!(store.end_open(|_, _| false).count(), 0);
    let mut asked = 0;
    drop(store.end_open(|_, _| {
        asked += 1;
        true
    }));
    assert_eq!((asked, store.len()), (0, 2), "an iterator that isn't run does nothing");
}

/// Lesson 15: what is read back after a restart goes on as it would have.
fn a_copy_expires_as_the_original<K: Kind>() {
    let mut store = K::new::<16>();
    for number in 1..=8 {
        store.open_of(owner(number % 3), number, number);
    }
    store.pass(3, 9);
    for (number, now) in [(7, 10), (2, 20)] {
        store.consume(number, now);
    }
    let mut copy = K::new::<16>();
    for (id, record) in store.iter() {
        let stored = copy.insert(*id, &record.session, *record.kept, record.owner, at(50));
        assert_eq!(stored.unwrap().evicted, None);
    }
    assert_eq!(copy.numbers(), store.numbers());
    let owners = |store: &K::Of<16>| store.iter().map(|(_, record)| record.owner).collect::<Vec<_>>();
    assert_eq!(owners(&copy), owners(&store));
    for now in 51..LIFETIME + 10 {
        assert_eq!(copy.expired(now), store.expired(now), "at {now}");
    }
    assert!(store.is_empty() && copy.is_empty());
}

fn nothing_secret_is_printed<K: Kind>() {
    let secret = 0x5EC2E7;
    let mut store = K::new::<1>();
    assert_eq!(store.insert(id(1), &session(id(1), at(0)), secret, owner(1), at(0)).unwrap().evicted, None);
    store.pass(1, 0);
    let full = store.insert(id(2), &session(id(2), at(0)), secret, owner(2), at(0)).unwrap_err();
    let conflict = NotStored::Conflict { kept: Some(secret) };
    assert_eq!(format!("{full:?}"), "Full { bound: Store, wait: Millis(1000000), .. }");
    assert_eq!(full.to_string(), "the store is full of sessions that may not be evicted");
    let of_owner =
        NotStored::Full { bound: Bound::Owner, wait: Millis::from_secs(LIFETIME), kept: Some(secret) };
    assert_eq!(format!("{of_owner:?}"), "Full { bound: Owner, wait: Millis(1000000), .. }");
    let many = "the owner has as many sessions as one owner may have, and none may be evicted";
    assert_eq!(of_owner.to_string(), many);
    assert_eq!(format!("{conflict:?}"), "Conflict { .. }");
    assert_eq!(conflict.to_string(), "the stored session is not the one that was read");

    let evicted = store.begin(2, LIFETIME).unwrap();
    let Some((_, record)) = &evicted.evicted else { panic!("the expired one makes room") };
    assert_eq!(format!("{record:?}"), format!("Record {{ session: {:?}, .. }}", record.session));
    let printed = format!("{evicted:?}");
    assert_eq!(printed, format!("Stored {{ evicted: Some((SessionId([redacted]), {record:?})) }}"));
    assert!(
        !printed.contains(&secret.to_string()) && !printed.contains(id(1).expose().as_str()),
        "{printed}"
    );
}

#[test]
fn a_store_prints_its_size_and_nothing_in_it() {
    let store = FixedStore::<u32, 3>::new(Lifetimes::of(&RULES));
    assert_eq!(format!("{store:?}"), "FixedStore { len: 0, capacity: 3, .. }");
    #[cfg(feature = "alloc")]
    {
        let store = matrix_uia::server::store::HashedStore::<u32>::new(Lifetimes::of(&RULES), 3);
        assert_eq!(format!("{store:?}"), "HashedStore { len: 0, capacity: 3, .. }");
    }
}
