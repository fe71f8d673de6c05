//! What was proved belongs to the account as it was: a change of its credentials ends it.

use matrix_uia::Timestamp;
use matrix_uia::server::account::Event;
use matrix_uia::server::call::Call;
use matrix_uia::server::operation::DeleteDevice;
use matrix_uia::wire::Auth;
use serde_json::{Value, json};

use super::{ALICE, CODE, alice, carol, change, passed, with_flows};
use crate::support::{Own, Server, policy, stage};

fn email(session: Option<&str>) -> Value {
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": session})
}

#[test]
fn lesson_73_a_session_of_the_old_password_is_over_when_the_owner_changes_it() {
    let mut server = Server::new();
    server.policies.deactivate = policy(&[&["m.login.password", CODE]], None);
    let thief = server.deactivate(ALICE, json!({"auth": alice(None)})).session().to_owned();
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200");
    let answer = server.deactivate(ALICE, json!({"auth": stage(CODE, &thief)}));
    assert_eq!((answer.says(), answer.completed()), ("401 M_UNKNOWN".to_owned(), &json!([])));
    assert!(server.journal.iter().all(|effect| effect != "Fence"));
}

#[test]
fn lesson_73_a_session_of_a_removed_address_is_over() {
    let mut server = Server::new();
    server.policies.deactivate_without_token = Some(policy(&[&["m.login.email.identity", CODE]], None));
    server.add_validation_of("alice", "sid1", "secret", true);
    let session = server.deactivate(None, json!({"auth": email(None)})).session().to_owned();
    // The address is removed, which counts the epoch up.
    server.user("alice").threepids.clear();
    server.user("alice").epoch += 1;
    server.next_verdict(passed());
    assert_eq!(server.deactivate(None, json!({"auth": stage(CODE, &session)})).says(), "401 M_UNKNOWN");
    assert_eq!(server.grants, 0);
}

#[test]
fn lesson_73_the_epoch_is_asked_for_again_before_the_call() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    server.next_verdict(passed());
    server.meanwhile = Some(Box::new(|server| server.user("alice").epoch += 1));
    assert_eq!(server.change_password(ALICE, change(stage(CODE, &session))).says(), "401 M_UNKNOWN");
    assert_eq!(server.grants, 0);
}

#[test]
fn lesson_84_no_verdict_is_applied_to_an_account_that_is_not_as_it_was() {
    for (event, says) in [(Event::Lock, "401 M_USER_LOCKED"), (Event::Fence, "401 M_UNKNOWN_TOKEN")] {
        for flow in [&["m.login.password"][..], &["m.login.password", CODE]] {
            let mut server = with_flows(&[flow]);
            let session = server.begin(ALICE);
            let before = server.session(&session);
            server.meanwhile = Some(Box::new(move |server| {
                let status = server.user("alice").status;
                server.user("alice").status = status.on(event).unwrap();
            }));
            assert_eq!(server.change_password(ALICE, change(alice(Some(&session)))).says(), says);
            assert_eq!(server.session(&session), before, "{event:?}");
            assert_eq!(server.grants, 0);
        }
    }
}

#[test]
fn lesson_85_recent_authentication_ends_with_the_password() {
    let mut server = Server::new();
    server.rules.recent_auth = matrix_uia::Millis::new(60_000);
    let flows = policy::<DeleteDevice>(&[&["m.login.password"]], None);
    let request = Own(Call::<DeleteDevice>::new(&Auth::Absent));
    let (account, at) = (server.account_named("alice"), Timestamp::from_millis(server.now));
    assert_eq!(server.serve_recent("alice-token", flows, &request, account, at).status, 200);
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200");
    assert_eq!(server.serve_recent("alice-token", flows, &request, account, at).says(), "401");
}

#[test]
fn lesson_88_a_replay_revives_no_login_that_was_ended() {
    let registered = || {
        let mut server = Server::new();
        let session =
            server.register(json!({"username": "carol", "password": "carol-secret"})).session().to_owned();
        let body = carol(stage("m.login.dummy", &session));
        assert_eq!(server.register(body.clone()).says(), "200");
        (server, body)
    };
    let (mut server, body) = registered();
    assert_eq!(server.register(body).says(), "200", "the answer may have been lost");

    let (mut server, body) = registered();
    server.user("carol").epoch += 1;
    assert_eq!(server.register(body).says(), "401 M_UNKNOWN", "the password was changed meanwhile");

    let (mut server, body) = registered();
    server.user("carol").tokens.clear();
    assert_eq!(server.register(body).says(), "401 M_UNKNOWN", "the device was logged out meanwhile");
    assert!(server.devices("carol").is_empty());

    let (mut server, body) = registered();
    let status = server.user("carol").status;
    server.user("carol").status = status.on(Event::Fence).unwrap();
    assert_ne!(server.register(body).status, 200, "the account is being deactivated");
    assert_eq!(server.devices("carol").len(), 1, "and no token was made for it");
}
