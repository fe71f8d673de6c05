//! Nothing secret is shown, nothing foreign executed.

use serde_json::json;

use super::change;
use crate::support::password_auth;

#[test]
fn lesson_49_no_credential_is_in_what_is_logged() {
    let body = change(password_auth(Some("session-name"), "alice", "hunter2")).to_string();
    let request = matrix_uia::endpoint::password::ChangePasswordRequest::parse(body.as_bytes()).unwrap();
    let shown = format!("{request:?} {request:#?}");
    for secret in ["hunter2", "session-name", "looking-glass"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn lesson_58_debug_of_a_request_shows_none_of_its_secrets() {
    let creds = json!({"sid": "1", "client_secret": "marked1", "id_access_token": "marked2"});
    let auth = json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": "marked3"});
    let body = json!({"password": "marked4", "username": "carol", "auth": auth}).to_string();
    let request = matrix_uia::endpoint::register::RegisterRequest::parse(body.as_bytes()).unwrap();
    assert!(!format!("{request:?}").contains("marked"), "{request:?}");
    assert!(format!("{request:?}").contains("carol"), "what is no secret is shown");
}
