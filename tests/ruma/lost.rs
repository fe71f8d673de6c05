//! What the other side can't hold: each row of the tables in `matrix_uia::ruma`.

use core::time::Duration;

use matrix_uia::ruma::{Encoded, Unconvertible};
use matrix_uia::server::account::Caller;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::respond::Respond;
use matrix_uia::wire::error::{ErrorBody, ErrorCode, MatrixError};
use matrix_uia::wire::{Auth, ChallengeBody, Malformed, ParseError, Raw, ThreepidCreds, UserIdentifier};
use matrix_uia::{Call, Exchange, Flows, Incoming, Millis, Rules, Secret, SessionId, Text, Timestamp};
use ruma_client_api::uiaa;
use ruma_common::api::OutgoingResponse as _;
use ruma_common::api::error as theirs;
use serde_json::{Map, Value, json};

use super::{error_of, info_of, shape, to_ruma};

/// The 401 to `auth`, of a policy with params.
fn challenge(auth: &str) -> (Value, uiaa::UiaaInfo) {
    let params = Raw::parse(r#"{"m.login.dummy":{"big":1e999}}"#).unwrap();
    let flows = Flows::<ChangePassword>::new([["m.login.password", "m.login.dummy"]], Some(params)).unwrap();
    let rules = Rules::default();
    let auth = Auth::parse(auth.as_bytes()).unwrap();
    let (fresh, now) = (SessionId::from_entropy([7; 24]), Timestamp::from_millis(0));
    let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, Call::new(&auth), fresh, now);
    let Exchange::Load(load) = incoming.exchange() else {
        panic!("it begins with a load");
    };
    let Exchange::Admit(admit) = load.found(None, Caller::Nobody, now) else { panic!("it is let in") };
    let Exchange::Commit(commit) = admit.admitted() else { panic!("nothing is proved") };
    let Exchange::Respond(Respond::Challenge(challenge)) = commit.committed(Committed::Stored) else {
        panic!("nothing is proved");
    };
    let mut body = String::new();
    challenge.write_body(&mut body).unwrap();
    // `serde_json` has no number this large.
    (serde_json::from_str(&body.replace("1e999", "1")).unwrap(), uiaa::UiaaInfo::from(&challenge))
}

