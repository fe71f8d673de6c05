//! What both sides can hold comes back as it went.

use matrix_uia::ruma::{Encoded, Unconvertible, auth_data};
use matrix_uia::wire::error::{AnyCode, ErrorBody, ErrorCode, MatrixError};
use matrix_uia::wire::{Auth, AuthType, ChallengeBody, ThreepidCreds, UserIdentifier};
use matrix_uia::{Millis, Secret, Text};
use proptest::prelude::*;
use ruma_client_api::uiaa;
use ruma_common::api::error as theirs;
use serde_json::{Value, json};

use super::{
    any_json, auth_keys, auth_shape, config, error_of, identifier, name, object, shape, text, written,
};

proptest! {
    #![proptest_config(config())]

    /// Ours, to ruma's, and back.
    #[test]
    fn an_auth_dict_of_ours_comes_back(keys in auth_keys()) {
        let json = object(&keys);
        let Ok(ours) = Auth::parse(json.as_bytes()) else { return Ok(()) };
        match auth_data(&ours) {
            Ok(theirs) => {
                let encoded = Encoded::auth(theirs.as_ref());
                prop_assert_eq!(written(&Auth::parse(encoded.as_bytes()).unwrap()), written(&ours));
            }
            Err(Unconvertible::Malformed(_)) => {
                let malformed = matches!(ours, Auth::Attempt { data: Err(_), .. });
                prop_assert!(malformed);
            }
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }

    /// Ruma's, to ours, and back, wherever ours takes it.
    #[test]
    fn an_auth_dict_of_ruma_comes_back(keys in auth_keys()) {
        let Ok(theirs) = serde_json::from_str::<uiaa::AuthData>(&object(&keys)) else { return Ok(()) };
        let encoded = Encoded::from(&theirs);
        let Ok(ours) = Auth::parse(encoded.as_bytes()) else { return Ok(()) };
        if let Ok(back) = auth_data(&ours) {
            prop_assert_eq!(auth_shape(&back.unwrap()), auth_shape(&theirs));
        }
    }

    #[test]
    fn an_identifier_comes_back(json in identifier()) {
        let Ok(theirs) = serde_json::from_value::<uiaa::UserIdentifier>(json) else { return Ok(()) };
        if let Ok(ours) = UserIdentifier::try_from(&theirs) {
            prop_assert_eq!(uiaa::UserIdentifier::from(ours), theirs);
        }
    }

    /// Every flow, stage, param and key of an error that both have.
    #[test]
    fn a_challenge_comes_back(
        flows in prop::collection::vec(prop::collection::vec(name(), 1..4), 0..4),
        completed in prop::collection::vec(name(), 0..3),
        params in prop::option::of(prop::collection::btree_map(name(), any_json(), 0..3)),
        session in prop::option::of(text()),
        error in prop::option::of((prop::sample::select(ErrorCode::ALL), text())),
    ) {
        let mut body = json!({"completed": completed});
        body["flows"] = flows.into_iter().map(|stages| json!({"stages": stages})).collect();
        if let Some(params) = params {
            body["params"] = json!(params);
        }
        if let Some(session) = session {
            body["session"] = session.into();
        }
        if let Some((code, message)) = error {
            body["errcode"] = code.name().into();
            body["error"] = message.into();
        }
        let body = body.to_string();
        let ours = ChallengeBody::parse(body.as_bytes()).unwrap();
        let encoded = Encoded::from(&uiaa::UiaaInfo::try_from(&ours).unwrap());
        let back = ChallengeBody::parse(encoded.as_bytes()).unwrap();
        let stages = |challenge: &ChallengeBody<'_>| {
            challenge.flows().map(|flow| flow.stages().map(|stage| stage.to_string()).collect()).collect::<Vec<Vec<_>>>()
        };
        prop_assert_eq!(stages(&back), stages(&ours));
        prop_assert!(back.completed().eq(ours.completed()));
        prop_assert_eq!(back.params(), ours.params());
        prop_assert_eq!(back.session.map(|s| s.expose()), ours.session.map(|s| s.expose()));
        prop_assert_eq!((back.code, back.message), (ours.code, ours.message));
    }

    #[test]
    fn a_rejection_comes_back(code in prop::sample::select(ErrorCode::ALL), status in 100_u16..1000, wait in 0_u64..1 << 40, soft in any::<bool>()) {
        let plain = MatrixError::new(code, "No.").with_status(status);
        let reject = match code {
            ErrorCode::LimitExceeded => MatrixError::limited(Millis::new(wait * 1000)).with_status(status),
            ErrorCode::UnknownToken if soft => plain.with_soft_logout(true),
            ErrorCode::UserLocked => plain.with_soft_logout(true),
            _ => plain,
        };
        let back = MatrixError::try_from(&theirs::Error::from(reject)).unwrap();
        prop_assert_eq!(
            (back.code(), back.status(), back.soft_logout(), back.retry_after()),
            (reject.code(), reject.status(), reject.soft_logout(), reject.retry_after())
        );
    }
}

