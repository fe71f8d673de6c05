//! Progress belongs to one session, and goes forward by whole stages.

use matrix_uia::server::verdict::{StageFailure, Verdict};
use serde_json::{Value, json};

use super::{ALICE, BOB, CODE, PIN, alice, carol, change, passed, token, token_server, with_flows};
use crate::support::{Server, password_auth, policy, poll, stage};

#[test]
fn lesson_01_stages_are_taken_in_the_order_of_an_offered_flow() {
    let mut server = with_flows(&[&["m.login.password", CODE], &["m.login.recaptcha", PIN]]);
    let session = server.begin(ALICE);
    for auth_type in [CODE, PIN, "m.login.sso", "org.example.other"] {
        let answer = server.change_password(ALICE, change(stage(auth_type, &session)));
        assert_eq!((answer.says(), answer.completed()), ("401 M_INVALID_PARAM".to_owned(), &json!([])));
    }
    server.change_password(ALICE, change(alice(Some(&session))));
    // `PIN` is last of the other flow only.
    assert_eq!(server.change_password(ALICE, change(stage(PIN, &session))).says(), "401 M_INVALID_PARAM");
    assert_eq!(server.asked, 1);
}

#[test]
fn lesson_02_a_completed_stage_is_neither_duplicated_nor_counted_twice() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.registration_token", "m.login.dummy"]], None);
    server.add_token("fBVFdqVE", 5);
    let token = |session: Option<&str>| json!({"type": "m.login.registration_token", "token": "fBVFdqVE", "session": session});
    let session = server.register(carol(token(None))).session().to_owned();
    for _ in 0..3 {
        let answer = server.register(carol(token(Some(&session))));
        assert_eq!(answer.completed(), &json!(["m.login.registration_token"]));
    }
    assert_eq!((server.asked, server.tokens["fBVFdqVE"].pending), (1, 1));
}

#[test]
fn lesson_03_one_users_completion_is_not_in_anothers_401() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    let bobs = server.change_password(BOB, change(Value::Null));
    assert_ne!(bobs.session(), session);
    let state = server.change_password(BOB, change(poll(bobs.session())));
    assert_eq!(state.completed(), &json!([]));
    let taken = server.change_password(BOB, change(poll(&session)));
    assert_eq!((taken.says(), taken.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
}

#[test]
fn lesson_04_the_first_stage_that_passes_is_not_the_whole_flow() {
    let mut server = with_flows(&[&["m.login.password", CODE, PIN]]);
    let session = server.begin(ALICE);
    assert_eq!(server.change_password(ALICE, change(alice(Some(&session)))).says(), "401");
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, change(stage(CODE, &session))).says(), "401");
    assert_eq!((server.grants, server.journal.len()), (0, 0));
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, change(stage(PIN, &session))).says(), "200");
}

#[test]
fn lesson_34_a_completion_from_outside_keeps_the_order() {
    let mut server = with_flows(&[&["m.login.password", "m.login.sso"]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let proof = matrix_uia::server::page::Approval::User(server.account_named("alice"));
    assert!(server.complete(flows, &session, "m.login.sso", proof).is_err());
    assert_eq!(server.change_password(ALICE, change(poll(&session))).completed(), &json!([]));
}

#[test]
fn lesson_36_who_read_the_old_terms_did_not_accept_the_new() {
    let terms =
        |version: &str| format!(r#"{{"m.login.terms":{{"policies":{{"tos":{{"version":"{version}"}}}}}}}}"#);
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.terms"]], Some(&terms("1")));
    let session = server.register(carol(Value::Null)).session().to_owned();
    server.policies.register = policy(&[&["m.login.terms"]], Some(&terms("2")));
    let answer = server.register(carol(stage("m.login.terms", &session)));
    assert_eq!((answer.status, answer.completed()), (401, &json!([])));
    assert_eq!(answer.body["params"]["m.login.terms"]["policies"]["tos"]["version"], "2");
}

#[cfg(feature = "alloc")]
#[test]
fn lesson_53_a_stage_of_no_offered_flow_reserves_nothing() {
    let mut server = Server::new();
    server.add_token("fBVFdqVE", 1);
    for answer in [
        server.change_password(ALICE, change(token(None))),
        server.deactivate(ALICE, json!({"auth": token(None)})),
        server.register(carol(token(None))),
        server.delete_devices("alice-token", json!({"auth": token(None)})),
    ] {
        assert_eq!(answer.says(), "401 M_INVALID_PARAM");
    }
    assert_eq!((server.asked, server.tokens["fBVFdqVE"].pending), (0, 0));
}

#[test]
fn lesson_63_boundaries_are_where_they_should_be() {
    for (limit, attempts, says) in [
        (0, 0, "429 M_LIMIT_EXCEEDED"),
        (1, 0, "200"),
        (1, 1, "429 M_LIMIT_EXCEEDED"),
        (3, 2, "200"),
        (3, 3, "429 M_LIMIT_EXCEEDED"),
    ] {
        let mut server = Server::new();
        server.rules.max_failed_attempts = limit;
        let session = server.begin(ALICE);
        for _ in 0..attempts {
            server.next_verdict(Verdict::Failed(StageFailure::Credentials));
            server.change_password(ALICE, change(alice(Some(&session))));
        }
        assert_eq!(
            server.change_password(ALICE, change(alice(Some(&session)))).says(),
            says,
            "{limit} {attempts}"
        );
    }
    for (limit, uses, says) in
        [(0, 0, "401 M_UNAUTHORIZED"), (1, 0, "401"), (1, 1, "401 M_UNAUTHORIZED"), (2, 1, "401")]
    {
        let mut server = token_server(limit);
        server.tokens.get_mut("fBVFdqVE").unwrap().uses = uses;
        assert_eq!(server.register(carol(token(None))).says(), says);
    }
}

#[test]
fn lesson_66_a_session_only_request_completes_nothing() {
    let mut server = with_flows(&[&["m.login.dummy", CODE]]);
    let session = server.begin(ALICE);
    let before = server.session(&session);
    for _ in 0..3 {
        let answer = server.change_password(ALICE, change(poll(&session)));
        assert_eq!((answer.says(), answer.completed()), ("401".to_owned(), &json!([])), "not even a dummy");
    }
    assert_eq!((server.session(&session), server.asked), (before, 0));
}

#[test]
fn lesson_67_a_failed_stage_drops_nothing() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(Value::Null)).session().to_owned();
    let auth_only = |auth: Value| json!({"auth": auth});
    server.change_password(ALICE, auth_only(password_auth(Some(&session), "alice", "wrong")));
    server.change_password(ALICE, auth_only(alice(Some(&session))));
    server.next_verdict(Verdict::Failed(StageFailure::Other));
    let failed = server.change_password(ALICE, auth_only(stage(CODE, &session)));
    assert_eq!(failed.completed(), &json!(["m.login.password"]));
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, auth_only(stage(CODE, &session))).says(), "200");
    assert_eq!(
        server.users["alice"].hash.as_deref(),
        Some("hash of looking-glass"),
        "kept from the first request"
    );
}
