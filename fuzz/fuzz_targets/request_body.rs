//! Request bodies: one body through every parser, each held against `serde_json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::devices::{DeleteDeviceRequest, DeleteDevicesRequest};
use matrix_uia::endpoint::login::{Attempt, LoginRequest, LoginType};
use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::endpoint::refresh::RefreshRequest;
use matrix_uia::endpoint::register::RegisterRequest;
use matrix_uia::endpoint::signing_keys::{MAX_SIGNING_KEY_LEN, SigningKey, UploadSigningKeysRequest};
use matrix_uia::endpoint::threepid::{
    AddThreepidRequest, DeleteThreepidRequest, Domain, GivenAddress, Medium, RequestTokenRequest,
    SubmitTokenRequest, Threepid,
};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::wire::{Auth, AuthData, ParseError};
use matrix_uia::{BindingKey, MatrixError, Secret, Text};
use matrix_uia_fuzz::auth;
use matrix_uia_fuzz::json::{self, Node};

fuzz_target!(|body: &[u8]| {
    password(body);
    deactivate(body);
    register(body);
    delete_device(body);
    delete_devices(body);
    login(body);
    request_token(body);
    submit_token(body);
    add_threepid(body);
    delete_threepid(body);
    refresh(body);
    signing_keys(body);
});

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bool,
    Texts,
}

/// Judges a request whose keys have these types, beside `auth`.
fn judge<T>(body: &[u8], parsed: &Result<T, ParseError>, keys: &[(&str, Kind)]) -> Option<Node> {
    json::judge(body, parsed, |root, defects| {
        if !root.is_object() {
            defects.push(ParseError::NotAnObject);
        }
        for (key, kind) in keys {
            let fits = |value: &Node| match kind {
                Kind::Text => value.text().is_some(),
                Kind::Bool => value.boolean().is_some(),
                Kind::Texts => {
                    matches!(value, Node::Array(_)) && value.items().iter().all(|item| item.text().is_some())
                }
            };
            json::typed(root, key, fits, defects);
        }
        for (key, value) in root.entries() {
            if key == "auth" {
                auth::schema(value, defects);
            }
        }
    })
}

fn text(text: Option<Text<'_>>) -> Option<String> {
    text.map(|text| text.to_cow().into_owned())
}

fn secret(secret: Option<Secret<'_>>) -> Option<String> {
    text(secret.map(|secret| secret.expose()))
}

/// The written body read again: only its nested keys may be too many, because ours
/// stand in front of them.
fn reread<T>(written: &str, again: Result<T, ParseError>) -> Option<T> {
    let reading = json::reread(written);
    match again {
        Ok(again) => Some(again),
        Err(error) => {
            assert_eq!(error, ParseError::TooManyKeys);
            assert_eq!(reading.defects.first(), Some(&error));
            None
        }
    }
}

fn password(body: &[u8]) {
    let parsed = ChangePasswordRequest::parse(body);
    let root = judge(body, &parsed, &[("new_password", Kind::Text), ("logout_devices", Kind::Bool)]);
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    let check = |parsed: &ChangePasswordRequest<'_>, root: &Node| {
        assert_eq!(secret(parsed.new_password), root.text_of("new_password"));
        assert_eq!(parsed.logout_devices, root.boolean_of("logout_devices"));
    };
    check(&parsed, &root);
    auth::compare(&parsed.auth, root.get("auth"));

    let mut written = String::new();
    parsed.write(&mut written).expect("a string has room");
    if let Some(again) = reread(&written, ChangePasswordRequest::parse(written.as_bytes())) {
        check(&again, &root);
        auth::assert_same(&parsed.auth, &again.auth);
    }
}

fn deactivate(body: &[u8]) {
    let parsed = DeactivateRequest::parse(body);
    let root = judge(body, &parsed, &[("id_server", Kind::Text), ("erase", Kind::Bool)]);
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    let check = |parsed: &DeactivateRequest<'_>, root: &Node| {
        assert_eq!(text(parsed.id_server), root.text_of("id_server"));
        assert_eq!(parsed.erase, root.boolean_of("erase"));
    };
    check(&parsed, &root);
    auth::compare(&parsed.auth, root.get("auth"));

    let mut written = String::new();
    parsed.write(&mut written).expect("a string has room");
    if let Some(again) = reread(&written, DeactivateRequest::parse(written.as_bytes())) {
        check(&again, &root);
        auth::assert_same(&parsed.auth, &again.auth);
    }
}

