//! The examples of the spec's section on User-Interactive Authentication, walked through
//! as a client.

use matrix_uia::Millis;
use matrix_uia::client::{Client, Medium};
use matrix_uia::endpoint::refresh::RefreshResponse;
use matrix_uia::endpoint::register::LoginResponse;
use matrix_uia::endpoint::threepid::RequestTokenResponse;
use matrix_uia::endpoint::whoami::WhoamiResponse;
use matrix_uia::endpoint::{EndpointPath, TokenUse};
use matrix_uia::wire::AuthType;
use serde_json::json;

use super::uia::{NO_AUTH, TERMS};
use super::value;
use crate::support::client::{ALL, Walk, with};

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn user_interactive_api_in_the_rest_api() {
    const CAN: &[AuthType<'static>] =
        &[AuthType::custom("example.type.foo"), AuthType::custom("example.type.baz")];
    let mut walk = Walk::challenged(Client::new(CAN), value(NO_AUTH));
    walk.original = r#"{"a_request_parameter":"something","another_request_parameter":"something else"}"#;
    // The second flow is the one it can do.
    assert_eq!(walk.step(), "example.type.foo");
    walk.give();
    assert_eq!(
        walk.body,
        json!({
            "a_request_parameter": "something",
            "another_request_parameter": "something else",
            "auth": {"type": "example.type.foo", "session": "xxxxxx", "pin": 1234}
        })
    );
    walk.reply(
        401,
        with(value(NO_AUTH), json!({"errcode": "M_FORBIDDEN", "error": "Invalid password", "completed": []})),
    );
    assert_eq!(walk.step(), "example.type.foo M_FORBIDDEN");
    walk.give();
    walk.reply(401, with(value(NO_AUTH), json!({"completed": ["example.type.foo"]})));
    assert_eq!(walk.step(), "example.type.baz");
    walk.give();
    walk.reply(400, json!({"errcode": "M_EXAMPLE_ERROR", "error": "Something was wrong"}));
    assert_eq!(walk.step(), "failed 400 M_EXAMPLE_ERROR");
}

/// https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration
#[test]
fn terms_of_service_at_registration() {
    let mut walk = Walk::new(Client::new(ALL));
    walk.original = r#"{"username":"cheeky_monkey","password":"ilovebananas"}"#;
    walk.begin(value(TERMS));
    assert_eq!(walk.step(), "terms");
    walk.give();
    assert_eq!(
        walk.body,
        json!({
            "username": "cheeky_monkey",
            "password": "ilovebananas",
            "auth": {"type": "m.login.terms", "session": "kasgjaelkgj"}
        })
    );
    let result = br#"{"access_token":"abc123","device_id":"GHTYAJCE","user_id":"@cheeky_monkey:matrix.org"}"#;
    let login = LoginResponse::parse(result).unwrap();
    assert_eq!(login.user_id, "@cheeky_monkey:matrix.org");
    assert_eq!(login.login.unwrap().device_id, "GHTYAJCE");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn fallback() {
    let challenge = json!({"flows": [{"stages": ["m.login.sso"]}], "session": "<session ID>"});
    let mut walk = Walk::challenged(Client::new(&[]).with_browser(), challenge);
    assert_eq!(
        walk.step(),
        "page https://example.org/_matrix/client/v3/auth/m.login.sso/fallback/web?session=%3Csession%20ID%3E"
    );
    walk.done();
    walk.progress.stage_completed_elsewhere();
    walk.step();
    assert_eq!(walk.body["auth"], json!({"session": "<session ID>"}));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh
#[test]
fn post_matrixclientv3refresh() {
    let body =
        br#"{"access_token": "a_new_token", "expires_in_ms": 60000, "refresh_token": "another_new_token"}"#;
    let answer = RefreshResponse::parse(body).unwrap();
    assert_eq!(answer.access_token.expose(), "a_new_token");
    assert_eq!(answer.refresh_token.unwrap().expose(), "another_new_token");
    assert_eq!(answer.expires_in, Some(Millis::from_secs(60)));
}

/// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami
#[test]
fn get_matrixclientv3accountwhoami() {
    let answer =
        WhoamiResponse::parse(br#"{"user_id": "@joe:example.org", "device_id": "ABC1234"}"#).unwrap();
    assert_eq!(
        (answer.user_id, answer.device_id.unwrap(), answer.is_guest),
        ("@joe:example.org".into(), "ABC1234".into(), false)
    );
    assert!(WhoamiResponse::parse(br#"{"user_id": "@joe:example.org", "is_guest": true}"#).unwrap().is_guest);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken
#[test]
fn post_matrixclientv3registeremailrequesttoken() {
    let answer = RequestTokenResponse::parse(
        br#"{"sid": "123abc", "submit_url": "https://example.org/path/to/submitToken"}"#,
    )
    .unwrap();
    assert_eq!(
        (answer.sid, answer.submit_url.unwrap()),
        ("123abc".into(), "https://example.org/path/to/submitToken".into())
    );
    let endpoint = EndpointPath::REGISTER.request_token(Medium::Email).unwrap();
    assert_eq!(endpoint.path, "/_matrix/client/v3/register/email/requestToken");
    assert_eq!((endpoint.method, endpoint.token), ("POST", TokenUse::None));
    assert_eq!(EndpointPath::LOGOUT.request_token(Medium::Email), None);
}
