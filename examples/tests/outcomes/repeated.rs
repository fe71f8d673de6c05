//! What may be done once, done 32 times.

use super::run;
use crate::support::{Answer, at_once, dummy_auth, text, with_status};
use serde_json::{Value, json};

const TIMES: usize = 32;

/// Rule L2.
#[test]
fn one_login_token_logs_in_once() {
    run(&json!({ "flows": { "get_login_token": [["m.login.dummy"]] } }), |ground, n| {
        let client = &ground.client;
        let user = ground.made_token(&format!("_bridge_{n}"));
        let body = json!({ "auth": { "type": "m.login.dummy" } });
        let token = client.post("/_matrix/client/v1/login/get_token", Some(&user), &body).ok();
        let body = json!({ "type": "m.login.token", "token": token["login_token"] });
        let answers = at_once(client, &vec![("login", None, body); TIMES]);
        let [login] = with_status(&answers, 200)[..] else { panic!("one login") };
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.rejected(403, "M_FORBIDDEN");
        }
        assert!(client.is_live(&text(&login.ok(), "access_token")));
        assert_eq!(client.get("devices", Some(&user)).ok()["devices"].as_array().unwrap().len(), 2);
        if answers[0].status == 200 { "the first of them" } else { "another" }
    });
}

/// Rule L4.
#[test]
fn one_refresh_token_leaves_one_new_pair() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        let old = ground.made(&format!("_bridge_{n}"));
        let body = json!({ "refresh_token": old["refresh_token"] });
        let answers = at_once(client, &vec![("refresh", None, body.clone()); TIMES]);
        // Nobody has used a new pair, so each may be the one whose answer arrives; the last holds.
        assert!(client.is_live(&text(&old, "access_token")));
        let pairs: Vec<_> = answers.iter().map(Answer::ok).collect();
        let is_live = |pair: &&Value| client.whoami(&text(pair, "access_token")).status == 200;
        let live: Vec<_> = pairs.iter().filter(is_live).collect();
        let [live] = live[..] else { panic!("one live pair beside the old") };
        client.post("refresh", None, &body).rejected(401, "M_UNKNOWN_TOKEN");
        assert_eq!(client.whoami(&text(&old, "access_token")).status, 401);
        let next = client.post("refresh", None, &json!({ "refresh_token": live["refresh_token"] })).ok();
        assert!(client.is_live(&text(&next, "access_token")));
        if *live == pairs[TIMES - 1] { "the last of them" } else { "another" }
    });
}

/// Lesson 24's kind: who is first needs no authentication, and only one is.
#[test]
fn one_set_of_signing_keys_is_the_first() {
    run(&json!({}), |ground, n| {
        let client = &ground.client;
        let name = format!("_bridge_{n}");
        let token = ground.made_token(&name);
        let upload = |n: usize| {
            let (user, key) = (format!("@{name}:localhost"), format!("key{n}"));
            json!({ "master_key": { "user_id": user, "usage": ["master"], "keys": { "ed25519:k": key } } })
        };
        let path = "keys/device_signing/upload";
        let requests: Vec<_> = (0..TIMES).map(|n| (path, Some(token.as_str()), upload(n))).collect();
        let answers = at_once(client, &requests);
        let won = answers.iter().position(|answer| answer.status == 200).expect("one was the first");
        // Such a user has no password, and the policy asks for nothing else.
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.rejected(403, "M_FORBIDDEN");
        }
        assert_eq!(with_status(&answers, 403).len(), TIMES - 1);
        // The same keys again are no change.
        client.post(path, Some(&token), &upload(won)).ok();
        client.post(path, Some(&token), &upload(won + 1)).rejected(403, "M_FORBIDDEN");
        if won == 0 { "the first of them" } else { "another" }
    });
}

/// Rule U15: one session, one password change; and what was logged in since stays so, whatever is repeated.
#[test]
fn one_password_change_is_carried_out_once() {
    run(&json!({ "flows": { "password": [["m.login.dummy"]] } }), |ground, n| {
        let client = &ground.client;
        let name = format!("_bridge_{n}");
        let token = ground.made_token(&name);
        let path = "account/password";
        let asked = client.post(path, Some(&token), &json!({ "new_password": "looking-glass" })).asked();
        let body = json!({ "auth": dummy_auth(&asked) });
        let answers = at_once(client, &vec![(path, Some(token.as_str()), body.clone()); TIMES]);
        let done = with_status(&answers, 200);
        assert!(!done.is_empty() && done.iter().all(|answer| answer.json() == json!({})));
        assert_eq!(done.len() + with_status(&answers, 401).len(), TIMES);
        let since = client.token(&name, "looking-glass");
        at_once(client, &vec![(path, Some(token.as_str()), body); 4]);
        assert!(client.is_live(&since) && client.is_live(&token));
        if answers[0].status == 200 { "the first of them" } else { "another" }
    });
}

/// Rule U17: guesses that are sent together are counted one by one, and the right one is too late.
#[test]
fn guesses_are_counted_one_by_one() {
    let config = json!({
        "flows": { "password": [["m.login.recaptcha"]] }, "recaptcha_accepts": ["good-captcha"],
        "params": { "m.login.recaptcha": { "public_key": "key" } }, "uia": { "max_failed_attempts": 5 },
    });
    run(&config, |ground, n| {
        let client = &ground.client;
        let token = ground.made_token(&format!("_bridge_{n}"));
        let (path, body) = ("account/password", json!({ "logout_devices": n % 2 == 0 }));
        let session = client.post(path, Some(&token), &body).asked();
        let guess = |response: String| json!({ "auth": { "type": "m.login.recaptcha", "session": session, "response": response } });
        let guesses: Vec<_> =
            (0..TIMES).map(|n| (path, Some(token.as_str()), guess(format!("guess-{n}")))).collect();
        let answers = at_once(client, &guesses);
        for answer in with_status(&answers, 401) {
            answer.failed(&[], "M_CAPTCHA_INVALID");
        }
        assert_eq!(with_status(&answers, 401).len(), 5);
        assert_eq!(with_status(&answers, 429).len(), TIMES - 5);
        client.post(path, Some(&token), &guess("good-captcha".into())).rejected(429, "M_LIMIT_EXCEEDED");
        if answers[0].status == 401 { "the first of them" } else { "others" }
    });
}
