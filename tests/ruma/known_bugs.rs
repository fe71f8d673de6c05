//! What is wrong in `ruma-client-api` 0.25.2 (lessons 48 and 54 to 58) and stays there. Each
//! test first shows the bug where it is: if that fails, ruma has mended it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::ruma::Encoded;
use matrix_uia::wire::error::{AnyCode, ErrorCode};
use matrix_uia::wire::{Auth, AuthData, AuthType, ChallengeBody};
use proptest::prelude::*;
use ruma_client_api::account::change_password::v3 as password;
use ruma_client_api::session::login::v3 as login;
use ruma_client_api::uiaa;
use ruma_common::api::IncomingRequestExt as _;
use ruma_common::api::error as theirs;
use serde_json::{Map, Value, json};

use super::{any_json, config, error_of, info_of, shape, to_ruma};

fn request(body: &'static str, uri: &str) -> http::Request<&'static [u8]> {
    http::Request::builder().method("POST").uri(uri).body(body.as_bytes()).unwrap()
}

/// [Token-authenticated registration](https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration).
#[test]
fn lesson_48_the_registration_token_has_the_name_of_the_spec() {
    let token = || Map::from_iter([("token".to_owned(), Value::from("abc"))]);
    let theirs = uiaa::AuthData::new("m.login.registration_token", None, token()).unwrap();
    assert!(!matches!(theirs, uiaa::AuthData::RegistrationToken(_)), "mended in ruma");
    let theirs = uiaa::AuthData::new("m.registration_token", None, token()).unwrap();
    assert!(matches!(theirs, uiaa::AuthData::RegistrationToken(_)), "mended in ruma");

    let ours = to_ruma(r#"{"type":"m.login.registration_token","token":"abc"}"#).unwrap();
    assert!(matches!(ours, Some(uiaa::AuthData::RegistrationToken(data)) if data.token == "abc"));
    let custom = to_ruma(r#"{"type":"m.registration_token","token":"abc"}"#).unwrap().unwrap();
    assert_eq!(shape(&custom)["type"], "m.registration_token");
    assert!(!matches!(custom, uiaa::AuthData::RegistrationToken(_)));
    // What `new` took for custom is read by its name.
    let theirs = uiaa::AuthData::new("m.login.registration_token", None, token()).unwrap();
    let encoded = Encoded::from(&theirs);
    let Ok(Auth::Attempt { auth_type, data, .. }) = Auth::parse(encoded.as_bytes()) else { panic!() };
    assert_eq!(auth_type, AuthType::RegistrationToken);
    assert!(matches!(data, Ok(AuthData::RegistrationToken { token }) if token.expose() == "abc"));
}

#[test]
fn lesson_54_ruma_panics_at_an_empty_login() {
    let theirs = catch_unwind(AssertUnwindSafe(|| {
        login::Request::try_from_http_request(request("{}", "/_matrix/client/v3/login"), &[]).is_ok()
    }));
    assert!(theirs.is_err(), "mended in ruma");
}

proptest! {
    #![proptest_config(config())]

    /// Whatever JSON there is: an error or a value, on every way.
    #[test]
    fn lesson_54_every_conversion_is_total(value in any_json(), code in prop::sample::select(ErrorCode::ALL)) {
        let mut bodies = vec![value.clone()];
        for key in ["flows", "completed", "params", "session", "retry_after_ms", "status", "room_version", "error"] {
            bodies.push(json!({key: value, "errcode": code.name(), "flows": []}));
        }
        for key in ["type", "session", "identifier", "threepid_creds"] {
            bodies.push(json!({key: value, "password": "x"}));
        }
        for body in bodies {
            let text = body.to_string();
            if let Ok(ours) = Auth::parse(text.as_bytes()) {
                let _ = matrix_uia::ruma::auth_data(&ours);
            }
            if let Ok(ours) = ChallengeBody::parse(text.as_bytes()) {
                let converted = uiaa::UiaaInfo::try_from(&ours).is_ok();
                prop_assert_eq!(converted, ours.has_flows());
                let error = error_of(&text).into_error(http::StatusCode::OK);
                let code = error.error_kind().map(|kind| kind.errcode());
                prop_assert_eq!(code.as_ref().map(AnyCode::from), ours.code);
            }
            if let Ok(theirs) = serde_json::from_value::<uiaa::AuthData>(body) {
                let _ = Auth::parse(Encoded::from(&theirs).as_bytes());
            }
        }
    }
}

#[test]
fn lesson_55_the_code_and_the_challenge_survive() {
    let no_message = r#"{"flows":[],"errcode":"M_FORBIDDEN"}"#;
    let theirs: uiaa::UiaaInfo = serde_json::from_str(no_message).unwrap();
    assert!(theirs.auth_error.is_none(), "mended in ruma");
    assert_eq!(info_of(no_message).unwrap().auth_error.unwrap().kind, theirs::ErrorKind::Forbidden);

    let null = r#"{"flows":[{"stages":["m.login.dummy"]}],"completed":null,"session":"s"}"#;
    assert!(serde_json::from_str::<uiaa::UiaaInfo>(null).is_err(), "mended in ruma");
    assert_eq!(info_of(null).unwrap().session.as_deref(), Some("s"));

    for (body, code) in [
        (r#"{"errcode":"M_LIMIT_EXCEEDED","error":"","retry_after_ms":"soon"}"#, ErrorCode::LimitExceeded),
        (r#"{"errcode":"M_RESOURCE_LIMIT_EXCEEDED","error":""}"#, ErrorCode::ResourceLimitExceeded),
    ] {
        assert!(serde_json::from_str::<theirs::StandardErrorBody>(body).is_err(), "mended in ruma");
        let error = error_of(body).into_error(http::StatusCode::FORBIDDEN);
        assert_eq!(AnyCode::from(&error.error_kind().unwrap().errcode()), AnyCode::Known(code));
    }
}

#[test]
fn lesson_56_absent_is_absent() {
    let theirs = uiaa::AuthData::Dummy(uiaa::Dummy::new());
    assert_eq!(shape(&theirs)["session"], Value::Null, "and there: mended in ruma if it isn't");
    assert!(shape(&theirs).as_object().unwrap().contains_key("session"), "mended in ruma");

    let encoded = Encoded::from(&theirs);
    let ours = Auth::parse(encoded.as_bytes()).unwrap();
    assert!(ours.session().is_none());
    assert_eq!(super::written(&ours), json!({"type": "m.login.dummy"}));
}

#[test]
fn lesson_57_a_session_alone_is_a_poll_both_ways() {
    let body = r#"{"auth":{"session":"s"}}"#;
    let theirs =
        password::Request::try_from_http_request(request(body, "/_matrix/client/v3/account/password"), &[]);
    assert!(theirs.is_err(), "mended in ruma");
    // A host whose framework refuses the body before this crate sees it has to read it with ours.
    let ours = ChangePasswordRequest::parse(body.as_bytes()).unwrap();
    let polled = matrix_uia::ruma::auth_data(&ours.auth).unwrap().unwrap();
    assert!(matches!(&polled, uiaa::AuthData::FallbackAcknowledgement(poll) if poll.session == "s"));
    let encoded = Encoded::from(&polled);
    assert!(matches!(Auth::parse(encoded.as_bytes()), Ok(Auth::Poll { session }) if session.expose() == "s"));
}

#[test]
fn lesson_58_nothing_of_ours_shows_a_secret() {
    let theirs = password::Request::new("ZXQmark".to_owned());
    assert!(format!("{theirs:?}").contains("ZXQmark"), "mended in ruma");

    let dict = r#"{"type":"m.login.msisdn","session":"ZXQmark1","threepid_creds":
        {"sid":"a~b","client_secret":"ZXQmark2","id_access_token":"ZXQmark3"}}"#;
    let refused = to_ruma(dict).unwrap_err();
    assert!(!format!("{refused:?} {refused}").contains("ZXQmark"));
    let theirs = to_ruma(&dict.replace('~', "-")).unwrap().unwrap();
    assert!(!format!("{:?}", Encoded::from(&theirs)).contains("ZXQmark"));
}
