//! Any body, read by ruma's parser and by ours with the conversion behind it: where ruma
//! takes it, both come to the same. What doesn't is listed here, and nowhere else.
//!
//! | ruma reads | we | why |
//! | --- | --- | --- |
//! | a key twice | refuse the body | two readers must not disagree |
//! | a `session` that is no string, with a custom type: as none | refuse the body | rule U6 |
//! | whatever else stands beside `m.login.sso` | ignore it | the stage has no other keys |
//! | text of any length, empty text, any token | `Malformed` | bounds and grammars |
//! | a `client_secret` of any script | `Malformed` | the spec's grammar |
//! | an identifier of a type of somebody's own | `Malformed` | the stage can't use it |
//! | a flow without stages | leave it out | there is nothing to complete |
//! | `params` that are no object | leave them out | as if they weren't there |
//! | `errcode` without `error`: no error at all | keep the code | lesson 55 |

use matrix_uia::ruma::auth_data;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::wire::{Auth, ChallengeBody, MAX_PASSWORD_LEN, ParseError};
use proptest::prelude::*;
use ruma_client_api::uiaa;
use ruma_common::api::error as theirs;
use serde_json::{Value, json};

use super::{any_json, auth_keys, auth_shape, config, error_of, error_shape, name, object, shape, text};

fn bounded(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max
}

fn opaque(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c))
}

fn creds_in_bounds(creds: &uiaa::ThirdpartyIdCredentials) -> bool {
    creds.client_secret.as_str().is_ascii()
        && creds.id_server.as_deref().is_none_or(|server| bounded(server, 255))
        && creds.id_access_token.as_deref().is_none_or(|token| bounded(token, 1024))
}

/// Whether what ruma has read keeps to the bounds and grammars, said once more in plain words.
fn in_bounds(auth: &uiaa::AuthData) -> bool {
    match auth {
        uiaa::AuthData::Password(data) => {
            let named = match &data.identifier {
                uiaa::UserIdentifier::Matrix(id) => bounded(&id.user, 255),
                uiaa::UserIdentifier::PhoneNumber(id) => bounded(&id.country, 2) && bounded(&id.phone, 255),
                other => other
                    .as_third_party_id()
                    .is_some_and(|(medium, address)| bounded(medium.as_str(), 255) && bounded(address, 255)),
            };
            named && bounded(&data.password, MAX_PASSWORD_LEN)
        }
        uiaa::AuthData::ReCaptcha(data) => bounded(&data.response, 8 * 1024),
        uiaa::AuthData::RegistrationToken(data) => bounded(&data.token, 64) && opaque(&data.token),
        uiaa::AuthData::EmailIdentity(data) => creds_in_bounds(&data.thirdparty_id_creds),
        uiaa::AuthData::Msisdn(data) => creds_in_bounds(&data.thirdparty_id_creds),
        _ => true,
    }
}

/// Every key once, as it came first.
fn once(mut keys: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let mut seen: Vec<String> = Vec::new();
    keys.retain(|(key, _)| {
        !seen.contains(key) && {
            seen.push(key.clone());
            true
        }
    });
    keys
}

fn error_keys() -> impl Strategy<Value = Vec<(String, Value)>> {
    let known = prop::sample::select(ErrorCode::ALL).prop_map(|code| Value::from(code.name()));
    let code = prop_oneof![8 => known, 1 => Just(json!("COM.EXAMPLE")), 1 => any_json()];
    let typical = prop_oneof![
        any::<u32>().prop_map(|wait| ("retry_after_ms", wait.into())),
        any::<bool>().prop_map(|soft| ("soft_logout", soft.into())),
        any::<bool>().prop_map(|can| ("can_upgrade", can.into())),
        text().prop_map(|text| ("admin_contact", text.into())),
        text().prop_map(|text| ("info_uri", text.into())),
        text().prop_map(|text| ("room_version", text.into())),
        text().prop_map(|text| ("current_version", text.into())),
        any::<u16>().prop_map(|status| ("status", status.into())),
        text().prop_map(|text| ("body", text.into())),
        any_json().prop_map(|value| ("retry_after_ms", value)),
        any_json().prop_map(|value| ("other", value)),
        any_json().prop_map(|value| ("status", value)),
    ]
    .prop_map(|(key, value)| (key.to_owned(), value));
    let error = prop_oneof![8 => text().prop_map(Value::from), 1 => any_json()];
    (
        prop::option::weighted(0.9, code),
        prop::option::weighted(0.9, error),
        prop::collection::vec(typical, 0..5),
    )
        .prop_map(|(code, error, mut keys)| {
            keys.extend(code.map(|value| ("errcode".to_owned(), value)));
            keys.extend(error.map(|value| ("error".to_owned(), value)));
            once(keys)
        })
        .prop_shuffle()
}

