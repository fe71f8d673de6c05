//! Every interleaving of a few requests on one session, explored by a model checker.
//!
//! ```text
//!  Load ─► Commit, which may lose ─► Load again
//!   │ ├──► Verify ─► Load
//!   │ └──► Recall ─► Commit ─► Load                  the claim has lapsed
//!   └────► Commit of the claim ─► Load ─► Perform, with its record ─► Commit ─► answer
//!   └────► Perform and Commit in one transaction ─► answer
//! ```
//!
//! Each arrow is one step that any other request may come before or after. A request may also
//! be forgotten in the middle (its process was killed), the session may be dropped by its
//! store, the account may be fenced, a call may fail, and so much time may pass that a claim
//! lapses, once each and at any moment. After a kill or a lost claim so much time may pass that
//! every session is over, and what such a request has reserved runs out. The last stage reserves the one use of a voucher,
//! which is spent on the call or given back. Nothing of the crate is modelled: every step is
//! an answer to the crate's own exchange.
//!
//! An exchange can't be copied, and a state has to be. What is kept of a request are the
//! answers of its host. The exchange being a pure function of them, the checker begins it
//! anew at each step and answers it the same.

mod request;
mod state;
mod world;

use std::io::Write as _;

use request::Kind;
use state::Host;
use stateright::{Checker as _, HasDiscoveries, Model as _};
use world::World;

fn check(host: Host, requests: usize) {
    let checked = World::new(host, requests).checker().threads(2).spawn_bfs().join();
    // Not by `println`, which the test harness keeps to itself: CI's log is to show it.
    let states = checked.unique_state_count();
    let _ = writeln!(std::io::stderr(), "{host:?}, {requests} requests: {states} states");
    checked.assert_properties();
}

#[test]
fn a_store_with_compare_and_set() {
    check(Host::CLAIMS, 3);
}

#[test]
fn one_database_with_transactions() {
    check(Host::ONE_TRANSACTION, 3);
}

#[test]
fn a_store_with_compare_and_set_and_sealed_ids() {
    check(Host { sealed: true, ..Host::CLAIMS }, 3);
}

#[test]
fn one_database_with_transactions_and_sealed_ids() {
    check(Host { sealed: true, ..Host::ONE_TRANSACTION }, 3);
}

#[test]
#[ignore = "minutes: for whoever changes the transition"]
fn four_requests_at_once() {
    check(Host::CLAIMS, 4);
}

/// A checker that finds nothing may be looking at nothing.
fn finds<const N: usize>(host: Host, properties: [&'static str; N]) {
    let until = HasDiscoveries::AllOf(properties.into());
    let checked = World::new(host, 3).checker().finish_when(until).spawn_bfs().join();
    for property in properties {
        assert!(checked.discovery(property).is_some(), "{host:?}: {property}");
    }
}

#[test]
fn a_transaction_that_ignores_revisions_is_found_out() {
    let host = Host { compares: false, ..Host::ONE_TRANSACTION };
    finds(host, ["a call is carried out at most once"]);
}

#[test]
fn a_store_of_claims_that_ignores_revisions_is_found_out() {
    finds(Host { compares: false, ..Host::CLAIMS }, ["one request at most holds a grant"]);
}

#[test]
fn a_host_that_leaves_no_record_of_a_claimed_call_is_found_out() {
    let host = Host { records: false, ..Host::CLAIMS };
    finds(host, ["a call is carried out at most once", "every state is safe to stop at"]);
}

#[test]
fn a_host_that_never_gives_back_what_a_killed_request_has_reserved_is_found_out() {
    finds(Host { settles: false, ..Host::CLAIMS }, ["nothing is reserved for ever"]);
}

#[test]
fn every_kind_of_request_is_among_those_explored() {
    let world = World::new(Host::CLAIMS, 3);
    for kind in Kind::ALL {
        assert!(world.init_states().iter().any(|state| state.requests().any(|request| request == kind)));
    }
}