fn register(body: &[u8]) {
    let parsed = RegisterRequest::parse(body);
    let keys = [
        ("username", Kind::Text),
        ("password", Kind::Text),
        ("device_id", Kind::Text),
        ("initial_device_display_name", Kind::Text),
        ("inhibit_login", Kind::Bool),
        ("refresh_token", Kind::Bool),
    ];
    let root = judge(body, &parsed, &keys);
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    assert_eq!(text(parsed.username), root.text_of("username"));
    assert_eq!(secret(parsed.password), root.text_of("password"));
    assert_eq!(text(parsed.device_id), root.text_of("device_id"));
    assert_eq!(text(parsed.initial_device_display_name), root.text_of("initial_device_display_name"));
    assert_eq!(parsed.inhibit_login, root.boolean_of("inhibit_login"));
    assert_eq!(parsed.refresh_token, root.boolean_of("refresh_token"));
    let login_type = root.get("type").and_then(Node::text);
    assert_eq!(parsed.by_appservice, login_type.as_deref() == Some(LoginType::ApplicationService.name()));
    auth::compare(&parsed.auth, root.get("auth"));
}

fn delete_device(body: &[u8]) {
    let parsed = DeleteDeviceRequest::parse(body);
    if body.is_empty() {
        // Many clients send a `DELETE` without a body.
        return assert!(matches!(parsed, Ok(DeleteDeviceRequest { auth: Auth::Absent, .. })));
    }
    let root = judge(body, &parsed, &[]);
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    auth::compare(&parsed.auth, root.get("auth"));
}

fn delete_devices(body: &[u8]) {
    let parsed = DeleteDevicesRequest::parse(body);
    let root = judge(body, &parsed, &[("devices", Kind::Texts)]);
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    let devices: Option<Vec<Node>> = parsed.devices.map(|devices| devices.iter().map(auth::text).collect());
    assert_eq!(devices.as_deref(), root.get("devices").map(Node::items));
    auth::compare(&parsed.auth, root.get("auth"));
}

fn login(body: &[u8]) {
    let parsed = LoginRequest::parse(body);
    let code = parsed.as_ref().err().map(MatrixError::code);
    let reading = json::judge_code(body, code);
    let Ok(parsed) = parsed else {
        return assert!(matches!(
            code,
            Some(
                ErrorCode::NotJson
                    | ErrorCode::BadJson
                    | ErrorCode::MissingParam
                    | ErrorCode::InvalidParam
                    | ErrorCode::Unknown
            )
        ));
    };
    let root = reading.expect("it is JSON").root;
    assert_eq!(text(parsed.device_id), root.text_of("device_id"));
    assert_eq!(text(parsed.initial_device_display_name), root.text_of("initial_device_display_name"));
    assert_eq!(parsed.refresh_token, root.boolean_of("refresh_token"));
    let login_type = match parsed.attempt {
        // Its keys are those of an auth dict, but that a login has no session.
        Attempt::Password { identifier, password } => {
            match Auth::parse(body) {
                Ok(Auth::Attempt {
                    data: Ok(AuthData::Password { identifier: named, password: given }),
                    ..
                }) => {
                    assert_eq!(identifier, named);
                    assert!(password.expose() == given.expose());
                }
                _ => assert!(root.get("session").is_some_and(|session| session.text().is_none())),
            }
            LoginType::Password
        }
        Attempt::Token { token } => {
            assert_eq!(secret(Some(token)), root.text_of("token"));
            LoginType::Token
        }
        Attempt::ApplicationService { .. } => LoginType::ApplicationService,
        _ => panic!("a login of no known type"),
    };
    assert_eq!(root.text_of("type").as_deref(), Some(login_type.name()));
}

fn refresh(body: &[u8]) {
    let parsed = RefreshRequest::parse(body);
    let reading = json::judge_code(body, parsed.as_ref().err().map(MatrixError::code));
    let (Ok(parsed), Some(reading)) = (parsed, reading) else { return };
    assert_eq!(secret(Some(parsed.refresh_token)), reading.root.text_of("refresh_token"));
}

/// A key that was read is read again from what is stored of it, and is the same.
fn signing_keys(body: &[u8]) {
    let Ok(parsed) = UploadSigningKeysRequest::parse(body) else { return };
    let digests = BindingKey::from_entropy([7; 16]);
    for (kind, key) in parsed.keys.iter() {
        let stored = key.json.as_str().to_owned();
        assert!(stored.len() <= MAX_SIGNING_KEY_LEN);
        let again = SigningKey::parse(kind, &stored).expect("it was read before");
        assert_eq!((again.user_id, again.public_key), (key.user_id, key.public_key));
        assert_eq!(digests.json(again.json), digests.json(key.json));
    }
}

