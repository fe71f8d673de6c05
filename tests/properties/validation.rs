//! Random sequences of everything that can happen to the validations of a host, against a
//! model that knows names and numbers only.

use std::collections::BTreeMap;

use matrix_uia::endpoint::threepid::{
    AddressAuthority, ClaimBy, Claimant, Claimed, Delivery, Medium, Purpose, Requested, Submitted, Threepid,
    TokenRequestKey, Validation, ValidationRules,
};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::operation::{ChangePassword, OperationId, Register};
use matrix_uia::server::reference::UserRef;
use matrix_uia::{BindingKey, Millis, Secret, SessionId, Timestamp};
use proptest::prelude::*;

use super::config;

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const LIFETIME: u64 = 100;
const LIMIT: u16 = 2;
const ADDRESSES: [&str; 2] = ["a@b", "c@d"];
const SECRETS: [&str; 2] = ["one", "two"];
const TOKENS: [&str; 2] = ["right", "wrong"];
const PURPOSES: [Purpose; 2] = [Purpose::Register, Purpose::Reset];
/// The operation that each of them is for.
const OPERATIONS: [OperationId; 2] = [Register::ID, ChangePassword::ID];

/// What a validation is found again by, as small numbers.
type Identity = (usize, usize, usize, Option<u64>);

#[derive(Clone, Debug)]
enum Event {
    Request { identity: Identity, attempt: i64, notice: bool },
    Submit { identity: Identity, secret: usize, token: usize },
    Claim { identity: Identity, secret: Option<usize>, purpose: usize, session: u8, user: Option<u64> },
    Time(u64),
}

/// What the model remembers of one validation.
#[derive(Clone, Debug)]
struct Model {
    decoy: bool,
    attempt: i64,
    /// When it ends, unless it is prolonged.
    ends: u64,
    guesses_left: u16,
    validated: bool,
    claimed_by: Option<u8>,
}

/// What is seen from outside.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    New,
    Again,
    AlreadySent,
    Validated,
    Refused(&'static str),
    Granted,
    NotYet,
    NotGranted,
    Nothing,
}

impl Model {
    fn over(&self, now: u64) -> bool {
        now >= self.ends || (!self.validated && self.guesses_left == 0)
    }
}

fn expected(models: &mut BTreeMap<Identity, Model>, event: &Event, now: u64) -> Seen {
    match *event {
        Event::Time(_) => Seen::Nothing,
        Event::Request { identity, attempt, notice } => {
            let other_message = |model: &Model| !model.validated && model.decoy != notice;
            match models.get_mut(&identity).filter(|model| !model.over(now) && !other_message(model)) {
                Some(model) if attempt <= model.attempt => Seen::AlreadySent,
                Some(model) => {
                    (model.attempt, model.ends) = (attempt, now + LIFETIME);
                    Seen::Again
                }
                None => {
                    let new = Model {
                        decoy: notice,
                        attempt,
                        ends: now + LIFETIME,
                        guesses_left: LIMIT,
                        validated: false,
                        claimed_by: None,
                    };
                    models.insert(identity, new);
                    Seen::New
                }
            }
        }
        Event::Submit { identity, secret, token } => match models.get_mut(&identity) {
            Some(model) if secret == identity.1 => {
                if model.over(now) {
                    return Seen::Refused("M_SESSION_EXPIRED");
                }
                if model.decoy || token != 0 {
                    if !model.validated {
                        model.guesses_left -= 1;
                    }
                    return Seen::Refused("M_TOKEN_INCORRECT");
                }
                if !model.validated {
                    (model.validated, model.ends) = (true, now + LIFETIME);
                }
                Seen::Validated
            }
            _ => Seen::Refused("M_NO_VALID_SESSION"),
        },
        Event::Claim { identity, secret, purpose, session, user } => {
            let Some(model) = models.get_mut(&identity) else { return Seen::NotGranted };
            let theirs = identity.3.is_none() || identity.3 == user;
            if secret.is_some_and(|secret| secret != identity.1) || purpose != identity.2 || !theirs {
                return Seen::NotGranted;
            }
            match model.claimed_by {
                Some(by) if by == session => Seen::Granted,
                Some(_) => Seen::NotGranted,
                None if model.over(now) => Seen::NotGranted,
                None if !model.validated => Seen::NotYet,
                None => {
                    (model.claimed_by, model.ends) = (Some(session), now + LIFETIME);
                    Seen::Granted
                }
            }
        }
    }
}

/// A host with the crate's values, each written and read back between two events.
#[derive(Default)]
struct Host(BTreeMap<Vec<u8>, String>);

