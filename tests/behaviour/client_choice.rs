//! Rule C2: which flow is chosen, as a table and as a property.

use matrix_uia::client::{Client, Medium};
use matrix_uia::wire::AuthType;
use proptest::prelude::*;
use serde_json::json;

use crate::support::client::{ALL, Walk, completed, offer, with};

const EMAIL: u8 = 1;
const PHONE: u8 = 2;
const BROWSER: u8 = 4;

fn client(can: &'static [AuthType<'static>], with: u8) -> Client<'static> {
    let client = Client::new(can);
    if with & BROWSER != 0 { client.with_browser() } else { client }
}

/// What the first step is, with those addresses.
fn first(client: Client<'_>, with: u8, challenge: serde_json::Value) -> String {
    let mut walk = Walk::new(client);
    for (flag, medium) in [(EMAIL, Medium::Email), (PHONE, Medium::Msisdn)] {
        if with & flag != 0 {
            walk.progress.address_given(medium);
        }
    }
    walk.begin(challenge);
    walk.step()
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c02_the_flow_is_the_one_the_table_says() {
    const CAN: &[AuthType<'static>] = &[AuthType::Password, AuthType::EmailIdentity, AuthType::Msisdn];
    const P: &str = "m.login.password";
    const D: &str = "m.login.dummy";
    const E: &str = "m.login.email.identity";
    const M: &str = "m.login.msisdn";
    const X: &str = "x.x";
    const Y: &str = "y.y";
    const DUMMY: &str = r#"send {"session":"s","type":"m.login.dummy"}"#;
    const PAGE_X: &str = "page https://example.org/_matrix/client/v3/auth/x.x/fallback/web?session=s";
    type Row = (&'static [&'static [&'static str]], &'static [&'static str], u8, &'static str);
    let table: &[Row] = &[
        // Fewest that the application can't do.
        (&[&[X], &[P, D]], &[], BROWSER, "password"),
        (&[&[X, Y], &[X, P, D]], &[], BROWSER, PAGE_X),
        (&[&[X], &[P, D]], &[], 0, "password"),
        (&[&[X], &[Y]], &[], 0, "no flow x.x"),
        // Then the fewest.
        (&[&[P, D], &[D]], &[], 0, DUMMY),
        // Then the first.
        (&[&[P], &[D]], &[], 0, "password"),
        (&[&[D], &[P]], &[], 0, DUMMY),
        // An address: never without, preferred with.
        (&[&[D], &[E, D]], &[], 0, DUMMY),
        (&[&[D], &[E, D]], &[], EMAIL, "token email 1"),
        (&[&[D], &[E, D]], &[], PHONE, DUMMY),
        (&[&[E], &[M]], &[], PHONE, "token msisdn 1"),
        (&[&[E]], &[], 0, "address m.login.email.identity"),
        (&[&[E, X]], &[], 0, "no flow m.login.email.identity,x.x"),
        (&[&[X, E], &[P, D]], &[], EMAIL | BROWSER, "password"),
        // A flow whose beginning contradicts what has been completed is out.
        (&[&[D], &[P, X]], &[P], BROWSER, PAGE_X),
        (&[&[P], &[X, D]], &[X], 0, DUMMY),
        (&[&[P, D], &[X, P]], &[X, P, D], 0, "no flow "),
        (&[&[D, P]], &[P], 0, "no flow "),
        // In which order a server lists it is not what counts.
        (&[&[X, Y, D]], &[Y, X], 0, DUMMY),
        // A completed stage is never repeated.
        (&[&[P, D]], &[P], 0, DUMMY),
        (&[&[P]], &[P], 0, r#"send {"session":"s"}"#),
    ];
    for (flows, done, with, step) in table {
        let challenge = completed(flows, done);
        assert_eq!(first(client(CAN, *with), *with, challenge), *step, "{flows:?} {done:?} {with}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c02_a_flow_is_kept_until_it_is_no_longer_offered() {
    let mut walk = Walk::challenged(Client::new(ALL), offer(&[&["m.login.password", "org.example.pin"]]));
    assert_eq!(walk.step(), "password");
    walk.give();
    // A shorter one appears, in front.
    let both: &[&[&str]] =
        &[&["m.login.password", "m.login.dummy"], &["m.login.password", "org.example.pin"]];
    walk.reply(401, completed(both, &["m.login.password"]));
    assert_eq!(walk.step(), "org.example.pin");
    walk.give();
    walk.reply(401, completed(&both[..1], &["m.login.password"]));
    assert_eq!(walk.step(), r#"send {"session":"s","type":"m.login.dummy"}"#);
}

/// A captcha without its key, or policies that can't be shown, are none of the
/// application's. https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration
#[test]
fn c02_a_stage_whose_params_are_no_good_is_one_that_cannot_be_done() {
    for stage in ["m.login.recaptcha", "m.login.terms"] {
        let mut walk = Walk::challenged(Client::new(ALL), offer(&[&[stage]]));
        assert_eq!(walk.step(), format!("no flow {stage}"));
        let bad = with(offer(&[&[stage]]), json!({"params": {stage: {"public_key": 7, "policies": []}}}));
        let mut walk = Walk::challenged(Client::new(ALL).with_browser(), bad);
        assert!(walk.step().starts_with("page "));
    }
}

const STAGES: &[&str] =
    &["m.login.password", "m.login.dummy", "m.login.email.identity", "m.login.msisdn", "m.oauth", "x.x"];
const CAN: &[AuthType<'static>] =
    &[AuthType::Password, AuthType::EmailIdentity, AuthType::Msisdn, AuthType::custom("x.x")];

/// Whether that application can do the stage, by another road than the crate's.
fn doable(stage: &str, can: &[&str], with: u8) -> bool {
    let itself = can.contains(&stage) && stage != "m.oauth";
    match stage {
        "m.login.dummy" => true,
        "m.login.email.identity" => with & EMAIL != 0 && (itself || with & BROWSER != 0),
        "m.login.msisdn" => with & PHONE != 0 && (itself || with & BROWSER != 0),
        _ => itself || with & BROWSER != 0,
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    /// If any offered flow can be walked, one of those is; if none can, nothing is sent.
    /// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
    #[test]
    fn c02_if_any_flow_can_be_walked_one_of_those_is(
        flows in prop::collection::vec(prop::collection::vec(0..STAGES.len(), 1..4), 0..5),
        can in 0..16_u8,
        with in 0..8_u8,
        done in 0..3_usize,
        of in 0..5_usize,
    ) {
        let names: Vec<Vec<&str>> =
            flows.iter().map(|flow| flow.iter().map(|stage| STAGES[*stage]).collect()).collect();
        let names: Vec<&[&str]> = names.iter().map(Vec::as_slice).collect();
        let done: Vec<&str> = names.get(of).map_or(vec![], |flow| flow.iter().take(done).copied().collect());
        let can: Vec<AuthType<'_>> =
            CAN.iter().enumerate().filter(|(bit, _)| can & (1 << bit) != 0).map(|(_, stage)| *stage).collect();
        let can_names: Vec<String> = can.iter().map(ToString::to_string).collect();
        let can_names: Vec<&str> = can_names.iter().map(String::as_str).collect();
        let client = Client::new(&can);
        let client = if with & BROWSER != 0 { client.with_browser() } else { client };
        let mut walk = Walk::new(client);
        for (flag, medium) in [(EMAIL, Medium::Email), (PHONE, Medium::Msisdn)] {
            if with & flag != 0 {
                walk.progress.address_given(medium);
            }
        }
        walk.begin(completed(&names, &done));
        let step = walk.step();

        let left = |flow: &[&str]| -> Option<Vec<String>> {
            let open = flow.iter().position(|stage| !done.contains(stage)).unwrap_or(flow.len());
            let (before, after) = flow.split_at(open);
            let agrees = done.iter().all(|stage| before.contains(stage)) && !after.iter().any(|stage| done.contains(stage));
            let can_all = after.iter().all(|stage| doable(stage, &can_names, with));
            (agrees && can_all).then(|| after.iter().map(|stage| (*stage).to_owned()).collect())
        };
        let walkable: Vec<Vec<String>> = names.iter().filter_map(|flow| left(flow)).collect();
        if walkable.is_empty() {
            prop_assert!(step.starts_with("no flow") || step.starts_with("address"), "{}", step);
            prop_assert_eq!(walk.sent, 1);
        } else {
            let chosen: Vec<String> = walk
                .client
                .stages(&walk.progress)
                .filter(|(_, status)| *status != matrix_uia::client::StageStatus::Completed)
                .map(|(stage, _)| stage.to_string())
                .collect();
            prop_assert!(walkable.contains(&chosen), "{:?} of {:?}", chosen, walkable);
        }
    }
}
