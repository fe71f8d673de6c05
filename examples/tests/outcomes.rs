//! Two that can't both have it, again and again: whoever comes first, there is one outcome, the one that the
//! rules give.
//!
//! `RACES` says how often, for more than `cargo test` has time for.

use crate::support::{Client, Setup, at_once, dummy_auth, password_auth, text, times, with, with_status};
use serde_json::{Value, json};

const STORES: [&str; 2] = ["memory", "sqlite"];

fn races() -> usize {
    times("RACES", 6)
}

/// Runs a race so many times over both stores, on a server of this config for each.
fn run(config: &Value, race: impl Fn(&Client, usize)) {
    for (half, store) in STORES.into_iter().enumerate() {
        let mut setup = Setup::new(config.clone());
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        (0..races()).filter(|n| n % 2 == half).for_each(|n| race(&client, n));
    }
}

/// Rule R2.
#[test]
fn two_registrations_for_one_name() {
    run(&json!({}), |client, n| {
        let name = format!("carol{n}");
        let bodies = ["christmas", "carolling"].map(|password| {
            let body = json!({ "username": name, "password": password });
            // In one request, or each in a session that was opened when the name was still free.
            let auth = match n % 3 {
                0 => json!({ "type": "m.login.dummy" }),
                _ => dummy_auth(&client.post("register", None, &body).asked()),
            };
            with(&body, "auth", auth)
        });
        let requests = bodies.each_ref().map(|body| ("register", None, body.clone()));
        let answers = at_once(client, &requests);
        let won = usize::from(answers[0].status != 200);
        let made = answers[won].ok();
        answers[1 - won].rejected(400, "M_USER_IN_USE");

        assert!(client.is_live(&text(&made, "access_token")));
        client.login(&name, bodies[1 - won]["password"].as_str().unwrap()).rejected(403, "M_FORBIDDEN");
        let token = client.token(&name, bodies[won]["password"].as_str().unwrap());
        let devices = client.get("devices", Some(&token)).ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 2, "the registration's, and this login's");
        // Who lost may take another name, and has nothing to prove again (rule U14).
        if n % 3 != 0 {
            let other = with(&bodies[1 - won], "username", format!("{name}.too"));
            assert_eq!(
                client.post("register", None, &other).ok()["user_id"],
                format!("@{name}.too:localhost")
            );
        }
    });
}

/// Rule U22, lesson 24.
#[test]
fn thirty_two_for_a_single_use_token() {
    let tokens: Vec<_> =
        (0..races()).map(|n| json!({ "token": format!("token-{n}"), "uses_allowed": 1 })).collect();
    let config = json!({
        "flows": { "register": [["m.login.registration_token"]] },
        "registration_tokens": tokens,
        "rate_limits": { "failed_auth": { "burst": 1_000_000, "per_second": 1000.0 } },
    });
    run(&config, |client, n| {
        let name = |user: usize| format!("user{n}.{user}");
        let register = |user: usize| {
            let auth = json!({ "type": "m.login.registration_token", "token": format!("token-{n}") });
            json!({ "username": name(user), "password": "christmas", "auth": auth })
        };
        let requests: Vec<_> = (0..32).map(|user| ("register", None, register(user))).collect();
        let answers = at_once(client, &requests);
        for (user, answer) in answers.iter().enumerate() {
            match answer.status {
                200 => assert_eq!(answer.ok()["user_id"], format!("@{}:localhost", name(user))),
                _ => drop(answer.failed(&[], "M_UNAUTHORIZED")),
            }
        }
        assert_eq!(with_status(&answers, 200).len(), 1);
        // The one is there, and nobody else was made on the way to a refusal.
        let won = answers.iter().position(|answer| answer.status == 200).unwrap();
        client.login(&name(won), "christmas").ok();
        for user in (0..32).filter(|user| *user != won) {
            client.post("register", None, &json!({ "username": name(user) })).asked();
        }
        client.post("register", None, &register(32)).failed(&[], "M_UNAUTHORIZED");
    });
}

/// Rules D3 and D4, lesson 30: the fence comes before or after the new password, and is never undone by it.
#[test]
fn a_password_change_and_a_deactivation() {
    // Neither stage asks for the password: so neither fails for the other's sake.
    let config = json!({ "flows": { "password": [["m.login.dummy"]], "deactivate": [["m.login.dummy"]] } });
    run(&config, |client, n| {
        let name = format!("carol{n}");
        let token = text(&client.register(&name, "christmas"), "access_token");
        let other = client.token(&name, "christmas");
        let auth = json!({ "type": "m.login.dummy" });
        // The password is hashed beforehand and kept with the session: then neither has a head start.
        let change = json!({ "new_password": "looking-glass", "logout_devices": n % 2 == 0 });
        let session = client.post("account/password", Some(&token), &change).asked();
        let change = json!({ "auth": dummy_auth(&session) });
        let answers = at_once(
            client,
            &[
                ("account/password", Some(token.as_str()), change),
                ("account/deactivate", Some(token.as_str()), json!({ "auth": auth })),
            ],
        );
        assert_eq!(answers[1].ok(), json!({ "id_server_unbind_result": "success" }));
        if answers[0].status != 200 {
            answers[0].rejected(401, "M_UNKNOWN_TOKEN");
        }
        assert!(!client.is_live(&token) && !client.is_live(&other));
        for password in ["christmas", "looking-glass"] {
            client.login(&name, password).rejected(403, "M_USER_DEACTIVATED");
        }
        client.post("register", None, &json!({ "username": name })).rejected(400, "M_USER_IN_USE");
    });
}

/// Rule P3: the password is the one whose change was answered with 200, and the other's device is gone.
#[test]
fn two_password_changes() {
    run(&json!({}), |client, n| {
        let name = format!("carol{n}");
        client.register(&name, "christmas");
        let tokens = [client.token(&name, "christmas"), client.token(&name, "christmas")];
        let passwords = ["looking-glass", "white-rabbit"];
        let requests = [0, 1].map(|n| {
            let auth = password_auth(&name, "christmas");
            let body = json!({ "new_password": passwords[n], "auth": auth });
            ("account/password", Some(tokens[n].as_str()), body)
        });
        let answers = at_once(client, &requests);
        let won = usize::from(answers[0].status != 200);
        assert_eq!(answers[won].ok(), json!({}));
        assert_eq!(answers[1 - won].status, 401, "{}", answers[1 - won]);
        assert!(client.is_live(&tokens[won]) && !client.is_live(&tokens[1 - won]));
        client.login(&name, passwords[won]).ok();
        for password in ["christmas", passwords[1 - won]] {
            client.login(&name, password).rejected(403, "M_FORBIDDEN");
        }
    });
}