/// What a parser that answers with an error of its own makes of a body, if it is read.
fn rejects<T>(body: &[u8], parsed: Result<T, MatrixError>) -> Option<(T, Node)> {
    let reading = json::read(body);
    match parsed {
        Ok(parsed) => {
            let reading = reading.expect("it was read, so it is JSON");
            assert!(reading.defects.is_empty() && reading.root.is_object());
            Some((parsed, reading.root))
        }
        Err(reject) => {
            assert_eq!(reject.status(), 400);
            match reading {
                Some(_) => assert_ne!(reject.code(), ErrorCode::NotJson),
                // Where the text nests too deeply, nobody looks what comes after.
                None => assert!(matches!(reject.code(), ErrorCode::NotJson | ErrorCode::BadJson)),
            }
            let codes =
                [ErrorCode::NotJson, ErrorCode::BadJson, ErrorCode::MissingParam, ErrorCode::InvalidParam];
            assert!(codes.contains(&reject.code()));
            None
        }
    }
}

/// A canonical address is its own canonical form, and has one reading.
fn canonical(threepid: &Threepid) {
    let again = Threepid::parse(threepid.medium(), threepid.address().into());
    assert_eq!(again.as_ref(), Ok(threepid));
    match threepid.medium() {
        Medium::Email => assert_eq!(threepid.address().matches('@').count(), 1),
        Medium::Msisdn => assert!(threepid.address().bytes().all(|byte| byte.is_ascii_digit())),
    }
    assert!(!threepid.address().contains(char::is_whitespace));
}

fn request_token(body: &[u8]) {
    for medium in Medium::ALL {
        let Some((parsed, root)) = rejects(body, RequestTokenRequest::parse(medium, body)) else { continue };
        assert_eq!(secret(Some(parsed.client_secret)), root.text_of("client_secret"));
        assert_eq!(text(parsed.id_server), root.text_of("id_server"));
        assert_eq!(secret(parsed.id_access_token), root.text_of("id_access_token"));
        let link = text(parsed.next_link);
        assert_eq!(link, root.text_of("next_link"));
        if let Some(link) = link {
            assert!(link.is_ascii() && !link.contains(['\r', '\n', ' ', '"', '<']));
            let link = link.to_ascii_lowercase();
            assert!(link.starts_with("http://") || link.starts_with("https://"));
        }
        match parsed.address {
            GivenAddress::Email(email) => {
                assert_eq!(text(Some(email)), root.text_of("email"));
                // A domain in other letters than ASCII's passes: the host maps it to its A-labels.
                match Threepid::parse(medium, email) {
                    Ok(threepid) => canonical(&threepid),
                    Err(error) => assert_eq!(error, Domain::not_ascii()),
                }
            }
            GivenAddress::Phone { country, number } => {
                assert_eq!(text(Some(country)), root.text_of("country"));
                assert_eq!(text(Some(number)), root.text_of("phone_number"));
            }
            _ => panic!("an address of no medium"),
        }
    }
}

fn submit_token(body: &[u8]) {
    let Some((parsed, root)) = rejects(body, SubmitTokenRequest::parse(body)) else { return };
    assert_eq!(text(Some(parsed.sid)), root.text_of("sid"));
    assert_eq!(secret(Some(parsed.client_secret)), root.text_of("client_secret"));
    assert_eq!(secret(Some(parsed.token)), root.text_of("token"));
}

fn add_threepid(body: &[u8]) {
    let parsed = AddThreepidRequest::parse(body);
    let root = judge(body, &parsed, &[("sid", Kind::Text), ("client_secret", Kind::Text)]);
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    assert_eq!(text(parsed.sid), root.text_of("sid"));
    assert_eq!(secret(parsed.client_secret), root.text_of("client_secret"));
    auth::compare(&parsed.auth, root.get("auth"));
}

fn delete_threepid(body: &[u8]) {
    let Some((parsed, root)) = rejects(body, DeleteThreepidRequest::parse(body, true)) else { return };
    canonical(&parsed.threepid);
    assert_eq!(root.text_of("medium").as_deref(), Some(parsed.threepid.medium().name()));
    assert_eq!(text(parsed.id_server), root.text_of("id_server"));
}
