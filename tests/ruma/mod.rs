//! The conversions from and to ruma's types: each way and back, and against ruma's own
//! parser.

mod differential;
mod kept;
mod known_bugs;
mod lost;
mod requests;

use matrix_uia::ruma::{Encoded, Unconvertible, auth_data};
use matrix_uia::wire::error::ErrorBody;
use matrix_uia::wire::{Auth, ChallengeBody};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use ruma_client_api::uiaa;
use ruma_common::api::error as theirs;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Few by default; `PROPTEST_CASES` raises the number.
fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(1_000),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    }
}

/// Ruma's types have no equality: what they write says whether they are the same.
fn shape(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// The same of an auth dict, without what stands beside the keys of single sign-on: ruma,
/// which has no variant for it, keeps all.
fn auth_shape(auth: &uiaa::AuthData) -> Value {
    let mut shape = shape(auth);
    if shape.get("type").is_some_and(|name| name == "m.login.sso")
        && let Some(dict) = shape.as_object_mut()
    {
        dict.retain(|key, _| key == "type" || key == "session");
    }
    shape
}

/// A body with its keys in the order given, and twice those that are given twice.
fn object(keys: &[(String, Value)]) -> String {
    let keys: Vec<String> =
        keys.iter().map(|(key, value)| format!("{}:{value}", Value::from(key.as_str()))).collect();
    format!("{{{}}}", keys.join(","))
}

fn to_ruma(json: &str) -> Result<Option<uiaa::AuthData>, Unconvertible> {
    auth_data(&Auth::parse(json.as_bytes()).unwrap())
}

fn written(auth: &Auth<'_>) -> Value {
    let mut out = String::new();
    auth.write(&mut out).unwrap();
    serde_json::from_str(&out).unwrap()
}

fn info_of(json: &str) -> Result<uiaa::UiaaInfo, Unconvertible> {
    uiaa::UiaaInfo::try_from(&ChallengeBody::parse(json.as_bytes()).unwrap())
}

fn error_of(json: &str) -> theirs::ErrorBody {
    theirs::ErrorBody::from(&ErrorBody::parse(json.as_bytes()).unwrap())
}

/// A body of ruma's as it goes out.
fn error_shape(body: &theirs::ErrorBody) -> Value {
    serde_json::from_slice(Encoded::from(body).as_bytes()).unwrap()
}

/// Short text, with what JSON escapes in it, and what the grammars refuse.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-zA-Z0-9._=-]{1,12}",
        1 => "[a-z~\"\\\\\n/é😀 @:]{0,12}",
        1 => Just(String::new()),
    ]
}

/// Any JSON that isn't deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "m.login.password",
        "m.login.recaptcha",
        "m.login.sso",
        "m.login.email.identity",
        "m.login.msisdn",
        "m.login.dummy",
        "m.login.registration_token",
        "m.login.terms",
        "m.oauth",
        "org.matrix.cross_signing_reset",
        "m.registration_token",
        "org.example.pin",
    ])
    .prop_map(str::to_owned)
}

fn identifier() -> impl Strategy<Value = Value> {
    let of = |kind: &'static str, keys: [&'static str; 2]| {
        (text(), text()).prop_map(move |(a, b)| json!({"type": kind, keys[0]: a, keys[1]: b}))
    };
    prop_oneof![
        4 => text().prop_map(|user| json!({"type": "m.id.user", "user": user})),
        2 => (prop::sample::select(vec!["email", "msisdn", "org.example"]), text())
            .prop_map(|(medium, address)| json!({"type": "m.id.thirdparty", "medium": medium, "address": address})),
        2 => ("[A-Z]{2}", text())
            .prop_map(|(country, phone)| json!({"type": "m.id.phone", "country": country, "phone": phone})),
        1 => of("m.id.phone", ["country", "phone"]),
        1 => of("org.example.id", ["user", "x"]),
        1 => any_json(),
    ]
}

fn creds() -> impl Strategy<Value = Value> {
    (text(), text(), prop::option::of(text()), prop::option::of(text())).prop_map(
        |(sid, secret, server, token)| {
            let mut creds = json!({"sid": sid, "client_secret": secret});
            if let Some(server) = server {
                creds["id_server"] = server.into();
            }
            if let Some(token) = token {
                creds["id_access_token"] = token.into();
            }
            creds
        },
    )
}

/// An auth dict that mostly makes sense: the keys of every stage, some of them odd.
fn auth_keys() -> impl Strategy<Value = Vec<(String, Value)>> {
    let keys = prop_oneof![
        4 => identifier().prop_map(|value| ("identifier", value)),
        4 => text().prop_map(|value| ("password", value.into())),
        4 => text().prop_map(|value| ("response", value.into())),
        4 => text().prop_map(|value| ("token", value.into())),
        4 => creds().prop_map(|value| ("threepid_creds", value)),
        1 => creds().prop_map(|value| ("threepidCreds", value)),
        1 => (prop::sample::select(vec!["user", "medium", "address", "other"]), any_json()),
        1 => (prop::sample::select(vec!["password", "token", "identifier", "threepid_creds"]), any_json()),
    ]
    .prop_map(|(key, value)| (key.to_owned(), value));
    let auth_type = prop_oneof![10 => name().prop_map(Value::from), 1 => any_json()];
    let session = prop_oneof![10 => text().prop_map(Value::from), 1 => any_json()];
    (prop::option::weighted(0.9, auth_type), prop::option::of(session), prop::collection::vec(keys, 0..16))
        .prop_map(|(auth_type, session, mut keys)| {
            keys.extend(auth_type.map(|value| ("type".to_owned(), value)));
            keys.extend(session.map(|value| ("session".to_owned(), value)));
            // Mostly no key twice: a refusal tells little.
            let mut seen = Vec::new();
            keys.retain(|(key, value)| {
                let again = seen.contains(key) && *value != Value::Bool(true);
                seen.push(key.clone());
                !again
            });
            keys
        })
        .prop_shuffle()
}
