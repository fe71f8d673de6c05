//! Rules U7 to U12: what an attempt, a poll and an unknown session come to.

use matrix_uia::server::page::Approval;
use matrix_uia::server::reference::Reference;
use matrix_uia::server::rules::UnknownSession;
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::Raw;
use matrix_uia::{Millis, Rules};
use serde_json::json;

use super::uia::{CODE, PIN, TOKEN, body, passed, two_stages};
use crate::support::{Server, id, password_auth, policy, poll, stage};

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u07_every_failure_has_its_code_and_leaves_the_state() {
    for (failure, says) in [
        (StageFailure::Credentials, "401 M_FORBIDDEN"),
        (StageFailure::Captcha, "401 M_CAPTCHA_INVALID"),
        (StageFailure::Threepid, "401 M_THREEPID_AUTH_FAILED"),
        (StageFailure::Token, "401 M_UNAUTHORIZED"),
        (StageFailure::Other, "401 M_UNAUTHORIZED"),
    ] {
        let mut server = two_stages();
        let session = server.begin(TOKEN);
        server.change_password(TOKEN, body(password_auth(Some(&session), "alice", "wonderland")));
        let before = server.session(&session);
        server.next_verdict(Verdict::Failed(failure));
        let answer = server.change_password(TOKEN, body(stage(CODE, &session)));
        assert_eq!(answer.says(), says);
        assert_eq!(answer.completed(), &json!(["m.login.password"]));
        let after = server.session(&session);
        assert_eq!(after.failures(), before.failures() + 1);
        assert_eq!(after.proofs().collect::<Vec<_>>(), before.proofs().collect::<Vec<_>>());
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#password-based
#[test]
fn u07_an_unknown_third_party_identifier_is_403() {
    let mut server = Server::new();
    let session = server.begin(TOKEN);
    let auth = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": "nobody@example.org"},
        "password": "wonderland",
        "session": session,
    });
    let answer = server.change_password(TOKEN, body(auth));
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    assert_eq!(answer.keys(), ["errcode", "error"]);
    assert_eq!(server.session(&session).failures(), 1);
    let auth = password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "200", "the session goes on");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u07_right_credentials_of_another_user_are_403() {
    let mut server = Server::new();
    let session = server.begin(TOKEN);
    let answer = server.change_password(TOKEN, body(password_auth(Some(&session), "bob", "builder-bob")));
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    assert_eq!(server.session(&session).failures(), 1);
    assert!(server.journal.is_empty());
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u07_a_password_or_sso_stage_takes_only_the_proof_of_a_user() {
    for proof in [Evidence::nothing(), Evidence::other(Reference::new(1))] {
        let mut server = Server::new();
        let session = server.begin(TOKEN);
        server.next_verdict(Verdict::Passed(proof));
        let auth = password_auth(Some(&session), "alice", "wonderland");
        assert_eq!(server.change_password(TOKEN, body(auth)).says(), "403 M_FORBIDDEN", "{proof:?}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u08_a_completed_stage_is_not_verified_again() {
    let mut server = two_stages();
    let session = server.begin(TOKEN);
    server.change_password(TOKEN, body(password_auth(Some(&session), "alice", "wonderland")));
    let before = server.session(&session);
    for password in ["wonderland", "wrong"] {
        let answer = server.change_password(TOKEN, body(password_auth(Some(&session), "alice", password)));
        assert_eq!(answer.says(), "401");
        assert_eq!(answer.completed(), &json!(["m.login.password"]));
    }
    assert_eq!(server.asked, 1);
    assert_eq!(server.session(&session), before);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u08_if_all_is_complete_the_call_goes_ahead() {
    let mut server = Server::new();
    let session = server.begin(TOKEN);
    server.call_fails = Some(matrix_uia::MatrixError::unavailable());
    let auth = password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth.clone())).says(), "503 M_UNKNOWN");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "200");
    assert_eq!(server.asked, 1, "nothing needs to be verified again");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u09_a_poll_of_nothing_awaited_answers_the_state() {
    let mut server = two_stages();
    let session = server.begin(TOKEN);
    let before = server.session(&session);
    let answer = server.change_password(TOKEN, body(poll(&session)));
    assert_eq!((answer.says(), answer.completed()), ("401".to_owned(), &json!([])));
    assert_eq!(answer.keys(), ["completed", "flows", "params", "session"]);
    assert_eq!((server.asked, server.session(&session)), (0, before));
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn u09_a_poll_asks_about_what_is_awaited_and_counts_no_failure() {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.email.identity"]], None);
    server.add_validation_of("alice", "sid1", "secret", false);
    let session = server.begin(TOKEN);
    let mut auth = stage("m.login.email.identity", &session);
    auth["threepid_creds"] = json!({"sid": "sid1", "client_secret": "secret"});
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "401", "pending is no error");
    assert_eq!(server.change_password(TOKEN, body(poll(&session))).says(), "401");
    server.next_verdict(Verdict::Failed(StageFailure::Threepid));
    let failed = server.change_password(TOKEN, body(poll(&session)));
    assert_eq!(failed.status, 401);
    server.next_verdict(Verdict::Failed(StageFailure::UnknownThreepid));
    server.change_password(TOKEN, body(poll(&session)));
    assert_eq!(server.session(&session).failures(), 0, "polling never counts");
    server.validate("sid1");
    assert_eq!(server.change_password(TOKEN, body(poll(&session))).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn u09_a_completion_from_outside_is_subject_to_the_order() {
    use matrix_uia::server::page_outcome::PageRefusal;
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password", "m.login.sso"]], None);
    let change = server.policies.change;
    let session = server.begin(TOKEN);
    let alice = Approval::User(server.account_named("alice"));
    let bob = Approval::User(server.account_named("bob"));
    let sso = "m.login.sso";
    assert_eq!(server.complete(change, &session, sso, alice), Err(PageRefusal::OutOfOrder));
    assert_eq!(server.complete(change, &session, PIN, alice), Err(PageRefusal::OutOfOrder));
    server.change_password(TOKEN, body(password_auth(Some(&session), "alice", "wonderland")));
    assert_eq!(server.complete(change, &session, "m.login.password", alice), Err(PageRefusal::Already));
    assert_eq!(server.complete(change, &session, sso, bob), Err(PageRefusal::WrongUser));
    assert_eq!(server.complete(change, &session, sso, Approval::Anybody), Err(PageRefusal::WrongUser));
    assert_eq!(server.complete(change, &session, sso, alice), Ok(()));
    assert_eq!(server.complete(change, &session, sso, alice), Err(PageRefusal::Already));
    assert_eq!(server.asked, 1);
    assert_eq!(server.change_password(TOKEN, body(poll(&session))).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn u09_a_completion_finds_only_an_open_session_of_its_operation() {
    use matrix_uia::server::page_outcome::PageRefusal;
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.sso"]], None);
    let change = server.policies.change;
    let alice = Approval::User(server.account_named("alice"));
    let unknown = id(77).expose();
    assert_eq!(server.complete(change, &unknown, "m.login.sso", alice), Err(PageRefusal::Unknown));

    let session = server.begin(TOKEN);
    let elsewhere = policy::<matrix_uia::server::operation::Deactivate>(&[&["m.login.sso"]], None);
    assert_eq!(server.complete(elsewhere, &session, "m.login.sso", alice), Err(PageRefusal::Unknown));

    server.rules.max_failed_attempts = 0;
    let closed = Err(PageRefusal::Closed(server.rules.session_lifetime));
    assert_eq!(server.complete(change, &session, "m.login.sso", alice), closed);
    server.rules = Rules::default();

    server.pass_time(server.rules.session_lifetime);
    assert_eq!(server.complete(change, &session, "m.login.sso", alice), Err(PageRefusal::Unknown));
    server.now -= 1;
    assert_eq!(server.complete(change, &session, "m.login.sso", alice), Ok(()));
    assert_eq!(server.change_password(TOKEN, body(poll(&session))).says(), "200");
    assert_eq!(server.complete(change, &session, "m.login.sso", alice), Err(PageRefusal::Unknown));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u10_a_stage_of_several_requests_adds_its_own_keys() {
    let mut server = Server::new();
    server.policies.change = policy(&[&[CODE]], None);
    let session = server.begin(TOKEN);
    let extra = r#"{"challenge":"9f","session":"forged","errcode":"M_FORGED","error":"forged",
        "completed":["forged"],"params":{"forged":{}},"flows":[],"nested":{"a":[1]}}"#;
    server.next_verdict(Verdict::Continue {
        extra: Raw::parse(extra).unwrap().into(),
        reference: Reference::new(9),
    });
    let answer = server.change_password(TOKEN, body(stage(CODE, &session)));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.keys(), ["challenge", "completed", "flows", "nested", "params", "session"]);
    assert_eq!((answer.session(), &answer.body["challenge"]), (session.as_str(), &json!("9f")));
    assert!(
        !answer.body.to_string().to_lowercase().contains("forged"),
        "how the session stands is said by nobody else"
    );
    assert_eq!(server.session(&session).failures(), 0);

    server.next_verdict(passed());
    let mut auth = stage(CODE, &session);
    auth["response"] = "f9".into();
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "200");
    assert!(server.questions[1].ends_with(" 9"), "the host finds its state again: {:?}", server.questions);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u11_a_type_without_a_session_is_the_first_step_of_a_new_one() {
    let mut server = Server::new();
    let auth = password_auth(None, "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "200");

    let mut server = two_stages();
    let answer = server.change_password(TOKEN, body(password_auth(None, "alice", "wonderland")));
    assert_eq!(answer.completed(), &json!(["m.login.password"]));
    server.next_verdict(passed());
    assert_eq!(server.change_password(TOKEN, body(stage(CODE, answer.session()))).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u11_without_one_shot_nothing_is_verified() {
    let mut server = Server::new();
    server.rules.one_shot = false;
    let answer = server.change_password(TOKEN, body(password_auth(None, "alice", "wonderland")));
    assert_eq!(answer.says(), "401");
    assert_eq!(answer.keys(), ["completed", "flows", "params", "session"]);
    assert_eq!(server.asked, 0);
    let auth = password_auth(Some(answer.session()), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u12_an_unknown_session_restarts_by_default() {
    let mut server = Server::new();
    for unknown in [id(999).expose().as_str(), "", "xxxxxx", "é\"\\", &"A".repeat(300)] {
        for auth in [password_auth(Some(unknown), "alice", "wonderland"), poll(unknown)] {
            let answer = server.change_password(TOKEN, body(auth));
            assert_eq!(answer.says(), "401 M_UNKNOWN", "{unknown}");
            assert_eq!(answer.keys(), ["completed", "errcode", "error", "flows", "params", "session"]);
            assert_ne!(answer.session(), unknown);
            let again = server.change_password(TOKEN, body(poll(answer.session())));
            assert_eq!(again.says(), "401", "the new session is one that can go on");
        }
    }
    assert_eq!((server.asked, server.grants), (0, 0));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u12_or_is_rejected() {
    let mut server = Server::new();
    server.rules.unknown_session = UnknownSession::Reject;
    let auth = password_auth(Some(&id(999).expose()), "alice", "wonderland");
    let answer = server.change_password(TOKEN, body(auth));
    assert_eq!((answer.says(), answer.keys()), ("400 M_UNKNOWN".to_owned(), vec!["errcode", "error"]));
    assert!(server.sessions.is_empty());

    let session = server.begin(TOKEN);
    server.pass_time(server.rules.session_lifetime);
    let auth = password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "400 M_UNKNOWN");
    assert_eq!(server.asked, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u12_an_expired_or_consumed_session_is_unknown() {
    let mut server = Server::new();
    server.rules.replay_for = Millis::new(0);
    let expired = server.begin(TOKEN);
    server.pass_time(server.rules.session_lifetime);
    let auth = password_auth(Some(&expired), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "401 M_UNKNOWN");
    assert_eq!(server.asked, 0);

    let consumed = server.begin(TOKEN);
    let auth = password_auth(Some(&consumed), "alice", "wonderland");
    assert_eq!(server.change_password(TOKEN, body(auth.clone())).says(), "200");
    assert_eq!(server.change_password(TOKEN, body(auth)).says(), "401 M_UNKNOWN");
    assert_eq!((server.asked, server.grants), (1, 1));
}
