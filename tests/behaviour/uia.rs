//! Rules U1 to U6: what a 401 says, and what a stage takes.

use matrix_uia::server::grant::Exempt;
use matrix_uia::server::operation::{ChangePassword, Operation, UploadSigningKeys};
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::{SessionId, StageOrder, Text};
use serde_json::{Value, json};

use crate::support::{Server, flows, password_auth, policy, poll, stage};

pub(super) const TOKEN: Option<&str> = Some("alice-token");

pub(super) const CODE: &str = "org.example.code";

pub(super) const PIN: &str = "org.example.pin";

/// `m.login.password`, then a code of the host's own.
pub(super) fn two_stages() -> Server {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password", CODE], &["m.login.password", PIN]], None);
    server
}

pub(super) fn body(auth: Value) -> Value {
    json!({"new_password": "looking-glass", "auth": auth})
}

pub(super) fn passed() -> Verdict<'static> {
    Verdict::Passed(Evidence::nothing())
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u01_no_auth_is_a_challenge_of_exactly_three_keys() {
    for auth in
        [Value::Null, json!({}), json!({"password": "wonderland"}), json!({"type": null, "session": null})]
    {
        let mut server = Server::new();
        let answer = server.change_password(TOKEN, body(auth));
        assert_eq!(answer.status, 401);
        assert_eq!(answer.keys(), ["flows", "params", "session"]);
        assert_eq!(answer.body["flows"], json!([{"stages": ["m.login.password"]}]));
        assert_eq!(answer.body["params"], json!({}));
        assert_eq!(server.asked, 0);
    }
    let mut server = Server::new();
    let absent = server.change_password(TOKEN, json!({}));
    assert_eq!(absent.keys(), ["flows", "params", "session"]);
    let again = server.change_password(TOKEN, json!({}));
    assert_ne!(absent.session(), again.session(), "every such request begins a session of its own");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u01_a_dummy_alone_still_asks_for_auth() {
    let mut server = Server::new();
    let answer = server.register(json!({"username": "carol", "password": "carol-secret"}));
    assert_eq!(answer.says(), "401");
    assert!(!server.users.contains_key("carol"));
    let auth = stage("m.login.dummy", answer.session());
    let answer = server.register(json!({"username": "carol", "password": "carol-secret", "auth": auth}));
    assert_eq!(answer.says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid
#[cfg(feature = "alloc")]
#[test]
fn u01_an_empty_entity_counts_as_an_empty_object() {
    let mut server = Server::new();
    let answer = server.delete_device("alice-token", "PHONE", "");
    assert_eq!((answer.status, answer.keys()), (401, vec!["flows", "params", "session"]));
    assert_eq!(server.devices("alice"), ["PHONE"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u01_exempt_are_only_those_the_host_vouches_for() {
    let flows = policy::<UploadSigningKeys>(&[&["m.login.password"]], None);
    let others = policy::<ChangePassword>(&[&["m.login.password"]], None);
    for (exempt, upload, change) in [(Exempt::ApplicationService, 200, 200), (Exempt::SigningKeys, 200, 401)]
    {
        let mut server = Server::new();
        assert_eq!(server.own_exempt(TOKEN, flows, exempt).status, upload);
        assert_eq!(server.own_exempt(TOKEN, others, exempt).status, change, "{exempt:?}");
        assert_eq!(server.own_exempt(None, flows, exempt).status, 401, "nobody without a token");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u02_a_session_id_is_16_to_255_opaque_characters_of_enough_entropy() {
    const { assert!(SessionId::ENTROPY * 8 >= 128) };
    let mut server = Server::new();
    let session = server.begin(TOKEN);
    assert!((16..=255).contains(&session.len()));
    assert!(session.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c)));
    for byte in 0..SessionId::ENTROPY {
        let mut entropy = [0; SessionId::ENTROPY];
        entropy[byte] = 1;
        let other = SessionId::from_entropy(entropy);
        assert_ne!(other, SessionId::from_entropy([0; 24]), "every byte of the entropy counts");
        assert_eq!(SessionId::parse(Text::new(&other.expose())), Some(other));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u03_a_failed_attempt_has_six_keys_and_a_passed_one_four() {
    let mut server = two_stages();
    let session = server.begin(TOKEN);
    let wrong = server.change_password(TOKEN, body(password_auth(Some(&session), "alice", "wrong")));
    assert_eq!(wrong.says(), "401 M_FORBIDDEN");
    assert_eq!(wrong.keys(), ["completed", "errcode", "error", "flows", "params", "session"]);
    assert_eq!(wrong.completed(), &json!([]));

    let right = server.change_password(TOKEN, body(password_auth(Some(&session), "alice", "wonderland")));
    assert_eq!(right.keys(), ["completed", "flows", "params", "session"]);
    assert_eq!(right.completed(), &json!(["m.login.password"]));
    assert_eq!((wrong.session(), right.session()), (session.as_str(), session.as_str()));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u03_completed_is_in_the_order_passed() {
    let mut server = Server::new();
    server.rules.stage_order = StageOrder::Any;
    server.policies.change = policy(&[&["m.login.password", CODE, PIN]], None);
    let session = server.begin(TOKEN);
    for (stages, auth_type) in [(json!([PIN]), PIN), (json!([PIN, CODE]), CODE)] {
        server.next_verdict(passed());
        let answer = server.change_password(TOKEN, body(stage(auth_type, &session)));
        assert_eq!(answer.completed(), &stages);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u04_flows_and_params_are_the_same_in_every_401() {
    let mut server = Server::new();
    let params = r#"{"org.example.code": {"digits": 6, "é": "\u00e9"}, "m.login.sso": {"not": "ours"}}"#;
    server.policies.change = policy(&[&["m.login.password", CODE]], Some(params));
    let first = server.change_password(TOKEN, body(Value::Null));
    let session = first.session().to_owned();
    assert_eq!(first.body["params"], json!({CODE: {"digits": 6, "é": "é"}}));
    for auth in [
        stage(PIN, &session),
        password_auth(Some(&session), "alice", "wrong"),
        poll(&session),
        password_auth(Some(&session), "alice", "wonderland"),
        stage(CODE, &session),
    ] {
        let answer = server.change_password(TOKEN, body(auth));
        assert_eq!(answer.body["flows"], first.body["flows"]);
        assert_eq!(answer.body["params"], first.body["params"]);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u05_strict_order_takes_only_the_next_stage() {
    let mut server = two_stages();
    let session = server.begin(TOKEN);
    for early in [CODE, PIN] {
        let answer = server.change_password(TOKEN, body(stage(early, &session)));
        assert_eq!(answer.says(), "401 M_INVALID_PARAM");
        assert_eq!(answer.completed(), &json!([]));
    }
    assert_eq!(server.asked, 0, "nothing is verified out of order");

    server.change_password(TOKEN, body(password_auth(Some(&session), "alice", "wonderland")));
    server.next_verdict(passed());
    assert_eq!(server.change_password(TOKEN, body(stage(PIN, &session))).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u05_any_order_is_a_switch_of_the_policy() {
    let mut server = two_stages();
    server.rules.stage_order = StageOrder::Any;
    let session = server.begin(TOKEN);
    server.next_verdict(passed());
    let answer = server.change_password(TOKEN, body(stage(CODE, &session)));
    assert_eq!((answer.says(), answer.completed()), ("401".to_owned(), &json!([CODE])));
    // A stage of another flow, which has not got what is completed.
    assert_eq!(server.change_password(TOKEN, body(stage(PIN, &session))).says(), "401 M_INVALID_PARAM");
    let auth = password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u05_two_flows_are_not_mixed() {
    let mut server = Server::new();
    server.policies.change = policy(&[&[CODE, PIN], &[PIN, "m.login.password"]], None);
    let session = server.begin(TOKEN);
    server.next_verdict(passed());
    server.change_password(TOKEN, body(stage(CODE, &session)));
    // The password follows `PIN` only in the other flow.
    let auth = password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "401 M_INVALID_PARAM");
    assert_eq!(server.asked, 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#authentication-types
#[test]
fn u06_a_type_of_no_flow_is_401_with_the_state() {
    let mut server = two_stages();
    let session = server.begin(TOKEN);
    let before = server.session(&session);
    for unknown in ["m.login.sso", "m.login.terms", "org.example.nothing", ""] {
        let answer = server.change_password(TOKEN, body(stage(unknown, &session)));
        assert_eq!(answer.says(), "401 M_INVALID_PARAM", "{unknown}");
        assert_eq!(answer.keys(), ["completed", "errcode", "error", "flows", "params", "session"]);
        assert_eq!(answer.session(), session);
    }
    assert_eq!(server.session(&session), before);
    assert_eq!(server.asked, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn u06_an_auth_dict_of_the_wrong_shape_is_bad_json() {
    let mut server = Server::new();
    for auth in [
        json!("m.login.password"),
        json!([]),
        json!(1),
        json!(true),
        json!({"type": 1}),
        json!({"type": ["m.login.password"]}),
        json!({"session": 5}),
        json!({"type": "m.login.password", "session": {}}),
    ] {
        assert_eq!(server.change_password(TOKEN, body(auth.clone())).says(), "400 M_BAD_JSON", "{auth}");
    }
    assert!(server.sessions.is_empty());
}

/// https://spec.matrix.org/v1.19/client-server-api/#password-based
#[test]
fn u06_a_key_that_is_missing_or_wrong_changes_nothing() {
    let mut server = Server::new();
    let session = server.begin(TOKEN);
    let before = server.session(&session);
    let user = json!({"type": "m.id.user", "user": "alice"});
    for (code, auth) in [
        ("M_MISSING_PARAM", json!({"identifier": user})),
        ("M_MISSING_PARAM", json!({"identifier": user, "password": null})),
        ("M_MISSING_PARAM", json!({"password": "wonderland"})),
        ("M_MISSING_PARAM", json!({"identifier": null, "password": "wonderland"})),
        ("M_MISSING_PARAM", json!({"identifier": {"type": "m.id.user"}, "password": "wonderland"})),
        ("M_MISSING_PARAM", json!({"identifier": {}, "password": "wonderland"})),
        (
            "M_MISSING_PARAM",
            json!({"identifier": {"type": "m.id.thirdparty", "medium": "email"}, "password": "x"}),
        ),
        ("M_MISSING_PARAM", json!({"medium": "email", "password": "x"})),
        ("M_INVALID_PARAM", json!({"identifier": user, "password": 1})),
        ("M_INVALID_PARAM", json!({"identifier": user, "password": ""})),
        ("M_INVALID_PARAM", json!({"identifier": "alice", "password": "wonderland"})),
        ("M_INVALID_PARAM", json!({"identifier": {"type": "m.id.pigeon"}, "password": "wonderland"})),
        ("M_INVALID_PARAM", json!({"identifier": {"type": "m.id.user", "user": ""}, "password": "x"})),
        ("M_INVALID_PARAM", json!({"identifier": {"type": "m.id.user", "user": []}, "password": "x"})),
        ("M_INVALID_PARAM", json!({"user": false, "password": "x"})),
    ] {
        let mut auth = auth;
        auth["type"] = "m.login.password".into();
        auth["session"] = session.as_str().into();
        let answer = server.change_password(TOKEN, body(auth.clone()));
        assert_eq!(answer.says(), format!("401 {code}"), "{auth}");
        assert_eq!(answer.completed(), &json!([]));
        assert_eq!(server.session(&session), before, "{auth}");
    }
    assert_eq!(server.asked, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u06_null_counts_as_absent_for_any_key() {
    let mut server = Server::new();
    let mut auth = password_auth(None, "alice", "wonderland");
    auth["session"] = Value::Null;
    auth["medium"] = Value::Null;
    let mut body = body(auth);
    body["logout_devices"] = Value::Null;
    assert_eq!(server.change_password(TOKEN, body).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u04_under_a_changed_policy_a_session_goes_on_if_it_still_can() {
    let passed_first = || {
        let mut server = two_stages();
        let answer = server.change_password(TOKEN, body(password_auth(None, "alice", "wonderland")));
        let session = answer.session().to_owned();
        (server, session)
    };
    let (mut server, session) = passed_first();
    server.policies.change = policy(&[&["m.login.password", "org.example.new"]], Some("{}"));
    let answer = server.change_password(TOKEN, body(poll(&session)));
    assert_eq!((answer.says(), answer.completed()), ("401".to_owned(), &json!(["m.login.password"])));
    assert_eq!(answer.body["flows"], json!([{"stages": ["m.login.password", "org.example.new"]}]));

    let (mut server, session) = passed_first();
    server.policies.change = policy(&[&[CODE, "m.login.password"]], None);
    let answer = server.change_password(TOKEN, body(poll(&session)));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert_eq!(server.sessions.len(), 1, "the old one is over");

    // What is passed is enough now: it was asked for, in order.
    let (mut server, session) = passed_first();
    server.policies.change = policy(&[&["m.login.password"]], None);
    assert_eq!(server.change_password(TOKEN, body(poll(&session))).says(), "200");
}

/// A policy is offered as it was written, whatever it is called.
#[test]
fn u04_a_policy_knows_what_it_offers() {
    let flows = flows::<ChangePassword>(&[&["m.login.password", CODE]], None);
    assert!(flows.offers("m.login.password".into()) && flows.offers(CODE.into()));
    assert!(!flows.offers(PIN.into()));
    assert_eq!(ChangePassword::ID.description(), Some(ChangePassword::DESCRIPTION));
}
