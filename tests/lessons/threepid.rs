//! Lessons about third-party identifiers and their validation.

use matrix_uia::endpoint::threepid::{
    ClaimBy, Claimed, Delivery, Medium, Owner, Purpose, RequestTokenRequest, Requested, Submitted, Threepid,
    TokenRequestContext, TokenRequestKey, Validation, ValidationRules,
};
use matrix_uia::server::reference::UserRef;
use matrix_uia::{BindingKey, Secret, SessionId, Timestamp};
use serde_json::json;

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_000);

fn asked(address: &str, secret: &str, purpose: Purpose, requester: Option<UserRef>) -> TokenRequestKey {
    let medium = if address.contains('@') { Medium::Email } else { Medium::Msisdn };
    let threepid = Threepid::parse(medium, address.into()).unwrap();
    TokenRequestKey::new(&KEY, purpose, requester, threepid, Secret::new(secret), 1)
}

/// A validation whose token is that of its address alone.
fn begun(asked: &TokenRequestKey) -> Validation {
    let token = KEY.validation_token(Secret::new(asked.threepid().address()));
    match Validation::request(None, asked, Delivery::Token, token, &ValidationRules::default(), NOW) {
        Requested::New(validation) => validation,
        other => panic!("{other:?}"),
    }
}

fn submit(found: Option<Validation>, secret: &str, token: &str) -> Submitted {
    let (secret, token) = (KEY.client_secret(Secret::new(secret)), KEY.validation_token(Secret::new(token)));
    Validation::submit(found, secret, token, &ValidationRules::default(), NOW)
}

fn claim(found: Option<Validation>, session: u8) -> Claimed {
    let session = KEY.claimant(SessionId::from_entropy([session; 24]));
    let secret = KEY.client_secret(Secret::new("secret"));
    let how = ClaimBy::Credentials { medium: Medium::Email, secret };
    Validation::claim(found, how, Purpose::Reset, session, None, &ValidationRules::default(), NOW)
}

#[test]
fn lesson_17_what_a_validation_keeps_has_a_bound() {
    for key in ["client_secret", "email", "next_link", "id_server"] {
        let mut body = json!({"client_secret": "s", "email": "a@b", "send_attempt": 1});
        body[key] = match key {
            "email" => format!("{}@b", "a".repeat(60_000)),
            "next_link" => format!("https://{}", "a".repeat(60_000)),
            _ => "a".repeat(60_000),
        }
        .into();
        assert!(RequestTokenRequest::parse(Medium::Email, body.to_string().as_bytes()).is_err(), "{key}");
    }
}

#[test]
fn lesson_25_a_proof_stays_with_the_session_that_claimed_it() {
    let Submitted::Validated(proof) =
        submit(Some(begun(&asked("a@b", "secret", Purpose::Reset, None))), "secret", "a@b")
    else {
        panic!("not validated")
    };
    let Claimed::Granted(claimed) = claim(Some(proof), 1) else { panic!("not granted") };
    assert_eq!(claim(Some(claimed.clone()), 2), Claimed::Refused);
    assert_eq!(claim(Some(claimed.clone()), 1), Claimed::Granted(claimed), "who has it may ask again");
}

#[test]
fn lesson_27_an_address_has_one_reading() {
    for two in ["a@evil@good", "a@evil,b@good", "<a@evil>b@good", "a@evil b@good", "\"a@evil\"@good"] {
        assert!(Threepid::parse(Medium::Email, two.into()).is_err(), "{two}");
    }
    let one = |address: &str| Threepid::parse(Medium::Email, address.into()).unwrap();
    assert_eq!(one("Alice@Example.org"), one("alice@EXAMPLE.org"));
    assert_ne!(one("m\u{131}ke@example.org"), one("mike@example.org"), "the dotless i is another letter");
}

#[test]
fn lesson_29_only_a_validation_of_our_own_counts() {
    // What an identity server calls validated has a sid that is not ours: there is nothing to claim.
    assert_eq!(claim(None, 1), Claimed::Refused);
    // And one of ours, whichever server the credentials name, is validated by our own token alone.
    let waiting = begun(&asked("a@b", "secret", Purpose::Reset, None));
    assert_eq!(claim(Some(waiting), 1), Claimed::NotYet);
}

