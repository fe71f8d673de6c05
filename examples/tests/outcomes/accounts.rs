//! Accounts: names, registration tokens, passwords and deactivations.

use super::{raced, races, run};
use crate::support::{at_once, dummy_auth, password_auth, password_auth_in, text, with, with_status};
use serde_json::json;

/// Rule R2.
#[test]
fn two_registrations_for_one_name() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        let name = format!("carol{n}");
        let passwords = ["christmas", "carolling"];
        // In one request, or each in a session that was opened when the name was still free.
        let in_session = n % 3 != 0;
        let bodies = passwords.map(|password| {
            let body = json!({ "username": name, "password": password });
            if in_session {
                json!({ "auth": dummy_auth(&client.post("register", None, &body).asked()) })
            } else {
                with(&body, "auth", json!({ "type": "m.login.dummy" }))
            }
        });
        let answers = raced(client, n, bodies.each_ref().map(|body| ("register", None, body.clone())));
        let won = usize::from(answers[0].status != 200);
        let made = answers[won].ok();
        answers[1 - won].rejected(400, "M_USER_IN_USE");

        assert!(client.is_live(&text(&made, "access_token")));
        client.login(&name, passwords[1 - won]).rejected(403, "M_FORBIDDEN");
        let token = client.token(&name, passwords[won]);
        let devices = client.get("devices", Some(&token)).ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 2, "the registration's, and this login's");
        // Who lost may take another name, and has nothing to prove again (rule U14).
        if in_session {
            let params = json!({ "username": format!("{name}.too"), "password": passwords[1 - won] });
            let other = with(&params, "auth", bodies[1 - won]["auth"].clone());
            let other = client.post("register", None, &other).ok();
            assert_eq!(other["user_id"], format!("@{name}.too:localhost"));
        }
        ["one", "the other"][won]
    });
}

/// Rule U22, lesson 24.
#[test]
fn thirty_two_for_a_single_use_token() {
    let tokens: Vec<_> =
        (0..races()).map(|n| json!({ "token": format!("token-{n}"), "uses_allowed": 1 })).collect();
    let config = json!({
        "flows": { "register": [["m.login.registration_token"]] }, "registration_tokens": tokens,
    });
    run(&config, |ground, n| {
        let client = &ground.client;
        let name = |user: usize| format!("user{n}.{user}");
        // Passwords that nobody needs are hashed now and then only: most sessions are without one as yet.
        let at_once_whole = n % 16 == 0;
        let register = |user: usize| {
            let auth = json!({ "type": "m.login.registration_token", "token": format!("token-{n}") });
            let body = json!({ "username": name(user) });
            if at_once_whole {
                return with(&with(&body, "password", "christmas"), "auth", auth);
            }
            let session = client.post("register", None, &body).asked();
            with(&body, "auth", with(&auth, "session", session))
        };
        let requests: Vec<_> = (0..32).map(|user| ("register", None, register(user))).collect();
        let answers = at_once(client, &requests);
        let refused = with_status(&answers, 401);
        assert_eq!(refused.len(), 31);
        refused.iter().for_each(|answer| drop(answer.failed(&[], "M_UNAUTHORIZED")));
        let won = answers.iter().position(|answer| answer.status != 401).unwrap();
        let made = if at_once_whole {
            answers[won].ok()
        } else {
            answers[won].rejected(400, "M_MISSING_PARAM");
            client.post("register", None, &with(&requests[won].2, "password", "christmas")).ok()
        };
        assert_eq!(made["user_id"], format!("@{}:localhost", name(won)));
        // Nobody else was made on the way to a refusal.
        for user in (0..32).filter(|user| *user != won) {
            client.post("register", None, &json!({ "username": name(user) })).asked();
        }
        client.post("register", None, &register(32)).failed(&[], "M_UNAUTHORIZED");
        if won == 0 { "the first of them" } else { "another" }
    });
}

