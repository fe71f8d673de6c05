//! `register` (rules R1 to R4 and R6).

use crate::support::{Setup, bridge, dummy_auth, text};
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
    let server = Setup::new(json!({ "appservices": [bridge()] })).start();
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
fn r05_an_application_service_s_user_needs_no_uia_or_is_told_so() {
    let server = Setup::new(json!({ "appservices": [bridge()] })).start();
    let client = server.client();
    // An as_token in `whoami` names its sender, registered or not.
    assert_eq!(client.whoami("as-secret").ok()["user_id"], "@bridgebot:localhost");
    client.get("account/whoami?user_id=@alice:localhost", Some("as-secret")).rejected(403, "M_FORBIDDEN");
}

#[test]
fn r08_a_name_is_available_or_one_of_the_errors() {
    let mut setup = Setup::new(json!({}));
    setup.config()["appservices"] = json!([
        { "id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot", "user_prefix": "_bridge_" }]);
    let server = setup.start();
    let client = server.client();
    for path in ["register/available", "/_matrix/client/r0/register/available"] {
        for name in ["carol", "Carol", "%40carol%3Alocalhost", "a.b%3Dc%2Fd%2Be"] {
            let answer = client.get(&format!("{path}?username={name}"), None);
            assert_eq!(answer.ok(), json!({ "available": true }), "{name}");
        }
        for (query, code) in [
            ("?username=alice", "M_USER_IN_USE"),
            ("?username=ALICE", "M_USER_IN_USE"),
            ("?username=_bridge_carol", "M_EXCLUSIVE"),
            ("?username=bridgebot", "M_EXCLUSIVE"),
            ("?username=_carol", "M_INVALID_USERNAME"),
            ("?username=12345", "M_INVALID_USERNAME"),
            ("?username=", "M_INVALID_USERNAME"),
            ("?username=ca%20rol", "M_INVALID_USERNAME"),
            ("", "M_MISSING_PARAM"),
        ] {
            client.get(&format!("{path}{query}"), None).rejected(400, code);
        }
    }
    let server = Setup::new(json!({ "registration": { "enabled": false } })).start();
    server.client().get("register/available?username=carol", None).rejected(403, "M_FORBIDDEN");
}

#[test]
fn r08_a_registration_token_is_valid_while_a_use_is_left() {
    let path =
        |token: &str| format!("/_matrix/client/v1/register/m.login.registration_token/validity{token}");
    let mut setup = Setup::new(json!({}));
    setup.config()["flows"] = json!({ "register": [["m.login.registration_token", "m.login.dummy"]] });
    setup.config()["registration_tokens"] = json!([
        { "token": "fBVFdqVE", "uses_allowed": 1 }, { "token": "old", "expires_at_ms": 1 },
        { "token": "for-ever", "uses_allowed": null }, { "token": "none", "uses_allowed": 0 }]);
    let server = setup.start();
    let client = server.client();
    let valid = |token: &str| client.get(&path(&format!("?token={token}")), None).ok()["valid"].clone();
    for (token, is) in [
        ("fBVFdqVE", true),
        ("for-ever", true),
        ("old", false),
        ("none", false),
        ("x", false),
        ("%20", false),
    ] {
        assert_eq!(valid(token), is, "{token}");
    }
    client.get(&path(""), None).rejected(400, "M_MISSING_PARAM");

    // One that is promised to a session is no other's to use.
    let body = json!({ "username": "carol", "password": "christmas" });
    let session = client.post("register", None, &body).asked();
    let auth = json!({ "type": "m.login.registration_token", "token": "fBVFdqVE", "session": session });
    let with_auth = |auth: Value| crate::support::with(&body, "auth", auth);
    client.post("register", None, &with_auth(auth)).continued(&["m.login.registration_token"]);
    assert_eq!(valid("fBVFdqVE"), false);
    client.post("register", None, &with_auth(dummy_auth(&session))).ok();
    assert_eq!(valid("fBVFdqVE"), false);

    let server = Setup::new(json!({ "registration": { "enabled": false } })).start();
    server.client().get(&path("?token=x"), None).rejected(403, "M_FORBIDDEN");
}

#[test]
fn r08_whoever_tries_token_after_token_is_held_up() {
    let server =
        Setup::new(json!({ "rate_limits": { "failed_auth": { "burst": 3, "per_second": 0.01 } } })).start();
    let client = server.client();
    let path = "/_matrix/client/v1/register/m.login.registration_token/validity?token=guess";
    for _ in 0..3 {
        assert_eq!(client.get(path, None).ok(), json!({ "valid": false }));
    }
    client.get(path, None).rejected(429, "M_LIMIT_EXCEEDED");
}

#[test]
fn r01_a_guest_s_parameters_are_ignored_whatever_they_are() {
    let server = Setup::new(json!({ "registration": { "guests": true } })).start();
    let client = server.client();
    let body = json!({ "username": 1, "password": {}, "device_id": [], "inhibit_login": true, "auth": "x" });
    assert!(client.post("register?kind=guest", None, &body).ok()["access_token"].is_string());
    let body = json!({ "initial_device_display_name": "x".repeat(513) });
    client.post("register?kind=guest", None, &body).rejected(400, "M_INVALID_PARAM");
}
