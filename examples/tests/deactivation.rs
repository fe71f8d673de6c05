//! `account/deactivate` (rules D1 to D7).

use crate::support::{Client, Setup, bridge, password_auth, password_auth_in, text};
use serde_json::{Value, json};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// alice with 3PIDs bound where the caller says, and identity servers of every temper.
fn setup(threepids: Value) -> Setup {
    let mut setup = Setup::new(json!({
        "identity_servers": {
            "good.example": { "trusted": true, "unbind": "success" },
            "refusing.example": { "trusted": true, "unbind": "no-support" },
            "untrusted.example": { "trusted": false, "unbind": "success" },
            "dead.example": { "trusted": true, "unbind": "error" },
        },
    }));
    setup.config()["users"] = json!([
        { "localpart": "alice", "password": "wonderland", "threepids": threepids },
        { "localpart": "bob", "password": "builder-bob" },
    ]);
    setup
}

fn bound_at(server: &str) -> Value {
    json!([{ "medium": "email", "address": "alice@example.org", "id_server": server }])
}

fn by_address(password: &str) -> Value {
    json!({ "type": "m.login.password", "password": password,
        "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": "alice@example.org" } })
}

fn deactivate(client: &Client, token: &str, mut body: Value) -> Value {
    body["auth"] = password_auth("alice", "wonderland");
    client.post("account/deactivate", Some(token), &body).ok()
}

#[test]
fn d01_it_takes_a_token_and_authentication() {
    let server = setup(json!([])).start();
    let client = server.client();
    let body = json!({ "auth": password_auth("alice", "wonderland") });
    client.post("account/deactivate", None, &body).rejected(401, "M_MISSING_TOKEN");
    let token = client.token("alice", "wonderland");
    // Lesson 10: a mere probe does nothing.
    for _ in 0..3 {
        client.post("account/deactivate", Some(&token), &json!({})).asked();
    }
    let wrong = json!({ "auth": password_auth("alice", "white-rabbit") });
    client.post("account/deactivate", Some(&token), &wrong).failed(&[], "M_FORBIDDEN");
    let hers = json!({ "auth": password_auth("bob", "builder-bob") });
    client.post("account/deactivate", Some(&token), &hers).rejected(403, "M_FORBIDDEN");
    assert!(client.is_live(&token));
    client.login("bob", "builder-bob").ok();
}

#[test]
fn d01_without_a_token_where_there_are_flows_that_name_the_user() {
    let mut setup = setup(json!([]));
    setup.config()["flows"] = json!({ "deactivate_without_token": [["m.login.password"]] });
    let server = setup.start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    let bob = client.token("bob", "builder-bob");
    client.post("account/deactivate", Some("unknown"), &json!({})).rejected(401, "M_UNKNOWN_TOKEN");
    let session = client.post("account/deactivate", None, &json!({})).asked();
    let auth = password_auth_in(&session, "alice", "white-rabbit");
    client.post("account/deactivate", None, &json!({ "auth": auth })).failed(&[], "M_FORBIDDEN");
    let auth = password_auth_in(&session, "alice", "wonderland");
    let done = client.post("account/deactivate", None, &json!({ "auth": auth })).ok();
    assert_eq!(done, json!({ "id_server_unbind_result": "success" }));
    assert!(!client.is_live(&alice) && client.is_live(&bob));
    // The answer was lost: it is the same once more.
    assert_eq!(client.post("account/deactivate", None, &json!({ "auth": auth })).ok(), done);
}

#[test]
fn d05_the_unbind_result_follows_from_what_became_of_the_3pids() {
    for (threepids, id_server, result) in [
        (json!([]), Value::Null, "success"),
        (json!([]), json!("unknown.example"), "success"),
        (bound_at("good.example"), Value::Null, "success"),
        (bound_at("refusing.example"), Value::Null, "no-support"),
        (bound_at("untrusted.example"), Value::Null, "no-support"),
        (bound_at("unknown.example"), Value::Null, "no-support"),
        (bound_at("refusing.example"), json!("good.example"), "success"),
        (bound_at("good.example"), json!("refusing.example"), "no-support"),
        (bound_at("good.example"), json!("unknown.example"), "no-support"),
        (json!([{ "medium": "email", "address": "alice@example.org" }]), Value::Null, "no-support"),
        (
            json!([
                { "medium": "email", "address": "alice@example.org", "id_server": "good.example" },
                { "medium": "msisdn", "address": "447700900000", "id_server": "refusing.example" },
            ]),
            Value::Null,
            "no-support",
        ),
    ] {
        let server = setup(threepids.clone()).start();
        let client = server.client();
        let token = client.token("alice", "wonderland");
        let answer = deactivate(&client, &token, json!({ "id_server": id_server }));
        assert_eq!(answer, json!({ "id_server_unbind_result": result }), "{threepids} {id_server}");
        client.login("alice", "wonderland").rejected(403, "M_USER_DEACTIVATED");
    }
}

