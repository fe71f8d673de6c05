//! What errors look like.

use matrix_uia::Millis;
use matrix_uia::wire::error::{AnyCode, ErrorBody, ErrorCode, MatrixError};
use serde_json::json;

use super::{error, rejected, value};

#[test]
fn standard_error_response() {
    let code = error(r#"{ "errcode": "<error code>", "error": "<error message>" }"#);
    assert_eq!(code.unwrap().name(), "<error code>");
    let custom = error(r#"{ "errcode": "COM.MYDOMAIN.HERE_FORBIDDEN", "error": "" }"#);
    assert_eq!(custom.unwrap().name(), "COM.MYDOMAIN.HERE_FORBIDDEN");
}

#[test]
fn rate_limiting() {
    let body = r#"{ "errcode": "M_LIMIT_EXCEEDED", "error": "Too many requests", "retry_after_ms": 2000 }"#;
    assert_eq!(error(body), Some(AnyCode::Known(ErrorCode::LimitExceeded)));
    let read = ErrorBody::parse(body.as_bytes()).unwrap();
    assert_eq!(read.retry_after, Some(Millis::new(2_000)));
    let mut ours = rejected(MatrixError::limited(Millis::new(2_000)));
    ours["error"] = "Too many requests".into();
    assert_eq!(ours, value(body));
}

#[test]
fn account_locking() {
    use matrix_uia::server::account::{AccountStatus, Action, Event};
    let body =
        r#"{ "errcode": "M_USER_LOCKED", "error": "This account has been locked", "soft_logout": true }"#;
    assert_eq!(error(body), Some(AnyCode::Known(ErrorCode::UserLocked)));
    let locked = AccountStatus::default().on(Event::Lock).unwrap().gate(Action::Sync).unwrap_err();
    let mut ours = rejected(locked);
    ours["error"] = "This account has been locked".into();
    assert_eq!((locked.status(), ours), (401, value(body)));
}

#[test]
fn account_suspension() {
    use matrix_uia::server::account::{AccountStatus, Action, Event};
    let body =
        r#"{ "errcode": "M_USER_SUSPENDED", "error": "You cannot perform this action while suspended." }"#;
    assert_eq!(error(body), Some(AnyCode::Known(ErrorCode::UserSuspended)));
    let suspended =
        AccountStatus::default().on(Event::Suspend).unwrap().gate(Action::SendMessage).unwrap_err();
    assert_eq!((suspended.status(), rejected(suspended)), (403, value(body)));
}

#[test]
fn soft_logout() {
    let body = r#"{ "errcode": "M_UNKNOWN_TOKEN", "error": "Soft logged out", "soft_logout": true }"#;
    assert_eq!(error(body), Some(AnyCode::Known(ErrorCode::UnknownToken)));
    assert_eq!(ErrorBody::parse(body.as_bytes()).unwrap().soft_logout, Some(true));
}

#[test]
fn errors_of_the_endpoints() {
    for (code, message) in [
        ("M_USER_IN_USE", "Desired user ID is already taken."),
        ("M_FORBIDDEN", "Registration is disabled"),
        ("M_THREEPID_IN_USE", "The specified address is already in use"),
        ("M_THREEPID_DENIED", "Third-party identifier is not allowed"),
        ("M_THREEPID_NOT_FOUND", "Email not found"),
        ("M_THREEPID_NOT_FOUND", "Phone number not found"),
        ("M_UNKNOWN", "Bad login type."),
        ("M_UNRECOGNIZED", "OAuth 2.0 authentication is in use on this homeserver."),
        ("M_INVALID_SIGNATURE", "Invalid signature"),
    ] {
        let body = json!({"errcode": code, "error": message}).to_string();
        assert_eq!(error(&body), ErrorCode::from_name(code).map(AnyCode::Known), "{code}");
    }
    // This one of the spec's own has no message; what is written has both keys.
    let read = ErrorBody::parse(br#"{ "errcode": "M_FORBIDDEN" }"#).unwrap();
    assert_eq!(read.code, Some(AnyCode::Known(ErrorCode::Forbidden)));
}
