//! Lessons about third-party identifiers and their validation.

use matrix_uia::endpoint::threepid::{
    AddressAuthority, ClaimBy, Claimant, Claimed, Delivery, Domain, Medium, Owner, Purpose,
    RequestTokenRequest, Requested, Submitted, Threepid, TokenRequestContext, TokenRequestKey, Validation,
    ValidationRules,
};
use matrix_uia::server::operation::{ChangePassword, Deactivate, Operation, Register};
use matrix_uia::server::reference::UserRef;
use matrix_uia::{BindingKey, Flows, FlowsBuffer, Secret, SessionId, Timestamp};
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
    let (policies, rules) = (AddressAuthority::new(), ValidationRules::default());
    match Validation::request(None, asked, Delivery::Token, token, &policies, &rules, NOW) {
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
    let claimant = Claimant { operation: ChangePassword::ID, session, user: None };
    Validation::claim(found, how, claimant, &AddressAuthority::new(), &ValidationRules::default(), NOW)
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
    // The dotless i is another letter, where it is known.
    let dotless = Threepid::parse(Medium::Email, "m\u{131}ke@example.org".into());
    assert_eq!(dotless.is_ok(), cfg!(feature = "unicode"));
    assert_ne!(dotless, Ok(one("mike@example.org")));
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
            let policies = AddressAuthority::new();
            let request = |found| Validation::request(found, &asked, sending, token, &policies, &rules, NOW);
            let Requested::New(new) = request(None) else { panic!("not new") };
            let again = request(Some(new.clone()));
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
        let policies = AddressAuthority::new();
        let found = Some(begun_by_victim.clone());
        let requested = Validation::request(found, other, Delivery::Token, token, &policies, &rules, NOW);
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

const EMAIL: &[&str] = &["m.login.email.identity"];

fn guarded<Op: Operation>(policies: AddressAuthority, stages: &[&str]) -> AddressAuthority {
    let mut buffer = FlowsBuffer::<256>::new();
    let flows = Flows::<Op>::in_buffer([stages.iter()], None, &mut buffer).unwrap();
    policies.with(&flows).unwrap()
}

#[test]
fn lesson_86_an_address_authorises_nothing_that_its_page_does_not_name() {
    let fewer = AddressAuthority::new();
    let more = guarded::<Deactivate>(fewer.clone(), EMAIL);
    let rules = ValidationRules::default();
    let sent = |policies: &AddressAuthority| {
        let asked = asked("a@b", "secret", Purpose::Reset, None);
        let token = KEY.validation_token(Secret::new("a@b"));
        match Validation::request(None, &asked, Delivery::Token, token, policies, &rules, NOW) {
            Requested::New(new) => new,
            other => panic!("{other:?}"),
        }
    };
    let claims = |found: &Validation, policies: &AddressAuthority, operation| {
        let Submitted::Validated(proof) = submit(Some(found.clone()), "secret", "a@b") else { panic!() };
        let session = KEY.claimant(SessionId::from_entropy([1; 24]));
        let claimant = Claimant { operation, session, user: None };
        let claimed = Validation::claim(Some(proof), ClaimBy::Awaited, claimant, policies, &rules, NOW);
        matches!(claimed, Claimed::Granted(_))
    };
    let words = |found: &Validation, policies: &AddressAuthority| found.authorises(policies).to_string();
    let (narrow, wide) = (sent(&fewer), sent(&more));
    assert_eq!(words(&narrow, &fewer), "change your password");
    assert_eq!(words(&wide, &more), "change your password, deactivate your account");
    assert!(claims(&narrow, &fewer, ChangePassword::ID) && claims(&wide, &more, ChangePassword::ID));
    assert!(claims(&wide, &more, Deactivate::ID));
    assert!(!claims(&narrow, &fewer, Deactivate::ID), "it was not named");
    // The server was started again with other policies: the message said something else.
    assert!(!claims(&narrow, &more, Deactivate::ID) && !claims(&narrow, &more, ChangePassword::ID));
    // Who asks again gets a message that says it.
    let again = asked("a@b", "secret", Purpose::Reset, None);
    let token = KEY.validation_token(Secret::new("a@b"));
    let again = Validation::request(Some(narrow), &again, Delivery::Token, token, &more, &rules, NOW);
    assert!(matches!(again, Requested::New(_)));
    // A registration's authorises a registration, whatever the policies guard.
    let registration = begun(&asked("a@b", "secret", Purpose::Register, None));
    assert!(claims(&registration, &fewer, Register::ID) && claims(&registration, &more, Register::ID));
    for operation in [ChangePassword::ID, Deactivate::ID] {
        assert!(!claims(&registration, &more, operation));
    }
}

#[test]
fn lesson_87_a_denied_domain_has_no_second_spelling() {
    let denied = Domain::parse("denied.example".into()).unwrap();
    let parse = |address: &str| Threepid::parse(Medium::Email, address.into());
    for same in ["a@denied.example", " A@DENIED.Example\t"] {
        assert!(parse(same).unwrap().is_in_domain(&denied), "{same}");
    }
    // What a mail server's library maps onto it is refused until it has been mapped.
    let full_width = "ｄｅｎｉｅｄ.example";
    for other in [full_width, "denied。example", "den\u{ad}ied.example", "denied.ex\u{200b}ample"] {
        let address = format!("a@{other}");
        assert!(parse(&address).is_err(), "{address}");
        let mapped = |_: &str| Domain::parse("denied.example".into()).ok();
        match Threepid::parse_international(address.as_str().into(), mapped) {
            Ok(threepid) => assert!(threepid.is_in_domain(&denied), "{address}"),
            Err(refusal) => assert_eq!(refusal.code().name(), "M_INVALID_PARAM", "{address}"),
        }
    }
    // The list itself can't have an entry that nothing is compared with.
    assert!(Domain::parse(full_width.into()).is_err());
    for hidden in ["al\u{200b}ice@b", "\u{202e}alice@b", "alice\0@b", "al\u{ad}ice@b", "alice@b\u{feff}"] {
        assert!(parse(hidden).is_err(), "{hidden:?}");
    }
}
