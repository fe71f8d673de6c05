//! What a session is bound to, and what becomes of a finished one (rules U13 and U14).

use crate::support::{Server, Setup, dummy_auth, password_auth, password_auth_in, text, with};
use serde_json::{Value, json};

fn right(session: &str) -> Value {
    password_auth_in(session, "alice", "wonderland")
}

fn wrong(session: &str) -> Value {
    password_auth_in(session, "alice", "white-rabbit")
}

fn bound_by(binding: &str) -> Server {
    Setup::new(json!({ "uia": { "body_binding": binding } })).start()
}

#[test]
fn another_operation_is_403_and_leaves_the_session_as_it_was() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let session =
        client.post("account/password", Some(&token), &json!({ "new_password": "looking-glass" })).asked();
    // Lesson 5: authorised for a password, used for something else.
    for (method, path) in
        [("POST", "account/deactivate"), ("POST", "delete_devices"), ("DELETE", "devices/X")]
    {
        let body = json!({ "auth": right(&session) }).to_string();
        client.send(method, path, Some(&token), Some(body.as_bytes())).rejected(403, "M_FORBIDDEN");
    }
    let body = json!({ "new_password": "looking-glass", "auth": right(&session) });
    client.post("account/password", Some(&token), &body).ok();
    // Two devices are two operations.
    let session = client.send("DELETE", "devices/X", Some(&token), None).asked();
    let auth = password_auth_in(session, "alice", "looking-glass");
    let body = json!({ "auth": auth }).to_string();
    client.send("DELETE", "devices/Y", Some(&token), Some(body.as_bytes())).rejected(403, "M_FORBIDDEN");
    client.send("DELETE", "devices/X", Some(&token), Some(body.as_bytes())).ok();
}

#[test]
fn another_user_or_a_token_where_there_was_none_is_an_unknown_session() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    let bob = client.token("bob", "builder-bob");
    let body = |auth| json!({ "new_password": "looking-glass", "auth": auth });
    let session = client.post("account/password", Some(&alice), &body(json!({}))).asked();
    let with_his = password_auth_in(&session, "bob", "builder-bob");
    client.post("account/password", Some(&bob), &body(with_his)).failed(&[], "M_UNKNOWN");
    client.post("account/password", Some(&bob), &body(right(&session))).failed(&[], "M_UNKNOWN");
    client.post("account/password", None, &body(right(&session))).failed(&[], "M_UNKNOWN");
    let reset = client.post("account/password", None, &body(json!({}))).asked();
    client.post("account/password", Some(&alice), &body(right(&reset))).failed(&[], "M_UNKNOWN");
    // Another token of the same user is the same user.
    let other = client.token("alice", "wonderland");
    client.post("account/password", Some(&other), &body(right(&session))).ok();
    client.login("bob", "builder-bob").ok();
}

#[test]
fn what_is_given_first_holds_and_may_be_left_out() {
    let server = bound_by("omitted_or_exact");
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |body: Value| client.post("account/password", Some(&token), &body);
    let session = post(json!({ "new_password": "looking-glass", "logout_devices": false })).asked();
    for changed in [
        json!({ "new_password": "another-glass", "logout_devices": false, "auth": right(&session) }),
        json!({ "new_password": "looking-glass", "logout_devices": true, "auth": right(&session) }),
        json!({ "logout_devices": true, "auth": right(&session) }),
    ] {
        post(changed).rejected(403, "M_FORBIDDEN");
    }
    let second = client.token("alice", "wonderland");
    // Lesson 57: the session and the auth alone, as the spec's own example has it. And each parameter is the same
    // again or left out, whatever becomes of the others.
    for same in [
        json!({ "auth": wrong(&session) }),
        json!({ "new_password": "looking-glass", "auth": wrong(&session) }),
        json!({ "logout_devices": false, "auth": wrong(&session) }),
    ] {
        post(same).failed(&[], "M_FORBIDDEN");
    }
    post(json!({ "auth": right(&session) })).ok();
    client.login("alice", "looking-glass").ok();
    assert!(client.is_live(&second), "logout_devices: false was kept too");
}

