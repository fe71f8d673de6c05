//! Rules D1 to D7.

use matrix_uia::endpoint::deactivate::{
    DeactivateRequest, Deactivation, Effect, MAX_ID_SERVER_LEN, StoredDeactivation, UnbindResult,
};
use matrix_uia::endpoint::login;
use matrix_uia::server::account::{AccountStatus, Action, Event, Lifecycle};
use matrix_uia::server::endpoint::Endpoint as _;
use matrix_uia::server::grant::{Exempt, Outcome};
use serde_json::{Value, json};

use crate::support::{Handler, Server, key, password_auth, policy, poll};

const ALICE: Option<&str> = Some("alice-token");

fn auth(session: Option<&str>) -> Value {
    password_auth(session, "alice", "wonderland")
}

fn begun(body: &str) -> Deactivation {
    let mut server = Server::new();
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["auth"] = auth(None);
    server.deactivate_until(ALICE, body, 0).1.expect("it begins")
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d01_without_a_token_it_is_missing() {
    let mut server = Server::new();
    assert_eq!(server.deactivate(None, json!({})).says(), "401 M_MISSING_TOKEN");
    assert_eq!(server.deactivate(None, json!({"auth": auth(None)})).says(), "401 M_MISSING_TOKEN");
    assert_eq!(server.asked, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d01_a_policy_may_have_flows_that_name_the_user() {
    let mut server = Server::new();
    server.policies.deactivate_without_token = Some(policy(&[&["m.login.password"]], None));
    assert_eq!(server.deactivate(None, json!({"auth": auth(None)})).says(), "200");
    assert_eq!(server.users["alice"].status.life, Lifecycle::Deactivated);
    assert_eq!(server.users["bob"].status.life, Lifecycle::Active);

    let mut server = Server::new();
    server.policies.deactivate_without_token = Some(policy(&[&["m.login.dummy"]], None));
    let body = json!({"auth": {"type": "m.login.dummy"}});
    assert_eq!(server.deactivate(None, body).says(), "403 M_FORBIDDEN", "nobody is named");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d02_parameters_have_their_types() {
    let mut server = Server::new();
    for (body, says) in [
        (json!({"erase": "yes"}), "400 M_BAD_JSON"),
        (json!({"erase": 1}), "400 M_BAD_JSON"),
        (json!({"id_server": 1}), "400 M_BAD_JSON"),
        (json!({"id_server": {}}), "400 M_BAD_JSON"),
        (json!({"id_server": ""}), "400 M_INVALID_PARAM"),
        (json!({"id_server": "x".repeat(MAX_ID_SERVER_LEN + 1)}), "400 M_INVALID_PARAM"),
        (json!({"id_server": "x".repeat(MAX_ID_SERVER_LEN)}), "401"),
        (json!({"id_server": null, "erase": null}), "401"),
        (json!({"erase": true, "id_server": "id.example.org"}), "401"),
    ] {
        assert_eq!(server.deactivate(ALICE, body.clone()).says(), says, "{body}");
    }
    assert!(!begun("{}").erases(), "erasure is asked for, never assumed");
    assert!(begun(r#"{"erase":true}"#).erases());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d03_the_effects_are_in_the_order_that_is_safe() {
    let mut server = Server::new();
    assert_eq!(server.deactivate(ALICE, json!({"erase": true, "auth": auth(None)})).says(), "200");
    let with_erasure = [
        "Fence",
        "UnbindThreepids",
        "RemoveThreepids",
        "EndDevices",
        "RemovePassword",
        "RemovePushers",
        "RemoveKeyBackups",
        "RemoveAccountData",
        "RemoveProfile",
        "RemoveDirectoryEntry",
        "LeaveRooms",
        "MarkErased",
        "MarkDeactivated",
    ];
    assert_eq!(server.journal, with_erasure);
    assert!(server.users["alice"].status.erased);

    let mut server = Server::new();
    assert_eq!(server.deactivate(ALICE, json!({"auth": auth(None)})).says(), "200");
    let mut without = with_erasure.to_vec();
    without.retain(|effect| !["RemoveProfile", "MarkErased"].contains(effect));
    assert_eq!(server.journal, without);
    assert!(!server.users["alice"].status.erased);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d03_each_address_is_unbound_where_it_was_bound_or_was_asked() {
    let named = begun(r#"{"id_server":"id.example.org"}"#);
    assert_eq!(named.unbind_at(Some("other.example.org")), Some("id.example.org"));
    assert_eq!(named.unbind_at(None), Some("id.example.org"));
    let unnamed = begun("{}");
    assert_eq!(unnamed.unbind_at(Some("other.example.org")), Some("other.example.org"));
    assert_eq!(unnamed.unbind_at(None), None);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d03_the_fence_ends_the_users_open_sessions() {
    let mut server = Server::new();
    let theirs = server.begin(ALICE);
    let bobs = server.change_password(Some("bob-token"), json!({})).session().to_owned();
    let (_, progress) = server.deactivate_until(ALICE, json!({"auth": auth(None)}), 1);
    // Were the session still there, its epoch has passed.
    let mut server = server;
    let body = json!({"auth": auth(Some(&theirs))});
    assert_eq!(server.change_password(ALICE, body).says(), "401 M_UNKNOWN_TOKEN");
    assert_eq!(server.session(&bobs).failures(), 0, "another's stays");
    assert!(server.carry_out(progress.unwrap()).get("id_server_unbind_result").is_some());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d04_after_a_crash_at_any_point_the_rest_follows() {
    for crash in 0..13 {
        for done_but_not_noted in [false, true] {
            let mut server = Server::new();
            let body = json!({"erase": true, "auth": auth(None)});
            let mut progress = server.deactivate_until(ALICE, body, 0).1.unwrap();
            for _ in 0..crash {
                let effect = progress.effect().unwrap();
                progress = server.carry_out_one(progress, effect);
                assert_ne!(server.users["alice"].status.life, Lifecycle::Active, "never usable in between");
            }
            if done_but_not_noted {
                let effect = progress.effect().unwrap();
                let _lost = server.carry_out_one(progress.clone(), effect);
            }
            let stored = serde_json::to_string(&progress).unwrap();
            drop(progress);
            let resumed: Deactivation = serde_json::from_str(&stored).unwrap();
            assert_eq!(server.carry_out(resumed), json!({"id_server_unbind_result": "success"}), "{crash}");
            let user = &server.users["alice"];
            assert_eq!((user.status.life, user.status.erased), (Lifecycle::Deactivated, true));
            assert!(user.hash.is_none() && user.tokens.is_empty() && user.threepids.is_empty());
        }
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d04_from_the_fence_on_every_token_is_unknown() {
    let mut server = Server::new();
    let (_, progress) = server.deactivate_until(ALICE, json!({"auth": auth(None)}), 0);
    let progress = progress.unwrap();
    assert_eq!(progress.effect(), Some(Effect::Fence), "before anything else");
    let _ = server.carry_out_one(progress, Effect::Fence);
    // The token itself is not ended yet.
    assert_eq!(server.devices("alice"), ["PHONE"]);
    let answer = server.change_password(ALICE, json!({}));
    assert_eq!((answer.says(), answer.body.get("soft_logout")), ("401 M_UNKNOWN_TOKEN".to_owned(), None));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d05_what_could_not_be_unbound_is_told_and_stops_nothing() {
    for (all, says) in [(true, "success"), (false, "no-support")] {
        let mut progress = begun("{}").done();
        assert_eq!(progress.effect(), Some(Effect::UnbindThreepids));
        progress = progress.unbound(all);
        while let Some(effect) = progress.effect() {
            assert_eq!(progress.response(), None, "{effect:?} is still to be done");
            progress = progress.done();
        }
        let response = progress.response().unwrap();
        let mut body = String::new();
        response.write(&mut body).unwrap();
        assert_eq!(body, format!(r#"{{"id_server_unbind_result":"{says}"}}"#));
        assert_eq!(response.id_server_unbind_result == UnbindResult::Success, all);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d05_a_result_out_of_turn_counts_for_nothing() {
    let fresh = begun("{}");
    assert_eq!(fresh.clone().unbound(false), fresh, "nothing is unbound before the fence");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login
#[test]
fn d06_afterwards_nothing_works_and_the_name_stays_taken() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.dummy"]], None);
    let number = server.add_validation_of("alice", "sid1", "secret", true);
    assert_eq!(server.deactivate(ALICE, json!({"auth": auth(None)})).says(), "200");
    assert_eq!(server.change_password(ALICE, json!({})).says(), "401 M_UNKNOWN_TOKEN");
    let body = json!({"username": "alice", "password": "another-alice", "auth": {"type": "m.login.dummy"}});
    assert_eq!(server.register(body).says(), "400 M_USER_IN_USE");
    assert!(
        server.owner_of(matrix_uia::server::reference::Reference::new(number)).is_none(),
        "the address is free"
    );

    let gone = server.users["alice"].status;
    let login = |hide| login::decide(Some(gone), true, hide).unwrap_err();
    assert_eq!((login(false).status(), login(false).code().name()), (403, "M_USER_DEACTIVATED"));
    assert_eq!(login(true), login::decide(None, false, true).unwrap_err(), "hidden: like any failed login");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
#[test]
fn d06_the_answer_is_repeated_while_it_may_have_been_lost() {
    let mut server = Server::new();
    server.policies.deactivate_without_token = Some(policy(&[&["m.login.password"]], None));
    let session = server.deactivate(None, json!({})).session().to_owned();
    let body = json!({"auth": auth(Some(&session))});
    let first = server.deactivate(None, body.clone());
    assert_eq!(first.body, json!({"id_server_unbind_result": "success"}));
    assert_eq!(server.deactivate(None, body), first);
    assert_eq!(server.grants, 1);
}

/// https://spec.matrix.org/v1.19/application-service-api/#identity-assertion
#[test]
fn d07_an_application_service_needs_no_authentication() {
    let mut server = Server::new();
    let request = DeactivateRequest::parse(br#"{"erase":true}"#).unwrap().check().unwrap();
    let mut begun = None;
    let mut serve = |server: &mut Server, token: Option<&str>| {
        let flows = server.policies.deactivate;
        let handler = Handler {
            admit: &mut |_| Ok(Some(Exempt::ApplicationService)),
            perform: &mut |_, plan: Deactivation| {
                begun = Some((plan.user(), plan.erases()));
                Ok((Outcome::NOTHING, json!({})))
            },
            repeat: &mut |_, _| json!({}),
        };
        server.serve(token, flows, &request, handler).says()
    };
    assert_eq!(serve(&mut server, None), "401", "without a token nobody is exempt");
    let sessions = server.sessions.len();
    assert_eq!(serve(&mut server, ALICE), "200");
    assert_eq!(begun, Some((server.user_ref("alice"), true)));
    assert_eq!(server.sessions.len(), sessions, "no session began");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn d02_what_was_bound_is_never_silently_left_out() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": true})).session().to_owned();
    server.kept.clear();
    assert_eq!(server.deactivate(ALICE, json!({"auth": auth(Some(&session))})).says(), "400 M_MISSING_PARAM");
    assert!(server.journal.is_empty());
    assert_eq!(server.deactivate(ALICE, json!({"erase": true, "auth": poll(&session)})).says(), "200");
    assert!(server.users["alice"].status.erased);
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn d02_kept_parameters_survive_storage() {
    let request = DeactivateRequest::parse(br#"{"id_server":"id.example.org","erase":true}"#).unwrap();
    let kept = request.check().unwrap().to_stored(&key(), None, None);
    let stored = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<StoredDeactivation>(&stored).unwrap(), kept);
    let other = stored.replace(r#""version":1"#, r#""version":2"#);
    assert!(serde_json::from_str::<StoredDeactivation>(&other).is_err(), "of another version");
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-moderation
#[test]
fn d04_the_status_says_so_for_every_way_in() {
    let fenced = AccountStatus::default().on(Event::Fence).unwrap();
    let gone = fenced.on(Event::Finish).unwrap();
    for status in [fenced, gone] {
        for action in Action::ALL {
            let reject = status.gate(*action).unwrap_err();
            let without_token =
                matches!(action, Action::Login | Action::ResetPassword | Action::DeactivateWithoutToken);
            let code = if without_token { "M_USER_DEACTIVATED" } else { "M_UNKNOWN_TOKEN" };
            assert_eq!((reject.code().name(), reject.soft_logout()), (code, None), "{action:?}");
        }
    }
}
