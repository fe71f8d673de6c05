//! Locking and suspending (rules A1 to A4).

use crate::support::{Client, Server, Setup, password_auth, text, with};
use serde_json::json;

fn server() -> Server {
    Setup::new(json!({ "users": [
        { "localpart": "root", "password": "square-root", "admin": true },
        { "localpart": "admin", "password": "second-admin", "admin": true },
        { "localpart": "gone", "status": "deactivated" },
        { "localpart": "alice", "password": "wonderland" },
    ] }))
    .start()
}

fn path(what: &str, user: &str) -> String {
    format!("/_matrix/client/v1/admin/{what}/{user}")
}

#[track_caller]
fn put(client: &Client, token: &str, what: &str, key: &str, on: bool) {
    let body = json!({ key: on }).to_string();
    let answer = client.send("PUT", &path(what, "@alice:localhost"), Some(token), Some(body.as_bytes()));
    assert_eq!(answer.ok(), json!({ key: on }));
}

#[test]
fn a04_only_administrators_and_neither_on_each_other_nor_on_themselves() {
    let server = server();
    let client = server.client();
    let (root, alice) = (client.token("root", "square-root"), client.token("alice", "wonderland"));
    for (what, key) in [("lock", "locked"), ("suspend", "suspended")] {
        let body = json!({ key: true }).to_string();
        let put = |user: &str, token: Option<&str>| {
            client.send("PUT", &path(what, user), token, Some(body.as_bytes()))
        };
        let get = |user: &str, token: Option<&str>| client.get(&path(what, user), token);
        for user in ["@alice:localhost", "@nobody:localhost", "@root:localhost", "nonsense"] {
            put(user, None).rejected(401, "M_MISSING_TOKEN");
            put(user, Some("nonsense")).rejected(401, "M_UNKNOWN_TOKEN");
            // Whether there is such a user makes no difference.
            let refused = put(user, Some(&alice)).rejected(403, "M_FORBIDDEN");
            assert_eq!(get(user, Some(&alice)).rejected(403, "M_FORBIDDEN"), refused);
        }
        for (user, status, code) in [
            ("@root:localhost", 403, "M_FORBIDDEN"),
            ("@admin:localhost", 403, "M_FORBIDDEN"),
            ("@nobody:localhost", 404, "M_NOT_FOUND"),
            ("@gone:localhost", 404, "M_NOT_FOUND"),
            ("@alice:elsewhere.example", 400, "M_INVALID_PARAM"),
            ("alice", 400, "M_INVALID_PARAM"),
        ] {
            put(user, Some(&root)).rejected(status, code);
            if user != "@root:localhost" {
                get(user, Some(&root)).rejected(status, code);
            }
        }
        assert_eq!(get("@root:localhost", Some(&root)).ok(), json!({ key: false }));
        assert_eq!(get("%40alice%3Alocalhost", Some(&root)).ok(), json!({ key: false }));
        for (body, code) in
            [("{}", "M_MISSING_PARAM"), ("{", "M_NOT_JSON"), (r#"{"locked":1,"suspended":1}"#, "M_BAD_JSON")]
        {
            let path = path(what, "@alice:localhost");
            client.send("PUT", &path, Some(&root), Some(body.as_bytes())).rejected(400, code);
        }
    }
    client.whoami(&alice).ok();
}

#[test]
fn a01_a_locked_account_can_do_nothing_but_log_out_and_loses_nothing() {
    let server = server();
    let client = server.client();
    let (root, alice) = (client.token("root", "square-root"), client.token("alice", "wonderland"));
    let other = client.token("alice", "wonderland");
    let pair = with(&password_auth("alice", "wonderland"), "refresh_token", true);
    let pair = client.post("login", None, &pair).ok();
    let session =
        client.post("account/password", Some(&alice), &json!({ "new_password": "looking-glass" })).asked();
    put(&client, &root, "lock", "locked", true);
    put(&client, &root, "lock", "locked", true);
    assert_eq!(client.get(&path("lock", "@alice:localhost"), Some(&root)).ok(), json!({ "locked": true }));

    let auth = with(&password_auth("alice", "wonderland"), "session", session);
    let change = json!({ "new_password": "looking-glass", "auth": auth });
    let refresh = json!({ "refresh_token": pair["refresh_token"] });
    for answer in [
        client.whoami(&alice),
        client.get("devices", Some(&alice)),
        client.get("capabilities", Some(&alice)),
        client.post("account/password", Some(&alice), &change),
        client.post("account/deactivate", Some(&alice), &json!({})),
        client.post("keys/device_signing/upload", Some(&alice), &json!({})),
        client.post("/_matrix/client/v1/login/get_token", Some(&alice), &json!({})),
        client.post("refresh", None, &refresh),
        client.login("alice", "wonderland"),
        client.get(&path("lock", "@root:localhost"), Some(&alice)),
    ] {
        assert_eq!(answer.rejected(401, "M_USER_LOCKED")["soft_logout"], true);
    }
    client.login("alice", "wrong").rejected(403, "M_FORBIDDEN");
    assert_eq!(client.post("logout", Some(&other), &json!({})).ok(), json!({}));

    put(&client, &root, "lock", "locked", false);
    client.whoami(&alice).ok();
    client.whoami(&other).rejected(401, "M_UNKNOWN_TOKEN");
    client.post("refresh", None, &refresh).ok();
    client.post("account/password", Some(&alice), &change).ok();
    put(&client, &root, "lock", "locked", true);
    assert_eq!(client.post("logout/all", Some(&alice), &json!({})).ok(), json!({}));
    client.whoami(&alice).rejected(401, "M_UNKNOWN_TOKEN");
}

/// A reset names its user by a stage, not by a token; and stands still all the same.
#[test]
fn a01_a_reset_of_a_locked_account_does_not_advance() {
    let mut setup = Setup::new(json!({ "users": [
        { "localpart": "root", "password": "square-root", "admin": true },
        { "localpart": "alice", "password": "wonderland" }] }));
    setup.config()["flows"] = json!({ "password_reset": [["m.login.password", "m.login.dummy"]] });
    let server = setup.start();
    let client = server.client();
    let root = client.token("root", "square-root");
    let reset = |auth| json!({ "new_password": "looking-glass", "auth": auth });
    let post = |auth| client.post("account/password", None, &reset(auth));
    let session = post(json!(null)).asked();
    let password = with(&password_auth("alice", "wonderland"), "session", session.as_str());
    let dummy = json!({ "type": "m.login.dummy", "session": session });

    put(&client, &root, "lock", "locked", true);
    assert_eq!(post(password.clone()).rejected(401, "M_USER_LOCKED")["soft_logout"], true);
    post(json!({ "session": session })).continued(&[]);
    put(&client, &root, "lock", "locked", false);
    post(password).continued(&["m.login.password"]);
    put(&client, &root, "lock", "locked", true);
    post(dummy.clone()).rejected(401, "M_USER_LOCKED");
    put(&client, &root, "lock", "locked", false);
    post(dummy).ok();
    client.login("alice", "looking-glass").ok();
}

#[test]
fn a01_a_stage_that_a_lock_refused_has_used_up_no_proof() {
    let mut setup = Setup::sending(json!({}));
    setup.config()["users"] = json!([
        { "localpart": "root", "password": "rootbeer", "admin": true },
        { "localpart": "alice", "password": "wonderland",
          "threepids": [{ "medium": "email", "address": "alice@example.org" }] },
    ]);
    let server = setup.start();
    let client = server.client();
    let root = client.token("root", "rootbeer");
    let ask = json!({ "client_secret": "s", "send_attempt": 1, "email": "alice@example.org" });
    client.post("account/password/email/requestToken", None, &ask).ok();
    setup.last_message().press(client).page(200);
    let auth = json!({ "type": "m.login.email.identity", "threepid_creds": setup.last_message().creds() });
    let reset = || {
        let body = json!({ "new_password": "looking-glass", "auth": auth });
        client.post("account/password", None, &body)
    };
    put(&client, &root, "lock", "locked", true);
    // Each is a session of its own, which the client is never told of.
    for _ in 0..2 {
        assert_eq!(reset().rejected(401, "M_USER_LOCKED")["soft_logout"], true);
    }
    put(&client, &root, "lock", "locked", false);
    assert_eq!(reset().ok(), json!({}));
    client.login("alice", "looking-glass").ok();
}

#[test]
fn a02_a3_a_suspension_allows_most_of_this_and_survives_a_lock() {
    let server = server();
    let client = server.client();
    let (root, alice) = (client.token("root", "square-root"), client.token("alice", "wonderland"));
    put(&client, &root, "suspend", "suspended", true);
    client.whoami(&alice).ok();
    client.get("devices", Some(&alice)).ok();
    let again = client.login("alice", "wonderland").ok();
    client.post("account/password", Some(&alice), &json!({ "new_password": "looking-glass" })).asked();
    client.post("logout", Some(&text(&again, "access_token")), &json!({})).ok();
    put(&client, &root, "lock", "locked", true);
    client.whoami(&alice).rejected(401, "M_USER_LOCKED");
    put(&client, &root, "lock", "locked", false);
    let suspended = client.get(&path("suspend", "@alice:localhost"), Some(&root)).ok();
    assert_eq!(suspended, json!({ "suspended": true }), "each survives the other's removal");
    put(&client, &root, "suspend", "suspended", false);
}

#[test]
fn administrators_see_in_their_capabilities_that_they_are() {
    let server = server();
    let client = server.client();
    let of = |token: &str| client.get("capabilities", Some(token)).ok()["capabilities"].clone();
    let (root, alice) = (of(&client.token("root", "square-root")), of(&client.token("alice", "wonderland")));
    assert_eq!(root["m.account_moderation"], json!({ "lock": true, "suspend": true }));
    assert!(alice.get("m.account_moderation").is_none());
}
