//! `keys/device_signing/upload`.

use crate::support::{Client, Setup, kept, password_auth, text, with};
use serde_json::{Value, json};

const PATH: &str = "keys/device_signing/upload";

fn key(usage: &str, public: &str) -> Value {
    json!({
        "user_id": "@alice:localhost", "usage": [usage],
        "keys": { (format!("ed25519:{public}")): public },
        "signatures": { "@alice:localhost": { "ed25519:M": "signature" } },
    })
}

fn all(name: &str) -> Value {
    json!({
        "master_key": key("master", &format!("{name}-m")),
        "self_signing_key": key("self_signing", &format!("{name}-s")),
        "user_signing_key": key("user_signing", &format!("{name}-u")),
    })
}

fn upload(client: &Client, token: &str, body: &Value) -> crate::support::Answer {
    client.post(PATH, Some(token), body)
}

#[test]
fn the_first_keys_and_the_same_again_are_nobody_s_to_confirm() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    client.post(PATH, None, &all("a")).rejected(401, "M_MISSING_TOKEN");
    upload(&client, &alice, &json!({})).rejected(400, "M_MISSING_PARAM");
    let only = json!({ "self_signing_key": key("self_signing", "s") });
    upload(&client, &alice, &only).rejected(400, "M_MISSING_PARAM");
    for _ in 0..2 {
        assert_eq!(upload(&client, &alice, &all("a")).ok(), json!({}));
    }
    upload(&client, &alice, &with(&all("a"), "auth", json!(null))).ok();
    upload(&client, &alice, &json!({ "master_key": all("a")["master_key"] })).ok();
    for body in [
        all("b"),
        json!({}),
        json!({ "auth": {} }),
        with(&all("a"), "user_signing_key", key("user_signing", "other")),
        json!({ "self_signing_key": all("a")["self_signing_key"] }),
    ] {
        upload(&client, &alice, &body).asked();
    }
}

#[test]
fn other_keys_take_authentication_and_are_bound_to_it() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    upload(&client, &alice, &all("a")).ok();
    let session = upload(&client, &alice, &all("b")).asked();
    let auth = |password: &str| with(&password_auth("alice", password), "session", session.as_str());
    upload(&client, &alice, &with(&all("b"), "auth", auth("wrong"))).failed(&[], "M_FORBIDDEN");
    upload(&client, &alice, &with(&all("c"), "auth", auth("wonderland"))).rejected(403, "M_FORBIDDEN");
    upload(&client, &alice, &all("b")).asked();
    // The keys may be left out now: those that were asked about hold.
    assert_eq!(upload(&client, &alice, &json!({ "auth": auth("wonderland") })).ok(), json!({}));
    upload(&client, &alice, &all("b")).ok();
    upload(&client, &alice, &all("a")).asked();
    // By another login, and in one request.
    let other = client.token("alice", "wonderland");
    upload(&client, &other, &with(&all("c"), "auth", password_auth("alice", "wonderland"))).ok();
    upload(&client, &alice, &all("c")).ok();
}

#[test]
fn what_is_no_key_of_the_user_is_refused_before_any_challenge() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let login =
        client.post("login", None, &with(&password_auth("alice", "wonderland"), "device_id", "PHONE"));
    let alice = text(&login.ok(), "access_token");
    let master = |key: Value| json!({ "master_key": key });
    for (body, status, code) in [
        (master(json!("x")), 400, "M_BAD_JSON"),
        (master(json!({})), 400, "M_INVALID_PARAM"),
        (master(key("self_signing", "x")), 400, "M_INVALID_PARAM"),
        (master(with(&key("master", "x"), "user_id", "@bob:localhost")), 400, "M_INVALID_PARAM"),
        (master(with(&key("master", "x"), "padding", "x".repeat(5000))), 400, "M_INVALID_PARAM"),
        (master(key("master", "PHONE")), 403, "M_FORBIDDEN"),
    ] {
        upload(&client, &alice, &body).rejected(status, code);
    }
    upload(&client, &alice, &all("a")).ok();
    // And no device is called as a key is.
    let body = with(&password_auth("alice", "wonderland"), "device_id", "a-s");
    client.post("login", None, &body).rejected(403, "M_FORBIDDEN");
    client.post("login", None, &with(&password_auth("bob", "builder-bob"), "device_id", "a-s")).ok();
}

#[test]
fn u18_recent_authentication_is_enough_where_the_policy_says_so() {
    let server = Setup::new(json!({ "uia": { "recent_auth_ms": 60_000 } })).start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    upload(&client, &alice, &all("a")).ok();
    upload(&client, &alice, &all("b")).asked();
    upload(&client, &alice, &with(&all("b"), "auth", password_auth("alice", "wonderland"))).ok();
    upload(&client, &alice, &all("c")).ok();
    upload(&client, &client.token("alice", "wonderland"), &all("d")).asked();
    // Never for a token to log in with.
    client.post("/_matrix/client/v1/login/get_token", Some(&alice), &json!({})).asked();
}

#[test]
fn keys_survive_a_restart_and_so_does_a_session_that_asks_about_them() {
    let setup = Setup::kept(json!({}));
    let server = setup.start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    upload(&client, &alice, &all("a")).ok();
    let session = upload(&client, &alice, &all("b")).asked();
    server.kill();
    let server = setup.start();
    let client = server.client();
    upload(&client, &alice, &all("a")).ok();
    let auth = with(&password_auth("alice", "wonderland"), "session", session);
    upload(&client, &alice, &kept(&all("b"), auth)).ok();
    upload(&client, &alice, &all("b")).ok();
}

#[test]
fn u19_m_oauth_may_be_asked_for_here() {
    let server = Setup::new(json!({
        "flows": { "device_signing": [["m.oauth"]] }, "params": { "m.oauth": { "url": "https://example.org/" } },
    }))
    .start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    upload(&client, &alice, &all("a")).ok();
    let asked = upload(&client, &alice, &all("b"));
    let session = asked.asked();
    assert_eq!(asked.json()["params"]["m.oauth"]["url"], "https://example.org/");
    upload(&client, &alice, &json!({ "auth": { "session": session } })).continued(&[]);
}

#[test]
fn an_account_that_can_authenticate_in_no_way_replaces_no_keys_and_is_not_asked_for_ever() {
    let appservice = crate::support::bridge();
    let (password, sso) = (json!(["m.login.password"]), json!(["m.login.sso"]));
    for (flows, status) in [(json!([password]), 403), (json!([password, sso]), 401)] {
        let server = Setup::new(json!({
            "appservices": [appservice], "flows": { "device_signing": flows },
        }))
        .start();
        let client = server.client();
        // An account without a password gets in by its application service.
        let user = json!({ "type": "m.login.application_service", "username": "_bridge_a" });
        let made = client.post("register", Some("as-secret"), &user).ok();
        let of = |mut key: Value| {
            key["user_id"] = made["user_id"].clone();
            key
        };
        let keys = |name: &str| json!({ "master_key": of(key("master", name)) });
        let token = text(&made, "access_token");
        upload(&client, &token, &keys("a")).ok();
        let answer = upload(&client, &token, &keys("b"));
        if status == 403 {
            answer.rejected(403, "M_FORBIDDEN");
        } else {
            answer.asked();
            assert_eq!(answer.json()["flows"], json!([{ "stages": sso }]));
        }
        upload(&client, &token, &keys("a")).ok();
    }
}
