//! Crashes: nothing that was answered is lost, and a deactivation that had begun is finished.

use crate::support::{Client, Setup, password_auth, text};
use serde_json::{Value, json};

const STORES: [&str; 2] = ["sqlite", "memory"];

fn alice() -> Value {
    json!({ "localpart": "alice", "password": "wonderland", "threepids": [
        { "medium": "email", "address": "alice@example.org", "id_server": "good.example" },
        { "medium": "email", "address": "alice@example.com", "id_server": "good.example" },
        { "medium": "msisdn", "address": "447700900000" },
    ] })
}

fn setup(store: &'static str) -> Setup {
    let mut setup = Setup::kept(json!({
        "users": [alice(), { "localpart": "bob", "password": "builder-bob" }],
        "identity_servers": { "good.example": { "unbind": "success" } },
        "flows": { "deactivate_without_token": [["m.login.password"]] },
    }));
    setup.sessions = Some(store);
    setup
}

fn by_address(address: &str, password: &str) -> Value {
    json!({ "type": "m.login.password", "password": password,
        "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": address } })
}

/// What alice has before it begins: two tokens and an open session.
struct Before {
    tokens: [String; 2],
    open: String,
    bob: String,
}

fn before(client: &Client) -> Before {
    let tokens = [client.token("alice", "wonderland"), client.token("alice", "wonderland")];
    let open = client.post("account/password", Some(&tokens[1]), &json!({ "new_password": "looking-glass" }));
    Before { tokens, open: open.asked(), bob: client.token("bob", "builder-bob") }
}

/// That no way in works any more.
#[track_caller]
fn check_gone(client: &Client, before: &Before) {
    for token in &before.tokens {
        for path in ["account/whoami", "devices", "account/3pid"] {
            let error = client.get(path, Some(token)).rejected(401, "M_UNKNOWN_TOKEN");
            assert_ne!(error["soft_logout"], true, "{error}");
        }
        let mut auth = password_auth("alice", "wonderland");
        auth["session"] = before.open.as_str().into();
        let body = json!({ "new_password": "looking-glass", "auth": auth });
        client.post("account/password", Some(token), &body).rejected(401, "M_UNKNOWN_TOKEN");
    }
    client.login("alice", "wonderland").rejected(403, "M_USER_DEACTIVATED");
    let body = json!({ "username": "alice", "password": "wonderland" });
    client.post("register", None, &body).rejected(400, "M_USER_IN_USE");
    assert!(client.is_live(&before.bob));
}

