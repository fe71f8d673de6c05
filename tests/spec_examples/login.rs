//! The spec's JSON examples of login, refresh, registration's queries, moderation and cross-signing keys, each
//! under the anchor of its section.

use matrix_uia::endpoint::login::{Attempt, GetLoginTokenResponse, LoginRequest, Offer};
use matrix_uia::endpoint::moderation::Moderation;
use matrix_uia::endpoint::refresh::{RefreshRequest, RefreshResponse};
use matrix_uia::endpoint::register::{AvailabilityResponse, RegisterRequest, TokenValidityResponse};
use matrix_uia::endpoint::signing_keys::{SigningKeys, UploadSigningKeysRequest};
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::wire::{Auth, UserIdentifier};
use matrix_uia::{Millis, Secret};
use serde_json::{Value, json};

fn written(write: impl FnOnce(&mut String) -> std::fmt::Result) -> Value {
    let mut out = String::new();
    write(&mut out).unwrap();
    serde_json::from_str(&out).unwrap()
}

#[test]
fn get_matrixclientv3login() {
    let mut offer = Offer::default();
    offer.get_login_token = true;
    let example = json!({
        "flows": [{ "type": "m.login.password" }, { "type": "m.login.token", "get_login_token": true }]
    });
    assert_eq!(written(|out| offer.write(out)), example);
}

#[test]
fn legacy_login_by_token() {
    let body = br#"{
  "type": "m.login.token",
  "token": "<login token>"
}"#;
    let request = LoginRequest::parse(body).unwrap();
    assert!(matches!(request.attempt, Attempt::Token { token } if token.expose() == "<login token>"));
}

#[test]
fn appservice_login() {
    let body = br#"{
  "type": "m.login.application_service",
  "identifier": {
    "type": "m.id.user",
    "user": "<user_id or user localpart>"
  }
}"#;
    let request = LoginRequest::parse(body).unwrap();
    assert!(matches!(
        request.attempt,
        Attempt::ApplicationService { identifier: UserIdentifier::User(user) } if user == "<user_id or user localpart>"
    ));
}

#[test]
fn server_admin_style_permissions() {
    let body = br#"{
  "type": "m.login.application_service",
  "username": "_irc_example"
}"#;
    let request = RegisterRequest::parse(body).unwrap();
    assert!(request.by_appservice);
    assert_eq!(request.username.unwrap(), "_irc_example");
}

#[test]
fn post_matrixclientv1loginget_token() {
    let response = GetLoginTokenResponse::new(Secret::new("<opaque string>"), Millis::from_secs(120));
    let example = json!({ "login_token": "<opaque string>", "expires_in_ms": 120_000 });
    assert_eq!(written(|out| response.write(out)), example);
}

#[test]
fn post_matrixclientv3refresh() {
    let request = RefreshRequest::parse(br#"{ "refresh_token": "some_token" }"#).unwrap();
    assert_eq!(request.refresh_token.expose(), "some_token");
    let mut response = RefreshResponse::new(
        Secret::new("a_new_token"),
        Secret::new("another_new_token"),
        Some(Millis::from_secs(60)),
    );
    let example = json!({
        "access_token": "a_new_token", "expires_in_ms": 60_000, "refresh_token": "another_new_token"
    });
    assert_eq!(written(|out| response.write(out)), example);
    response.expires_in = None;
    assert!(written(|out| response.write(out)).get("expires_in_ms").is_none());
}

#[test]
fn get_matrixclientv3registeravailable() {
    assert_eq!(written(|out| AvailabilityResponse::new(true).write(out)), json!({ "available": true }));
}

#[test]
fn get_matrixclientv1registermloginregistration_tokenvalidity() {
    assert_eq!(written(|out| TokenValidityResponse::new(true).write(out)), json!({ "valid": true }));
}

#[test]
fn put_matrixclientv1adminlockuserid() {
    assert_eq!(Moderation::Lock.parse(br#"{ "locked": true }"#), Ok(true));
    assert_eq!(Moderation::Suspend.parse(br#"{ "suspended": true }"#), Ok(true));
    let status = AccountStatus::default().on(Event::Suspend).unwrap();
    assert_eq!(written(|out| Moderation::Suspend.write(status, out)), json!({ "suspended": true }));
    assert_eq!(written(|out| Moderation::Lock.write(status, out)), json!({ "locked": false }));
}

#[test]
fn post_matrixclientv3keysdevice_signingupload() {
    let body = br#"{
  "auth": { "type": "example.type.foo", "session": "xxxxx", "example_credential": "verypoorsharedsecret" },
  "master_key": {
    "user_id": "@alice:example.com",
    "usage": [ "master" ],
    "keys": { "ed25519:base64+master+public+key": "base64+master+public+key" }
  },
  "self_signing_key": {
    "user_id": "@alice:example.com",
    "usage": [ "self_signing" ],
    "keys": { "ed25519:base64+self+signing+public+key": "base64+self+signing+master+public+key" },
    "signatures": { "@alice:example.com": { "ed25519:base64+master+public+key": "signature+of+self+signing+key" } }
  },
  "user_signing_key": {
    "user_id": "@alice:example.com",
    "usage": [ "user_signing" ],
    "keys": { "ed25519:base64+user+signing+public+key": "base64+user+signing+master+public+key" },
    "signatures": { "@alice:example.com": { "ed25519:base64+master+public+key": "signature+of+user+signing+key" } }
  }
}"#;
    let request = UploadSigningKeysRequest::parse(body).unwrap();
    assert!(matches!(request.auth, Auth::Attempt { .. }));
    assert_eq!(
        request.check("@alice:example.com").map(|checked| checked.admit(&SigningKeys::default(), [])),
        Ok(Ok(()))
    );
    let keys: Vec<String> = request.keys.iter().map(|(_, key)| key.public_key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "base64+master+public+key",
            "base64+self+signing+master+public+key",
            "base64+user+signing+master+public+key"
        ]
    );
}
