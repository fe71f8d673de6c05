//! A call is carried out once.

use serde_json::{Value, json};

use super::{ALICE, CODE, alice, carol, change, with_flows};
use crate::support::{Answer, Server, password_auth, policy, poll, stage};

#[test]
fn lesson_11_a_finished_session_never_yields_a_second_grant() {
    let mut server = Server::new();
    let parameters = json!({"username": "carol", "password": "carol-secret"});
    let session = server.register(parameters).session().to_owned();
    let body = carol(stage("m.login.dummy", &session));
    assert_eq!(server.register(body.clone()).says(), "200");
    let mut other = body.clone();
    other["device_id"] = "SECOND".into();
    assert_eq!(server.register(other).says(), "200", "the device may change, and stays the first one");
    assert_eq!(server.devices("carol"), ["MADE"]);
    for _ in 0..3 {
        assert_eq!(server.register(body.clone()).says(), "200");
        assert_eq!(server.devices("carol").len(), 1, "one live access token");
    }
    assert_eq!(server.grants, 1);
}

#[test]
fn lesson_12_one_of_two_concurrent_registrations_claims_the_session() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.recaptcha"]], None);
    let session = server.register(carol(Value::Null)).session().to_owned();
    let body = carol(json!({"type": "m.login.recaptcha", "response": "human", "session": session}));
    let racing = body.clone();
    server.meanwhile = Some(Box::new(move |server| {
        assert_eq!(server.register(racing).says(), "200");
    }));
    let answer = server.register(body);
    assert_eq!(answer.says(), "200", "the result, and not M_USER_IN_USE");
    assert_eq!((server.grants, server.journal.as_slice()), (1, ["create carol".to_owned()].as_slice()));
}

#[test]
fn lesson_22_absent_and_unknown_are_two_things() {
    let mut server = Server::new();
    let absent = server.change_password(ALICE, change(alice(None)));
    assert_eq!(absent.says(), "200");
    let body = json!({"new_password": "another-one", "auth": password_auth(Some("expired"), "alice", "looking-glass")});
    assert_eq!(server.change_password(ALICE, body).says(), "401 M_UNKNOWN");
    assert_eq!(server.asked, 1, "an expired session is not none");
}

#[test]
fn lesson_50_every_session_in_a_401_can_be_continued() {
    let mut server = Server::new();
    let failed = server.change_password(ALICE, change(password_auth(None, "alice", "wrong")));
    let retried = server.change_password(ALICE, change(alice(Some(failed.session()))));
    assert_eq!(retried.says(), "200");

    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let mut answers: Vec<Answer> = Vec::new();
    for auth in
        [Value::Null, json!({}), stage("x", "unknown"), alice(None), stage(CODE, ""), json!({"type": "x"})]
    {
        answers.push(server.change_password(ALICE, change(auth)));
    }
    for answer in answers {
        let next = server.change_password(ALICE, change(poll(answer.session())));
        assert_eq!((next.says().as_str(), next.session()), ("401", answer.session()));
    }
}

#[test]
fn lesson_62_the_result_is_there_for_who_holds_the_session() {
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.email.identity"]], None);
    server.add_validation_of("alice", "sid1", "secret", false);
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let waiting = server
        .change_password(None, change(json!({"type": "m.login.email.identity", "threepid_creds": creds})));
    server.validate("sid1");
    // One client polls it to the end, and the other, which waited too, still learns of it.
    let done = server.change_password(None, json!({"auth": poll(waiting.session())}));
    assert_eq!(done.says(), "200");
    assert_eq!(server.change_password(None, json!({"auth": poll(waiting.session())})), done);
}