fn challenge_keys() -> impl Strategy<Value = Vec<(String, Value)>> {
    let flow = prop_oneof![
        8 => prop::collection::vec(name(), 0..4).prop_map(|stages| json!({"stages": stages})),
        1 => Just(json!({})),
        1 => any_json(),
    ];
    let own = prop_oneof![
        6 => prop::collection::vec(flow, 0..4).prop_map(|flows| ("flows", flows.into())),
        3 => prop::collection::vec(name(), 0..3).prop_map(|stages| ("completed", json!(stages))),
        3 => prop::collection::btree_map(name(), any_json(), 0..3).prop_map(|params| ("params", json!(params))),
        3 => text().prop_map(|session| ("session", session.into())),
        1 => (prop::sample::select(vec!["flows", "completed", "params", "session", "more"]), any_json()),
    ]
    .prop_map(|(key, value)| (key.to_owned(), value));
    (prop::collection::vec(own, 1..7), prop_oneof![Just(Vec::new()), error_keys()])
        .prop_map(|(mut keys, error)| {
            keys.extend(error);
            once(keys)
        })
        .prop_shuffle()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn auth_dicts_are_read_alike(keys in auth_keys()) {
        let json = object(&keys);
        let Ok(theirs) = serde_json::from_str::<uiaa::AuthData>(&json) else { return Ok(()) };
        match Auth::parse(json.as_bytes()) {
            Err(ParseError::DuplicateKey) => {}
            Err(ParseError::WrongType) => {
                let session = keys.iter().find(|(key, _)| key == "session").map(|(_, value)| value);
                prop_assert!(session.is_some_and(|session| !session.is_string() && !session.is_null()), "{}", json);
                prop_assert_eq!(theirs.session(), None);
            }
            Err(other) => prop_assert!(false, "{:?} {}", other, json),
            Ok(Auth::Attempt { data: Err(_), .. }) => prop_assert!(!in_bounds(&theirs), "{}", json),
            Ok(ours) => {
                prop_assert!(in_bounds(&theirs), "{}", json);
                prop_assert_eq!(auth_shape(&auth_data(&ours).unwrap().unwrap()), auth_shape(&theirs));
            }
        }
    }

    #[test]
    fn challenges_are_read_alike(keys in challenge_keys()) {
        let json = object(&keys);
        let Ok(mut theirs) = serde_json::from_str::<uiaa::UiaaInfo>(&json) else { return Ok(()) };
        let ours = match ChallengeBody::parse(json.as_bytes()) {
            Err(refused) => {
                prop_assert_eq!(refused, ParseError::DuplicateKey);
                return Ok(());
            }
            Ok(body) => uiaa::UiaaInfo::try_from(&body).unwrap(),
        };
        let stages: Vec<Value> =
            keys.iter().find(|(key, _)| key == "flows").and_then(|(_, flows)| flows.as_array()).cloned().unwrap();
        let mut listed = stages.iter().map(|flow| flow.get("stages").is_some());
        theirs.flows.retain(|_| listed.next().unwrap());
        theirs.params = theirs.params.filter(|params| params.get().starts_with('{'));
        if theirs.auth_error.is_some() {
            prop_assert_eq!(shape(&ours), shape(&theirs));
        } else {
            // Whatever cost ruma the error, the state is the same without it.
            let without = { let mut ours = ours; ours.auth_error = None; ours };
            prop_assert_eq!(shape(&without), shape(&theirs));
        }
    }

    #[test]
    fn errors_are_read_alike(keys in error_keys()) {
        let json = object(&keys);
        if let Ok(theirs) = serde_json::from_str::<theirs::StandardErrorBody>(&json) {
            prop_assert_eq!(error_shape(&error_of(&json)), shape(&theirs));
        }
    }
}
