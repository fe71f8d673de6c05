//! Rules E1 to E3.

use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::wire::error::{AnyCode, ErrorBody, ErrorCode, MatrixError};
use matrix_uia::wire::{Auth, ChallengeBody, MAX_DEPTH, MAX_OPEN_KEYS, ParseError};
use matrix_uia::{Millis, Text};
use serde_json::{Value, json};

use crate::support::Server;

fn written(reject: MatrixError) -> Value {
    let mut out = String::new();
    reject.write(&mut out).unwrap();
    serde_json::from_str(&out).unwrap()
}

fn rewritten(body: &str) -> Value {
    let mut out = String::new();
    ErrorBody::parse(body.as_bytes()).unwrap().write(&mut out).unwrap();
    serde_json::from_str(&out).unwrap()
}

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn e01_every_error_has_both_keys_and_only_its_own_beside() {
    for code in ErrorCode::ALL {
        let body = written(MatrixError::new(*code, "a \"sentence\""));
        assert_eq!(body, json!({"errcode": code.name(), "error": "a \"sentence\""}));
    }
    assert_eq!(written(MatrixError::unknown_token(true))["soft_logout"], true);
    assert_eq!(written(MatrixError::unknown_token(false)).get("soft_logout"), None);
    assert_eq!(written(MatrixError::limited(Millis::new(7)))["retry_after_ms"], 7);
    assert_eq!(MatrixError::missing_token().status(), 401);
    assert_eq!(MatrixError::unrecognized().status(), 404);
    assert_eq!(MatrixError::unavailable().status(), 503);
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn e01_retry_after_is_in_whole_seconds_rounded_up() {
    for (millis, secs) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (u64::MAX, u64::MAX / 1_000 + 1)]
    {
        assert_eq!(MatrixError::limited(Millis::new(millis)).retry_after_secs(), Some(secs), "{millis}");
    }
    assert_eq!(MatrixError::missing_token().retry_after_secs(), None);
}

/// https://spec.matrix.org/v1.19/client-server-api/#other-error-codes
#[test]
fn e01_every_key_of_its_own_is_read() {
    let body = br#"{"errcode":"M_RESOURCE_LIMIT_EXCEEDED","error":"full","soft_logout":true,
        "retry_after_ms":1500,"admin_contact":"mailto:a@example.org","info_uri":"https://example.org/i",
        "can_upgrade":true,"room_version":"org.example.1","current_version":"42"}"#;
    let error = ErrorBody::parse(body).unwrap();
    assert_eq!(error.code, Some(AnyCode::Known(ErrorCode::ResourceLimitExceeded)));
    assert_eq!(error.message, Some(Text::new("full")));
    assert_eq!((error.soft_logout, error.can_upgrade), (Some(true), Some(true)));
    assert_eq!(error.retry_after, Some(Millis::new(1_500)));
    assert_eq!(error.admin_contact, Some(Text::new("mailto:a@example.org")));
    assert_eq!(error.info_uri, Some(Text::new("https://example.org/i")));
    assert_eq!(error.room_version, Some(Text::new("org.example.1")));
    assert_eq!(error.current_version, Some(Text::new("42")));
}

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn e01_unknown_codes_and_keys_survive() {
    for body in [
        json!({"errcode": "COM.EXAMPLE_CODE", "error": "é\"\\\n", "example": {"deep": [1, null]}}),
        json!({"errcode": "", "error": "", "": ""}),
    ] {
        assert_eq!(rewritten(&body.to_string()), body);
    }
    assert_eq!(rewritten(r#"{"errcode":"M_FORBIDDEN"}"#), json!({"errcode": "M_FORBIDDEN", "error": ""}));
    assert_eq!(rewritten("{}"), json!({"errcode": "M_UNKNOWN", "error": ""}));
}

/// https://spec.matrix.org/v1.19/client-server-api/#common-error-codes
#[test]
fn e02_what_is_no_json_is_told_from_what_is_bad() {
    let mut server = Server::new();
    let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|i| format!("\"k{i}\":0")).collect();
        format!("{{{}}}", keys.join(","))
    };
    for (body, says) in [
        ("".to_owned(), "400 M_NOT_JSON"),
        ("{".to_owned(), "400 M_NOT_JSON"),
        ("{}{}".to_owned(), "400 M_NOT_JSON"),
        ("{} x".to_owned(), "400 M_NOT_JSON"),
        ("nul".to_owned(), "400 M_NOT_JSON"),
        ("{\"new_password\":1,".to_owned(), "400 M_NOT_JSON"),
        ("{'a':1}".to_owned(), "400 M_NOT_JSON"),
        ("[]".to_owned(), "400 M_BAD_JSON"),
        ("null".to_owned(), "400 M_BAD_JSON"),
        ("\"x\"".to_owned(), "400 M_BAD_JSON"),
        ("{\"new_password\":1}".to_owned(), "400 M_BAD_JSON"),
        ("{\"a\":1,\"a\":1}".to_owned(), "400 M_BAD_JSON"),
        ("{\"x\":{\"a\":1,\"\\u0061\":1}}".to_owned(), "400 M_BAD_JSON"),
        ("{\"x\":\"\\ud800\"}".to_owned(), "400 M_BAD_JSON"),
        ("{\"x\":\"\\udc00\\ud800\"}".to_owned(), "400 M_BAD_JSON"),
        (nested(MAX_DEPTH), "400 M_BAD_JSON"),
        (nested(10_000), "400 M_BAD_JSON"),
        (keys(MAX_OPEN_KEYS + 1), "400 M_BAD_JSON"),
        (nested(MAX_DEPTH - 1), "401"),
        (keys(MAX_OPEN_KEYS), "401"),
        (" \r\n\t{} \n".to_owned(), "401"),
    ] {
        let answer = server.change_password_raw(Some("alice-token"), body.as_bytes());
        assert_eq!(answer.says(), says, "{body:.40}");
    }
    let answer = server.change_password_raw(Some("alice-token"), b"{\"new_password\":\"\xff\"}");
    assert_eq!(answer.says(), "400 M_NOT_JSON");
}