/// That the deactivation is not merely begun: nothing is left to do at a start, and the addresses are free.
#[track_caller]
fn check_finished(setup: &mut Setup, before: &Before) {
    // With anything left, the start would come to a point, and die there.
    setup.fault = Some("after:1".to_owned());
    let users = setup.config()["users"].as_array_mut().unwrap();
    users[0]["threepids"] = json!([]);
    users.push(json!({ "localpart": "carol", "password": "christmas", "threepids": [
        { "medium": "email", "address": "alice@example.org" },
        { "medium": "email", "address": "alice@example.com" },
        { "medium": "msisdn", "address": "447700900000" },
    ] }));
    let server = setup.start();
    let client = server.client();
    check_gone(&client, before);
    for address in ["alice@example.org", "alice@example.com"] {
        client.post("login", None, &by_address(address, "wonderland")).rejected(403, "M_FORBIDDEN");
        let carol = client.post("login", None, &by_address(address, "christmas")).ok();
        assert_eq!(carol["user_id"], "@carol:localhost");
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault switch is in debug builds only")]
fn a_deactivation_is_finished_wherever_the_crash_came() {
    for store in STORES {
        let mut points = 0_u32;
        for n in 1.. {
            let mut setup = setup(store);
            setup.fault = Some(format!("after:{n}"));
            let server = setup.start();
            let client = server.client();
            let before = before(&client);
            let body = json!({ "erase": true, "auth": password_auth("alice", "wonderland") }).to_string();
            let answer =
                client.try_send("POST", "account/deactivate", Some(&before.tokens[0]), Some(body.as_bytes()));
            if let Ok(answer) = answer {
                // It has come to its end without coming to the nth point.
                answer.ok();
                check_gone(&client, &before);
                drop(server);
                check_finished(&mut setup, &before);
                break;
            }
            points = n;
            let ended = server.wait();
            assert!(ended.log.contains("fault: dying at"), "{}", ended.log);
            assert!(!ended.status.success());
            assert!(
                client.try_send("GET", "login", None, None).is_err(),
                "nothing answers before the restart"
            );
            setup.fault = None;
            let server = setup.start();
            check_gone(&server.client(), &before);
            drop(server);
            check_finished(&mut setup, &before);
        }
        // One effect each but the fence, which is one transaction with the session's end; and one for each 3PID.
        assert!(points >= 12, "{points} points");
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault switch is in debug builds only")]
fn a_crash_while_the_rest_is_done_at_the_start_does_no_harm_either() {
    for store in STORES {
        let mut setup = setup(store);
        setup.fault = Some("after:1".to_owned());
        let server = setup.start();
        let client = server.client();
        let before = before(&client);
        let body = json!({ "erase": true, "auth": password_auth("alice", "wonderland") }).to_string();
        client
            .try_send("POST", "account/deactivate", Some(&before.tokens[0]), Some(body.as_bytes()))
            .expect_err("it dies");
        server.wait();
        // Every start gets past one point and dies at the next, or at the point between two 3PIDs before the
        // effect is done; so it takes more than one.
        let mut starts = 0;
        let mut past = 2;
        let server = loop {
            setup.fault = Some(format!("after:{past}"));
            match setup.try_start() {
                Ok(server) => break server,
                Err(ended) => assert!(ended.log.contains("fault: dying at"), "{}", ended.log),
            }
            starts += 1;
            assert!(starts < 40, "it doesn't get on");
            // Three 3PIDs are unbound in one effect.
            past = if past == 2 { 5 } else { 2 };
        };
        assert!(starts > 3, "{starts}");
        check_gone(&server.client(), &before);
        drop(server);
        check_finished(&mut setup, &before);
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "the fault switch is in debug builds only")]
fn after_a_crash_the_same_request_finds_the_deactivation_done() {
    // By flows that name the user there is no token to be refused, and the session is found again.
    let mut setup = setup("sqlite");
    setup.fault = Some("after:4".to_owned());
    let server = setup.start();
    let client = server.client();
    let session = client.post("account/deactivate", None, &json!({ "erase": true })).asked();
    let mut auth = password_auth("alice", "wonderland");
    auth["session"] = session.into();
    let body = json!({ "erase": true, "auth": auth });
    client
        .try_send("POST", "account/deactivate", None, Some(body.to_string().as_bytes()))
        .expect_err("it dies");
    server.wait();
    setup.fault = None;
    let server = setup.start();
    let done = server.client().post("account/deactivate", None, &body).ok();
    // One address was bound nowhere that anybody knows.
    assert_eq!(done, json!({ "id_server_unbind_result": "no-support" }));
}

#[test]
fn a_restart_keeps_tokens_devices_and_names() {
    let setup = Setup::kept(json!({}));
    let server = setup.start();
    let client = server.client();
    let carol = client.register("carol", "christmas");
    let token = client.token("alice", "wonderland");
    server.kill();
    let server = setup.start();
    let client = server.client();
    assert_eq!(client.whoami(&token).ok()["user_id"], "@alice:localhost");
    let who = client.whoami(&text(&carol, "access_token")).ok();
    assert_eq!((&who["user_id"], &who["device_id"]), (&carol["user_id"], &carol["device_id"]));
    client.post("register", None, &json!({ "username": "carol" })).rejected(400, "M_USER_IN_USE");
}
