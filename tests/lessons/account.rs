//! An account has one status, and one gate.

use matrix_uia::endpoint::login::{self};
use matrix_uia::server::account::{AccountStatus, Action, Event};
use matrix_uia::server::session::Proof;
use serde_json::json;

use super::{ALICE, alice, change, passed};
use crate::support::{Server, password_auth, policy};

#[test]
fn lesson_35_no_password_of_an_account_without_one_is_right() {
    let mut server = Server::new();
    server.user("alice").hash = None;
    for guess in ["", "hash of ", "*", "!", "null", "None"] {
        let answer = server.change_password(ALICE, change(password_auth(None, "alice", guess)));
        assert_eq!(answer.status, 401, "{guess}");
    }
    // And a stage that is about a user takes no answer that names none.
    server.next_verdict(passed());
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "403 M_FORBIDDEN");
    assert!(server.journal.is_empty());
}

#[test]
fn lesson_44_one_gate_for_every_way_in() {
    let fenced = AccountStatus::default().on(Event::Fence).unwrap();
    for status in [fenced, fenced.on(Event::Finish).unwrap()] {
        for action in Action::ALL {
            assert!(status.gate(*action).is_err(), "{action:?}");
        }
        assert!(login::decide(Some(status), true, false).is_err());
    }
    // And it is asked again when a grant is redeemed.
    let mut server = Server::new();
    server.policies.deactivate_without_token = Some(policy(&[&["m.login.password"]], None));
    server.meanwhile = Some(Box::new(|server| {
        server.user("alice").status = AccountStatus::default().on(Event::Fence).unwrap();
    }));
    let answer = server.deactivate(None, json!({"auth": alice(None)}));
    assert_eq!(answer.says(), "403 M_USER_DEACTIVATED");
}

#[test]
fn lesson_51_a_deactivated_account_is_not_revived_by_a_reset() {
    let mut server = Server::new();
    let number = server.add_validation_of("alice", "sid1", "secret", true);
    server.deactivate(ALICE, json!({"auth": alice(None)}));
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let reset = change(json!({"type": "m.login.email.identity", "threepid_creds": creds}));
    assert_eq!(server.change_password(None, reset.clone()).says(), "404 M_THREEPID_NOT_FOUND");
    // Were the address still bound, the status is read at redeeming.
    server.user("alice").threepids.push(number);
    server.give_back(Some(Proof::Threepid(matrix_uia::server::reference::Reference::new(number))));
    assert_eq!(server.change_password(None, reset).says(), "403 M_USER_DEACTIVATED");
    assert_eq!(server.users["alice"].hash, None);
}