#[test]
fn lesson_31_who_asks_learns_nothing_about_an_address() {
    for purpose in [Purpose::Register, Purpose::Reset, Purpose::Add] {
        let decide = |owner| {
            let circumstances = TokenRequestContext {
                purpose,
                owner,
                allowed: true,
                trusted: true,
                sendable: true,
                hide_existence: true,
            };
            circumstances.decide().unwrap()
        };
        // Two addresses that differ in who has them: what is sent differs, the steps do not.
        assert_ne!(decide(Owner::Nobody), decide(Owner::Another));
        let [seen, other] = [decide(Owner::Nobody), decide(Owner::Another)].map(|sending| {
            let asked = asked("a@b", "secret", purpose, None);
            let rules = ValidationRules::default();
            let token = KEY.validation_token(Secret::new("a@b"));
            let Requested::New(new) = Validation::request(None, &asked, sending, token, &rules, NOW) else {
                panic!("not new")
            };
            let again = Validation::request(Some(new.clone()), &asked, sending, token, &rules, NOW);
            let mut found = Some(new);
            let guesses: Vec<_> = (0..12)
                .map(|_| match submit(found.clone(), "secret", "guess") {
                    Submitted::Refused(changed, reject) => {
                        found = changed.or(found.clone());
                        reject
                    }
                    Submitted::Validated(_) => panic!("a guess was right"),
                })
                .collect();
            (again, guesses)
        });
        assert_eq!(seen, other, "{purpose:?}");
    }
}

#[test]
fn lesson_61_a_secret_used_for_a_second_address_validates_that_one_only() {
    let alice = UserRef::new(1);
    let victim = asked("victim@b", "secret", Purpose::Reset, None);
    let others = [
        asked("attacker@b", "secret", Purpose::Reset, None),
        asked("447700900001", "secret", Purpose::Reset, None),
        asked("victim@b", "another", Purpose::Reset, None),
        asked("victim@b", "secret", Purpose::Add, None),
        asked("victim@b", "secret", Purpose::Reset, Some(alice)),
        asked("victim@b", "secret", Purpose::Reset, Some(UserRef::new(0))),
    ];
    let begun_by_victim = begun(&victim);
    for other in &others {
        assert_ne!(other.identity(), victim.identity());
        // Even a host that looks it up by less is not misled.
        let token = KEY.validation_token(Secret::new("attacker@b"));
        let rules = ValidationRules::default();
        let requested =
            Validation::request(Some(begun_by_victim.clone()), other, Delivery::Token, token, &rules, NOW);
        assert!(matches!(requested, Requested::New(_)));
    }
    let same = asked("Victim@B", "secret", Purpose::Reset, None);
    assert_eq!(same.identity(), victim.identity());
    assert_eq!(begun_by_victim.identity(&KEY), victim.identity());
    // The token that went to the attacker's address is wrong for the victim's.
    assert!(matches!(submit(Some(begun_by_victim), "secret", "attacker@b"), Submitted::Refused(..)));
}

#[test]
fn lesson_63_the_last_wrong_token_is_the_limits() {
    for limit in 0..4_u16 {
        for guesses in 0..6_u16 {
            let mut rules = ValidationRules::default();
            rules.max_wrong_tokens = limit;
            let mut found = begun(&asked("a@b", "secret", Purpose::Reset, None));
            let secret = KEY.client_secret(Secret::new("secret"));
            let with = |found, token| {
                let token = KEY.validation_token(Secret::new(token));
                Validation::submit(Some(found), secret, token, &rules, NOW)
            };
            for _ in 0..guesses {
                if let Submitted::Refused(Some(changed), _) = with(found.clone(), "guess") {
                    found = changed;
                }
            }
            let validated = matches!(with(found, "a@b"), Submitted::Validated(_));
            assert_eq!(validated, guesses < limit, "{guesses} of {limit}");
        }
    }
}