/// Rules D3 and D4, lesson 30: the fence comes before or after the new password, and is never undone by it.
#[test]
fn a_password_change_and_a_deactivation() {
    // Neither stage asks for the password: so neither fails for the other's sake.
    let config = json!({ "flows": { "password": [["m.login.dummy"]], "deactivate": [["m.login.dummy"]] } });
    run(&config, |ground, n| {
        let client = &ground.client;
        let name = format!("carol{n}");
        let token = text(&client.register(&name, "christmas"), "access_token");
        let other = client.token(&name, "christmas");
        // The password is hashed beforehand and kept with the session: then neither has a head start.
        let change = json!({ "new_password": "looking-glass", "logout_devices": n % 2 == 0 });
        let session = client.post("account/password", Some(&token), &change).asked();
        let [changed, deactivated] = raced(
            client,
            n,
            [
                ("account/password", Some(token.as_str()), json!({ "auth": dummy_auth(&session) })),
                ("account/deactivate", Some(token.as_str()), json!({ "auth": { "type": "m.login.dummy" } })),
            ],
        );
        assert_eq!(deactivated.ok(), json!({ "id_server_unbind_result": "success" }));
        let first = if changed.status == 200 {
            "the change"
        } else {
            changed.rejected(401, "M_UNKNOWN_TOKEN");
            "the deactivation"
        };
        assert!(!client.is_live(&token) && !client.is_live(&other));
        for password in ["christmas", "looking-glass"] {
            client.login(&name, password).rejected(403, "M_USER_DEACTIVATED");
        }
        client.post("register", None, &json!({ "username": name })).rejected(400, "M_USER_IN_USE");
        first
    });
}

/// Rule P3: the password is the one whose change was answered with 200, and the other's device is gone.
#[test]
fn two_password_changes() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        let name = format!("carol{n}");
        let first = text(&client.register(&name, "christmas"), "access_token");
        let tokens = [first, client.token(&name, "christmas")];
        let passwords = ["looking-glass", "white-rabbit"];
        let requests = [0, 1].map(|which| {
            let (path, token) = ("account/password", Some(tokens[which].as_str()));
            let session = client.post(path, token, &json!({ "new_password": passwords[which] })).asked();
            (path, token, json!({ "auth": password_auth_in(session, &name, "christmas") }))
        });
        let answers = raced(client, n, requests);
        let won = usize::from(answers[0].status != 200);
        assert_eq!(answers[won].ok(), json!({}));
        assert_eq!(answers[1 - won].status, 401, "{}", answers[1 - won]);
        assert!(client.is_live(&tokens[won]) && !client.is_live(&tokens[1 - won]));
        client.login(&name, passwords[won]).ok();
        for password in ["christmas", passwords[1 - won]] {
            client.login(&name, password).rejected(403, "M_FORBIDDEN");
        }
        ["one", "the other"][won]
    });
}

/// Rule P3: a device that ended while its own new password was being hashed changes nothing any more.
#[test]
fn a_password_change_that_is_still_hashed() {
    run(&json!({ "flows": { "password": [["m.login.dummy"]] } }), |ground, n| {
        let client = &ground.client;
        let name = format!("_bridge_{n}");
        let tokens = [ground.made_token(&name), ground.another_token(&name)];
        let passwords = ["looking-glass", "white-rabbit"];
        let (path, dummy) = ("account/password", json!({ "type": "m.login.dummy" }));
        let [hashed, hashing] = passwords.map(|password| json!({ "new_password": password }));
        let session = client.post(path, Some(&tokens[0]), &hashed).asked();
        let requests = [
            (path, Some(tokens[0].as_str()), json!({ "auth": dummy_auth(&session) })),
            (path, Some(tokens[1].as_str()), with(&hashing, "auth", dummy)),
        ];
        let answers = raced(client, n, requests);
        let won = usize::from(answers[0].status != 200);
        assert_eq!(answers[won].ok(), json!({}));
        answers[1 - won].rejected(401, "M_UNKNOWN_TOKEN");
        assert!(client.is_live(&tokens[won]) && !client.is_live(&tokens[1 - won]));
        client.login(&name, passwords[1 - won]).rejected(403, "M_FORBIDDEN");
        client.login(&name, passwords[won]).ok();
        ["the one that was hashed", "the one that wasn't"][won]
    });
}

