//! Rule U13: a session belongs to one operation, one user, one set of parameters.

use matrix_uia::server::rules::BodyBinding;
use serde_json::{Value, json};

use crate::support::{Server, password_auth, policy, poll, stage};

const ALICE: Option<&str> = Some("alice-token");

fn with(parameters: Value, auth: Value) -> Value {
    let mut body = parameters;
    body["auth"] = auth;
    body
}

fn alice(session: &str) -> Value {
    password_auth(Some(session), "alice", "wonderland")
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[cfg(feature = "alloc")]
#[test]
fn u13_another_operation_is_403_and_changes_nothing() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({})).session().to_owned();
    let before = server.session(&session);
    let answer =
        server.change_password(ALICE, with(json!({"new_password": "looking-glass"}), alice(&session)));
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    assert_eq!(
        server.delete_devices("alice-token", json!({"auth": alice(&session)})).says(),
        "403 M_FORBIDDEN"
    );
    assert_eq!((server.asked, server.session(&session)), (0, before));
    assert_eq!(server.deactivate(ALICE, json!({"auth": alice(&session)})).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid
#[cfg(feature = "alloc")]
#[test]
fn u13_another_path_parameter_is_another_operation() {
    let mut server = Server::new();
    server.add_device("alice", "tablet-token", "TABLET");
    let session = server.delete_device("alice-token", "TABLET", "{}").session().to_owned();
    let body = json!({"auth": alice(&session)}).to_string();
    assert_eq!(server.delete_device("alice-token", "PHONE", &body).says(), "403 M_FORBIDDEN");
    assert_eq!(server.asked, 0);
    assert_eq!(server.delete_device("alice-token", "TABLET", &body).says(), "200");
    assert_eq!(server.devices("alice"), ["PHONE"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_another_user_meets_an_unknown_session() {
    let mut server = Server::new();
    let session = server.change_password(ALICE, json!({})).session().to_owned();
    let bob = password_auth(Some(&session), "bob", "builder-bob");
    let answer =
        server.change_password(Some("bob-token"), with(json!({"new_password": "looking-glass"}), bob));
    assert_eq!(answer.says(), "401 M_UNKNOWN");
    assert_ne!(answer.session(), session);
    // Another operation of another user: nobody learns that the session exists.
    let poll = json!({"auth": poll(&session)});
    assert_eq!(server.deactivate(Some("bob-token"), poll).says(), "401 M_UNKNOWN");
    assert_eq!(server.asked, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_a_session_of_a_changed_account_is_unknown_to_another_operation() {
    let mut server = Server::new();
    let [session, other] = [(); 2].map(|()| server.change_password(ALICE, json!({})).session().to_owned());
    let body = json!({"new_password": "looking-glass", "logout_devices": false});
    assert_eq!(server.change_password(ALICE, with(body, alice(&session))).says(), "200");
    // The password was another one when it began.
    let poll = json!({"auth": poll(&other)});
    assert_eq!(server.deactivate(ALICE, poll.clone()).says(), "401 M_UNKNOWN");
    assert_eq!(server.change_password(ALICE, poll).says(), "401 M_UNKNOWN");
    assert_eq!(server.journal, ["SetPassword"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_what_a_registration_is_refused_for_tells_nothing_of_anothers_session() {
    let mut server = Server::new();
    let session = server.change_password(ALICE, json!({})).session().to_owned();
    // The name is in use: told to whoever begins, not to whoever names a session of others.
    for session in [&*session, "none"] {
        let body = json!({"username": "alice", "password": "carol-secret", "auth": poll(session)});
        assert_eq!(server.register(body).says(), "401 M_UNKNOWN", "{session}");
    }
    let body = json!({"username": "alice", "password": "carol-secret"});
    assert_eq!(server.register(body).says(), "400 M_USER_IN_USE");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn u13_a_token_where_there_was_none_is_another_session() {
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.dummy"]], None);
    let reset = server.change_password(None, json!({})).session().to_owned();
    assert_eq!(server.change_password(ALICE, json!({"auth": poll(&reset)})).says(), "401 M_UNKNOWN");
    let change = server.change_password(ALICE, json!({})).session().to_owned();
    let body = with(json!({"new_password": "looking-glass"}), stage("m.login.dummy", &change));
    assert_eq!(server.change_password(None, body).says(), "401 M_UNKNOWN");
    assert_eq!(server.grants, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn u13_parameters_are_bound_when_first_seen() {
    let mut server = Server::new();
    // Asking for the flows with `{}` binds none.
    let session = server.change_password(ALICE, json!({})).session().to_owned();
    let first = json!({"new_password": "looking-glass", "logout_devices": false});
    let wrong = password_auth(Some(&session), "alice", "wrong");
    assert_eq!(server.change_password(ALICE, with(first.clone(), wrong)).says(), "401 M_FORBIDDEN");
    for other in [
        json!({"new_password": "another-one", "logout_devices": false}),
        json!({"new_password": "looking-glass", "logout_devices": true}),
        json!({"new_password": "another-one"}),
        json!({"logout_devices": true}),
    ] {
        let answer = server.change_password(ALICE, with(other.clone(), alice(&session)));
        assert_eq!(answer.says(), "403 M_FORBIDDEN", "{other}");
    }
    assert_eq!(server.asked, 1);
    // Each is the same again or left out, on its own.
    for part in [json!({"new_password": "looking-glass"}), json!({"logout_devices": false}), json!({})] {
        let wrong = password_auth(Some(&session), "alice", "wrong");
        assert_eq!(server.change_password(ALICE, with(part, wrong)).says(), "401 M_FORBIDDEN");
    }
    assert_eq!(server.change_password(ALICE, with(first, alice(&session))).says(), "200");
    assert_eq!(server.journal, ["SetPassword"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn u13_left_out_parameters_are_the_bound_ones() {
    let mut server = Server::new();
    server.add_device("alice", "tablet-token", "TABLET");
    let first = json!({"new_password": "looking-glass", "logout_devices": false});
    let session = server.change_password(ALICE, first).session().to_owned();
    assert_eq!(server.change_password(ALICE, json!({"auth": alice(&session)})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of looking-glass"));
    assert_eq!(server.devices("alice").len(), 2, "logout_devices: false was bound too");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn u13_parameters_that_came_with_the_last_stage_hold_for_a_resend() {
    let mut server = Server::new();
    let session = server.change_password(ALICE, json!({})).session().to_owned();
    server.call_fails = Some(matrix_uia::MatrixError::unavailable());
    let body = with(json!({"new_password": "looking-glass"}), alice(&session));
    assert_eq!(server.change_password(ALICE, body).says(), "503 M_UNKNOWN");
    // Bound in the request whose call failed; now only the session comes.
    assert_eq!(server.change_password(ALICE, json!({"auth": poll(&session)})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of looking-glass"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_a_refused_stage_binds_nothing_the_host_was_not_told_to_keep() {
    let mut server = Server::new();
    let session = server.change_password(ALICE, json!({})).session().to_owned();
    let bob = password_auth(Some(&session), "bob", "builder-bob");
    let first = json!({"new_password": "looking-glass"});
    assert_eq!(server.change_password(ALICE, with(first, bob)).says(), "403 M_FORBIDDEN");
    // What came with the 403 isn't bound: other parameters are no change.
    let second = json!({"new_password": "another-one"});
    assert_eq!(server.change_password(ALICE, with(second, alice(&session))).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of another-one"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_spelling_makes_no_difference() {
    let mut server = Server::new();
    let first = r#"{"new_password":"looking-glass","logout_devices":true}"#;
    let session = server.change_password_raw(ALICE, first.as_bytes()).session().to_owned();
    let auth = alice(&session);
    let again = format!(
        r#" {{ "unknown": [1], "logout_devices" :true, "auth":{auth},
            "new_p\u0061ssword": "looking\u002dglass" }} "#,
    );
    assert_eq!(server.change_password_raw(ALICE, again.as_bytes()).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_exact_wants_the_same_in_every_request() {
    let mut server = Server::new();
    server.rules.body_binding = BodyBinding::Exact;
    let first = json!({"new_password": "looking-glass"});
    let session = server.change_password(ALICE, first.clone()).session().to_owned();
    assert_eq!(server.change_password(ALICE, json!({"auth": poll(&session)})).says(), "403 M_FORBIDDEN");
    assert_eq!(server.change_password(ALICE, with(first.clone(), alice(&session))).says(), "200");

    let session = server.deactivate(ALICE, json!({})).session().to_owned();
    let more = with(json!({"erase": true}), alice(&session));
    assert_eq!(server.deactivate(ALICE, more).says(), "403 M_FORBIDDEN", "none were bound, by `{{}}` itself");
    let auth = password_auth(Some(&session), "alice", "looking-glass");
    assert_ne!(server.deactivate(ALICE, json!({"auth": auth})).status, 403);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_any_takes_the_last_ones() {
    let mut server = Server::new();
    server.rules.body_binding = BodyBinding::Any;
    let session = server.begin(ALICE);
    let wrong = password_auth(Some(&session), "alice", "wrong");
    server.change_password(ALICE, with(json!({"new_password": "another-one"}), wrong));
    assert_eq!(server.change_password(ALICE, json!({"auth": alice(&session)})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of another-one"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u13_any_takes_the_last_ones_of_a_call_that_failed() {
    let mut server = Server::new();
    server.rules.body_binding = BodyBinding::Any;
    let session = server.begin(ALICE);
    server.call_fails = Some(matrix_uia::MatrixError::unavailable());
    server.change_password(ALICE, with(json!({"new_password": "another-one"}), alice(&session)));
    assert_eq!(server.change_password(ALICE, json!({"auth": poll(&session)})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of another-one"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices
#[cfg(feature = "alloc")]
#[test]
fn u13_a_list_is_bound_in_its_order() {
    let mut server = Server::new();
    server.add_device("alice", "tablet-token", "TABLET");
    let session = server.delete_devices("alice-token", json!({"devices": ["TABLET"]})).session().to_owned();
    for other in [json!(["TABLET", "PHONE"]), json!(["PHONE"]), json!([])] {
        let body = json!({"devices": other, "auth": alice(&session)});
        assert_eq!(server.delete_devices("alice-token", body).says(), "403 M_FORBIDDEN");
    }
    assert_eq!(server.delete_devices("alice-token", json!({"auth": alice(&session)})).says(), "200");
    assert_eq!(server.devices("alice"), ["PHONE"]);
}
