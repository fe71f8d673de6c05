//! Refreshing: a host that keeps its tokens in a list and asks the crate what they are, and a client that
//! loses answers, in random order. The oracle is the client: what it holds has to work.

use matrix_uia::endpoint::refresh::{Generation, Presented, check_access, decide};
use matrix_uia::server::account::AccountStatus;
use proptest::prelude::*;

/// One pair: an access and a refresh token, told apart by which of the two is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair(usize);

/// The tokens of one device.
struct Host {
    newest_used: Generation,
    pairs: Vec<(Pair, Generation)>,
    made: usize,
}

impl Host {
    fn new() -> (Self, Pair) {
        let first = Pair(0);
        (Self { newest_used: Generation::FIRST, pairs: vec![(first, Generation::FIRST)], made: 1 }, first)
    }

    fn find(&self, pair: Pair) -> Option<(Presented, Generation)> {
        let (_, generation) = *self.pairs.iter().find(|(kept, _)| *kept == pair)?;
        Some((generation.presented(self.newest_used), generation))
    }

    /// As the crate asks a host to store it.
    fn used(&mut self, presented: Presented, generation: Generation) {
        if presented == Presented::FirstUse {
            self.newest_used = generation;
            self.pairs.retain(|(_, generation)| !generation.is_forgotten(self.newest_used));
        }
    }

    fn access(&mut self, pair: Pair) -> bool {
        let found = self.find(pair);
        let good = check_access(found.map(|(presented, _)| presented), false).is_ok();
        if let (true, Some((presented, generation))) = (good, found) {
            self.used(presented, generation);
        }
        good
    }

    fn refresh(&mut self, pair: Pair) -> Option<Pair> {
        let found = self.find(pair);
        decide(found.map(|(presented, _)| (presented, AccountStatus::default()))).ok()?;
        let (presented, generation) = found?;
        self.used(presented, generation);
        self.pairs.retain(|(_, kept)| *kept <= generation);
        let next = Pair(self.made);
        self.made += 1;
        self.pairs.push((next, generation.next()));
        Some(next)
    }

    fn live(&self) -> Vec<Pair> {
        let live = |(_, generation): &&(Pair, Generation)| generation.presented(self.newest_used).is_good();
        self.pairs.iter().filter(live).map(|(pair, _)| *pair).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The client uses its access token.
    Access,
    /// It refreshes, and the answer may be lost.
    Refresh { lost: bool },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![Just(Event::Access), any::<bool>().prop_map(|lost| Event::Refresh { lost })]
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn no_lost_answer_locks_a_client_out(events in prop::collection::vec(event(), 1..48)) {
        let (mut host, mut held) = Host::new();
        for event in events {
            match event {
                Event::Access => prop_assert!(host.access(held)),
                Event::Refresh { lost } => {
                    let new = host.refresh(held);
                    prop_assert!(new.is_some(), "what the client holds refreshes");
                    if let (false, Some(new)) = (lost, new) {
                        held = new;
                    }
                }
            }
            let live = host.live();
            prop_assert!(live.contains(&held));
            prop_assert!(live.len() <= 2, "the pair in use, and one that was handed out: {live:?}");
        }
    }

    /// Copies of every pair there ever was, as a backup or a thief would have them.
    #[test]
    fn one_pair_beside_that_in_use_whoever_presents_what(
        events in prop::collection::vec((0..8_usize, any::<bool>()), 1..96),
    ) {
        let (mut host, first) = Host::new();
        let mut all = vec![first];
        for (pair, refresh) in events {
            let before = host.newest_used;
            let pair = all[all.len() - 1 - pair % all.len()];
            let was_live = host.live().contains(&pair);
            let answered = if refresh {
                host.refresh(pair).map(|new| all.push(new)).is_some()
            } else {
                host.access(pair)
            };
            prop_assert_eq!(answered, was_live, "a spent token is good for nothing");
            prop_assert!(host.newest_used >= before, "nothing comes back to life");
            prop_assert!(host.live().len() <= 2);
            prop_assert!(host.pairs.len() as u64 <= Generation::REMEMBERED + 2, "bounded");
        }
    }
}