/// Rules D3 and D4: whatever is under way when the fence comes, nothing of it is left.
#[test]
fn a_deactivation_a_login_and_a_password_change() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        let name = format!("carol{n}");
        let token = text(&client.register(&name, "wonderland"), "access_token");
        // The same password, but replaced: who had compared it with what was there before has compared nothing.
        let change = json!({ "new_password": "wonderland", "logout_devices": n % 2 == 0 });
        let session = client.post("account/password", Some(&token), &change).asked();
        let auth = password_auth(&name, "wonderland");
        let requests = [
            ("account/deactivate", Some(token.as_str()), json!({ "auth": auth })),
            ("login", None, auth.clone()),
            (
                "account/password",
                Some(&token),
                json!({ "auth": password_auth_in(session, &name, "wonderland") }),
            ),
        ];
        let [deactivated, login, changed] = raced(client, n, requests);
        let first = match (changed.status, login.status) {
            (200, _) => "the change",
            (_, 200) => "the login",
            _ => "the deactivation",
        };
        if deactivated.status != 200 {
            assert_eq!((first, deactivated.status), ("the change", 401), "{deactivated}");
            client.post("account/deactivate", Some(&token), &json!({ "auth": auth })).ok();
        }
        if login.status == 200 {
            assert!(!client.is_live(&text(&login.json(), "access_token")));
        } else {
            assert_eq!(login.status, 403, "{login}");
        }
        assert!(!client.is_live(&token));
        client.login(&name, "wonderland").rejected(403, "M_USER_DEACTIVATED");
        first
    });
}

/// Rule U15: one session, 32 times.
#[test]
fn thirty_two_registrations_in_one_session() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        // A name that the server makes up hides no second account.
        let mut body = json!({ "password": "christmas" });
        if n % 2 == 0 {
            body["username"] = format!("carol{n}").into();
        }
        let auth = dummy_auth(&client.post("register", None, &body).asked());
        // What the password is was said when the session was opened.
        let with_password = n % 32 == 0;
        let body = if with_password { with(&body, "auth", auth) } else { json!({ "auth": auth }) };
        let answers = at_once(client, &vec![("register", None, body); 32]);
        // One makes the account. Those that came in before it was made raced (rule U15) and get 401; one that
        // the machine read only afterwards is a repetition (rule U14): answered as such if it is whole.
        let made: Vec<_> = with_status(&answers, 200).iter().map(|answer| answer.ok()).collect();
        assert!(!made.is_empty() && (with_password || made.len() == 1), "{}", made.len());
        assert_eq!(with_status(&answers, 401).len(), 32 - made.len());
        let [user, device] = ["user_id", "device_id"].map(|key| &made[0][key]);
        assert!(made.iter().all(|login| login["user_id"] == *user && login["device_id"] == *device));
        let live: Vec<_> = made.iter().map(|login| text(login, "access_token")).collect();
        let live: Vec<_> = live.iter().filter(|token| client.is_live(token)).collect();
        let [live] = live[..] else { panic!("one registration, one live token") };
        let devices = client.get("devices", Some(live)).ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
        if made.len() == 1 { "one, and 31 raced" } else { "one, and repetitions" }
    });
}

/// Rule P3: a login that was under way when the password changed is refused or ended, never left.
#[test]
fn a_login_and_a_password_change() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        let name = format!("carol{n}");
        let token = text(&client.register(&name, "christmas"), "access_token");
        // Hashed beforehand: all that is left to both is to compare the password.
        let change = json!({ "new_password": "looking-glass" });
        let session = client.post("account/password", Some(&token), &change).asked();
        let change = (
            "account/password",
            Some(token.as_str()),
            json!({ "auth": password_auth_in(session, &name, "christmas") }),
        );
        let login = || ("login", None, password_auth(&name, "christmas"));
        let [changed, logins @ ..] = raced(client, n, [change, login(), login()]);
        assert_eq!(changed.ok(), json!({}));
        let mut first = "the change";
        for login in &logins {
            if login.status == 200 {
                assert!(!client.is_live(&text(&login.json(), "access_token")));
                first = "a login";
            } else {
                login.rejected(403, "M_FORBIDDEN");
            }
        }
        assert!(client.is_live(&token));
        client.login(&name, "looking-glass").ok();
        first
    });
}
