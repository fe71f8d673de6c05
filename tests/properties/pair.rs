//! A client and a server joined by a bad network: at most once, and exactly once if it heals.

use matrix_uia::Millis;
use matrix_uia::client::Patience;
use matrix_uia_server_model::pair::{Ending, Event, POLICIES, Pair};
use proptest::prelude::*;

use super::config;

fn event() -> impl Strategy<Value = Event> {
    let which = || 0..4_u8;
    let rarely = || prop::bool::weighted(0.2);
    prop_oneof![
        12 => prop::bool::weighted(0.8).prop_map(|right| Event::Act { right }),
        10 => (which(), rarely()).prop_map(|(which, twice)| Event::Arrive { which, twice }),
        10 => (which(), rarely()).prop_map(|(which, twice)| Event::Return { which, twice }),
        1 => which().prop_map(|which| Event::Limit { which }),
        1 => which().prop_map(|which| Event::DropRequest { which }),
        1 => which().prop_map(|which| Event::DropAnswer { which }),
        2 => Just(Event::GiveUp),
        1 => Just(Event::Restart),
        1 => Just(Event::Told),
        2 => Just(Event::CompleteElsewhere),
        2 => prop_oneof![1..5_000_u32, Just(61_000), Just(900_001)].prop_map(Event::Time),
        1 => prop_oneof![1..5_000_u32, Just(u32::MAX)].prop_map(Event::SetBack),
    ]
}

/// Which policy, and which kind of host.
fn policy() -> impl Strategy<Value = u8> {
    0..2 * POLICIES.len() as u8
}

proptest! {
    #![proptest_config(config())]

    /// At most once, whatever happens; the rest is asserted after every event.
    #[test]
    fn a_call_is_carried_out_at_most_once(
        policy in policy(),
        replay_for in prop_oneof![Just(0), Just(1_000), Just(60_000), Just(u64::MAX)],
        address in any::<bool>(),
        events in prop::collection::vec(event(), 0..60),
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
        policy in policy(),
        address in any::<bool>(),
        events in prop::collection::vec(event(), 0..60),
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
        prop_assert_eq!(pair.launched(), 1);
    }
}
