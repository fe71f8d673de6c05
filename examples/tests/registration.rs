//! `register` (rules R1 to R4 and R6).

use crate::support::{Setup, dummy_auth, text};
use serde_json::{Value, json};

fn dummy(username: &str) -> Value {
    json!({ "username": username, "password": "christmas", "auth": { "type": "m.login.dummy" } })
}

#[test]
fn the_kind_decides() {
    for (guests, status, code) in [(true, 200, None), (false, 403, Some("M_GUEST_ACCESS_FORBIDDEN"))] {
        let server = Setup::new(json!({ "registration": { "guests": guests } })).start();
        let client = server.client();
        let body =
            json!({ "username": "carol", "device_id": "MINE", "initial_device_display_name": "Guest" });
        let answer = client.post("register?kind=guest", None, &body);
        assert_eq!((answer.status, answer.json()["errcode"].as_str()), (status, code), "{answer}");
        if guests {
            let guest = answer.json();
            assert_ne!(guest["user_id"], "@carol:localhost", "all parameters but the name are ignored");
            assert_ne!(guest["device_id"], "MINE");
            assert_eq!(client.whoami(&text(&guest, "access_token")).ok()["is_guest"], true);
        }
        client.post("register?kind=wizard", None, &json!({})).rejected(400, "M_INVALID_PARAM");
        client.post("register?kind=user", None, &json!({})).asked();
    }
    let server = Setup::new(json!({ "registration": { "enabled": false } })).start();
    server.client().post("register", None, &dummy("carol")).rejected(403, "M_FORBIDDEN");
}

#[test]
fn names_are_refused_before_any_challenge() {
    let mut setup = Setup::new(json!({}));
    setup.config()["appservices"] = json!([
        { "id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot", "user_prefix": "_bridge_" }]);
    let server = setup.start();
    let client = server.client();
    for (name, code) in [
        ("alice", "M_USER_IN_USE"),
        ("ALICE", "M_USER_IN_USE"),
        ("@alice:localhost", "M_USER_IN_USE"),
        ("", "M_INVALID_USERNAME"),
        ("ca rol", "M_INVALID_USERNAME"),
        ("carol:", "M_INVALID_USERNAME"),
        ("k\u{e4}the", "M_INVALID_USERNAME"),
        ("12345", "M_INVALID_USERNAME"),
        ("_carol", "M_INVALID_USERNAME"),
        ("@carol:elsewhere.example", "M_INVALID_USERNAME"),
        (&"x".repeat(245), "M_INVALID_USERNAME"),
        ("_bridge_carol", "M_EXCLUSIVE"),
        ("bridgebot", "M_EXCLUSIVE"),
    ] {
        for body in [json!({ "username": name }), dummy(name)] {
            let answer = client.post("register", None, &body);
            assert_eq!(
                (answer.status, answer.json()["errcode"].as_str()),
                (400, Some(code)),
                "{name:?}: {answer}"
            );
        }
    }
    for (name, id) in [
        ("Carol", "@carol:localhost"),
        ("@dave:localhost", "@dave:localhost"),
        ("a.b_c=d/e+f-0", "@a.b_c=d/e+f-0:localhost"),
        (&"x".repeat(244), &format!("@{}:localhost", "x".repeat(244))),
    ] {
        assert_eq!(client.post("register", None, &dummy(name)).ok()["user_id"], id);
    }
}

#[test]
fn the_answer_is_as_it_was_asked_for() {
    let server = Setup::new(json!({ "access_token_lifetime_ms": 60_000 })).start();
    let client = server.client();
    let mut body = dummy("carol");
    body["inhibit_login"] = true.into();
    assert_eq!(client.post("register", None, &body).ok(), json!({ "user_id": "@carol:localhost" }));
    client.login("carol", "christmas").ok();

    let mut body = dummy("dave");
    body["device_id"] = "DEVICE".into();
    body["initial_device_display_name"] = "Dave's".into();
    body["refresh_token"] = true.into();
    let dave = client.post("register", None, &body).ok();
    assert_eq!((&dave["device_id"], &dave["expires_in_ms"]), (&json!("DEVICE"), &json!(60_000)));
    assert!(dave["refresh_token"].is_string(), "{dave}");
    let device = client.get("devices/DEVICE", Some(&text(&dave, "access_token"))).ok();
    assert_eq!(device["display_name"], "Dave's");

    // A name that nobody asked for is made.
    let body = json!({ "password": "christmas", "auth": { "type": "m.login.dummy" } });
    let made = client.post("register", None, &body).ok();
    assert!(made["refresh_token"].is_null() && made["expires_in_ms"].is_null(), "{made}");
    assert_eq!(client.whoami(&text(&made, "access_token")).ok()["user_id"], made["user_id"]);
}

#[test]
fn a_password_is_missed_at_the_end_and_may_follow() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let session = client.post("register", None, &json!({ "username": "carol" })).asked();
    let body = json!({ "username": "carol", "auth": dummy_auth(&session) });
    client.post("register", None, &body).rejected(400, "M_MISSING_PARAM");
    let body = json!({ "username": "carol", "password": "christmas", "auth": { "session": session } });
    client.post("register", None, &body).ok();
    client.login("carol", "christmas").ok();
}

#[test]
fn a_name_taken_meanwhile_may_be_replaced_in_the_same_session() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let body = |name: &str, session: &str| json!({ "username": name, "password": "christmas", "auth": dummy_auth(session) });
    let session =
        client.post("register", None, &json!({ "username": "carol", "password": "christmas" })).asked();
    client.register("carol", "easter-bunny");
    client.post("register", None, &body("carol", &session)).rejected(400, "M_USER_IN_USE");
    assert_eq!(client.post("register", None, &body("carla", &session)).ok()["user_id"], "@carla:localhost");
    client.login("carol", "easter-bunny").ok();
    client.login("carla", "christmas").ok();
}

#[test]
fn r5_an_application_service_s_user_needs_no_uia_or_is_told_so() {
    let mut setup = Setup::new(json!({}));
    setup.config()["appservices"] = json!([
        { "id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot", "user_prefix": "_bridge_" }]);
    let server = setup.start();
    let client = server.client();
    // An as_token in `whoami` names its sender only if there is such a user.
    client.whoami("as-secret").rejected(403, "M_FORBIDDEN");
    client.get("account/whoami?user_id=@alice:localhost", Some("as-secret")).rejected(400, "M_EXCLUSIVE");
}
