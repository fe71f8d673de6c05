//! Nobody learns, or proves, anything by another user's credentials.

use serde_json::{Value, json};

use super::{ALICE, CODE, alice, change, passed};
use crate::support::{Answer, Server, password_auth, policy, stage};

/// An answer without the session it began.
fn told(answer: Answer) -> (u16, Value) {
    let mut body = answer.body;
    if let Some(body) = body.as_object_mut() {
        body.remove("session");
    }
    (answer.status, body)
}

#[test]
fn lesson_74_another_users_password_is_an_oracle_for_nobody() {
    let mut answers = Vec::new();
    for (user, password) in [("bob", "builder-bob"), ("bob", "wrong"), ("nobody", "wrong")] {
        let mut server = Server::new();
        let session = server.begin(ALICE);
        let auth = password_auth(Some(&session), user, password);
        let answer = server.change_password(ALICE, change(auth));
        assert_eq!(answer.says(), "403 M_FORBIDDEN", "{user}");
        assert_eq!((server.asked, server.compared), (1, 0), "{user}: nobody's password is compared");
        assert_eq!(server.session(&session).failures(), 1, "{user}: it is a failed attempt");
        let keys = server.limit_keys.clone();
        assert!(keys.iter().any(|key| key.starts_with("TokenUser")), "{user}: {keys:?}");
        assert!(keys.iter().any(|key| key == "Address"), "{user}: {keys:?}");
        answers.push(told(answer));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn lesson_74_nor_where_a_stage_has_said_who_authenticates() {
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.email.identity", "m.login.password"]], None);
    server.add_validation_of("alice", "sid1", "secret", true);
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let first = change(json!({"type": "m.login.email.identity", "threepid_creds": creds}));
    let session = server.change_password(None, first).session().to_owned();
    for password in ["builder-bob", "wrong"] {
        let auth = password_auth(Some(&session), "bob", password);
        assert_eq!(server.change_password(None, change(auth)).says(), "403 M_FORBIDDEN");
    }
    assert_eq!((server.compared, server.session(&session).failures()), (0, 2));
    assert_eq!(server.change_password(None, change(alice(Some(&session)))).says(), "200");
}

#[test]
fn lesson_75_a_mailbox_that_is_not_the_users_passes_no_stage() {
    let email = |session: &str| {
        let creds = json!({"sid": "sid1", "client_secret": "secret"});
        json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": session})
    };
    let server = |owner: Option<&str>| {
        let mut server = Server::new();
        server.policies.change = policy(&[&["m.login.email.identity"]], None);
        match owner {
            Some(name) => server.add_validation_of(name, "sid1", "secret", true),
            None => server.add_validation("sid1", "secret", true),
        };
        let session = server.begin(ALICE);
        (server, session)
    };
    for owner in [None, Some("bob")] {
        let (mut server, session) = server(owner);
        let answer = server.change_password(ALICE, change(email(&session)));
        assert_eq!(answer.says(), "401 M_THREEPID_AUTH_FAILED", "{owner:?}");
        assert_eq!((server.grants, server.validations["sid1"].claimed_by), (0, None), "{owner:?}");
    }
    let (mut server, session) = server(Some("alice"));
    assert_eq!(server.change_password(ALICE, change(email(&session))).says(), "200");
}

#[test]
fn lesson_75_nor_after_a_stage_has_said_who_authenticates() {
    let mut server = Server::new();
    server.policies.reset = policy(&[&[CODE, "m.login.password", "m.login.email.identity"]], None);
    server.add_validation("sid1", "secret", true);
    server.next_verdict(passed());
    let session = server.begin(None);
    server.change_password(None, change(stage(CODE, &session)));
    server.change_password(None, change(alice(Some(&session))));
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let email = json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": session});
    assert_eq!(server.change_password(None, change(email)).says(), "401 M_THREEPID_AUTH_FAILED");
    assert_eq!(server.grants, 0);
}