#[test]
fn every_code_is_the_same_on_both_sides() {
    for code in ErrorCode::ALL {
        let theirs = theirs::ErrorCode::from(*code);
        assert_eq!(theirs.as_str(), code.name());
        assert_eq!(AnyCode::from(&theirs), AnyCode::Known(*code));
        // Whatever a code demands beside itself, it arrives as itself.
        let bare = error_of(&json!({"errcode": code.name()}).to_string());
        let error = bare.into_error(http::StatusCode::IM_A_TEAPOT);
        assert_eq!(error.error_kind().unwrap().errcode().as_str(), code.name());
        assert_eq!(MatrixError::try_from(&error).unwrap().code(), *code);
    }
    let custom = theirs::ErrorCode::from(AnyCode::Other(Text::new("COM.EXAMPLE_CODE")));
    assert_eq!(AnyCode::from(&custom), AnyCode::Other(Text::new("COM.EXAMPLE_CODE")));
}

#[test]
fn every_auth_type_is_the_same_on_both_sides() {
    for ours in AuthType::KNOWN {
        let theirs = uiaa::AuthType::from(*ours);
        assert_eq!(ours.name(), theirs.as_str());
        assert_eq!(AuthType::from(&theirs), *ours);
        assert!(!format!("{theirs:?}").contains("Custom"), "{theirs:?} is a variant of ruma's");
    }
    let custom = uiaa::AuthType::from(AuthType::custom("org.example.pin"));
    assert_eq!(AuthType::from(&custom), AuthType::custom("org.example.pin"));
}

#[test]
fn the_keys_of_an_error_survive() {
    for body in [
        json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Wait.", "retry_after_ms": 1_500}),
        json!({"errcode": "M_UNKNOWN_TOKEN", "error": "", "soft_logout": true}),
        json!({"errcode": "M_USER_LOCKED", "error": "", "soft_logout": true}),
        json!({"errcode": "M_RESOURCE_LIMIT_EXCEEDED", "error": "", "admin_contact": "mailto:a@b"}),
        json!({"errcode": "M_USER_LIMIT_EXCEEDED", "error": "", "info_uri": "https://x", "can_upgrade": true}),
        json!({"errcode": "M_INCOMPATIBLE_ROOM_VERSION", "error": "", "room_version": "11"}),
        json!({"errcode": "M_WRONG_ROOM_KEYS_VERSION", "error": "", "current_version": "7"}),
        json!({"errcode": "M_BAD_STATUS", "error": "", "status": 502, "body": "<html>"}),
        json!({"errcode": "M_CONSENT_NOT_GIVEN", "error": "", "consent_uri": "https://x"}),
        json!({"errcode": "COM.EXAMPLE", "error": "caf\u{e9}", "deep": {"er": [1, null]}}),
        json!({"no": "errcode"}),
    ] {
        let theirs = error_of(&body.to_string());
        let encoded = Encoded::from(&theirs);
        let back = ErrorBody::parse(encoded.as_bytes()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(back.whole.as_str()).unwrap(), body);
    }
}

/// A challenge may say how long to wait, too.
#[test]
fn the_error_of_a_challenge_has_all_its_keys() {
    let body = json!({"flows": [], "errcode": "M_LIMIT_EXCEEDED", "error": "Wait.", "retry_after_ms": 9});
    let info = super::info_of(&body.to_string()).unwrap();
    assert_eq!(shape(&info), body);
    let custom = json!({"flows": [], "session": "s", "errcode": "COM.EXAMPLE", "error": "", "more": 1});
    assert_eq!(shape(&super::info_of(&custom.to_string()).unwrap()), custom);
}

#[test]
fn credentials_come_back() {
    let mut ours = ThreepidCreds::new(Text::new("sid-1"), Secret::new("secret=1"));
    ours.id_server = Some(Text::new("id.example.org"));
    ours.id_access_token = Some(Secret::new("token"));
    let theirs = uiaa::ThirdpartyIdCredentials::try_from(&ours).unwrap();
    let back = ThreepidCreds::try_from(&theirs).unwrap();
    assert_eq!((back.sid, back.id_server), (ours.sid, ours.id_server));
    assert_eq!(back.client_secret.expose(), "secret=1");
    assert_eq!(back.id_access_token.unwrap().expose(), "token");
}