/// https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
#[test]
fn e02_no_token_is_told_from_an_unknown_one() {
    let mut server = Server::new();
    assert_eq!(server.deactivate(None, json!({})).says(), "401 M_MISSING_TOKEN");
    assert_eq!(server.deactivate(Some("x"), json!({})).says(), "401 M_UNKNOWN_TOKEN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn e02_a_refusal_repeats_nothing_of_the_body() {
    for body in
        [&b"{\"hunter2\":\"hunter2\",\"hunter2\":1}"[..], b"{\"new_password\":[\"hunter2\"]}", b"hunter2"]
    {
        let error = ChangePasswordRequest::parse(body).unwrap_err();
        let reject = MatrixError::from(error);
        for shown in [format!("{error} {error:?}"), format!("{reject:?}"), written(reject).to_string()] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(reject.message(), error.message());
    }
    assert_eq!(Auth::parse(b"[]").unwrap_err(), ParseError::NotAnObject);
    assert_eq!(ChallengeBody::parse(b"[]").unwrap_err(), ParseError::NotAnObject);
}

/// https://spec.matrix.org/v1.19/client-server-api/#common-error-codes
#[test]
fn e03_every_code_of_the_spec_is_known_with_its_status() {
    for (status, names) in [
        (
            400,
            "M_BAD_JSON M_NOT_JSON M_UNKNOWN M_USER_IN_USE M_INVALID_USERNAME M_ROOM_IN_USE M_INVALID_ROOM_STATE M_THREEPID_IN_USE M_THREEPID_NOT_FOUND M_SERVER_NOT_TRUSTED M_UNSUPPORTED_ROOM_VERSION M_INCOMPATIBLE_ROOM_VERSION M_BAD_ALIAS M_MISSING_PARAM M_INVALID_PARAM M_EXCLUSIVE M_CAPTCHA_NEEDED M_CAPTCHA_INVALID M_WEAK_PASSWORD M_APPSERVICE_LOGIN_UNSUPPORTED M_UNABLE_TO_AUTHORISE_JOIN M_UNABLE_TO_GRANT_JOIN M_THREEPID_MEDIUM_NOT_SUPPORTED",
        ),
        (401, "M_UNKNOWN_TOKEN M_MISSING_TOKEN M_USER_LOCKED M_UNAUTHORIZED"),
        (
            403,
            "M_FORBIDDEN M_USER_DEACTIVATED M_USER_SUSPENDED M_GUEST_ACCESS_FORBIDDEN M_THREEPID_AUTH_FAILED M_THREEPID_DENIED M_RESOURCE_LIMIT_EXCEEDED M_CANNOT_LEAVE_SERVER_NOTICE_ROOM M_BAD_STATE M_WRONG_ROOM_KEYS_VERSION",
        ),
        (404, "M_NOT_FOUND M_UNRECOGNIZED"),
        (413, "M_TOO_LARGE"),
        (429, "M_LIMIT_EXCEEDED"),
        (504, "M_NOT_YET_UPLOADED"),
    ] {
        for name in names.split(' ') {
            let code = ErrorCode::from_name(name).unwrap_or_else(|| panic!("{name} is not known"));
            assert_eq!((code.name(), code.status()), (name, status));
        }
    }
    assert_eq!(ErrorCode::from_name("m_forbidden"), None);
    assert_eq!(ErrorCode::from_name("COM.EXAMPLE_CODE"), None);
}

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn e03_a_code_is_the_same_however_it_is_escaped() {
    let body = br#"{"errcode":"M\u005fFORBIDDEN"}"#;
    assert_eq!(ErrorBody::parse(body).unwrap().code, Some(AnyCode::Known(ErrorCode::Forbidden)));
    let custom = ErrorBody::parse(br#"{"errcode":"COM.EXAMPLE\u005fCODE"}"#).unwrap();
    assert_eq!(custom.code.unwrap().name(), "COM.EXAMPLE_CODE");
}
