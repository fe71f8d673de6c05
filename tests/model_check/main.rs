//! Every interleaving of a few requests on one session, explored by a model checker.
//!
//! ```text
//!  Idle ─load─► Loaded ─receive─► answer, or a write that may lose ─► Idle again
//!                 │
//!                 └► Asked ─load─► Reloaded ─apply─► answer, or a write that may lose ─► Asked again
//!                                     │
//!                                     └► Claimed ─► the call ─► Called ─► its end is written ─► answer
//! ```
//!
//! Each arrow is one step that any other request may come before or after. A request may also
//! be forgotten in the middle (its process was killed), the session may be dropped by its
//! store, and the account may be fenced, once each and at any moment. Nothing of the crate is
//! modelled: every step is its own transition, run on the value as it was loaded.
//!
//! What a host keeps between two steps are the loaded values. The transition being a pure
//! function of them, the checker computes the step again from them wherever it needs it.

mod world;

use stateright::{Checker as _, Model as _};
use world::{Host, Kind, World};

fn check(host: Host, requests: usize) {
    let checked = World::new(host, requests).checker().threads(2).spawn_bfs().join();
    println!("{host:?}, {requests} requests: {} states", checked.unique_state_count());
    checked.assert_properties();
}

#[test]
fn a_store_with_compare_and_set() {
    check(Host::CompareAndSet, 3);
}

#[test]
fn one_database_with_transactions() {
    check(Host::Transaction, 3);
}

#[test]
#[ignore = "minutes: for whoever changes the transition"]
fn four_requests_at_once() {
    check(Host::CompareAndSet, 4);
}

/// A checker that finds nothing may be looking at nothing.
#[test]
fn a_store_that_ignores_revisions_is_found_out() {
    let checked = World::new(Host::LastWriteWins, 3).checker().spawn_bfs().join();
    assert!(checked.discovery("a call is carried out at most once").is_some());
}

#[test]
fn every_kind_of_request_is_among_those_explored() {
    let world = World::new(Host::CompareAndSet, 3);
    for kind in Kind::ALL {
        assert!(world.init_states().iter().any(|state| state.requests().any(|request| request == kind)));
    }
}
