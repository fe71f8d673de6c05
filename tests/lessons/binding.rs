//! A session is for one call of one user.

use matrix_uia::Millis;
use matrix_uia::server::account::Lifecycle;
use matrix_uia::server::page::Approval;
use serde_json::{Value, json};

use super::{ALICE, CODE, alice, carol, change, passed, with_flows};
use crate::support::{Server, password_auth, policy, poll, stage};

#[cfg(feature = "alloc")]
#[test]
fn lesson_05_a_session_is_not_used_for_another_request() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    server.policies.deactivate = policy(&[&["m.login.password", CODE]], None);
    server.add_device("alice", "tablet-token", "TABLET");
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    server.next_verdict(passed());
    let answer = server.deactivate(ALICE, json!({"auth": stage(CODE, &session)}));
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    let answer = server.delete_device("alice-token", "TABLET", &json!({"auth": poll(&session)}).to_string());
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    assert_eq!((server.asked, server.users["alice"].status.life), (1, Lifecycle::Active));
}

#[test]
fn lesson_06_a_changed_parameter_is_told_and_leaves_a_way_out() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": false})).session().to_owned();
    let toggled = server.deactivate(ALICE, json!({"erase": true, "auth": alice(Some(&session))}));
    assert_eq!(toggled.says(), "403 M_FORBIDDEN", "told apart from a wrong password, which is a 401");
    assert!(
        toggled.body["error"].as_str().unwrap().contains("parameters"),
        "and the client is told what it is"
    );
    // Back to the first choice, or from the start with the other.
    assert_eq!(server.session(&session).failures(), 0);
    let again = server.deactivate(ALICE, json!({"erase": true}));
    let body = json!({"erase": true, "auth": alice(Some(again.session()))});
    assert_eq!(server.deactivate(ALICE, body).says(), "200");
    assert!(server.users["alice"].status.erased);
}

#[test]
fn lesson_07_an_operation_is_canonical() {
    // Nothing of a URI comes in: the same calls make the same session, whatever the
    // version prefix or the query was. And two operations are never one.
    let mut server = Server::new();
    let session = server.register(carol(Value::Null)).session().to_owned();
    assert_eq!(server.session(&session).operation(), matrix_uia::server::operation::Register::ID);
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "200");
}

#[test]
fn lesson_08_who_is_acted_on_is_the_user_of_the_token() {
    let mut server = Server::new();
    for auth in
        [password_auth(None, "bob", "builder-bob"), password_auth(None, "@bob:example.org", "builder-bob")]
    {
        assert_eq!(server.change_password(ALICE, change(auth)).says(), "403 M_FORBIDDEN");
    }
    assert!(server.journal.is_empty());
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200");
    assert_eq!(server.users["bob"].hash.as_deref(), Some("hash of builder-bob"));
}

#[test]
fn lesson_09_the_wrong_account_is_found_at_the_stage() {
    let mut server = with_flows(&[&["m.login.sso", CODE]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let bob = Approval::User(server.account_named("bob"));
    assert!(server.complete(flows, &session, "m.login.sso", bob).is_err());
    let state = server.change_password(ALICE, change(poll(&session)));
    assert_eq!(state.completed(), &json!([]), "the stage has not passed");
}

#[test]
fn lesson_10_a_mere_probe_never_deactivates() {
    let mut server = Server::new();
    server.rules.recent_auth = Millis::from_secs(3_600);
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200", "authenticated just now");
    for probe in [json!({}), json!({"auth": {}}), json!({"auth": null}), json!({"erase": true})] {
        assert_eq!(server.deactivate(ALICE, probe).says(), "401");
    }
    assert_eq!(server.users["alice"].status.life, Lifecycle::Active);
    let request = crate::support::Own(matrix_uia::Call::new(matrix_uia::wire::Auth::Absent));
    let (account, now) = (server.account_named("alice"), server.timestamp());
    let flows = server.policies.deactivate;
    assert_eq!(server.serve_recent("alice-token", flows, &request, account, now).status, 401);
}

#[test]
fn lesson_52_erase_true_is_never_dropped() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": true})).session().to_owned();
    let stored = (server.sessions.clone(), server.kept.clone());
    // After a restart the parameters are there, or the call is refused.
    for (kept, says) in [(true, "200"), (false, "400 M_MISSING_PARAM")] {
        let mut restarted = Server::new();
        restarted.sessions = stored.0.clone();
        if kept {
            restarted.kept = stored.1.clone();
        }
        let answer = restarted.deactivate(ALICE, json!({"auth": alice(Some(&session))}));
        assert_eq!(answer.says(), says);
        assert_eq!(restarted.users["alice"].status.erased, kept);
    }
}
