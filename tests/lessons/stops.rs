//! A request may stop, fail or come too late anywhere: nothing is lost, done twice or
//! reserved for ever.

use matrix_uia::MatrixError;
use matrix_uia::server::drive::Recalled;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::reference::Reference;
use serde_json::json;

use super::{ALICE, CODE, alice, carol, change, token, token_server, with_flows};
use crate::support::{ONE_TRANSACTION, Server, mode, policy, poll, stage};

/// Pending and spent uses of the one token.
fn uses(server: &Server) -> (usize, usize) {
    let token = &server.tokens["fBVFdqVE"];
    (token.pending, token.uses)
}

#[test]
fn lesson_72_a_session_that_nobody_was_told_of_is_not_stored() {
    let mut server = Server::new();
    server.call_fails = Some(MatrixError::unavailable());
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "503 M_UNKNOWN");
    let failed = json!({"username": "carol", "auth": {"type": "m.login.dummy"}});
    assert_eq!(server.register(failed).says(), "400 M_MISSING_PARAM");
    assert!(server.sessions.is_empty() && server.kept.is_empty());
}

#[test]
fn lesson_79_a_request_whose_session_ran_out_while_it_came_in_is_too_late() {
    let mut server = token_server(1);
    let session = server.register(carol(token(None))).session().to_owned();
    let ends = server.session(&session).ends(&server.rules).as_millis();
    // The head came in time and the body after.
    server.arrives = Some(ends - 1);
    server.now = ends;
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "401 M_UNKNOWN");
    assert_eq!((uses(&server), server.grants), ((0, 0), 0), "given back, and spent by nobody");
    // A second account takes the one use, and no third one does.
    server.arrives = None;
    let session = server.register(carol(token(None))).session().to_owned();
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "200");
    assert_eq!(server.register(carol(token(None))).status, 400, "the name is taken");
    let mut dave = carol(token(None));
    dave["username"] = "dave".into();
    assert_eq!(server.register(dave).says(), "401 M_UNAUTHORIZED");
    assert_eq!(uses(&server), (0, 1));
}

#[test]
fn lesson_80_a_request_refused_for_a_missing_parameter_uses_nothing_up() {
    let mut server = token_server(1);
    server.policies.register = policy(&[&["m.login.registration_token"]], None);
    let without = json!({"username": "carol", "auth": token(None)});
    let answer = server.register(without.clone());
    // What was proved is worth keeping: the client is told the session, and why.
    assert_eq!((answer.says().as_str(), uses(&server)), ("401 M_MISSING_PARAM", (1, 0)));
    let with = json!({"username": "carol", "password": "carol-secret", "auth": poll(answer.session())});
    assert_eq!(server.register(with).says(), "200");
    assert_eq!(uses(&server), (0, 1));

    // Where nobody goes on it ends with the session.
    let mut server = token_server(1);
    server.policies.register = policy(&[&["m.login.registration_token"]], None);
    let session = server.register(without).session().to_owned();
    server.pass_time(server.rules.session_lifetime);
    server.register(json!({"username": "carol", "auth": poll(&session)}));
    assert_eq!(uses(&server), (0, 0));
}

#[test]
fn lesson_98_a_client_that_hangs_up_before_the_outcome_leaves_nothing_claimed() {
    for kind in [HostKind::CLAIMS, ONE_TRANSACTION].map(mode) {
        for record in [Recalled::NotCarriedOut, Recalled::Unknown] {
            let mut server = token_server(1);
            (server.kind, server.record) = (kind, record);
            let session = server.register(carol(token(None))).session().to_owned();
            server.dies = true;
            server.register(carol(stage("m.login.dummy", &session)));
            server.dies = false;
            let claims = kind.claims();
            assert_eq!(server.session(&session).is_claimed(), claims);
            server.pass_time(server.rules.claim_for);
            let answer = server.register(carol(stage("m.login.dummy", &session)));
            if claims && matches!(record, Recalled::Unknown) {
                assert_eq!(answer.says(), "401 M_UNKNOWN", "nobody can tell: it is over");
                assert_eq!((uses(&server), server.grants), ((0, 0), 0));
            } else {
                assert_eq!(answer.says(), "200");
                assert_eq!((uses(&server), server.grants), ((0, 1), 1));
            }
        }
    }
}

#[test]
fn lesson_101_a_commit_that_fails_answers_nobody_that_it_happened() {
    // Sessions and accounts together: neither is written.
    let mut server = Server::new();
    let session = server.begin(ALICE);
    server.disk_full_at = Some(0);
    let body = change(alice(Some(&session)));
    assert_eq!(server.change_password(ALICE, body.clone()).says(), "503 M_UNKNOWN");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of wonderland"));
    assert_eq!(server.change_password(ALICE, body.clone()).says(), "200");
    assert_eq!(server.journal.iter().filter(|effect| *effect == "SetPassword").count(), 1);

    // Apart, the claim comes first: if that is not written nothing happens, ...
    let mut server = Server::new();
    server.kind = mode(HostKind::CLAIMS);
    let session = server.begin(ALICE);
    let body = change(alice(Some(&session)));
    server.disk_full_at = Some(0);
    assert_eq!(server.change_password(ALICE, body.clone()).says(), "503 M_UNKNOWN");
    assert_eq!(server.grants, 0);

    // ... and if its end is not, the record says what became of the call.
    server.disk_full_at = Some(1);
    assert_eq!(server.change_password(ALICE, body.clone()).says(), "503 M_UNKNOWN");
    assert!(server.session(&session).is_claimed() && server.grants == 1);
    server.pass_time(server.rules.claim_for);
    let outcome = *server.outcomes.keys().next_back().unwrap();
    server.record = Recalled::CarriedOut(Outcome::new(Reference::new(outcome)));
    assert_eq!(server.change_password(ALICE, body).says(), "200");
    assert_eq!(server.grants, 1, "repeated, and not carried out again");
}

#[test]
fn lesson_104_a_session_made_in_a_wrong_moment_of_the_clock_is_over() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    let now = server.now;
    server.now = 4_070_908_800_000; // 2099
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    server.now = now;
    assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "401 M_UNKNOWN");
}