#[test]
fn d05_a_dead_identity_server_holds_it_up_and_does_not_stop_it() {
    let server = setup(bound_at("dead.example")).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| deactivate(&client, &token, json!({})));
        sleep(Duration::from_secs(3));
        // The fence is up, whatever is still to be done (lesson 45).
        assert!(!call.is_finished());
        assert!(!client.is_live(&token));
        client.login("alice", "wonderland").rejected(403, "M_USER_DEACTIVATED");
        client.post("login", None, &by_address("wonderland")).rejected(403, "M_USER_DEACTIVATED");
        assert_eq!(call.join().unwrap(), json!({ "id_server_unbind_result": "no-support" }));
    });
    // The address is nobody's now.
    client.post("login", None, &by_address("wonderland")).rejected(403, "M_FORBIDDEN");
}

#[test]
fn d05_a_dead_identity_server_does_not_keep_the_server_from_starting() {
    let mut setup = setup(bound_at("dead.example"));
    setup.data = true;
    let server = setup.start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let begun = {
        let (client, token) = (server.client(), token.clone());
        let body = json!({ "auth": password_auth("alice", "wonderland") }).to_string();
        spawn(move || client.try_send("POST", "account/deactivate", Some(&token), Some(body.as_bytes())))
    };
    while client.is_live(&token) {
        sleep(Duration::from_millis(20));
    }
    server.kill();
    assert!(begun.join().unwrap().is_err(), "it has not been answered");

    let start = Instant::now();
    let server = setup.start();
    assert!(start.elapsed() < Duration::from_secs(7), "that server is given up after ten");
    let client = server.client();
    let bob = client.token("bob", "builder-bob");
    let error = client.get("account/whoami", Some(&token)).rejected(401, "M_UNKNOWN_TOKEN");
    assert_ne!(error["soft_logout"], true);
    client.login("alice", "wonderland").rejected(403, "M_USER_DEACTIVATED");
    // What was left is done all the same: the address is nobody's.
    while client.post("login", None, &by_address("wonderland")).json()["errcode"] != "M_FORBIDDEN" {
        assert!(start.elapsed() < Duration::from_secs(60), "it is not finished");
        sleep(Duration::from_millis(100));
    }
    assert!(client.is_live(&bob));
}

#[test]
fn d06_afterwards_no_way_in_works_and_the_name_stays_taken() {
    for erase in [None, Some(false), Some(true)] {
        let mut setup = setup(bound_at("good.example"));
        setup.data = true;
        let server = setup.start();
        let client = server.client();
        let tokens: Vec<_> = (0..3).map(|_| client.token("alice", "wonderland")).collect();
        let bob = client.token("bob", "builder-bob");
        // An open session of hers ends with the account.
        let open =
            client.post("account/password", Some(&tokens[1]), &json!({ "new_password": "looking-glass" }));
        let open = open.asked();
        client.post("login", None, &by_address("wonderland")).ok();
        let body = erase.map_or_else(|| json!({}), |erase| json!({ "erase": erase }));
        deactivate(&client, &tokens[0], body);
        let gone = |client: &Client| {
            for token in &tokens {
                for path in ["account/whoami", "devices", "account/3pid", "capabilities"] {
                    let error = client.get(path, Some(token)).rejected(401, "M_UNKNOWN_TOKEN");
                    assert_ne!(error["soft_logout"], true);
                }
                let auth = password_auth_in(&open, "alice", "wonderland");
                let body = json!({ "new_password": "looking-glass", "auth": auth });
                client.post("account/password", Some(token), &body).rejected(401, "M_UNKNOWN_TOKEN");
                client.post("account/deactivate", Some(token), &json!({})).rejected(401, "M_UNKNOWN_TOKEN");
                client.post("logout", Some(token), &json!({})).rejected(401, "M_UNKNOWN_TOKEN");
            }
            for password in ["wonderland", "white-rabbit"] {
                client.login("alice", password).rejected(403, "M_USER_DEACTIVATED");
                client.post("login", None, &by_address(password)).rejected(403, "M_FORBIDDEN");
            }
            for name in ["alice", "ALICE", "@alice:localhost"] {
                let body = json!({ "username": name, "password": "wonderland" });
                client.post("register", None, &body).rejected(400, "M_USER_IN_USE");
            }
            assert!(client.is_live(&bob));
        };
        gone(&client);
        server.kill();
        // Her 3PID is free: another may have it. And a config doesn't bring the account back.
        let address = json!([{ "medium": "email", "address": "alice@example.org" }]);
        let users = &mut setup.config()["users"];
        users[0]["threepids"] = json!([]);
        let carol = json!({ "localpart": "carol", "password": "christmas", "threepids": address });
        users.as_array_mut().unwrap().push(carol);
        let server = setup.start();
        let client = server.client();
        let carol = client.post("login", None, &by_address("christmas")).ok();
        assert_eq!(carol["user_id"], "@carol:localhost");
        client.login("alice", "wonderland").rejected(403, "M_USER_DEACTIVATED");
        assert!(!client.is_live(&tokens[0]));
    }
}

