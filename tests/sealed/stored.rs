//! What is stored of a sealed session, when, and for how long.

use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::page::Approval;
use matrix_uia::server::session::Worth;
use matrix_uia::server::store::Lifetimes;
use matrix_uia::{CLOCK_TOLERANCE, MatrixError, Millis};
use serde_json::json;

use super::{ALICE, NEW_PASSWORD, alice, begin, both_kinds, change, server};
use crate::support::{password_auth, policy, poll, stage};

#[test]
fn nothing_is_stored_before_a_stage_has_said_anything() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        let malformed = json!({"type": "m.login.password", "session": session});
        for auth in [poll(&session), malformed, stage("m.login.dummy", &session)] {
            let answer = server.change_password(ALICE, change(auth));
            assert_eq!((answer.status, answer.session()), (401, session.as_str()));
        }
        assert!(server.look(server.policies.change, &session, "m.login.password").is_ok());
        assert!(server.sessions.is_empty() && server.kept.is_empty());
    }
}

#[test]
fn a_flow_of_one_stage_is_stored_once_it_is_over() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        let body = change(alice(&session));
        assert_eq!(server.change_password(ALICE, body.clone()).says(), "200");
        assert_eq!(server.sessions.len(), 1);
        assert!(server.session(&session).consumed_at().is_some());
        assert_eq!(server.change_password(ALICE, body).says(), "200", "the answer was lost");
        assert_eq!(server.grants, 1);
    }
}

#[test]
fn a_stage_that_passes_is_stored_under_the_same_id_with_the_parameters() {
    for mut server in both_kinds() {
        server.policies.change = policy(&[&["m.login.dummy", "m.login.password"]], None);
        let session = begin(&mut server);
        let answer = server.change_password(ALICE, change(stage("m.login.dummy", &session)));
        assert_eq!((answer.completed(), answer.session()), (&json!(["m.login.dummy"]), session.as_str()));
        assert!(server.session(&session).has_passed_stage());
        assert_eq!(server.kept.len(), 1);
        // From then on they may be left out.
        assert_eq!(server.change_password(ALICE, json!({"auth": alice(&session)})).says(), "200");
    }
}

#[test]
fn failed_attempts_are_counted() {
    for mut server in both_kinds() {
        server.rules.max_failed_attempts = 3;
        let session = begin(&mut server);
        let wrong = password_auth(Some(&session), "alice", "wrong");
        for failures in 1..=3 {
            assert_eq!(server.change_password(ALICE, change(wrong.clone())).says(), "401 M_FORBIDDEN");
            assert_eq!(server.session(&session).failures(), failures);
        }
        assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "429 M_LIMIT_EXCEEDED");
    }
}

#[test]
fn a_page_stores_the_session_it_passes_a_stage_of() {
    for mut server in both_kinds() {
        let flows = policy(&[&["m.login.sso"]], None);
        server.policies.change = flows;
        let session = begin(&mut server);
        assert_eq!(server.complete(flows, &session, "m.login.sso", Approval::SessionUser), Ok(()));
        assert!(server.session(&session).has_passed_stage());
        assert!(server.kept.is_empty(), "a page brings no parameters");
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
    }
}

#[test]
fn parameters_that_were_never_kept_have_to_be_sent_again() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        let without = json!({"auth": alice(&session)});
        assert_eq!(server.change_password(ALICE, without).says(), "400 M_MISSING_PARAM");
        assert!(server.session(&session).has_passed_stage(), "the password need not be sent again");
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
        assert_eq!(server.compared, 1);
    }
}

#[test]
fn what_the_id_binds_is_bound() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        let other = json!({"new_password": "another-one", "auth": alice(&session)});
        assert_eq!(server.change_password(ALICE, other).says(), "403 M_FORBIDDEN");
        assert_eq!(server.deactivate(ALICE, json!({"auth": alice(&session)})).says(), "403 M_FORBIDDEN");
        let bobs = password_auth(Some(&session), "bob", "builder-bob");
        assert_eq!(server.change_password(Some("bob-token"), change(bobs)).says(), "401 M_UNKNOWN");
        assert_eq!(server.change_password(None, change(alice(&session))).says(), "401 M_UNKNOWN");
        assert!(server.sessions.is_empty() && server.asked == 0);
        assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "200");
    }
}

/// Rule U14: who is refused a parameter may send another one in the same session.
#[test]
fn a_refused_parameter_may_be_changed() {
    for mut server in both_kinds() {
        let body =
            |username: &str, auth| json!({"username": username, "password": "carol-secret", "auth": auth});
        let first = json!({"username": "carol", "password": "carol-secret"});
        let session = server.register(first).session().to_owned();
        assert_eq!(server.register(body("alice", poll(&session))).says(), "400 M_USER_IN_USE");
        let dave = body("dave", stage("m.login.dummy", &session));
        assert_eq!(server.register(dave).says(), "200");
    }
}