#[test]
fn a_first_request_without_parameters_binds_none_and_the_next_ones_do() {
    let server = bound_by("omitted_or_exact");
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |body: Value| client.post("account/password", Some(&token), &body);
    let session = post(json!({})).asked();
    post(json!({ "new_password": "looking-glass", "auth": wrong(&session) })).failed(&[], "M_FORBIDDEN");
    post(json!({ "new_password": "another-glass", "auth": right(&session) })).rejected(403, "M_FORBIDDEN");
    // The order of keys is nobody's business.
    let body = format!(r#"{{"auth": {}, "new_password": "looking-glass"}}"#, right(&session));
    client.send("POST", "account/password", Some(&token), Some(body.as_bytes())).ok();
    client.login("alice", "looking-glass").ok();
}

#[test]
fn exact_wants_the_same_body_every_time() {
    let server = bound_by("exact");
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |body: Value| client.post("account/password", Some(&token), &body);
    let session = post(json!({ "new_password": "looking-glass" })).asked();
    post(json!({ "auth": right(&session) })).rejected(403, "M_FORBIDDEN");
    post(json!({ "new_password": "another-glass", "auth": right(&session) })).rejected(403, "M_FORBIDDEN");
    client.login("alice", "wonderland").ok();
    post(json!({ "new_password": "looking-glass", "auth": right(&session) })).ok();
}

#[test]
fn any_takes_what_came_last() {
    let server = bound_by("any");
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |body: Value| client.post("account/password", Some(&token), &body);
    let session = post(json!({ "new_password": "looking-glass" })).asked();
    post(json!({ "new_password": "another-glass", "auth": wrong(&session) })).failed(&[], "M_FORBIDDEN");
    post(json!({ "auth": right(&session) })).ok();
    client.login("alice", "another-glass").ok();
    client.login("alice", "looking-glass").rejected(403, "M_FORBIDDEN");
}

#[test]
fn what_was_bound_to_a_deactivation_is_not_dropped() {
    // Lesson 6: toggled `erase` is told, and does not lock the user out.
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |body: Value| client.post("account/deactivate", Some(&token), &body);
    let session = post(json!({ "erase": true })).asked();
    post(json!({ "erase": false, "auth": right(&session) })).rejected(403, "M_FORBIDDEN");
    post(json!({ "erase": true, "id_server": "id.example", "auth": right(&session) }))
        .rejected(403, "M_FORBIDDEN");
    assert!(client.is_live(&token));
    post(json!({ "erase": true, "auth": right(&session) })).ok();
}

#[test]
fn a_password_that_was_never_given_is_missed_at_the_end_and_may_follow() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |body: Value| client.post("account/password", Some(&token), &body);
    let session = post(json!({})).asked();
    post(json!({ "auth": right(&session) })).rejected(400, "M_MISSING_PARAM");
    // The session is complete: nothing is verified again, not even a wrong password.
    post(json!({ "auth": { "session": session } })).rejected(400, "M_MISSING_PARAM");
    post(json!({ "new_password": "looking-glass", "auth": { "session": session } })).ok();
    client.login("alice", "looking-glass").ok();
}

#[test]
fn a_finished_call_sent_again_is_answered_again_and_not_carried_out_again() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |body: Value| client.post("account/password", Some(&token), &body);
    let session = post(json!({ "new_password": "looking-glass" })).asked();
    let first = json!({ "new_password": "looking-glass", "auth": right(&session) });
    assert_eq!(post(first.clone()).ok(), json!({}));
    // Meanwhile there is another password: the repetition must not bring the old one back.
    let auth = password_auth("alice", "looking-glass");
    post(json!({ "new_password": "third-password", "auth": auth })).ok();
    let other = client.token("alice", "third-password");
    assert_eq!(post(first).ok(), json!({}));
    client.login("alice", "third-password").ok();
    client.login("alice", "looking-glass").rejected(403, "M_FORBIDDEN");
    assert!(client.is_live(&other), "nor end devices again");
    // Another request with that session is not the same call.
    post(json!({ "new_password": "fourth-password", "auth": right(&session) })).failed(&[], "M_UNKNOWN");
    client.login("alice", "third-password").ok();
}

#[test]
fn a_finished_registration_sent_again_is_one_account_and_one_live_token() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let session =
        client.post("register", None, &json!({ "username": "carol", "password": "christmas" })).asked();
    let body = json!({ "username": "carol", "password": "christmas", "auth": dummy_auth(&session) });
    let first = client.post("register", None, &body).ok();
    let mut live = text(&first, "access_token");
    for _ in 0..3 {
        let again = client.post("register", None, &body).ok();
        assert_eq!((&again["user_id"], &again["device_id"]), (&first["user_id"], &first["device_id"]));
        let newest = text(&again, "access_token");
        assert_ne!(newest, live);
        assert!(client.was_replaced(&live), "lesson 11");
        assert!(client.is_live(&newest));
        live = newest;
    }
    // Not without the parameters, password included: a session ID alone is no way to a token.
    for auth in [dummy_auth(&session), json!({ "session": session })] {
        for body in [
            json!({ "auth": auth }),
            json!({ "username": "carol", "auth": auth }),
            json!({ "username": "carol", "password": "easter", "auth": auth }),
            json!({ "username": "dave", "password": "christmas", "auth": auth }),
        ] {
            let answer = client.post("register", None, &body);
            assert!(answer.json()["access_token"].is_null(), "{body}: {answer}");
            assert!((400..500).contains(&answer.status), "{body}: {answer}");
        }
    }
    assert!(client.is_live(&live));
    let devices = client.get("devices", Some(&live)).ok();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
}