#[test]
fn a_challenge_is_what_is_written() {
    let (body, info) = challenge("{}");
    assert_eq!(info.session.as_deref(), body["session"].as_str());
    assert_eq!(shape(&info.flows), body["flows"]);
    assert_eq!(info.params.unwrap().get(), r#"{"m.login.dummy":{"big":1e999}}"#);
    assert!(info.completed.is_empty() && info.auth_error.is_none());

    let (body, info) = challenge(r#"{"type":"m.login.sso"}"#);
    let error = info.auth_error.unwrap();
    assert_eq!(error.kind, theirs::ErrorKind::InvalidParam);
    assert_eq!(body["error"], error.message);
}

#[test]
fn an_empty_completed_is_not_written_by_ruma() {
    let (body, info) = challenge(r#"{"type":"m.login.sso"}"#);
    assert_eq!(body["completed"], json!([]));
    assert!(!ChallengeBody::parse(Encoded::from(&info).as_bytes()).unwrap().has_completed());
}

#[test]
fn a_dict_with_a_key_at_fault_is_no_value() {
    let missing = Err(Unconvertible::Malformed(Malformed::Missing("password")));
    assert_eq!(to_ruma(r#"{"type":"m.login.password","user":"a"}"#).map(|_| ()), missing);
    let invalid = Err(Unconvertible::Malformed(Malformed::Invalid("token")));
    assert_eq!(to_ruma(r#"{"type":"m.login.registration_token","token":"a b"}"#).map(|_| ()), invalid);
}

#[test]
fn credentials_of_no_form_have_no_place() {
    let ours = ThreepidCreds::new(Text::new("a~b"), Secret::new("s"));
    let theirs = uiaa::ThirdpartyIdCredentials::try_from(&ours).map(|_| ());
    assert_eq!(theirs, Err(Unconvertible::NoPlace("sid")));
    let ours = ThreepidCreds::new(Text::new("a"), Secret::new("not a secret"));
    let theirs = uiaa::ThirdpartyIdCredentials::try_from(&ours).map(|_| ());
    assert_eq!(theirs, Err(Unconvertible::NoPlace("client_secret")));
}

#[test]
fn a_number_beyond_f64_has_no_place() {
    let custom = to_ruma(r#"{"type":"org.example","n":1e999}"#).map(|_| ());
    assert_eq!(custom, Err(Unconvertible::NoPlace("data")));
    let near = to_ruma(r#"{"type":"org.example","n":123456789012345678901}"#).unwrap().unwrap();
    assert!((near.data()["n"].as_f64().unwrap() / 123_456_789_012_345_680_000.0 - 1.0).abs() < 1e-15);
    // In an error the other keys survive.
    let error =
        error_of(r#"{"errcode":"COM.EXAMPLE","error":"","a":1e999,"b":2}"#).into_error(http::StatusCode::OK);
    assert_eq!(error.error_kind().unwrap().custom_json_data(), json!({"b": 2}).as_object());
}

#[test]
fn single_sign_on_is_custom() {
    let theirs = to_ruma(r#"{"type":"m.login.sso","session":"s"}"#).unwrap().unwrap();
    assert_eq!(theirs.auth_type().unwrap().as_str(), "m.login.sso");
    assert!(!matches!(theirs.auth_type(), Some(uiaa::AuthType::Sso)), "equal, but never matched");
    // Ruma keeps whatever else stands in it; the stage has no other keys.
    let theirs: uiaa::AuthData = serde_json::from_str(r#"{"type":"m.login.sso","more":1}"#).unwrap();
    let encoded = Encoded::from(&theirs);
    let back = Auth::parse(encoded.as_bytes()).unwrap();
    assert_eq!(super::written(&back), json!({"type": "m.login.sso"}));
}

#[test]
fn a_401_without_flows_has_no_place() {
    let info = info_of(r#"{"session":"s","completed":["m.login.dummy"]}"#).map(|_| ());
    assert_eq!(info, Err(Unconvertible::NoPlace("flows")));
}

#[test]
fn a_flow_without_stages_is_left_out() {
    let info = uiaa::UiaaInfo::new(vec![uiaa::AuthFlow::default()]);
    let encoded = Encoded::from(&info);
    assert_eq!(ChallengeBody::parse(encoded.as_bytes()).unwrap().flows().count(), 0);
}

#[test]
fn keys_that_belong_to_no_code_are_gone() {
    let forbidden = json!({"errcode": "M_FORBIDDEN", "error": "", "more": 1, "soft_logout": true});
    assert_eq!(
        super::error_shape(&error_of(&forbidden.to_string())),
        json!({"errcode": "M_FORBIDDEN", "error": ""})
    );
}

#[test]
fn an_error_without_its_keys_keeps_its_code() {
    let bare = |code: &str| super::error_shape(&error_of(&json!({"errcode": code}).to_string()));
    assert_eq!(bare("M_FORBIDDEN"), json!({"errcode": "M_FORBIDDEN", "error": ""}));
    assert_eq!(bare("M_RESOURCE_LIMIT_EXCEEDED")["admin_contact"], "");
    assert_eq!(bare("M_USER_LIMIT_EXCEEDED")["info_uri"], "");
    assert_eq!(bare("M_WRONG_ROOM_KEYS_VERSION")["current_version"], "");
    assert_eq!(bare("M_INCOMPATIBLE_ROOM_VERSION")["room_version"], "unknown");
    for odd in [r#""status":99"#, r#""status":1000"#, r#""body":5"#, r#""status":"x","body":null"#] {
        let body = format!(r#"{{"errcode":"M_BAD_STATUS","error":"",{odd}}}"#);
        let bare = json!({"errcode": "M_BAD_STATUS", "error": ""});
        assert_eq!(super::error_shape(&error_of(&body)), bare);
    }
    let for_ever = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":18446744073709551615}"#;
    assert_eq!(super::error_shape(&error_of(for_ever))["retry_after_ms"], 9_007_199_254_740_991_u64);
    assert!(matches!(error_of(r#"{"error":"x"}"#), theirs::ErrorBody::Json(Value::Object(_))));
    let none = theirs::StandardErrorBody::try_from(&ErrorBody::parse(b"{}").unwrap()).map(|_| ());
    assert_eq!(none, Err(Unconvertible::NoPlace("errcode")));
}

/// Ruma writes `Retry-After: 1` for a second and a half.
#[test]
fn a_wait_is_rounded_up_and_can_be_written() {
    for (wait, header) in [(1, "1"), (1_000, "1"), (1_500, "2"), (u64::MAX, "9007199254740")] {
        let error = theirs::Error::from(MatrixError::limited(Millis::new(wait)));
        let Some(theirs::ErrorKind::LimitExceeded(limit)) = error.error_kind() else { panic!() };
        let seconds = header.parse().unwrap();
        assert_eq!(limit.retry_after, Some(theirs::RetryAfter::Delay(Duration::from_secs(seconds))));
        let answer = uiaa::UiaaResponse::from(MatrixError::limited(Millis::new(wait)));
        let sent = answer.try_into_http_response_inner().unwrap();
        assert_eq!(
            (sent.status().as_u16(), &sent.headers()["retry-after"]),
            (429, &http::HeaderValue::from_static(header))
        );
        let uiaa::UiaaResponse::MatrixError(error) = MatrixError::limited(Millis::new(wait)).into() else {
            panic!()
        };
        let encoded = Encoded::from(&error.body);
        let read = ErrorBody::parse(encoded.as_bytes()).unwrap();
        assert_eq!(read.retry_after, Some(Millis::new(seconds * 1_000)));
    }
}

#[test]
fn a_status_that_is_none_is_a_fault_of_the_server() {
    let error = theirs::Error::from(MatrixError::new(ErrorCode::Unknown, "").with_status(42));
    assert_eq!(error.status_code, 500);
}

#[test]
fn what_ruma_does_not_bound_is_malformed() {
    let password = |identifier: uiaa::UserIdentifier, password: &str| {
        let theirs = uiaa::AuthData::Password(uiaa::Password::new(identifier, password.to_owned()));
        let encoded = Encoded::from(&theirs);
        match Auth::parse(encoded.as_bytes()) {
            Ok(Auth::Attempt { data, .. }) => data.map(|_| ()),
            other => panic!("{other:?}"),
        }
    };
    let alice = || uiaa::UserIdentifier::Matrix(uiaa::MatrixUserIdentifier::new("alice".to_owned()));
    assert_eq!(password(alice(), ""), Err(Malformed::Invalid("password")));
    assert_eq!(password(alice(), &"x".repeat(512)), Ok(()));
    assert_eq!(password(alice(), &"x".repeat(513)), Err(Malformed::Invalid("password")));
    let custom: uiaa::UserIdentifier = serde_json::from_value(json!({"type": "org.example"})).unwrap();
    assert_eq!(UserIdentifier::try_from(&custom), Err(Unconvertible::NoPlace("identifier.type")));
    assert_eq!(password(custom, "x"), Err(Malformed::Invalid("identifier.type")));
    let nobody = uiaa::UserIdentifier::Matrix(uiaa::MatrixUserIdentifier::new(String::new()));
    assert_eq!(
        UserIdentifier::try_from(&nobody),
        Err(Unconvertible::Malformed(Malformed::Invalid("identifier")))
    );
    let theirs = uiaa::ThirdpartyIdCredentials::new("a".try_into().unwrap(), "é".try_into().unwrap());
    let ours = ThreepidCreds::try_from(&theirs).map(|_| ());
    assert_eq!(ours, Err(Unconvertible::Malformed(Malformed::Invalid("client_secret"))));
}

/// `AuthData::new` takes what then stands in the dict twice: whoever reads it may take either.
#[test]
fn a_dict_of_two_minds_is_refused() {
    let mut data = Map::new();
    data.insert("type".to_owned(), "m.login.dummy".into());
    let theirs = uiaa::AuthData::new("org.example", None, data).unwrap();
    let encoded = Encoded::from(&theirs);
    assert_eq!(Auth::parse(encoded.as_bytes()).err(), Some(ParseError::DuplicateKey));
}

/// Ruma reads an array as the object whose keys it lacks.
#[test]
fn an_array_is_no_auth_dict() {
    assert!(serde_json::from_str::<uiaa::ThirdpartyIdCredentials>(r#"["a","s",null,null]"#).is_ok());
    let creds = r#"{"type":"m.login.msisdn","threepid_creds":["a","s",null,null]}"#;
    assert!(serde_json::from_str::<uiaa::AuthData>(creds).is_ok());
    assert_eq!(
        to_ruma(creds).map(|_| ()),
        Err(Unconvertible::Malformed(Malformed::Invalid("threepid_creds")))
    );
}

#[test]
fn a_wait_until_a_date_is_gone() {
    let mut data = theirs::LimitExceededErrorData::new();
    data.retry_after = Some(theirs::RetryAfter::DateTime(std::time::SystemTime::UNIX_EPOCH));
    let body = theirs::StandardErrorBody::new(theirs::ErrorKind::LimitExceeded(data), String::new());
    let encoded = Encoded::from(&body);
    assert_eq!(ErrorBody::parse(encoded.as_bytes()).unwrap().retry_after, None);
    let error = theirs::ErrorBody::Standard(body).into_error(http::StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(MatrixError::try_from(&error).unwrap().retry_after(), None);
}

#[test]
fn a_rejection_holds_nothing_from_outside() {
    let body = theirs::StandardErrorBody::new(theirs::ErrorKind::Forbidden, "ZXQmark".to_owned());
    let error = theirs::ErrorBody::Standard(body).into_error(http::StatusCode::FORBIDDEN);
    assert!(!format!("{:?}", MatrixError::try_from(&error).unwrap()).contains("ZXQmark"));
    let custom = error_of(r#"{"errcode":"COM.EXAMPLE"}"#).into_error(http::StatusCode::FORBIDDEN);
    assert_eq!(MatrixError::try_from(&custom), Err(Unconvertible::NoPlace("errcode")));
}