#[test]
fn d06_that_an_account_is_gone_can_be_hidden() {
    let mut setup = setup(json!([]));
    setup.config()["hide_deactivated"] = true.into();
    let server = setup.start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    deactivate(&client, &token, json!({}));
    let unknown = client.login("nobody", "wonderland");
    unknown.rejected(403, "M_FORBIDDEN");
    for password in ["wonderland", "white-rabbit"] {
        assert_eq!(client.login("alice", password).json(), unknown.json());
    }
    assert!(!client.is_live(&token));
}

#[test]
fn d07_an_application_service_deactivates_its_own_users_without_uia() {
    let mut setup = setup(json!([]));
    setup.config()["appservices"] = json!([
        bridge(),
        { "id": "other", "as_token": "other-secret", "sender_localpart": "otherbot", "user_prefix": "_other_" },
    ]);
    for name in ["_bridge_a", "_bridge_b"] {
        let users = setup.config()["users"].as_array_mut().unwrap();
        users.push(json!({ "localpart": name, "password": "puppeteer" }));
    }
    let server = setup.start();
    let client = server.client();
    let token = client.token("_bridge_a", "puppeteer");
    let of = |user: &str| format!("account/deactivate?user_id={user}");
    // Not whoever is not its own.
    client.post(&of("@alice:localhost"), Some("as-secret"), &json!({})).rejected(403, "M_FORBIDDEN");
    client.post(&of("@_bridge_a:localhost"), Some("other-secret"), &json!({})).rejected(403, "M_FORBIDDEN");
    client
        .post(&of("@_bridge_a:elsewhere.example"), Some("as-secret"), &json!({}))
        .rejected(403, "M_FORBIDDEN");
    client.post(&of("@_bridge_none:localhost"), Some("as-secret"), &json!({})).rejected(403, "M_FORBIDDEN");
    client.post("account/deactivate", Some("as-secret"), &json!({})).rejected(403, "M_FORBIDDEN");
    client.post(&of("@_bridge_a:localhost"), Some("as-secre"), &json!({})).rejected(401, "M_UNKNOWN_TOKEN");
    client
        .post(&of("@_bridge_a:localhost"), Some("as-secret"), &json!({ "erase": 1 }))
        .rejected(400, "M_BAD_JSON");
    // The parameter is nobody else's.
    let bob = client.token("bob", "builder-bob");
    client.post(&of("@alice:localhost"), Some(&bob), &json!({})).asked();
    assert!(client.is_live(&token));

    let done = client.post(&of("%40_bridge_a%3Alocalhost"), Some("as-secret"), &json!({})).ok();
    assert_eq!(done, json!({ "id_server_unbind_result": "success" }));
    assert!(!client.is_live(&token));
    client.login("_bridge_a", "puppeteer").rejected(403, "M_USER_DEACTIVATED");
    let again = client.post(&of("@_bridge_a:localhost"), Some("as-secret"), &json!({}));
    assert!(matches!(again.status, 401 | 403), "{again}");
    assert_eq!(text(&client.login("_bridge_b", "puppeteer").ok(), "user_id"), "@_bridge_b:localhost");
    assert_eq!(text(&client.login("alice", "wonderland").ok(), "user_id"), "@alice:localhost");
}
