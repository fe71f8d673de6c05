//! A lock that comes in the middle.

use super::{STORES, raced, run};
use crate::support::{Setup, dummy_auth, password_auth_in};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::thread::{scope, sleep};
use std::time::Duration;

/// Rule A1: from the lock on no stage passes and no call is carried out; after it the session goes on from where
/// it was.
#[test]
fn a_lock_in_the_middle_of_three_stages() {
    let flow = ["m.login.password", "m.login.recaptcha", "m.login.dummy"];
    let config = json!({
        "users": [{ "localpart": "root", "admin": true }, { "localpart": "alice", "password": "password-0" }],
        "flows": { "password": [flow] },
        "params": { "m.login.recaptcha": { "public_key": "key" } },
        "recaptcha_accepts": ["good-captcha"],
        // Whose tokens cost no hash.
        "appservices": [{ "id": "roots", "as_token": "as-secret", "sender_localpart": "bot", "user_prefix": "root" }],
    });
    let device = RefCell::new(String::new());
    run(&config, |ground, n| {
        let client = &ground.client;
        let root = ground.another_token("root");
        let lock = |on: bool| json!({ "locked": on });
        let [old, new] = [n, n + 1].map(|n| format!("password-{n}"));
        if n == 0 {
            device.replace(client.token("alice", &old));
        }
        let token = device.borrow();
        let change = |auth: Value| client.post("account/password", Some(&token), &json!({ "auth": auth }));
        let asked = client.post("account/password", Some(&token), &json!({ "new_password": new })).asked();
        let stages = [
            password_auth_in(&asked, "alice", &old),
            json!({ "type": flow[1], "session": asked, "response": "good-captcha" }),
            json!({ "type": flow[2], "session": asked }),
        ];
        let poll = json!({ "session": asked });

        // The lock comes with one of the three.
        let meets = n % 3;
        for done in 0..meets {
            change(stages[done].clone()).continued(&flow[..=done]);
        }
        let path = "/_matrix/client/v1/admin/lock/@alice:localhost";
        let put = format!("PUT {path}");
        let stage = json!({ "auth": stages[meets] });
        let requests = [
            (put.as_str(), Some(root.as_str()), lock(true)),
            ("account/password", Some(token.as_str()), stage),
        ];
        let [locked, stage] = raced(client, n, requests);
        assert_eq!(locked.ok(), lock(true));
        let passed = stage.json()["errcode"] != "M_USER_LOCKED";
        let carried_out = passed && meets == 2;
        if carried_out {
            assert_eq!(stage.ok(), json!({}));
        } else if passed {
            stage.continued(&flow[..=meets]);
        } else {
            assert_eq!(stage.rejected(401, "M_USER_LOCKED")["soft_logout"], true);
        }

        for auth in stages.iter().chain([&poll, &Value::Null]) {
            change(auth.clone()).rejected(401, "M_USER_LOCKED");
        }
        // That an account is locked is told only after the right password.
        let login = client.login("alice", &new);
        if carried_out {
            login.rejected(401, "M_USER_LOCKED");
        } else {
            login.rejected(403, "M_FORBIDDEN");
        }

        let body = lock(false).to_string();
        client.send("PUT", path, Some(&root), Some(body.as_bytes())).ok();
        if carried_out {
            assert_eq!(change(poll).ok(), json!({}), "the answer was lost");
        } else {
            let done = meets + usize::from(passed);
            change(poll).continued(&flow[..done]);
            for next in done..2 {
                change(stages[next].clone()).continued(&flow[..=next]);
            }
            assert_eq!(change(stages[2].clone()).ok(), json!({}));
        }
        match (carried_out, passed) {
            (true, _) => "the call",
            (_, true) => "a stage",
            _ => "the lock",
        }
    });
}

/// Rule A1: a password that was found right after the lock is worth nothing until it is lifted.
#[test]
fn a_lock_while_a_password_is_compared() {
    for store in STORES {
        let mut setup = Setup::new(json!({
            "users": [{ "localpart": "root", "password": "square-root", "admin": true },
                { "localpart": "alice", "password": "wonderland" }],
            "flows": { "password": [["m.login.password", "m.login.dummy"]] },
        }));
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        let (root, token) = (client.token("root", "square-root"), client.token("alice", "wonderland"));
        let change = |auth: Value| client.post("account/password", Some(&token), &json!({ "auth": auth }));
        let lock = |on: bool| {
            let (path, body) = ("/_matrix/client/v1/admin/lock/@alice:localhost", json!({ "locked": on }));
            client.send("PUT", path, Some(&root), Some(body.to_string().as_bytes())).ok()
        };
        // On a busy machine the lock may come too late, once the password has been compared.
        let in_time = (0..10).find_map(|_| {
            let first = json!({ "new_password": "looking-glass" });
            let asked = client.post("account/password", Some(&token), &first).asked();
            let password = password_auth_in(&asked, "alice", "wonderland");
            let waits = scope(|threads| {
                // Passwords are compared one after the other: alice's has to wait for all of these.
                for n in 0..24 {
                    threads.spawn(move || client.login(&format!("nobody{n}"), "any-password"));
                }
                sleep(Duration::from_millis(20));
                let stage = threads.spawn(|| change(password.clone()));
                sleep(Duration::from_millis(20));
                lock(true);
                let waits = !stage.is_finished();
                let answer = stage.join().unwrap();
                if waits {
                    assert_eq!(answer.rejected(401, "M_USER_LOCKED")["soft_logout"], true);
                }
                waits
            });
            lock(false);
            waits.then_some((asked, password))
        });
        let (asked, password) = in_time.expect("the lock comes while it waits");
        change(json!({ "session": asked })).continued(&[]);
        change(password).continued(&["m.login.password"]);
        change(dummy_auth(&asked)).ok();
    }
}