#[test]
fn a_deletion_sent_again_spares_the_device_that_took_the_name_since() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let log_in = || {
        let body = with(&password_auth("alice", "wonderland"), "device_id", "PHONE");
        text(&client.post("login", None, &body).ok(), "access_token")
    };
    for (method, path, body) in
        [("DELETE", "devices/PHONE", json!({})), ("POST", "delete_devices", json!({ "devices": ["PHONE"] }))]
    {
        let phone = log_in();
        let delete =
            |body: &Value| client.send(method, path, Some(&token), Some(body.to_string().as_bytes()));
        let session = delete(&body).asked();
        let body = with(&body, "auth", right(&session));
        assert_eq!(delete(&body).ok(), json!({}));
        assert!(!client.is_live(&phone));
        let phone = log_in();
        assert_eq!(delete(&body).ok(), json!({}), "the answer was lost");
        assert!(client.is_live(&phone));
    }
}

#[test]
fn replay_refuse_takes_a_finished_session_for_an_unknown_one() {
    let server = Setup::new(json!({ "uia": { "replay": "refuse" } })).start();
    let client = server.client();
    let session =
        client.post("register", None, &json!({ "username": "carol", "password": "christmas" })).asked();
    let body = json!({ "username": "carol", "password": "christmas", "auth": dummy_auth(&session) });
    let token = text(&client.post("register", None, &body).ok(), "access_token");
    let fresh = client.post("register", None, &body).failed(&[], "M_UNKNOWN");
    let body = with(&body, "auth", dummy_auth(&fresh));
    client.post("register", None, &body).rejected(400, "M_USER_IN_USE");
    assert!(client.is_live(&token));

    let token = client.token("alice", "wonderland");
    let session =
        client.post("account/password", Some(&token), &json!({ "new_password": "looking-glass" })).asked();
    let body = json!({ "new_password": "looking-glass", "auth": right(&session) });
    client.post("account/password", Some(&token), &body).ok();
    client.post("account/password", Some(&token), &body).failed(&[], "M_UNKNOWN");
}

#[test]
fn a_result_is_repeated_within_its_time_only() {
    let server = Setup::new(json!({ "uia": { "replay_ms": 1500 } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let session =
        client.post("account/password", Some(&token), &json!({ "new_password": "looking-glass" })).asked();
    let body = json!({ "new_password": "looking-glass", "auth": right(&session) });
    client.post("account/password", Some(&token), &body).ok();
    client.post("account/password", Some(&token), &body).ok();
    std::thread::sleep(std::time::Duration::from_millis(1600));
    client.post("account/password", Some(&token), &body).failed(&[], "M_UNKNOWN");
}

#[test]
fn lesson_88_a_registration_is_not_repeated_once_its_device_or_its_password_is_another() {
    for store in ["memory", "sqlite"] {
        let mut setup = Setup::new(json!({}));
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        let register = |name: &str| {
            let body = json!({ "username": name, "password": "christmas" });
            let session = client.post("register", None, &body).asked();
            let body = with(&body, "auth", dummy_auth(&session));
            let token = text(&client.post("register", None, &body).ok(), "access_token");
            (body, token)
        };
        let (body, token) = register("carol");
        client.post("logout", Some(&token), &json!({})).ok();
        client.post("register", None, &body).failed(&[], "M_UNKNOWN");
        let devices = client.get("devices", Some(&client.token("carol", "christmas"))).ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 1, "the login's alone");

        let (body, token) = register("dave");
        let auth = password_auth("dave", "christmas");
        let change = json!({ "new_password": "looking-glass", "auth": auth });
        client.post("account/password", Some(&token), &change).ok();
        client.post("register", None, &body).failed(&[], "M_UNKNOWN");
        assert!(client.is_live(&token), "nothing was replaced");
    }
}
