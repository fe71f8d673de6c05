//! A refusal says what it is.

use matrix_uia::endpoint::login::{self};
use matrix_uia::endpoint::register::Localpart;
use matrix_uia::server::account::{AccountStatus, Event};
use serde_json::{Value, json};

use super::{ALICE, CODE, change, with_flows};
use crate::support::{Server, password_auth, policy};

#[test]
fn lesson_19_a_wrong_password_is_a_401_with_the_whole_state() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let answer = server.change_password(ALICE, change(password_auth(None, "alice", "wrong")));
    assert_eq!(answer.says(), "401 M_FORBIDDEN");
    assert_eq!(answer.keys(), ["completed", "errcode", "error", "flows", "params", "session"]);
}

#[test]
fn lesson_21_failures_are_counted_on_every_path() {
    // With and without a token, with and without a session of its own, known and unknown
    // users, refused with 401 and with 403.
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.password"]], None);
    let unknown = |session: &str| json!({"type": "m.login.password", "medium": "email", "address": "x@example.org", "password": "x", "session": session});
    for token in [ALICE, None] {
        let session = server.change_password(token, change(Value::Null)).session().to_owned();
        for (count, auth) in [
            (1, password_auth(Some(&session), "alice", "wrong")),
            (2, password_auth(Some(&session), "nobody", "wrong")),
            (3, unknown(&session)),
        ] {
            server.change_password(token, change(auth));
            assert_eq!(server.session(&session).failures(), count);
        }
    }
    let one_shot = server.change_password(ALICE, change(password_auth(None, "alice", "wrong")));
    assert_eq!(server.session(one_shot.session()).failures(), 1);
}

#[test]
fn lesson_31_a_login_answers_every_name_alike() {
    let known = login::decide(Some(AccountStatus::default()), false, true);
    let gone = AccountStatus::default().on(Event::Fence).unwrap();
    let locked = AccountStatus::default().on(Event::Lock).unwrap();
    for other in [None, Some(gone), Some(locked)] {
        assert_eq!(login::decide(other, false, true), known);
    }
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.password"]], None);
    let says = |server: &mut Server, user: &str| {
        let mut answer = server.change_password(None, change(password_auth(None, user, "wrong")));
        answer.body["session"] = Value::Null;
        answer
    };
    assert_eq!(says(&mut server, "alice"), says(&mut server, "nobody"));
    assert_eq!(server.asked, 2, "the same work for both");
}

#[test]
fn lesson_65_a_name_in_use_is_told_before_anything_is_asked() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.email.identity"]], None);
    let body = json!({"username": "alice", "password": "another-alice"});
    assert_eq!(server.register(body).says(), "400 M_USER_IN_USE");
    assert!(server.sessions.is_empty());
    assert_eq!(Localpart::in_use().status(), 400);
}
