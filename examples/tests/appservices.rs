//! What application services do (rules R5, R7, D7, L2, and their exemption from authentication).

use crate::support::{Server, Setup, text, with};
use serde_json::{Value, json};

const AS: Option<&str> = Some("as-secret");

fn setup(legacy: bool) -> Setup {
    let mut setup = Setup::new(json!({ "legacy_login": legacy, "registration": { "enabled": false } }));
    setup.config()["appservices"] = json!([
        { "id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot", "user_prefix": "_bridge_" },
        { "id": "other", "as_token": "other-secret", "sender_localpart": "otherbot", "user_prefix": "_other_" }]);
    setup
}

fn user(name: &str) -> Value {
    json!({ "type": "m.login.application_service", "username": name })
}

fn login(name: &str) -> Value {
    json!({ "type": "m.login.application_service", "identifier": { "type": "m.id.user", "user": name } })
}

fn register(server: &Server, name: &str) {
    let body = with(&user(name), "inhibit_login", true);
    let answer = server.client().post("register", AS, &body).ok();
    assert_eq!(answer, json!({ "user_id": format!("@{name}:localhost") }));
}

#[test]
fn r05_it_registers_its_users_and_nobody_else() {
    let server = setup(true).start();
    let client = server.client();
    let made = client.post("register", AS, &with(&user("_bridge_a"), "device_id", "D")).ok();
    assert_eq!((&made["user_id"], &made["device_id"]), (&json!("@_bridge_a:localhost"), &json!("D")));
    assert_eq!(client.whoami(&text(&made, "access_token")).ok()["user_id"], made["user_id"]);
    register(&server, "bridgebot");
    for (body, token, status, code) in [
        (user("_bridge_a"), AS, 400, "M_USER_IN_USE"),
        (user("carol"), AS, 400, "M_EXCLUSIVE"),
        (user("_other_a"), AS, 400, "M_EXCLUSIVE"),
        (user("otherbot"), AS, 400, "M_EXCLUSIVE"),
        (user("_bridge_a b"), AS, 400, "M_INVALID_USERNAME"),
        (json!({ "type": "m.login.application_service" }), AS, 400, "M_MISSING_PARAM"),
        (with(&user("_bridge_b"), "device_id", ""), AS, 400, "M_INVALID_PARAM"),
        (user("_bridge_b"), None, 401, "M_MISSING_TOKEN"),
        (user("_bridge_b"), Some("nonsense"), 401, "M_UNKNOWN_TOKEN"),
        (user("_bridge_b"), Some("other-secret"), 400, "M_EXCLUSIVE"),
        // Without the type it is a registration like any other, and those are off.
        (json!({ "username": "_bridge_b" }), AS, 403, "M_FORBIDDEN"),
    ] {
        client.post("register", token, &body).rejected(status, code);
    }
    let alice = client.token("alice", "wonderland");
    client.post("register", Some(&alice), &user("_bridge_b")).rejected(401, "M_UNKNOWN_TOKEN");
    // It has no password, and nothing typed in is one.
    for guess in ["", "null", "as-secret"] {
        let answer = client.login("_bridge_a", guess);
        assert!(matches!(answer.status, 400 | 403), "{answer}");
    }
}

#[test]
fn l02_it_logs_in_as_its_users() {
    let server = setup(true).start();
    let client = server.client();
    register(&server, "_bridge_a");
    for name in ["_bridge_a", "@_bridge_a:localhost"] {
        let made = client.post("login", AS, &with(&login(name), "device_id", "D")).ok();
        assert_eq!((&made["user_id"], &made["device_id"]), (&json!("@_bridge_a:localhost"), &json!("D")));
        assert!(client.is_live(&text(&made, "access_token")));
    }
    let alice = client.token("alice", "wonderland");
    for (name, token, status, code) in [
        ("_bridge_a", None, 401, "M_MISSING_TOKEN"),
        ("_bridge_a", Some("nonsense"), 403, "M_FORBIDDEN"),
        ("_bridge_a", Some(alice.as_str()), 403, "M_FORBIDDEN"),
        ("_bridge_nobody", AS, 403, "M_FORBIDDEN"),
        ("bridgebot", AS, 403, "M_FORBIDDEN"),
        ("alice", AS, 400, "M_EXCLUSIVE"),
        ("_bridge_a", Some("other-secret"), 400, "M_EXCLUSIVE"),
        ("@_bridge_a:elsewhere.example", AS, 400, "M_EXCLUSIVE"),
    ] {
        client.post("login", token, &login(name)).rejected(status, code);
    }
}