fn asked((address, secret, purpose, requester): Identity, attempt: i64) -> TokenRequestKey {
    let threepid = Threepid::parse(Medium::Email, ADDRESSES[address].into()).unwrap();
    let requester = requester.map(UserRef::new);
    TokenRequestKey::new(&KEY, PURPOSES[purpose], requester, threepid, Secret::new(SECRETS[secret]), attempt)
}

impl Host {
    fn find(&self, identity: Digest) -> Option<Validation> {
        self.0.get(&identity.as_bytes()[..]).map(|text| serde_json::from_str(text).unwrap())
    }

    fn store(&mut self, validation: &Validation) {
        let text = serde_json::to_string(validation).unwrap();
        for secret in SECRETS.into_iter().chain(TOKENS) {
            assert!(!text.contains(&format!("\"{secret}\"")), "{text}");
        }
        self.0.insert(validation.identity(&KEY).as_bytes().to_vec(), text);
    }

    fn happens(&mut self, event: &Event, now: Timestamp) -> Seen {
        let policies = AddressAuthority::new();
        let mut rules = ValidationRules::default();
        (rules.lifetime, rules.max_wrong_tokens) = (Millis::new(LIFETIME), LIMIT);
        match *event {
            Event::Time(_) => Seen::Nothing,
            Event::Request { identity, attempt, notice } => {
                let asked = asked(identity, attempt);
                let sending = if notice { Delivery::Notice } else { Delivery::Token };
                let token = KEY.validation_token(Secret::new(TOKENS[0]));
                let found = self.find(asked.identity());
                match Validation::request(found, &asked, sending, token, &policies, &rules, now) {
                    Requested::New(new) => {
                        self.store(&new);
                        Seen::New
                    }
                    Requested::Again(again) => {
                        self.store(&again);
                        Seen::Again
                    }
                    Requested::AlreadySent => Seen::AlreadySent,
                }
            }
            Event::Submit { identity, secret, token } => {
                let found = self.find(asked(identity, 0).identity());
                let secret = KEY.client_secret(Secret::new(SECRETS[secret]));
                let token = KEY.validation_token(Secret::new(TOKENS[token]));
                match Validation::submit(found, secret, token, &rules, now) {
                    Submitted::Validated(changed) => {
                        self.store(&changed);
                        Seen::Validated
                    }
                    Submitted::Refused(changed, reject) => {
                        if let Some(changed) = changed {
                            self.store(&changed);
                        }
                        Seen::Refused(reject.code().name())
                    }
                }
            }
            Event::Claim { identity, secret, purpose, session, user } => {
                let found = self.find(asked(identity, 0).identity());
                let how = match secret {
                    Some(secret) => {
                        let secret = KEY.client_secret(Secret::new(SECRETS[secret]));
                        ClaimBy::Credentials { medium: Medium::Email, secret }
                    }
                    None => ClaimBy::Awaited,
                };
                let session = KEY.claimant(SessionId::from_entropy([session; 24]));
                let (operation, user) = (OPERATIONS[purpose], user.map(UserRef::new));
                let claimant = Claimant { operation, session, user };
                match Validation::claim(found, how, claimant, &policies, &rules, now) {
                    Claimed::Granted(changed) => {
                        self.store(&changed);
                        Seen::Granted
                    }
                    Claimed::NotYet => Seen::NotYet,
                    Claimed::Refused => Seen::NotGranted,
                }
            }
        }
    }
}

fn mostly<T: Copy + std::fmt::Debug>(usual: T, other: T) -> impl Strategy<Value = T> {
    prop_oneof![4 => Just(usual), 1 => Just(other)]
}

fn identity() -> impl Strategy<Value = Identity> {
    (mostly(0, 1), mostly(0, 1), mostly(0, 1), mostly(None, Some(1)))
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (identity(), 0..4_i64, prop::bool::weighted(0.15))
            .prop_map(|(identity, attempt, notice)| Event::Request { identity, attempt, notice }),
        4 => (identity(), mostly(0, 1), 0..2_usize)
            .prop_map(|(identity, secret, token)| Event::Submit { identity, secret, token }),
        4 => (identity(), mostly(Some(0), None), mostly(0, 1), 0..2_u8, mostly(None, Some(1)))
            .prop_map(|(identity, secret, purpose, session, user)| Event::Claim { identity, secret, purpose, session, user }),
        2 => (0..80_u64).prop_map(Event::Time),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_validation_goes_as_the_model_says(events in prop::collection::vec(event(), 1..32)) {
        let (mut host, mut models, mut now) = (Host::default(), BTreeMap::new(), 1_000_u64);
        for event in events {
            if let Event::Time(passes) = event {
                now += passes;
            }
            let seen = host.happens(&event, Timestamp::from_millis(now));
            prop_assert_eq!(seen, expected(&mut models, &event, now), "{:?}", event);
        }
    }
}
