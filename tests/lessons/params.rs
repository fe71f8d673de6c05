//! The parameters of a call: checked before they are bound, compared by meaning, and a
//! password costs nothing before the call happens.

use serde_json::{Value, json};

use super::{ALICE, CODE, alice, change, passed, with_flows};
use crate::support::{Server, password_auth, poll, stage};

#[test]
fn lesson_77_an_unchecked_password_is_bound_on_no_path() {
    let long = "x".repeat(513);
    for (password, says) in
        [("x", "400 M_WEAK_PASSWORD"), ("", "400 M_WEAK_PASSWORD"), (&long, "400 M_INVALID_PARAM")]
    {
        let mut server = with_flows(&[&["m.login.password", CODE]]);
        let open = server.change_password(ALICE, json!({})).session().to_owned();
        let (sessions, kept) = (server.sessions.clone(), server.kept.clone());
        let unknown = Some("a-session-that-never-was");
        for auth in [Value::Null, alice(None), alice(unknown), poll(&open), alice(Some(&open))] {
            let body = json!({"new_password": password, "auth": auth});
            assert_eq!(server.change_password(ALICE, body).says(), says, "{auth}");
        }
        assert_eq!((&server.sessions, &server.kept, server.asked), (&sessions, &kept, 0));
        // What follows goes by what was bound: nothing.
        server.change_password(ALICE, json!({"auth": alice(Some(&open))}));
        server.next_verdict(passed());
        let answer = server.change_password(ALICE, json!({"auth": stage(CODE, &open)}));
        assert_eq!(answer.says(), "400 M_MISSING_PARAM");
    }
}

#[test]
fn lesson_90_a_tab_that_repeats_only_the_devices_name_goes_on() {
    let mut server = Server::new();
    let first = json!({
        "username": "carol", "password": "carol-secret", "initial_device_display_name": "Element on Linux",
    });
    let session = server.register(first).session().to_owned();
    let tab = json!({
        "initial_device_display_name": "Element on Linux", "auth": stage("m.login.dummy", &session),
    });
    assert_eq!(server.register(tab).says(), "200");
    assert_eq!(server.users["carol"].hash.as_deref(), Some("hash of carol-secret"));

    // Bound ones are compared one by one: one may be repeated and another left out.
    let mut server = with_flows(&[&["m.login.password"]]);
    let both = json!({"new_password": "looking-glass", "logout_devices": false});
    let session = server.change_password(ALICE, both).session().to_owned();
    let one = json!({"logout_devices": false, "auth": alice(Some(&session))});
    assert_eq!(server.change_password(ALICE, one).says(), "200");
    assert_eq!(server.journal, ["SetPassword"], "and the one left out is as it was bound");
}

#[test]
fn lesson_91_a_default_spelled_out_is_no_change() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let spelled =
        json!({"new_password": "looking-glass", "logout_devices": true, "auth": alice(Some(&session))});
    assert_eq!(server.change_password(ALICE, spelled).says(), "200");

    let mut server = Server::new();
    let first = json!({"id_server": "id.example.org"});
    let session = server.deactivate(ALICE, first.clone()).session().to_owned();
    let mut changed = first.clone();
    changed["erase"] = true.into();
    changed["auth"] = alice(Some(&session));
    assert_eq!(server.deactivate(ALICE, changed).says(), "403 M_FORBIDDEN", "that is a change");
    let mut spelled = first;
    spelled["erase"] = false.into();
    spelled["auth"] = alice(Some(&session));
    assert_eq!(server.deactivate(ALICE, spelled).says(), "200");
}

#[test]
fn lesson_100_a_first_request_and_a_challenge_cost_no_hash() {
    let mut server = Server::new();
    for _ in 0..100 {
        server.begin(ALICE);
        server.register(json!({"username": "carol", "password": "carol-secret"}));
        server.change_password(None, json!({"new_password": "looking-glass"}));
    }
    let session = server.begin(ALICE);
    for _ in 0..3 {
        server.change_password(ALICE, change(password_auth(Some(&session), "alice", "wrong")));
    }
    assert_eq!(server.hashed, 0);
    assert_eq!(server.change_password(ALICE, change(alice(Some(&session)))).says(), "200");
    assert_eq!(server.hashed, 1);
}

#[test]
fn lesson_103_a_password_is_the_one_given_or_the_one_kept_and_never_another() {
    // Sent only in the first request: the kept one.
    let mut server = Server::new();
    let session = server.begin(ALICE);
    assert_eq!(server.change_password(ALICE, json!({"auth": alice(Some(&session))})).says(), "200");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of looking-glass"));

    // Never sent, or kept and lost: an error, and nothing is changed.
    let mut lost = Server::new();
    let session = lost.begin(ALICE);
    lost.kept.clear();
    let mut never = Server::new();
    let none = never.change_password(ALICE, json!({})).session().to_owned();
    for (mut server, session) in [(lost, session), (never, none)] {
        let answer = server.change_password(ALICE, json!({"auth": alice(Some(&session))}));
        assert_eq!(answer.says(), "400 M_MISSING_PARAM");
        assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of wonderland"));
        // The session stays complete, and takes one that is sent now.
        assert_eq!(server.change_password(ALICE, change(poll(&session))).says(), "200");
        assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of looking-glass"));
    }

    // One that is too long is refused before anybody authenticates.
    let mut server = Server::new();
    let long = json!({"new_password": "x".repeat(513), "auth": alice(None)});
    assert_eq!(server.change_password(ALICE, long).says(), "400 M_INVALID_PARAM");
    assert_eq!((server.asked, server.hashed), (0, 0));
}
