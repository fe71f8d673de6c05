//! Input is bounded, read once, and answered.

use matrix_uia::endpoint::login::LoginRequest;
use matrix_uia::wire::error::{AnyCode, ErrorBody, ErrorCode};
use matrix_uia::wire::{Auth, AuthType, ChallengeBody};
use serde_json::{Value, json};

use super::{ALICE, CODE, alice, change, with_flows};
use crate::support::{Server, password_auth, poll, stage};

#[test]
fn lesson_17_every_string_has_a_bound() {
    let creds = |key: &str, length: usize| {
        let mut creds = json!({"sid": "1", "client_secret": "s"});
        creds[key] = "x".repeat(length).into();
        json!({"type": "m.login.email.identity", "threepid_creds": creds})
    };
    let captcha = |length: usize| json!({"type": "m.login.recaptcha", "response": "x".repeat(length)});
    let user =
        |length: usize| json!({"type": "m.login.password", "user": "x".repeat(length), "password": "p"});
    let password =
        |length: usize| json!({"type": "m.login.password", "user": "u", "password": "x".repeat(length)});
    let token = |length: usize| json!({"type": "m.login.registration_token", "token": "x".repeat(length)});
    let read = |auth: Value| {
        matches!(Auth::parse(auth.to_string().as_bytes()), Ok(Auth::Attempt { data: Ok(_), .. }))
    };
    for key in ["sid", "client_secret", "id_server"] {
        assert!(read(creds(key, 255)) && !read(creds(key, 256)) && !read(creds(key, 0)), "{key}");
    }
    assert!(read(creds("id_access_token", 1_024)) && !read(creds("id_access_token", 1_025)));
    assert!(read(captcha(8_192)) && !read(captcha(8_193)) && !read(captcha(0)));
    assert!(read(user(255)) && !read(user(256)) && !read(user(0)));
    assert!(read(password(512)) && !read(password(513)) && !read(password(0)));
    assert!(read(token(64)) && !read(token(65)) && !read(token(0)));
}

#[cfg(feature = "alloc")]
#[test]
fn lesson_18_auth_null_is_a_challenge() {
    let mut server = Server::new();
    let answer = server.change_password(ALICE, json!({"auth": null}));
    assert_eq!((answer.says().as_str(), answer.keys()), ("401", vec!["flows", "params", "session"]));
    assert_eq!(server.deactivate(ALICE, json!({"auth": null, "erase": null})).says(), "401");
    assert_eq!(server.register(json!({"auth": null, "username": null})).says(), "401");
    assert_eq!(server.delete_device("alice-token", "PHONE", r#"{"auth":null}"#).says(), "401");
    assert_eq!(server.delete_devices("alice-token", json!({"auth": null, "devices": null})).says(), "401");
}

#[test]
fn lesson_20_completed_is_absent_or_an_array() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let first = server.change_password(ALICE, change(Value::Null));
    assert_eq!(first.body.get("completed"), None);
    let session = first.session().to_owned();
    for auth in [poll(&session), stage("x", &session), stage(CODE, "unknown"), alice(Some(&session))] {
        assert!(server.change_password(ALICE, change(auth)).completed().is_array());
    }
    for body in [r#"{"flows":[]}"#, r#"{"flows":[],"completed":null}"#, r#"{"flows":[],"completed":[]}"#] {
        let read = ChallengeBody::parse(body.as_bytes()).unwrap();
        assert_eq!(read.completed().count(), 0, "and all three are read: {body}");
        assert!(read.has_flows());
    }
}

#[test]
fn lesson_48_every_name_of_the_spec_is_read_and_written_alike() {
    let names = [
        "m.login.password",
        "m.login.recaptcha",
        "m.login.sso",
        "m.login.email.identity",
        "m.login.msisdn",
        "m.login.dummy",
        "m.login.registration_token",
        "m.login.terms",
        "m.oauth",
    ];
    assert_eq!(AuthType::KNOWN.len(), names.len());
    for (name, known) in names.into_iter().zip(AuthType::KNOWN) {
        assert_eq!(AuthType::from(name), *known, "{name}");
        assert_eq!(known.name(), name);
    }
    for wrong in ["m.registration_token", "m.login.oauth", "M.LOGIN.DUMMY", "m.login.dummy "] {
        assert!(matches!(AuthType::from(wrong), AuthType::Custom(_)), "{wrong}");
    }
}

#[test]
fn lesson_54_every_parser_is_total() {
    for body in [
        &b""[..],
        b"{}",
        b"null",
        b"[",
        b"{\"type\":null}",
        b"{\"auth\":{}}",
        b"\"",
        b"\xff",
        b"{\"type\":{}}",
    ] {
        let _ = LoginRequest::parse(body);
        let _ = matrix_uia::endpoint::password::ChangePasswordRequest::parse(body);
        let _ = matrix_uia::endpoint::deactivate::DeactivateRequest::parse(body);
        let _ = matrix_uia::endpoint::register::RegisterRequest::parse(body);
        let _ = matrix_uia::endpoint::devices::DeleteDevicesRequest::parse(body);
        let _ = (Auth::parse(body), ChallengeBody::parse(body), ErrorBody::parse(body));
    }
    assert_eq!(LoginRequest::parse(b"{}").unwrap_err().code(), ErrorCode::MissingParam);
}

#[test]
fn lesson_55_the_code_survives_whatever_else_is_wrong() {
    for body in [
        r#"{"errcode":"M_LIMIT_EXCEEDED"}"#,
        r#"{"errcode":"M_LIMIT_EXCEEDED","error":null,"retry_after_ms":"soon"}"#,
        r#"{"errcode":"M_LIMIT_EXCEEDED","error":7,"retry_after_ms":-1}"#,
        r#"{"errcode":"M_LIMIT_EXCEEDED","soft_logout":"yes","admin_contact":{}}"#,
    ] {
        let error = ErrorBody::parse(body.as_bytes()).unwrap();
        assert_eq!(error.code, Some(AnyCode::Known(ErrorCode::LimitExceeded)), "{body}");
        assert_eq!((error.retry_after, error.soft_logout), (None, None), "{body}");
    }
    let body = br#"{"errcode":"M_FORBIDDEN","flows":[{"stages":["m.login.dummy"]}],"completed":null,"params":null,"session":"s"}"#;
    let challenge = ChallengeBody::parse(body).unwrap();
    assert_eq!(challenge.code, Some(AnyCode::Known(ErrorCode::Forbidden)));
    assert_eq!((challenge.flows().count(), challenge.completed().count()), (1, 0));
    assert!(challenge.session.is_some() && challenge.message.is_none() && challenge.params().is_none());
    // And what is written has both.
    let mut written = String::new();
    challenge.write(&mut written).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap()["error"], "");
}

