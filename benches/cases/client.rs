//! The client's step by this crate.

use std::hint::black_box;

use matrix_uia::client::{Answer, CallName, Client, Medium, Next, Progress, Prompt};
use matrix_uia::wire::{AuthType, UserIdentifier};
use matrix_uia::{Secret, Timestamp};

use super::bytes::Challenges;

const CAN: &[AuthType<'static>] = &[AuthType::Password, AuthType::EmailIdentity];
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// A progress that has been asked for a password.
pub struct Ours {
    client: Client<'static>,
    progress: Progress<4096>,
    challenges: Challenges,
}

impl Ours {
    pub fn new(mut challenges: Challenges) -> Self {
        let client = Client::new(CAN);
        let mut progress = Progress::new(CallName::new("password").unwrap());
        progress.address_given(Medium::Email);
        let Next::Send(first) = client.next(&mut progress, NOW) else { panic!("the first request") };
        let ticket = first.ticket();
        let _ = client.receive(&mut progress, ticket, Answer::new(401, challenges.receive()), NOW);
        let mut ours = Self { client, progress, challenges };
        // Each of them has been seen, and each has followed the other.
        for _ in 0..4 {
            ours.step();
        }
        ours
    }

    #[inline]
    pub fn step(&mut self) {
        let Self { client, progress, challenges } = self;
        let Next::Prompt(Prompt::Password(prompt)) = client.next(progress, NOW) else { panic!("a password") };
        let alice = UserIdentifier::User("@cheeky_monkey:example.org".into());
        let ticket = black_box(prompt.answer(alice, Secret::new("ilovebananas"))).ticket();
        let _ = black_box(client.receive(progress, ticket, Answer::new(401, challenges.receive()), NOW));
    }
}