#[test]
fn a_consumed_session_is_remembered_as_long_as_its_id_could_begin_it_again() {
    for mut server in both_kinds() {
        server.rules.replay_for = Millis::from_secs(5);
        let session = begin(&mut server);
        assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "200");
        let over = server.session(&session);
        assert!(over.ends(&server.rules) > over.made().after(server.rules.session_lifetime));
        assert_eq!(over.worth(), Worth::Over);
        // The password works no more; what could be passed again is another stage.
        server.pass_time(Millis::from_secs(6));
        let again = change(password_auth(Some(&session), "alice", NEW_PASSWORD));
        assert_eq!(server.change_password(ALICE, again).says(), "401 M_UNKNOWN");
        assert_eq!(server.grants, 1);
    }
}

#[test]
fn a_session_that_ends_before_its_time_does_not_begin_again() {
    for mut server in both_kinds() {
        server.policies.change = policy(&[&["m.login.dummy", "m.login.password"]], None);
        let session = begin(&mut server);
        server.change_password(ALICE, change(stage("m.login.dummy", &session)));
        let other = policy(&[&["m.login.password", "m.login.dummy"]], None);
        let before = core::mem::replace(&mut server.policies.change, other);
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401 M_UNKNOWN");
        assert_eq!(server.session(&session).worth(), Worth::Over);
        assert!(!server.session(&session).has_passed_stage());
        // Not even when the policy is the old one again.
        server.policies.change = before;
        let dummy = change(stage("m.login.dummy", &session));
        assert_eq!(server.change_password(ALICE, dummy).says(), "401 M_UNKNOWN");
        assert!(server.look(server.policies.change, &session, "m.login.dummy").is_err());
    }
}

#[test]
fn a_session_that_was_dropped_by_its_store_begins_again_and_grants_nothing_by_itself() {
    for mut server in both_kinds() {
        server.policies.change = policy(&[&["m.login.dummy", "m.login.password"]], None);
        let session = begin(&mut server);
        server.change_password(ALICE, change(stage("m.login.dummy", &session)));
        server.sessions.clear();
        let answer = server.change_password(ALICE, change(poll(&session)));
        assert_eq!((answer.says().as_str(), answer.completed()), ("401", &json!([])));
        assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "401 M_INVALID_PARAM");
        assert_eq!(server.grants, 0);
    }
}

#[test]
fn a_session_of_other_terms_is_unknown() {
    let terms = |version: &str| {
        let policies = json!({"m.login.terms": {"policies": {"privacy": {"version": version,
            "en": {"name": "Privacy", "url": "https://example.org/privacy"}}}}});
        policy(&[&["m.login.terms"]], Some(&policies.to_string()))
    };
    for mut server in both_kinds() {
        let body = |auth| json!({"username": "carol", "password": "carol-secret", "auth": auth});
        server.policies.register = terms("1");
        let first = json!({"username": "carol", "password": "carol-secret"});
        let session = server.register(first).session().to_owned();
        server.policies.register = terms("2");
        let answer = server.register(body(stage("m.login.terms", &session)));
        assert_eq!(answer.says(), "401 M_UNKNOWN");
        let session = answer.session().to_owned();
        assert!(server.sessions.is_empty());
        assert_eq!(server.register(body(stage("m.login.terms", &session))).says(), "200");
    }
}

#[test]
fn an_account_that_has_changed_ends_a_session_that_is_stored_nowhere() {
    for mut server in both_kinds() {
        let (one, other) = (begin(&mut server), begin(&mut server));
        assert_eq!(server.change_password(ALICE, change(alice(&one))).says(), "200");
        let late = change(password_auth(Some(&other), "alice", NEW_PASSWORD));
        assert_eq!(server.change_password(ALICE, late).says(), "401 M_UNKNOWN");
    }
}

#[test]
fn a_call_that_fails_leaves_the_session_complete() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        server.call_fails = Some(MatrixError::unavailable());
        assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "503 M_UNKNOWN");
        assert!(!server.session(&session).is_claimed());
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
        assert_eq!((server.asked, server.grants), (1, 2));
    }
}

#[test]
fn two_requests_that_store_a_session_first_carry_one_call_out() {
    for mut server in both_kinds() {
        let session = begin(&mut server);
        let racing = change(alice(&session));
        server.before_write = Some(Box::new({
            let racing = racing.clone();
            move |server| assert_eq!(server.change_password(ALICE, racing).says(), "200")
        }));
        server.change_password(ALICE, racing);
        let changes = server.journal.iter().filter(|line| *line == "SetPassword");
        assert_eq!(changes.count(), 1, "{:?}", server.journal);
    }
}

#[test]
fn a_host_without_sealed_ids_knows_no_sealed_id() {
    let mut server = server(HostKind::CLAIMS);
    let session = begin(&mut server);
    server.kind = HostKind::CLAIMS;
    assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "401 M_UNKNOWN");
}

/// What every store asks: how long to keep it.
#[test]
fn a_store_keeps_what_is_over_as_long_as_its_id_could_begin_it_again() {
    for mut server in both_kinds() {
        server.rules.replay_for = Millis::from_secs(5);
        let lifetimes = Lifetimes::of(&server.rules);
        let session = begin(&mut server);
        assert_eq!(server.change_password(ALICE, change(alice(&session))).says(), "200");
        let over = server.session(&session);
        let left = lifetimes.left(&over, over.made());
        assert_eq!(over.made().after(left), over.ends(&server.rules));
        assert_eq!(left, Millis::new(server.rules.session_lifetime.get() + CLOCK_TOLERANCE.get()));
    }
}
