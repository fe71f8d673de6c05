//! A session is a value with an end.

use matrix_uia::server::account::Lifecycle;
use matrix_uia::{Session, SessionId, Text};
use serde_json::{Value, json};

use super::{ALICE, CODE, alice, change, passed, with_flows};
use crate::support::{Server, id, password_auth, poll, stage};

#[test]
fn lesson_14_a_session_id_is_made_of_the_hosts_entropy() {
    const { assert!(SessionId::ENTROPY * 8 >= 128) };
    let (one, two) = (SessionId::from_entropy([1; 24]), SessionId::from_entropy([2; 24]));
    assert_ne!(one.expose(), two.expose());
    assert_eq!(one.as_bytes(), &[1; 24], "all of it, and nothing else");
    assert_eq!(SessionId::parse(Text::new(&one.expose())), Some(one));
}

#[test]
fn lesson_15_a_session_survives_a_restart_and_an_unknown_one_is_not_accepted() {
    // The test server keeps nothing but text between two requests.
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let stored = server.sessions.clone();
    let mut worker = with_flows(&[&["m.login.password", CODE]]);
    worker.sessions = stored;
    worker.next_verdict(passed());
    assert_eq!(worker.change_password(ALICE, change(stage(CODE, &session))).says(), "200");

    let mut stranger = with_flows(&[&["m.login.password", CODE]]);
    let answer = stranger.change_password(ALICE, change(stage(CODE, &session)));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert_eq!(stranger.asked, 0);
}

#[test]
fn lesson_15_a_session_of_another_version_or_with_a_stage_twice_is_not_read() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let stored: Value = serde_json::to_value(server.session(&session)).unwrap();
    let read = |value: &Value| serde_json::from_value::<Session>(value.clone()).is_ok();
    assert!(read(&stored));
    let with = |key: &str, value: Value| {
        let mut changed = stored.clone();
        changed[key] = value;
        changed
    };
    let passed = stored["passed"][0].clone();
    assert!(!read(&with("version", json!(1))));
    assert!(!read(&with("version", Value::Null)));
    assert!(!read(&with("unknown", json!(1))));
    assert!(!read(&with("passed", json!([passed, passed]))));
    assert!(!read(&with("passed", vec![passed; 9].into())));
}

#[test]
fn lesson_16_a_session_ends_for_certain() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let ends = server.session(&session).ends(&server.rules);
    for _ in 0..5 {
        server.change_password(ALICE, change(password_auth(Some(&session), "alice", "wrong")));
    }
    assert_eq!(server.session(&session).ends(&server.rules), ends, "nothing prolongs it");
    server.now = ends.as_millis();
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401 M_UNKNOWN");
    assert!(!server.sessions.contains_key(&server.named(&session).id()));
}

#[test]
fn lesson_28_a_session_has_no_field_that_could_hold_a_password() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let id = server.named(&session).id();
    let stored = server.sessions[&id].clone();
    for secret in ["looking-glass", "wonderland", "alice"] {
        assert!(!stored.contains(secret), "{stored}");
    }
    assert!(!stored.contains(session.as_str()), "nor its own name");
}

#[test]
fn lesson_30_a_reset_racing_a_deactivation_revives_nothing() {
    let mut server = Server::new();
    server.add_validation_of("alice", "sid1", "secret", true);
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let reset = change(json!({"type": "m.login.email.identity", "threepid_creds": creds}));
    server.meanwhile = Some(Box::new(|server| {
        // Fenced, and crashed there: the address is still bound.
        let (_, progress) = server.deactivate_until(ALICE, json!({"auth": alice(None)}), 1);
        assert!(progress.is_some());
    }));
    assert_eq!(server.change_password(None, reset).says(), "403 M_USER_DEACTIVATED");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of wonderland"));
    assert_eq!(server.users["alice"].status.life, Lifecycle::Deactivating);
}

#[test]
fn lesson_30_a_session_of_an_earlier_epoch_is_over() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    server.user("alice").epoch += 1;
    let answer = server.change_password(ALICE, change(stage(CODE, &session)));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert_eq!(server.asked, 1);
}

#[test]
fn lesson_30_a_password_replaced_while_it_is_verified_proves_nothing() {
    for flow in [&["m.login.password"][..], &["m.login.password", CODE]] {
        for begun in [false, true] {
            let mut server = with_flows(&[flow]);
            let session = begun.then(|| server.begin(ALICE));
            server.meanwhile = Some(Box::new(|server| server.user("alice").epoch += 1));
            let answer = server.change_password(ALICE, change(alice(session.as_deref())));
            assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
            assert_ne!(Some(answer.session()), session.as_deref());
        }
    }
}

#[test]
fn lesson_14_two_sessions_of_one_second_have_nothing_in_common() {
    // Names come from the host's bytes alone: neither the time nor the user is in them.
    let mut server = Server::new();
    let one = server.begin(ALICE);
    assert_eq!(one, id(1).expose().as_str());
}
