//! Open sessions go on after a restart, where they are kept (lessons 15 and 52).

use crate::support::{Setup, dummy_auth, password_auth_in};
use serde_json::json;

const TOKEN: &str = "m.login.registration_token";

#[test]
fn a_session_between_two_stages_goes_on_after_kill_9() {
    let setup = Setup::kept(json!({
        "flows": { "register": [[TOKEN, "m.login.dummy"]] },
        "registration_tokens": [{ "token": "good-token", "uses_allowed": 1 }],
    }));
    let server = setup.start();
    let post = |server: &crate::support::Server, body| server.client().post("register", None, &body);
    let session = post(&server, json!({ "username": "carol", "password": "christmas" })).asked();
    let auth = json!({ "type": TOKEN, "token": "good-token", "session": session });
    post(&server, json!({ "auth": auth })).continued(&[TOKEN]);
    server.kill();

    let server = setup.start();
    assert_eq!(post(&server, json!({ "auth": { "session": session } })).continued(&[TOKEN]), session);
    // The use of the token is still promised to it, and to nobody else.
    let other = post(&server, json!({})).asked();
    let auth = json!({ "type": TOKEN, "token": "good-token", "session": other });
    post(&server, json!({ "auth": auth })).failed(&[], "M_UNAUTHORIZED");
    // What is bound is bound, and what may be left out is kept: the name, and the password's hash.
    let changed = json!({ "username": "dave", "password": "christmas", "auth": dummy_auth(&session) });
    post(&server, changed).rejected(403, "M_FORBIDDEN");
    let changed = json!({ "username": "carol", "password": "easter-bunny", "auth": dummy_auth(&session) });
    post(&server, changed).rejected(403, "M_FORBIDDEN");
    server.kill();

    let server = setup.start();
    let account = post(&server, json!({ "auth": dummy_auth(&session) })).ok();
    assert_eq!(account["user_id"], "@carol:localhost");
    server.client().login("carol", "christmas").ok();
    server.kill();

    // The finished one is told from a new one, too; and the token is spent.
    let server = setup.start();
    let again = json!({ "username": "carol", "password": "christmas", "auth": dummy_auth(&session) });
    let again = post(&server, again).ok();
    assert_eq!((&again["user_id"], &again["device_id"]), (&account["user_id"], &account["device_id"]));
    let old = crate::support::text(&account, "access_token");
    assert!(server.client().was_replaced(&old));
    let auth = json!({ "type": TOKEN, "token": "good-token", "session": other });
    post(&server, json!({ "auth": auth })).failed(&[], "M_UNAUTHORIZED");
}

#[test]
fn failures_and_parameters_are_counted_on() {
    let mut setup = Setup::kept(json!({ "uia": { "max_failed_attempts": 2 } }));
    setup.config()["users"][0]["threepids"] =
        json!([{ "medium": "email", "address": "alice@example.org", "id_server": "id.example" }]);
    setup.config()["identity_servers"] = json!({ "good.example": { "unbind": "success" } });
    let server = setup.start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let second = client.token("alice", "wonderland");
    let body = json!({ "new_password": "looking-glass", "logout_devices": false });
    let change = client.post("account/password", Some(&token), &body).asked();
    let body = json!({ "erase": true, "id_server": "good.example" });
    let deactivate = client.post("account/deactivate", Some(&second), &body).asked();
    let wrong = password_auth_in(&change, "alice", "white-rabbit");
    client.post("account/password", Some(&token), &json!({ "auth": wrong })).failed(&[], "M_FORBIDDEN");
    server.kill();

    let server = setup.start();
    let client = server.client();
    client.post("account/password", Some(&token), &json!({ "auth": wrong })).failed(&[], "M_FORBIDDEN");
    let right = password_auth_in(&change, "alice", "wonderland");
    client
        .post("account/password", Some(&token), &json!({ "auth": right }))
        .rejected(429, "M_LIMIT_EXCEEDED");
    server.kill();

    let server = setup.start();
    let client = server.client();
    client
        .post("account/password", Some(&token), &json!({ "auth": right }))
        .rejected(429, "M_LIMIT_EXCEEDED");
    let auth = password_auth_in(&deactivate, "alice", "wonderland");
    let changed = json!({ "erase": false, "id_server": "good.example", "auth": auth });
    client.post("account/deactivate", Some(&second), &changed).rejected(403, "M_FORBIDDEN");
    // `id_server` was kept: where the config has the address bound, nobody could unbind it.
    let done = client.post("account/deactivate", Some(&second), &json!({ "auth": auth })).ok();
    assert_eq!(done, json!({ "id_server_unbind_result": "success" }));
}

#[test]
fn what_was_kept_of_a_password_change_is_carried_out_after_a_restart() {
    let setup = Setup::kept(json!({}));
    let server = setup.start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let other = client.token("alice", "wonderland");
    let body = json!({ "new_password": "looking-glass", "logout_devices": false });
    let session = client.post("account/password", Some(&token), &body).asked();
    server.kill();
    let server = setup.start();
    let client = server.client();
    let auth = password_auth_in(session, "alice", "wonderland");
    client.post("account/password", Some(&token), &json!({ "auth": auth })).ok();
    client.login("alice", "looking-glass").ok();
    client.login("alice", "wonderland").rejected(403, "M_FORBIDDEN");
    assert!(client.is_live(&other));
}

#[test]
fn in_memory_a_restart_ends_sessions_and_says_so() {
    let mut setup = Setup::kept(json!({}));
    setup.sessions = Some("memory");
    let server = setup.start();
    let token = server.client().token("alice", "wonderland");
    let body = json!({ "new_password": "looking-glass" });
    let session = server.client().post("account/password", Some(&token), &body).asked();
    server.kill();
    let server = setup.start();
    let client = server.client();
    let auth = password_auth_in(session, "alice", "wonderland");
    let body = json!({ "new_password": "looking-glass", "auth": auth });
    let next = client.post("account/password", Some(&token), &body).failed(&[], "M_UNKNOWN");
    client.login("alice", "wonderland").ok();
    let auth = password_auth_in(next, "alice", "wonderland");
    client
        .post("account/password", Some(&token), &json!({ "new_password": "looking-glass", "auth": auth }))
        .ok();
}
