//! The endpoints behind it.

use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::devices::{DeleteDeviceRequest, DeleteDevicesRequest};
use matrix_uia::endpoint::login::{Attempt, LoginRequest};
use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::endpoint::register::LoginResponse;
use matrix_uia::wire::{Auth, AuthData, UserIdentifier};
use matrix_uia::{Millis, Secret, Text};
use serde_json::json;

use super::value;

#[test]
fn post_matrixclientv3accountpassword() {
    let body = r#"{
  "new_password": "supersecretpassword",
  "logout_devices": true,
  "auth": { "type": "example.type.foo", "session": "xxxxx", "example_credential": "verypoorsharedsecret" }
}"#;
    let request = ChangePasswordRequest::parse(body.as_bytes()).unwrap();
    let mut written = String::new();
    request.write(&mut written).unwrap();
    assert_eq!(value(&written), value(body));
    assert_eq!(request.logout_devices, Some(true));
}

#[test]
fn post_matrixclientv3accountdeactivate() {
    let body = r#"{
  "id_server": "example.org",
  "erase": true,
  "auth": { "type": "example.type.foo", "session": "xxxxx", "example_credential": "verypoorsharedsecret" }
}"#;
    let request = DeactivateRequest::parse(body.as_bytes()).unwrap();
    let mut written = String::new();
    request.write(&mut written).unwrap();
    assert_eq!(value(&written), value(body));

    let mut server = crate::support::Server::new();
    let auth = crate::support::password_auth(None, "alice", "wonderland");
    let answer = server.deactivate(Some("alice-token"), json!({"auth": auth}));
    assert_eq!(answer.body, json!({"id_server_unbind_result": "success"}));
}

#[test]
fn delete_matrixclientv3devicesdeviceid() {
    let body = r#"{ "auth": { "type": "example.type.foo", "session": "xxxxx", "example_credential": "verypoorsharedsecret" } }"#;
    let request = DeleteDeviceRequest::parse(body.as_bytes()).unwrap();
    assert_eq!(request.auth.session().unwrap().expose(), "xxxxx");
}

#[test]
fn post_matrixclientv3delete_devices() {
    let body = r#"{
  "devices": [ "QBUAZIFURK", "AUIECTSRND" ],
  "auth": { "type": "example.type.foo", "session": "xxxxx", "example_credential": "verypoorsharedsecret" }
}"#;
    let request = DeleteDevicesRequest::parse(body.as_bytes()).unwrap();
    let devices: Vec<_> = request.devices.unwrap().iter().map(|id| id.to_string()).collect();
    assert_eq!(devices, ["QBUAZIFURK", "AUIECTSRND"]);
}

#[test]
fn post_matrixclientv3keysdevice_signingupload() {
    let body = r#"{
  "auth": { "type": "example.type.foo", "session": "xxxxx", "example_credential": "verypoorsharedsecret" },
  "master_key": { "user_id": "@alice:example.com", "usage": [ "master" ],
    "keys": { "ed25519:base64+master+public+key": "base64+master+public+key" } },
  "self_signing_key": { "user_id": "@alice:example.com", "usage": [ "self_signing" ],
    "keys": { "ed25519:base64+self+signing+public+key": "base64+self+signing+master+public+key" },
    "signatures": { "@alice:example.com": { "ed25519:base64+master+public+key": "signature+of+self+signing+key" } } }
}"#;
    // A host's own endpoint: its other keys are no business of the auth dict.
    let request = DeleteDeviceRequest::parse(body.as_bytes()).unwrap();
    assert!(matches!(request.auth, Auth::Attempt { data: Ok(AuthData::Custom(_)), .. }));
}

#[test]
fn legacy_login() {
    let login = |body: &'static str| LoginRequest::parse(body.as_bytes());
    let by_user = login(
        r#"{
  "type": "m.login.password",
  "identifier": { "type": "m.id.user", "user": "<user_id or user localpart>" },
  "password": "<password>"
}"#,
    );
    assert!(matches!(
        by_user.unwrap().attempt,
        Attempt::Password { identifier: UserIdentifier::User(_), .. }
    ));
    // As the spec has it: an identifier without a type.
    let by_address = login(
        r#"{
  "type": "m.login.password",
  "identifier": {
    "medium": "<The medium of the third-party identifier>",
    "address": "<The canonicalised third-party address of the user>"
  },
  "password": "<password>"
}"#,
    );
    assert!(matches!(
        by_address.unwrap().attempt,
        Attempt::Password { identifier: UserIdentifier::Thirdparty { .. }, .. }
    ));
}

#[test]
fn post_matrixclientv3login() {
    let body = br#"{
  "type": "m.login.password",
  "identifier": { "type": "m.id.user", "user": "cheeky_monkey" },
  "password": "ilovebananas",
  "initial_device_display_name": "Jungle Phone"
}"#;
    let request = LoginRequest::parse(body).unwrap();
    assert_eq!(request.initial_device_display_name.unwrap(), "Jungle Phone");
    let mut response = LoginResponse::new(Text::new("@cheeky_monkey:matrix.org"))
        .with_login(Secret::new("abc123"), Text::new("GHTYAJCE"));
    let login = response.login.as_mut().unwrap();
    (login.refresh_token, login.expires_in) = (Some(Secret::new("def456")), Some(Millis::from_secs(60)));
    let mut written = String::new();
    response.write(&mut written).unwrap();
    // `well_known` is the host's to add.
    let example = json!({
        "user_id": "@cheeky_monkey:matrix.org", "access_token": "abc123", "refresh_token": "def456",
        "expires_in_ms": 60_000, "device_id": "GHTYAJCE",
    });
    assert_eq!(value(&written), example);
}