#[test]
fn lesson_56_absent_is_absent() {
    let mut server = Server::new();
    let mut auth = alice(None);
    auth["session"] = Value::Null;
    let body = json!({"new_password": "looking-glass", "logout_devices": null, "auth": auth});
    assert_eq!(server.change_password(ALICE, body).says(), "200");
    let body = json!({
        "username": "carol", "password": "carol-secret", "device_id": null, "initial_device_display_name": null,
        "inhibit_login": null, "refresh_token": null, "auth": {"type": "m.login.dummy", "session": null},
    });
    assert_eq!(server.register(body).says(), "200");
    // What is absent is not written either.
    let read = Auth::parse(br#"{"type":"m.login.dummy","session":null}"#).unwrap();
    let mut written = String::new();
    read.write(&mut written).unwrap();
    assert_eq!(written, r#"{"type":"m.login.dummy"}"#);
}

#[test]
fn lesson_57_a_body_of_only_the_session_is_enough() {
    let mut server = with_flows(&[&["m.login.sso"]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let proof = matrix_uia::server::page::Approval::User(server.account_named("alice"));
    server.complete(flows, &session, "m.login.sso", proof).unwrap();
    assert_eq!(server.change_password(ALICE, json!({"auth": {"session": session}})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of looking-glass"));
}

#[test]
fn lesson_64_an_empty_or_endless_password_reaches_no_host() {
    let mut server = Server::new();
    for (password, says) in [
        (0, "401 M_INVALID_PARAM"),
        (1, "401 M_FORBIDDEN"),
        (512, "401 M_FORBIDDEN"),
        (513, "401 M_INVALID_PARAM"),
    ] {
        let auth = password_auth(None, "alice", &"x".repeat(password));
        assert_eq!(server.change_password(ALICE, change(auth)).says(), says, "{password}");
    }
    assert_eq!(server.asked, 2);
    for (length, ok) in [(0, false), (512, true), (513, false)] {
        let body =
            json!({"type": "m.login.password", "user": "alice", "password": "x".repeat(length)}).to_string();
        assert_eq!(LoginRequest::parse(body.as_bytes()).is_ok(), ok, "{length}");
    }
}
