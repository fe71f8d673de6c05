//! Requests of several clients, interleaved at random and each dropped at a random wait, wherever sessions live: the
//! next request goes on, nothing is done twice, nothing stays reserved.

#![allow(clippy::arithmetic_side_effects, reason = "what overflows here fails a test")]

mod client;
mod end;
mod grace;
mod plain;
mod polled;
mod proof;
mod scene;

use client::{CLIENTS, Step};
use plain::Plain;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use scene::{Scene, Stage};
use std::cell::RefCell;
use tokio::runtime::Builder;

#[derive(Clone, Debug)]
enum Act {
    /// One of the clients sends a request.
    Send(usize, Step),
    /// A request that needs no session.
    Plain(Plain),
    /// One of the requests that wait goes on until it waits again.
    Poll(usize),
    /// One of them is dropped.
    Drop(usize),
    /// What the server does unasked.
    Tidy,
    /// So many milliseconds pass.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let stage = (0..2_usize, prop::bool::weighted(0.8));
    prop_oneof![
        5 => stage.clone().prop_map(|(stage, right)| Step::Attempt { stage, right }),
        2 => Just(Step::Poll),
        2 => stage.clone().prop_map(|(stage, right)| Step::OneShot { stage, right }),
        2 => stage.prop_map(|(stage, right)| Step::Page { stage, right }),
        1 => (0..2_usize).prop_map(Step::Look),
    ]
}

/// A few of the clients, so that they get into each other's way.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    (0..CLIENTS, 0..CLIENTS, 0..CLIENTS).prop_flat_map(|(a, b, c)| {
        let sender = prop::sample::select(vec![a, b, c, a ^ 1]);
        let act = prop_oneof![
            6 => (sender, step()).prop_map(|(client, step)| Act::Send(client.min(CLIENTS - 1), step)),
            3 => prop::sample::select(Plain::ALL.to_vec()).prop_map(Act::Plain),
            24 => (0..8_usize).prop_map(Act::Poll),
            4 => (0..8_usize).prop_map(Act::Drop),
            1 => Just(Act::Tidy),
            1 => (0..30_000_u64).prop_map(Act::Pass),
        ];
        prop::collection::vec(act, 1..90)
    })
}

fn run(stage: &Stage, acts: &[Act]) -> Result<(), TestCaseError> {
    let scene = Scene::begin(stage);
    let mut waiting = Vec::new();
    for act in acts {
        match act {
            Act::Send(client, step) => waiting.push(scene.send(*client, *step)),
            Act::Plain(plain) => waiting.push(scene.send_plain(*plain)),
            Act::Poll(at) if !waiting.is_empty() => {
                let at = at % waiting.len();
                if polled::poll(&mut waiting[at]).is_some() {
                    drop(waiting.remove(at));
                }
            }
            Act::Drop(at) if !waiting.is_empty() => drop(waiting.remove(at % waiting.len())),
            Act::Tidy => scene.tidy(),
            Act::Pass(ms) => stage.world.advance(*ms),
            Act::Poll(_) | Act::Drop(_) => {}
        }
    }
    drop(waiting);
    scene.goes_on_and_did_nothing_twice()
}

/// `HOMESERVER_RUNS` says how many; `cargo test` runs 150 in each mode.
fn holds(memory: bool) {
    // Passwords are hashed on its threads for blocking work.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let cases = std::env::var("HOMESERVER_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(150);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    // A server takes longer to make than a run takes: many runs share one, each with users of its own. One that has
    // failed is not used again, so that what is left of the acts fails by itself.
    let stage: RefCell<Option<Stage>> = RefCell::default();
    let done = TestRunner::new(config).run(&acts(), |acts| {
        let before = stage.take().filter(Stage::has_room);
        let now = before.unwrap_or_else(|| Stage::new(memory));
        run(&now, &acts)?;
        stage.replace(Some(now));
        Ok(())
    });
    done.unwrap_or_else(|failed| panic!("{failed}"));
}

#[test]
fn requests_that_are_dropped_do_nothing_twice_and_leave_nothing_reserved_with_sessions_in_memory() {
    holds(true);
}

#[test]
fn requests_that_are_dropped_do_nothing_twice_and_leave_nothing_reserved_with_sessions_in_the_database() {
    holds(false);
}
