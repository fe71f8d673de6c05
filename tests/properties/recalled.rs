//! What a client remembers to save work makes no difference: a progress that is read back
//! after every answer has forgotten it, and goes the same way.

use matrix_uia::client::{Answer, Call, CallName, Client, Medium, Next, Progress, Prompt, Request, Ticket};
use matrix_uia::wire::{AuthType, Raw, ThreepidCreds, UserIdentifier};
use matrix_uia::{Millis, Secret, Timestamp};
use proptest::prelude::*;

use super::config;

const FLOWS: [&str; 6] = [
    r#"[{"stages":["m.login.password"]},{"stages":["m.login.password","m.login.msisdn"]}]"#,
    r#"[{"stages":["m.login.recaptcha","m.login.password"]},{"stages":["m.login.terms"]}]"#,
    r#"[{"stages":["org.example.pin","m.login.dummy"]},{"stages":["m.login.email.identity"]}]"#,
    r#"[{"stages":["m.login.sso"]},{"stages":["m.oauth"]},{"stages":["m.login.registration_token"]}]"#,
    r#"[ {"stages":["m.login.password"]} ,{"stages":["m.login.password","m.login.msisdn"]}]"#,
    r#"[{"stages":["m.login.dummy","m.login.password"]}]"#,
];
const PARAMS: [&str; 4] = [
    "{}",
    r#"{"m.login.recaptcha":{"public_key":"k"}}"#,
    r#"{"m.login.terms":{"policies":{}},"m.login.recaptcha":{"public_key":"other"}}"#,
    r#"{"m.oauth":{"url":"https://example.org"}}"#,
];
const COMPLETED: [&str; 4] =
    ["[]", r#"["m.login.password"]"#, r#"["m.login.dummy"]"#, r#"[ "m.login.password" ]"#];
const SESSIONS: [&str; 5] = [r#""s""#, r#""\u0073""#, r#""t""#, r#""""#, "null"];
const CODES: [&str; 3] = [r#""M_FORBIDDEN""#, r#""M_UNAUTHORIZED""#, r#""COM.EXAMPLE""#];
const MESSAGES: [&str; 2] = [r#""No.""#, r#""\"No.\"""#];

/// A body with these keys, the first of its values for each, or none.
fn body() -> impl Strategy<Value = String> {
    let one_of = |values: &'static [&'static str]| prop::option::weighted(0.8, prop::sample::select(values));
    let error = prop::option::of((prop::sample::select(&CODES[..]), prop::sample::select(&MESSAGES[..])));
    (one_of(&FLOWS), one_of(&PARAMS), one_of(&COMPLETED), one_of(&SESSIONS), error, any::<bool>()).prop_map(
        |(flows, params, completed, session, error, turned)| {
            let (code, message) = error.unzip();
            let mut keys = [
                ("flows", flows),
                ("params", params),
                ("completed", completed),
                ("session", session),
                ("errcode", code),
                ("error", message),
            ];
            if turned {
                keys.reverse();
            }
            let keys: Vec<String> =
                keys.iter().filter_map(|(key, value)| Some(format!("\"{key}\":{}", (*value)?))).collect();
            format!("{{{}}}", keys.join(","))
        },
    )
}

/// What happens after a request was sent.
#[derive(Clone, Debug)]
enum Event {
    /// One of the bodies comes, with that status.
    Body(prop::sample::Index, u16),
    NoAnswer,
    NotSent,
}

/// What changes before the next step.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Client(usize),
    Address(bool),
}

fn steps() -> impl Strategy<Value = Vec<(Change, Event)>> {
    let event = prop_oneof![
        12 => any::<prop::sample::Index>().prop_map(|index| Event::Body(index, 401)),
        1 => (any::<prop::sample::Index>(), prop::sample::select(vec![400, 403, 429, 502]))
            .prop_map(|(index, status)| Event::Body(index, status)),
        1 => Just(Event::NoAnswer),
        1 => Just(Event::NotSent),
    ];
    let change = prop_oneof![
        6 => Just(Change::Nothing),
        1 => (0..3_usize).prop_map(Change::Client),
        1 => any::<bool>().prop_map(Change::Address),
    ];
    prop::collection::vec((change, event), 1..16)
}

/// The request that a step comes to, if it comes to one, and what else is to be seen of it.
fn step<const N: usize>(
    client: &Client<'_>,
    progress: &mut Progress<N>,
    now: &mut Timestamp,
) -> (Option<Ticket>, String) {
    let mut seen = String::new();
    for _ in 0..8 {
        let next = client.next(progress, *now);
        seen.push_str(&format!("{next:?}\n"));
        let request = match next {
            Next::Send(request) => request,
            Next::Prompt(prompt) => answer(prompt),
            Next::Page(page) => {
                page.opened(*now);
                continue;
            }
            Next::RequestToken(token) => {
                token.sent(*now);
                continue;
            }
            Next::Uncertain(uncertain) => {
                uncertain.go_on();
                continue;
            }
            Next::Wait { until, .. } => {
                *now = until;
                continue;
            }
            _ => break,
        };
        let call = Call::new("walk", Raw::parse("{}").unwrap()).unwrap();
        request.write(&call, &mut seen).unwrap();
        return (Some(request.ticket()), seen);
    }
    (None, seen)
}

fn answer(prompt: Prompt<'_>) -> Request<'_> {
    let data = Raw::parse("{}").unwrap();
    match prompt {
        Prompt::Password(it) => it.answer(UserIdentifier::User("alice".into()), Secret::new("wonderland")),
        Prompt::Recaptcha(it) => it.answer(Secret::new("a response")),
        Prompt::Terms(it) => it.accept(),
        Prompt::RegistrationToken(it) => it.answer(Secret::new("token")),
        Prompt::Threepid(it) => it.answer(ThreepidCreds::new("sid".into(), Secret::new("secret"))),
        Prompt::Custom(it) => it.answer(data),
        other => panic!("{other:?}"),
    }
}

/// Both ways; `N` bytes are kept of a challenge.
fn agree<const N: usize>(bodies: &[String], steps: &[(Change, Event)]) -> Result<(), TestCaseError> {
    let pin = AuthType::custom("org.example.pin");
    let some = [AuthType::Password, AuthType::EmailIdentity, AuthType::Recaptcha, AuthType::Terms];
    let others = [AuthType::Password, AuthType::RegistrationToken, pin];
    let clients = [Client::new(&some), Client::new(&others).with_browser(), Client::new(&some).unattended()];
    let mut client = clients[0];
    let mut remembers = Progress::<N>::new(CallName::new("walk").unwrap());
    let mut forgets = remembers.clone();
    let mut now = Timestamp::from_millis(1_000);
    for (change, event) in steps {
        match change {
            Change::Nothing => {}
            Change::Client(index) => client = clients[*index],
            Change::Address(given) => {
                for progress in [&mut remembers, &mut forgets] {
                    if *given {
                        progress.address_given(Medium::Email);
                    } else {
                        progress.address_withdrawn(Medium::Email);
                    }
                }
            }
        }
        let mut later = now;
        let (ticket, seen) = step(&client, &mut remembers, &mut now);
        let (same_ticket, seen_again) = step(&client, &mut forgets, &mut later);
        prop_assert_eq!(seen, seen_again);
        prop_assert_eq!((ticket, now), (same_ticket, later));
        let Some(ticket) = ticket else { break };
        for progress in [&mut remembers, &mut forgets] {
            match event {
                Event::Body(index, status) => {
                    let body = bodies[index.index(bodies.len())].as_bytes();
                    let _ = client.receive(progress, ticket, Answer::new(*status, body), now);
                }
                Event::NoAnswer => client.no_answer(progress, ticket, now),
                Event::NotSent => client.not_sent(progress, ticket),
            }
        }
        let stored = serde_json::to_string(&forgets).unwrap();
        prop_assert_eq!(&serde_json::to_string(&remembers).unwrap(), &stored);
        forgets = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&forgets, &remembers);
        now = now.after(Millis::new(1));
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_client_that_remembers_goes_the_way_of_one_that_forgets(
        bodies in prop::collection::vec(body(), 1..4),
        steps in steps(),
    ) {
        agree::<1024>(&bodies, &steps)?;
        // Room for parts of a body more often than for all of it.
        agree::<160>(&bodies, &steps)?;
    }
}
