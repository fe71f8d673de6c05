//! Random sequences of everything that can happen to a session, against a plain model
//! that knows nothing of the crate, and invariants that hold whatever the model says.
//!
//! `PROPTEST_CASES` raises the number of sequences.

mod codec;
mod model;
mod pages;
mod pair;
mod refresh;
mod seen;
mod stored;
mod validation;
mod world;

use matrix_uia::Millis;
use matrix_uia::client::Patience;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

use model::{Auth, Event, Request, Switches, Verdict};
use pair::{Ending, Event as Happening, Pair};
use world::World;

/// Few by default, so that a change is answered within seconds.
const CASES: u32 = 2_000;

pub(crate) fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(CASES),
        // A failure that was found becomes a named test, not a file of seeds.
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    }
}

fn auth() -> impl Strategy<Value = Auth> {
    prop_oneof![
        1 => Just(Auth::Absent),
        2 => Just(Auth::Poll),
        8 => (0..model::STAGES.len(), prop::bool::weighted(0.1)).prop_map(|(stage, malformed)| Auth::Attempt { stage, malformed }),
    ]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        6 => Just(Verdict::Passed(0)),
        1 => Just(Verdict::Passed(1)),
        2 => Just(Verdict::Failed),
        1 => Just(Verdict::UnknownThreepid),
        1 => Just(Verdict::Pending),
        1 => Just(Verdict::Continue),
        1 => Just(Verdict::Unavailable),
        1 => Just(Verdict::Limited),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let session = prop_oneof![1 => Just(None), 1 => Just(Some(99)), 8 => (0..3_usize).prop_map(Some)];
    let user = prop_oneof![8 => Just(Some(0)), 1 => Just(Some(1)), 1 => Just(None)];
    let operation = prop_oneof![9 => Just(0), 1 => Just(1)];
    let body = prop_oneof![3 => Just(None), 5 => Just(Some(0)), 1 => Just(Some(1))];
    (session, user, operation, body, auth(), verdict()).prop_map(
        |(session, user, operation, body, auth, verdict)| Request {
            session,
            user,
            operation,
            body,
            auth,
            verdict,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        24 => request().prop_map(Event::Request),
        3 => (request(), request()).prop_map(|(one, two)| Event::Race(one, two)),
        3 => request().prop_map(Event::Stale),
        2 => (0..3_usize, 0..model::STAGES.len(), 0..2_u8)
            .prop_map(|(session, stage, user)| Event::Complete { session, stage, user }),
        3 => (0..3_usize, 0..model::STAGES.len(), verdict())
            .prop_map(|(session, stage, verdict)| Event::Visit { session, stage, verdict }),
        3 => Just(Event::Succeed),
        3 => Just(Event::Fail),
        1 => Just(Event::Refuse),
        1 => Just(Event::Abandon),
        3 => (-400_i64..700).prop_map(Event::Time),
        1 => (0..model::POLICIES.len()).prop_map(Event::Policy),
        1 => Just(Event::NewEpoch),
    ]
}

fn switches() -> impl Strategy<Value = Switches> {
    (any::<bool>(), 0..3_u8, any::<bool>(), any::<bool>(), 0..2_u64, 1..4_u16).prop_map(
        |(any_order, binding, reject, one_shot, replay, max_failed)| Switches {
            any_order,
            binding,
            reject,
            one_shot,
            replay_for: replay * 500,
            max_failed,
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_sequence_goes_as_the_model_says(
        switches in switches(),
        first in 0..model::POLICIES.len(),
        events in prop::collection::vec(event(), 1..24),
    ) {
        let mut world = World::new(switches, first);
        for event in events {
            world.happens(event);
        }
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let which = || 0..4_u8;
    let rarely = || prop::bool::weighted(0.2);
    prop_oneof![
        12 => prop::bool::weighted(0.8).prop_map(|right| Happening::Act { right }),
        10 => (which(), rarely()).prop_map(|(which, twice)| Happening::Arrive { which, twice }),
        10 => (which(), rarely()).prop_map(|(which, twice)| Happening::Return { which, twice }),
        1 => which().prop_map(|which| Happening::Limit { which }),
        1 => which().prop_map(|which| Happening::DropRequest { which }),
        1 => which().prop_map(|which| Happening::DropAnswer { which }),
        2 => Just(Happening::GiveUp),
        1 => Just(Happening::Restart),
        1 => Just(Happening::Told),
        2 => Just(Happening::CompleteElsewhere),
        2 => prop_oneof![1..5_000_u32, Just(61_000), Just(900_001)].prop_map(Happening::Time),
        1 => prop_oneof![1..5_000_u32, Just(u32::MAX)].prop_map(Happening::SetBack),
    ]
}

proptest! {
    #![proptest_config(config())]

    /// At most once, whatever happens; the rest is asserted after every event.
    #[test]
    fn a_call_is_carried_out_at_most_once(
        policy in 0..pair::POLICIES.len() as u8,
        replay_for in prop_oneof![Just(0), Just(1_000), Just(60_000), Just(u64::MAX)],
        address in any::<bool>(),
        events in prop::collection::vec(happening(), 0..60),
    ) {
        let mut pair = Pair::new(policy, replay_for, address, Patience::default());
        for event in events {
            pair.happens(event);
        }
        let ending = pair.heal();
        prop_assert_eq!(pair.result, ending == Ending::Done);
    }

    /// And exactly once if the network heals while the server still knows of it: the
    /// client is patient, and nobody gave up.
    #[test]
    fn and_exactly_once_if_the_network_heals(
        policy in 0..pair::POLICIES.len() as u8,
        address in any::<bool>(),
        events in prop::collection::vec(happening(), 0..60),
    ) {
        let mut patience = Patience::default();
        (patience.max_retries, patience.max_polls, patience.poll_limit) = (u8::MAX, u16::MAX, Millis::new(u64::MAX));
        (patience.max_unanswered, patience.max_retry_after) = (u8::MAX, Millis::new(u64::MAX));
        let mut pair = Pair::new(policy, u64::MAX, address, patience);
        for event in events {
            pair.happens(event);
        }
        let ending = pair.heal();
        prop_assert_eq!(ending, Ending::Done);
        prop_assert_eq!(pair.launched, 1);
    }
}
