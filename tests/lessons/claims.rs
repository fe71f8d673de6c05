//! What was proved or reserved is claimed, and given back.

use matrix_uia::MatrixError;
use matrix_uia::server::verdict::Verdict;
use serde_json::{Value, json};

use super::{CODE, carol, token, token_server};
use crate::support::{Server, policy, poll, stage};

#[test]
fn lesson_23_a_token_is_spent_by_a_registration_that_succeeds_and_by_none_other() {
    let mut server = token_server(1);
    let session = server.register(carol(token(None))).session().to_owned();
    server.call_fails = Some(MatrixError::unavailable());
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "503 M_UNKNOWN");
    let kept = |server: &Server| (server.tokens["fBVFdqVE"].pending, server.tokens["fBVFdqVE"].uses);
    assert_eq!(kept(&server), (1, 0), "still reserved: the session is complete");
    server.pass_time(server.rules.session_lifetime);
    server.register(carol(poll(&session)));
    assert_eq!(kept(&server), (0, 0), "released on expiry");

    let session = server.register(carol(token(None))).session().to_owned();
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "200");
    assert_eq!(kept(&server), (0, 1));
    assert_eq!(server.session(&session).proofs().count(), 0, "a spent reservation isn't given back");
}

#[test]
fn lesson_23_a_reservation_that_lost_its_race_is_given_back() {
    // Both requests reserve; one stage passes; the call fails, or succeeds.
    for fails in [true, false] {
        let mut server = token_server(2);
        server.policies.register = policy(&[&["m.login.registration_token"]], None);
        let session = server.register(carol(Value::Null)).session().to_owned();
        let body = carol(token(Some(&session)));
        let racing = body.clone();
        server.add_token("other", 1);
        server.meanwhile = Some(Box::new(move |server| {
            if fails {
                server.call_fails = Some(MatrixError::unavailable());
            }
            // The other request reserves under a number of its own.
            let number = server.tokens["other"].number;
            server.tokens.get_mut("other").unwrap().pending = 1;
            server.next_verdict(Verdict::Passed(matrix_uia::server::verdict::Evidence::token(
                matrix_uia::server::reference::Reference::new(number),
            )));
            server.register(racing);
        }));
        assert_eq!(server.register(body).says(), "200");
        assert_eq!(server.tokens["fBVFdqVE"].pending, 0, "given back, though the call went ahead: {fails}");
        assert_eq!(server.tokens["fBVFdqVE"].uses, 0);
        assert_eq!((server.tokens["other"].pending, server.tokens["other"].uses), (0, 1));
    }
}

#[test]
fn lesson_23_a_reservation_both_racers_share_is_not_given_back() {
    // A host that reserves by session gives both requests the one reservation.
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.email.identity", "m.login.dummy"]], None);
    server.add_validation("sid1", "secret", true);
    let session = server.register(carol(Value::Null)).session().to_owned();
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let body = carol(json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": session}));
    let racing = body.clone();
    server.meanwhile = Some(Box::new(move |server| {
        server.register(racing);
    }));
    assert_eq!(server.register(body).completed(), &json!(["m.login.email.identity"]));
    assert_eq!(server.asked, 2);
    let claimed = server.validations["sid1"].claimed_by;
    assert_eq!(claimed, Some(server.named(&session).id()), "the session still holds what it was passed with");
}

#[test]
fn lesson_24_reserving_is_one_act_of_the_host() {
    let mut server = token_server(1);
    let racing = carol(token(None));
    server.meanwhile = Some(Box::new(move |server| {
        assert_eq!(server.register(racing).says(), "401 M_UNAUTHORIZED", "the one use is pending");
    }));
    assert_eq!(server.register(carol(token(None))).says(), "401");
    assert_eq!(server.tokens["fBVFdqVE"].pending, 1);
}

#[test]
fn lesson_25_a_validated_address_is_claimed_by_one_session() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.email.identity", CODE]], None);
    server.add_validation("sid1", "secret", true);
    let auth = |session: Option<&str>| {
        let creds = json!({"sid": "sid1", "client_secret": "secret"});
        json!({"type": "m.login.email.identity", "threepid_creds": creds, "session": session})
    };
    let first = server.register(carol(auth(None))).session().to_owned();
    assert_eq!(server.register(carol(auth(None))).says(), "401 M_THREEPID_AUTH_FAILED");
    // The first keeps its proof, poll after poll.
    for again in [poll(&first), auth(Some(&first)), poll(&first)] {
        assert_eq!(server.register(carol(again)).completed(), &json!(["m.login.email.identity"]));
    }
    assert_eq!(server.asked, 2);
}
