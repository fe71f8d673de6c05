//! Client and server joined by a network that does everything wrong; what is asserted is
//! in `tests/model/src/pair`, which the property tests drive as well.
//!
//! The input: 3 bytes (policy, how long results are repeated, bit 0: an address, bit 1: a
//! patient client), then events of 2 bytes each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::Millis;
use matrix_uia::client::Patience;
use matrix_uia_server_model::pair::{Ending, Event, Pair};

const REPLAY: [u64; 4] = [u64::MAX, 0, 1_000, 60_000];
const SPANS: [u32; 4] = [1, 3_000, 61_000, 900_001];

fuzz_target!(|input: &[u8]| {
    let Some(([policy, replay, switches], rest)) = input.split_first_chunk::<3>() else { return };
    let replay_for = REPLAY[usize::from(*replay) % REPLAY.len()];
    let mut patience = Patience::default();
    let patient = switches & 2 != 0;
    if patient {
        (patience.max_retries, patience.max_polls) = (u8::MAX, u16::MAX);
        (patience.max_unanswered, patience.max_retry_after) = (u8::MAX, Millis::new(u64::MAX));
        patience.poll_limit = Millis::new(u64::MAX);
    }
    let mut pair = Pair::new(*policy, replay_for, switches & 1 != 0, patience);
    for [what, how] in rest.as_chunks::<2>().0.iter().take(200) {
        pair.happens(event(*what, *how));
    }
    let ending = pair.heal();
    assert_eq!(pair.result, ending == Ending::Done);
    if patient && replay_for == u64::MAX {
        assert_eq!(ending, Ending::Done);
        assert_eq!(pair.launched(), 1);
    }
});

fn event(what: u8, how: u8) -> Event {
    let (which, twice) = (how & 7, how & 8 != 0);
    let span = SPANS[usize::from(how & 3)];
    match what % 16 {
        0..=2 => Event::Act { right: how & 1 == 0 },
        3 | 4 => Event::Arrive { which, twice },
        5 | 6 => Event::Return { which, twice },
        7 => Event::Limit { which },
        8 => Event::DropRequest { which },
        9 => Event::DropAnswer { which },
        10 => Event::GiveUp,
        11 => Event::Restart,
        12 => Event::Told,
        13 => Event::CompleteElsewhere,
        14 => Event::Time(span),
        _ => Event::SetBack(span),
    }
}