#[test]
fn r07_without_the_legacy_api_it_registers_but_does_not_log_in() {
    let server = setup(false).start();
    let client = server.client();
    for inhibit in [json!(false), json!(null)] {
        let body = with(&user("_bridge_a"), "inhibit_login", inhibit);
        client.post("register", AS, &body).rejected(400, "M_APPSERVICE_LOGIN_UNSUPPORTED");
    }
    register(&server, "_bridge_a");
    client.post("login", AS, &login("_bridge_a")).rejected(400, "M_APPSERVICE_LOGIN_UNSUPPORTED");
    client.post("register", AS, &json!({ "username": "_bridge_b" })).rejected(404, "M_UNRECOGNIZED");
    client.get("login", AS).rejected(404, "M_UNRECOGNIZED");
    client
        .post("account/password?user_id=@_bridge_a:localhost", AS, &json!({}))
        .rejected(404, "M_UNRECOGNIZED");
    // What it may do as its users it may still do, unasked.
    let key = json!({ "user_id": "@_bridge_a:localhost", "usage": ["master"], "keys": { "ed25519:K": "K" } });
    for public in ["K", "L"] {
        let key = with(&key, "keys", json!({ "ed25519:x": public }));
        let path = "keys/device_signing/upload?user_id=@_bridge_a:localhost";
        assert_eq!(client.post(path, AS, &json!({ "master_key": key })).ok(), json!({}));
    }
    let path = "delete_devices?user_id=@_bridge_a:localhost";
    assert_eq!(client.post(path, AS, &json!({ "devices": ["D"] })).ok(), json!({}));
    let path = "account/deactivate?user_id=@_bridge_a:localhost";
    assert_eq!(client.post(path, AS, &json!({})).ok(), json!({ "id_server_unbind_result": "success" }));
    client
        .post("register", AS, &with(&user("_bridge_a"), "inhibit_login", true))
        .rejected(400, "M_USER_IN_USE");
}

/// <https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid>
#[test]
fn it_makes_devices_for_its_users_and_people_only_rename_theirs() {
    for legacy in [true, false] {
        let server = setup(legacy).start();
        let client = server.client();
        register(&server, "_bridge_a");
        let put = |path: &str, body: &Value| {
            let body = body.to_string();
            client.send("PUT", path, AS, Some(body.as_bytes()))
        };
        let phone = "devices/PHONE?user_id=@_bridge_a:localhost";
        for (name, status) in [("Phone", 201), ("Old phone", 200)] {
            let answer = put(phone, &json!({ "display_name": name }));
            assert_eq!((answer.status, answer.json()), (status, json!({})), "{answer}");
            assert_eq!(client.get(phone, AS).ok()["display_name"], name);
        }
        let long = format!("devices/{}?user_id=@_bridge_a:localhost", "x".repeat(513));
        put(&long, &json!({})).rejected(400, "M_INVALID_PARAM");
        let devices = client.get("devices?user_id=@_bridge_a:localhost", AS).ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
    }
    let server = setup(true).start();
    let alice = server.client().token("alice", "wonderland");
    let answer = server.client().send("PUT", "devices/PHONE", Some(&alice), Some(b"{}"));
    answer.rejected(404, "M_NOT_FOUND");
}

/// <https://spec.matrix.org/v1.19/application-service-api/#identity-assertion>
#[test]
fn it_acts_as_a_device_that_its_user_has() {
    let server = setup(true).start();
    let client = server.client();
    let made = client.post("register", AS, &with(&user("_bridge_a"), "device_id", "D")).ok();
    let whoami = |query: &str| client.get(&format!("account/whoami?user_id=@_bridge_a:localhost{query}"), AS);
    assert_eq!(whoami("&device_id=D").ok()["device_id"], "D");
    assert!(whoami("").ok().get("device_id").is_none());
    whoami("&device_id=E").rejected(400, "M_UNKNOWN_DEVICE");
    // The user is its sender where none is named; and a person's token says all of it.
    register(&server, "bridgebot");
    client.get("account/whoami?device_id=D", AS).rejected(400, "M_UNKNOWN_DEVICE");
    let token = text(&made, "access_token");
    assert_eq!(client.get("account/whoami?device_id=E", Some(&token)).ok()["device_id"], "D");
}
