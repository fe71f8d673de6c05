//! Rules U19 to U23: the stages.

use matrix_uia::server::operation::{ChangePassword, DeleteDevice, Register, UploadSigningKeys};
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::wire::{Auth, AuthData, AuthType, Locality, Malformed, UserIdentifier};
use matrix_uia::{Call, Flows, FlowsBuffer, PolicyError};
use serde_json::{Value, json};

use crate::support::{Answer, Server, policy, poll, stage};

/// The question that an attempt raises, or what it comes to without one.
fn question(auth_type: &str, auth: &Value) -> String {
    let flows = policy::<Register>(&[&[auth_type]], None);
    let mut server = Server::new();
    server.next_verdict(Verdict::Unavailable);
    let auth = auth.to_string();
    let auth = Auth::parse(auth.as_bytes()).unwrap();
    let (answer, _) = server.own::<Register>(None, flows, Call::new(&auth));
    match server.questions.first() {
        Some(asked) => asked.split(' ').next().unwrap().to_owned(),
        None => answer.says(),
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#authentication-types
#[test]
fn u19_every_stage_of_the_spec_is_known() {
    let creds = json!({"sid": "1", "client_secret": "s"});
    for (auth_type, auth, asks) in [
        ("m.login.password", json!({"user": "alice", "password": "p"}), "password"),
        ("m.login.recaptcha", json!({"response": "r"}), "recaptcha"),
        ("m.login.email.identity", json!({"threepid_creds": creds}), "email"),
        ("m.login.msisdn", json!({"threepid_creds": creds}), "msisdn"),
        ("m.login.registration_token", json!({"token": "t"}), "token"),
        ("m.login.dummy", json!({}), "200"),
        ("m.login.terms", json!({}), "200"),
        ("m.login.sso", json!({}), "401"),
        ("org.example.pin", json!({"pin": 1234}), "custom"),
    ] {
        let mut auth = auth;
        auth["type"] = auth_type.into();
        assert_eq!(question(auth_type, &auth), asks, "{auth_type}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#authentication-types
#[test]
fn u19_some_stages_belong_to_one_operation() {
    let build = |stages: [&'static str; 1]| {
        (
            Flows::<Register>::in_buffer([stages], None, &mut FlowsBuffer::<256>::new()).map(|_| ()),
            Flows::<UploadSigningKeys>::in_buffer([stages], None, &mut FlowsBuffer::<256>::new()).map(|_| ()),
            Flows::<ChangePassword>::in_buffer([stages], None, &mut FlowsBuffer::<256>::new()).map(|_| ()),
            Flows::<DeleteDevice>::in_buffer([stages], None, &mut FlowsBuffer::<256>::new()).map(|_| ()),
        )
    };
    let refused =
        |result: &Result<(), PolicyError>| matches!(result, Err(PolicyError::WrongOperation { flow: 1, .. }));
    for stage in ["m.login.registration_token", "m.login.terms"] {
        let (register, upload, change, delete) = build([stage]);
        assert!(register.is_ok() && refused(&upload) && refused(&change) && refused(&delete), "{stage}");
    }
    for stage in ["m.oauth", "org.matrix.cross_signing_reset"] {
        let (register, upload, change, delete) = build([stage]);
        assert!(upload.is_ok() && refused(&register) && refused(&change) && refused(&delete), "{stage}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication
#[test]
fn u19_the_older_name_of_m_oauth_is_read_as_it() {
    assert_eq!(AuthType::from("org.matrix.cross_signing_reset"), AuthType::OAuth);
    let flows = policy::<UploadSigningKeys>(
        &[&["m.oauth"]],
        Some(r#"{"m.oauth": {"url": "https://example.org/account/reset-cross-signing"}}"#),
    );
    let auth = Auth::parse(br#"{"type":"org.matrix.cross_signing_reset"}"#).unwrap();
    let (answer, _) = Server::new().own(Some("alice-token"), flows, Call::new(&auth));
    assert_eq!(answer.says(), "401", "a poll of a stage that is offered");
}

/// https://spec.matrix.org/v1.19/client-server-api/#authentication-types
#[test]
fn u19_the_data_of_a_custom_stage_is_passed_through() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["org.example.pin"]], None);
    let auth = json!({"type": "org.example.pin", "pin": {"digits": [1, 2, 3]}, "é": "\"\\"});
    server.next_verdict(Verdict::Passed(Evidence::nothing()));
    let body = json!({"new_password": "looking-glass", "auth": auth});
    assert_eq!(server.change_password(Some("alice-token"), body).says(), "200");
    let seen = server.questions[0].strip_prefix("custom ").unwrap().strip_suffix(" 0").unwrap();
    assert_eq!(serde_json::from_str::<Value>(seen).unwrap(), auth);
}

fn identifier(auth: Value) -> String {
    let mut auth = auth;
    auth["type"] = "m.login.password".into();
    auth["password"] = "p".into();
    let auth = auth.to_string();
    let Auth::Attempt { data: Ok(AuthData::Password { identifier, .. }), .. } =
        Auth::parse(auth.as_bytes()).unwrap()
    else {
        panic!("not read: {auth}")
    };
    match identifier {
        UserIdentifier::User(user) => format!("user {user}"),
        UserIdentifier::Thirdparty { medium, address } => format!("{medium} {address}"),
        UserIdentifier::Phone { country, phone } => format!("{country} {phone}"),
        _ => unreachable!(),
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#identifier-types
#[test]
fn u20_every_form_of_identifier_is_read() {
    let within = |identifier: Value| json!({"identifier": identifier});
    let email = json!({"medium": "email", "address": "alice@example.org"});
    for (auth, read) in [
        (within(json!({"type": "m.id.user", "user": "alice"})), "user alice"),
        (within(json!({"type": "m.id.user", "user": "@alice:example.org"})), "user @alice:example.org"),
        (
            within(json!({"type": "m.id.thirdparty", "medium": "email", "address": "alice@example.org"})),
            "email alice@example.org",
        ),
        (within(json!({"type": "m.id.phone", "country": "GB", "phone": "0123"})), "GB 0123"),
        (within(json!({"type": "m.id.phone", "country": "GB", "number": "0123"})), "GB 0123"),
        (json!({"user": "alice"}), "user alice"),
        (email.clone(), "email alice@example.org"),
        (within(email), "email alice@example.org"),
        (json!({"user": "bob", "identifier": {"type": "m.id.user", "user": "alice"}}), "user alice"),
    ] {
        assert_eq!(identifier(auth.clone()), read, "{auth}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#matrix-user-id
#[test]
fn u20_a_full_id_of_another_server_is_a_failed_stage() {
    let mut server = Server::new();
    for (user, says) in [
        ("@alice:elsewhere.org", "401 M_FORBIDDEN"),
        ("@alice", "401 M_FORBIDDEN"),
        ("nobody", "403 M_FORBIDDEN"),
        ("bob", "403 M_FORBIDDEN"),
        ("@alice:example.org", "200"),
    ] {
        let auth = crate::support::password_auth(None, user, "wonderland");
        let body = json!({"new_password": "wonderland", "auth": auth});
        assert_eq!(server.change_password(Some("alice-token"), body).says(), says, "{user}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#matrix-user-id
#[test]
fn u20_an_id_is_the_same_however_it_is_escaped() {
    for (user, localpart) in [
        (r"@alice:example.org", Some("alice")),
        (r"\u0040alice\u003aexample\u002eorg", Some("alice")),
        (r"@a\/b:example.org", Some("a/b")),
        (r"a\/b", Some("a/b")),
        (r"@a\/b:elsewhere.org", None),
        (r"@:example.org", Some("")),
    ] {
        let auth = format!(r#"{{"type":"m.login.password","user":"{user}","password":"p"}}"#);
        let Auth::Attempt { data: Ok(AuthData::Password { identifier, .. }), .. } =
            Auth::parse(auth.as_bytes()).unwrap()
        else {
            panic!("not read: {auth}")
        };
        let read = match identifier.localpart("example.org") {
            Locality::Local(name) => Some(name.to_string()),
            Locality::Remote => None,
            _ => panic!("a user"),
        };
        assert_eq!(read.as_deref(), localpart, "{user}");
    }
}

const TERMS_1: &str = r#"{"m.login.terms": {"policies": {"tos": {"version": "1"}}}}"#;
const TERMS_2: &str = r#"{"m.login.terms": {"policies": {"tos": {"version": "2"}}}}"#;

fn carol(auth: Value) -> Value {
    json!({"username": "carol", "password": "carol-secret", "auth": auth})
}

/// https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration
#[test]
fn u21_terms_that_changed_since_are_presented_again() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.terms"]], Some(TERMS_1));
    let session = server.register(carol(Value::Null)).session().to_owned();
    server.policies.register = policy(&[&["m.login.terms"]], Some(TERMS_2));
    let shown: Answer = server.register(carol(stage("m.login.terms", &session)));
    assert_eq!((shown.says(), shown.completed()), ("401".to_owned(), &json!([])));
    assert_eq!(shown.body["params"]["m.login.terms"]["policies"]["tos"]["version"], "2");
    assert_eq!(
        server.register(carol(stage("m.login.terms", &session))).says(),
        "200",
        "now they have been seen"
    );
}

/// https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration
#[test]
fn u21_terms_accepted_in_an_older_version_do_not_count() {
    let mut server = Server::new();
    let stages: &[&[&str]] = &[&["m.login.terms", "m.login.dummy"]];
    server.policies.register = policy(stages, Some(TERMS_1));
    let session = server.register(carol(Value::Null)).session().to_owned();
    assert_eq!(
        server.register(carol(stage("m.login.terms", &session))).completed(),
        &json!(["m.login.terms"])
    );
    server.policies.register = policy(stages, Some(TERMS_2));
    let answer = server.register(carol(stage("m.login.dummy", &session)));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert!(!server.users.contains_key("carol"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration
#[test]
fn u21_a_refusal_that_shows_no_terms_is_no_showing() {
    let mut server = Server::new();
    let stages: &[&[&str]] = &[&["m.login.terms"], &["m.login.password"]];
    server.policies.register = policy(stages, Some(TERMS_1));
    let session = server.register(carol(Value::Null)).session().to_owned();
    server.policies.register = policy(stages, Some(TERMS_2));
    server.next_verdict(Verdict::Failed(matrix_uia::server::verdict::StageFailure::UnknownThreepid));
    let auth = crate::support::password_auth(Some(&session), "alice", "x");
    assert_eq!(server.register(carol(auth)).says(), "403 M_FORBIDDEN");
    let answer = server.register(carol(stage("m.login.terms", &session)));
    assert_eq!(
        (answer.says(), answer.completed()),
        ("401".to_owned(), &json!([])),
        "the new ones were never shown"
    );
}

fn token_server(limit: usize) -> Server {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.registration_token", "m.login.dummy"]], None);
    server.add_token("fBVFdqVE", limit);
    server
}

fn token(session: Option<&str>, token: &str) -> Value {
    json!({"type": "m.login.registration_token", "token": token, "session": session})
}

/// https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration
#[test]
fn u22_a_token_is_1_to_64_opaque_characters() {
    let mut server = token_server(9);
    server.add_token(Box::leak("x".repeat(64).into_boxed_str()), 1);
    for (given, says) in [
        (String::new(), "401 M_INVALID_PARAM"),
        ("a b".to_owned(), "401 M_INVALID_PARAM"),
        ("é".to_owned(), "401 M_INVALID_PARAM"),
        ("x".repeat(65), "401 M_INVALID_PARAM"),
        ("x".repeat(63), "401 M_UNAUTHORIZED"),
        ("x".repeat(64), "401"),
        ("fBVFdqVE".to_owned(), "401"),
    ] {
        assert_eq!(server.register(carol(token(None, &given))).says(), says, "{given}");
    }
    assert_eq!(server.asked, 3, "what can be no token reaches no host");
}

/// https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration
#[test]
fn u22_reserved_when_passed_spent_when_registered() {
    let mut server = token_server(1);
    let session = server.register(carol(token(None, "fBVFdqVE"))).session().to_owned();
    assert_eq!((server.tokens["fBVFdqVE"].pending, server.tokens["fBVFdqVE"].uses), (1, 0));
    // A pending use counts against the limit.
    assert_eq!(server.register(carol(token(None, "fBVFdqVE"))).says(), "401 M_UNAUTHORIZED");
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "200");
    assert_eq!((server.tokens["fBVFdqVE"].pending, server.tokens["fBVFdqVE"].uses), (0, 1));
}

/// https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration
#[test]
fn u22_given_back_when_the_session_expires() {
    let mut server = token_server(1);
    let session = server.register(carol(token(None, "fBVFdqVE"))).session().to_owned();
    server.pass_time(server.rules.session_lifetime);
    assert_eq!(server.register(carol(poll(&session))).says(), "401 M_UNKNOWN");
    assert_eq!(server.tokens["fBVFdqVE"].pending, 0);
    assert_eq!(server.register(carol(token(None, "fBVFdqVE"))).says(), "401");
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn u23_threepid_credentials_are_checked_key_by_key() {
    let read = |creds: Value| {
        let auth = json!({"type": "m.login.email.identity", "threepid_creds": creds}).to_string();
        match Auth::parse(auth.as_bytes()).unwrap() {
            Auth::Attempt { data: Ok(_), .. } => Ok(()),
            Auth::Attempt { data: Err(malformed), .. } => Err(malformed),
            other => panic!("{other:?}"),
        }
    };
    let with = |key: &str, value: Value| {
        let mut creds = json!({"sid": "1.a_b=-", "client_secret": "s.=_-", "id_server": "id.example.org", "id_access_token": "t"});
        creds[key] = value;
        read(creds)
    };
    assert_eq!(with("sid", "1".into()), Ok(()));
    for optional in ["id_server", "id_access_token"] {
        assert_eq!(with(optional, Value::Null), Ok(()));
        for bad in [json!(""), json!(1), "x".repeat(1025).into()] {
            assert_eq!(with(optional, bad), Err(Malformed::Invalid(optional)));
        }
    }
    for required in ["sid", "client_secret"] {
        assert_eq!(with(required, Value::Null), Err(Malformed::Missing(required)));
        for bad in [json!(""), json!(1), json!("a b"), "x".repeat(256).into()] {
            assert_eq!(with(required, bad), Err(Malformed::Invalid(required)));
        }
        assert_eq!(with(required, "x".repeat(255).into()), Ok(()));
    }
    assert_eq!(read(Value::Null), Err(Malformed::Missing("threepid_creds")));
    assert_eq!(read(json!("creds")), Err(Malformed::Invalid("threepid_creds")));
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn u23_one_validated_address_authenticates_one_session() {
    for auth_type in ["m.login.email.identity", "m.login.msisdn"] {
        let mut server = Server::new();
        server.policies.register = policy(&[&[auth_type, "m.login.dummy"]], None);
        server.add_validation("sid1", "secret", true);
        let creds = json!({"sid": "sid1", "client_secret": "secret"});
        let auth = json!({"type": auth_type, "threepid_creds": creds});
        let first = server.register(carol(auth.clone()));
        assert_eq!(first.completed(), &json!([auth_type]));
        assert_eq!(server.register(carol(auth)).says(), "401 M_THREEPID_AUTH_FAILED");
        let session = first.session();
        assert_eq!(server.register(carol(stage("m.login.dummy", session))).says(), "200");
        assert!(server.journal[0].starts_with("bind "), "{:?}", server.journal);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn u23_both_spellings_of_the_credentials_are_read() {
    for key in ["threepid_creds", "threepidCreds"] {
        let mut auth = json!({"type": "m.login.msisdn"});
        auth[key] = json!({"sid": "1", "client_secret": "s", "id_server": null});
        assert_eq!(question("m.login.msisdn", &auth), "msisdn");
    }
}
