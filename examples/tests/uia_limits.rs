//! Lifetimes and limits (rules U16 to U18).

use crate::support::{Setup, dummy_auth, password_auth, password_auth_in, text, with};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

fn auth(password: &str, session: &str) -> Value {
    password_auth_in(session, "alice", password)
}

const STORES: [&str; 2] = ["memory", "sqlite"];

#[test]
fn u16_a_session_lives_so_long_from_its_making() {
    for store in STORES {
        let mut setup = Setup::new(json!({
            "uia": { "session_lifetime_ms": 2000 },
            "flows": { "register": [["m.login.terms", "m.login.dummy"]] },
            "params": { "m.login.terms": { "policies": {} } },
        }));
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        let post = |auth: Value| {
            client.post(
                "register",
                None,
                &json!({ "username": "carol", "password": "christmas", "auth": auth }),
            )
        };
        let session = post(json!({})).asked();
        sleep(Duration::from_millis(1100));
        // A passed stage doesn't prolong it.
        post(json!({ "type": "m.login.terms", "session": session })).continued(&["m.login.terms"]);
        sleep(Duration::from_millis(1100));
        let next = post(dummy_auth(&session)).failed(&[], "M_UNKNOWN");
        assert_ne!(next, session);
        post(json!({ "type": "m.login.terms", "session": next })).continued(&["m.login.terms"]);
        post(dummy_auth(&next)).ok();
    }
}

#[test]
fn u16_at_the_limit_the_oldest_that_proved_nothing_makes_room() {
    for store in STORES {
        let mut setup = Setup::new(json!({
            "uia": { "session_limit": 3, "unknown_session": "reject" },
            "flows": { "register": [["m.login.terms", "m.login.recaptcha", "m.login.dummy"]] },
            "params": { "m.login.terms": { "policies": {} }, "m.login.recaptcha": { "public_key": "key" } },
            "recaptcha_accepts": ["good-captcha"],
            "trusted_proxies": ["127.0.0.0/8"],
        }));
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        let post_from = |peer: u8, auth: Value| {
            let body = json!({ "password": "christmas", "auth": auth }).to_string();
            let headers = format!("Content-Type: application/json\r\nX-Forwarded-For: 203.0.113.{peer}\r\n");
            client.raw("POST", "register", &headers, body.as_bytes())
        };
        let post = |auth: Value| post_from(1, auth);
        let terms = |session: &str| post(json!({ "type": "m.login.terms", "session": session }));
        let captcha = |session: &str| {
            post(json!({ "type": "m.login.recaptcha", "response": "good-captcha", "session": session }))
        };
        let poll = |session: &str| post(json!({ "session": session }));
        let (agreed, human) = (["m.login.terms"], ["m.login.terms", "m.login.recaptcha"]);

        let proved = post(json!({})).asked();
        terms(&proved).continued(&agreed);
        captcha(&proved).continued(&human);
        let second = post(json!({})).asked();
        // Anybody passes this stage (lesson 72): it is worth no more than none.
        terms(&second).continued(&agreed);
        let third = post(json!({})).asked();
        let fourth = post_from(2, json!({})).asked();
        poll(&second).rejected(400, "M_UNKNOWN");
        poll(&proved).continued(&human);
        poll(&third).continued(&[]);
        poll(&fourth).continued(&[]);
        // Where each has proved something, none makes room but for one of the same peer's.
        for session in [&third, &fourth] {
            terms(session).continued(&agreed);
            captcha(session).continued(&human);
        }
        post_from(3, json!({})).rejected(429, "M_LIMIT_EXCEEDED");
        for session in [&proved, &third, &fourth] {
            poll(session).continued(&human);
        }
        post(json!({})).asked();
        poll(&proved).rejected(400, "M_UNKNOWN");
        post(dummy_auth(&third)).ok();
    }
}

#[test]
fn u16_one_peer_s_sessions_make_room_for_each_other_and_not_for_another_user_s() {
    for store in STORES {
        let mut setup = Setup::new(json!({ "uia": { "sessions_per_owner": 2 } }));
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        let [alice, bob] = [("alice", "wonderland"), ("bob", "builder-bob")];
        let ask = |token: &str| {
            client.post("account/password", Some(token), &json!({ "new_password": "looking-glass" })).asked()
        };
        let tokens = [alice, bob].map(|(name, password)| client.token(name, password));
        let [theirs, others] = [0, 1].map(|user| (0..4).map(|_| ask(&tokens[user])).collect::<Vec<_>>());
        let poll = |token: &str, session: &str| {
            let body = json!({ "new_password": "looking-glass", "auth": { "session": session } });
            client.post("account/password", Some(token), &body).json()["errcode"].clone()
        };
        for (token, sessions) in [(&tokens[0], theirs), (&tokens[1], others)] {
            let gone = sessions.iter().rev().map(|session| poll(token, session) == "M_UNKNOWN");
            // Asking for one that is gone begins another, so the youngest are asked for first.
            assert_eq!(gone.collect::<Vec<_>>(), [false, false, true, true], "{store}");
        }
    }
}

#[test]
fn u17_after_so_many_failures_the_session_is_closed() {
    for store in STORES {
        let mut setup = Setup::new(json!({ "uia": { "max_failed_attempts": 3 } }));
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        let token = client.token("alice", "wonderland");
        let post = |auth| client.change_password(&token, "looking-glass", auth);
        let session = post(json!({})).asked();
        for _ in 0..3 {
            post(auth("white-rabbit", &session)).failed(&[], "M_FORBIDDEN");
        }
        for auth in
            [auth("white-rabbit", &session), auth("wonderland", &session), json!({ "session": session })]
        {
            let error = post(auth).rejected(429, "M_LIMIT_EXCEEDED");
            let wait = error["retry_after_ms"].as_u64().unwrap();
            assert!((800_000..=900_000).contains(&wait), "what is left of its lifetime: {wait}");
        }
        client.login("alice", "wonderland").ok();
        // Another session is another count; the password was never the matter.
        let session = post(json!({})).asked();
        post(auth("wonderland", &session)).ok();
    }
}

#[test]
fn u17_one_shots_count_from_the_first() {
    let server = Setup::new(json!({ "uia": { "max_failed_attempts": 2 } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |auth| client.change_password(&token, "looking-glass", auth);
    let session = post(password_auth("alice", "white-rabbit")).failed(&[], "M_FORBIDDEN");
    post(auth("white-rabbit", &session)).failed(&[], "M_FORBIDDEN");
    post(auth("wonderland", &session)).rejected(429, "M_LIMIT_EXCEEDED");
}

#[test]
fn u17_failures_of_a_user_count_over_all_sessions() {
    let limit = json!({ "failed_auth": { "burst": 2, "per_second": 0.001 } });
    let server = Setup::new(json!({ "rate_limits": limit })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let bob = client.token("bob", "builder-bob");
    let post = |auth| client.change_password(&token, "looking-glass", auth);
    post(password_auth("alice", "white-rabbit")).failed(&[], "M_FORBIDDEN");
    // What is right costs nothing.
    client.login("alice", "wonderland").ok();
    client.login("alice", "wonderland").ok();
    post(password_auth("alice", "white-rabbit")).failed(&[], "M_FORBIDDEN");
    // Nor is anything verified any more.
    let session = post(json!({})).asked();
    for auth in
        [auth("white-rabbit", &session), auth("wonderland", &session), password_auth("alice", "wonderland")]
    {
        let answer = post(auth);
        answer.rejected(429, "M_LIMIT_EXCEEDED");
    }
    // Whoever has no token is another count.
    client.login("alice", "wonderland").ok();
    assert!(client.is_live(&token));
    // Another user is another count.
    let body = json!({ "new_password": "looking-glass", "auth": password_auth("bob", "builder-bob") });
    client.post("account/password", Some(&bob), &body).ok();
}

#[test]
fn u17_strangers_do_not_keep_the_owner_from_changing_the_password() {
    let limit = json!({ "failed_auth": { "burst": 10, "per_second": 0.001 } });
    let server = Setup::new(json!({ "rate_limits": limit })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    for _ in 0..10 {
        client.login("alice", "white-rabbit").rejected(403, "M_FORBIDDEN");
    }
    client.login("alice", "wonderland").rejected(429, "M_LIMIT_EXCEEDED");
    client.change_password(&token, "looking-glass", password_auth("alice", "wonderland")).ok();
}

#[test]
fn u17_every_spelling_of_a_name_is_one_count_whether_it_exists_or_not() {
    let limit = json!({ "failed_auth": { "burst": 3, "per_second": 0.001 } });
    let alice = json!([{ "localpart": "alice", "password": "wonderland",
        "threepids": [{ "medium": "email", "address": "alice@example.org" }] }]);
    let server = Setup::new(json!({ "rate_limits": limit, "users": alice })).start();
    let client = server.client();
    for name in ["alice", "nobody"] {
        let capital = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            capital,
            format!("@{name}:localhost"),
            format!("@{}:localhost", name.to_uppercase()),
        ];
        let answers = spellings.map(|name| client.login(&name, "white-rabbit").status);
        assert_eq!(answers, [403, 403, 403, 429, 429], "{name}");
    }
    // By an address, which is another way to say who.
    let by_address = |address: &str| {
        let identifier = json!({ "type": "m.id.thirdparty", "medium": "email", "address": address });
        let body = with(&password_auth("", "wonderland"), "identifier", identifier);
        client.post("login", None, &body).status
    };
    assert_eq!(by_address("alice@example.org"), 429);
    assert_eq!(
        ["no@example.org", "NO@example.org", "no@Example.org", "no@EXAMPLE.ORG"].map(by_address),
        [403, 403, 403, 429]
    );
}

#[test]
fn u17_failures_from_one_address_count_whomever_they_try() {
    let limit = json!({ "failed_auth_per_address": { "burst": 3, "per_second": 0.001 } });
    let config = json!({ "rate_limits": limit, "trusted_proxies": ["127.0.0.0/8"] });
    let server = Setup::new(config).start();
    let login = |from: &str, name: &str, password: &str| {
        let body = password_auth(name, password).to_string();
        let headers = format!("Content-Type: application/json\r\n{from}\r\n");
        server.client().raw("POST", "login", &headers, body.as_bytes()).status
    };
    // One customer's IPv6 addresses are one; what stands to the left, the client may have written itself.
    for (n, from) in ["2001:db8:0:1::1", "2001:db8:0:1:2::", "1.1.1.1, 2001:db8:0:1::3"].iter().enumerate() {
        assert_eq!(login(&format!("X-Forwarded-For: {from}"), &format!("nobody{n}"), "guess"), 403);
    }
    assert_eq!(login("Forwarded: for=\"[2001:db8:0:1::4]\"", "alice", "wonderland"), 429);
    assert_eq!(login("Forwarded: for=\"[2001:db8:0:2::4]\"", "alice", "wonderland"), 200);
    // Where no proxy is trusted, the header says nothing.
    let server = Setup::new(json!({ "rate_limits": limit })).start();
    let login = |from: usize| {
        let body = password_auth("nobody", "guess").to_string();
        let headers = format!("Content-Type: application/json\r\nX-Forwarded-For: 203.0.113.{from}\r\n");
        server.client().raw("POST", "login", &headers, body.as_bytes()).status
    };
    assert_eq!([1, 2, 3, 4].map(login), [403, 403, 403, 429]);
}

#[test]
fn u17_a_limit_gives_back_with_time() {
    let limit = json!({ "failed_auth": { "burst": 1, "per_second": 2.0 } });
    let server = Setup::new(json!({ "rate_limits": limit })).start();
    let client = server.client();
    client.login("alice", "white-rabbit").rejected(403, "M_FORBIDDEN");
    let limited = client.login("alice", "wonderland");
    // A slow machine may have let the time pass.
    if limited.status != 200 {
        let wait = limited.rejected(429, "M_LIMIT_EXCEEDED")["retry_after_ms"].as_u64().unwrap();
        assert!((1..=500).contains(&wait), "{wait}");
        sleep(Duration::from_millis(wait));
        client.login("alice", "wonderland").ok();
    }
}

#[test]
fn u17_a_failed_login_of_nobody_is_limited_by_its_own_name() {
    let limit = json!({ "failed_auth": { "burst": 2, "per_second": 0.001 } });
    let server = Setup::new(json!({ "rate_limits": limit })).start();
    let client = server.client();
    for name in ["nobody", "no-one"] {
        client.login(name, "wonderland").rejected(403, "M_FORBIDDEN");
        client.login(name, "wonderland").rejected(403, "M_FORBIDDEN");
        client.login(name, "wonderland").rejected(429, "M_LIMIT_EXCEEDED");
    }
    client.login("alice", "wonderland").ok();
}

#[test]
fn u18_recent_authentication_spares_devices_and_nothing_else() {
    let server = Setup::new(json!({ "uia": { "recent_auth_ms": 60_000 } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let fresh = client.login("alice", "wonderland").ok();
    client.post("delete_devices", Some(&token), &json!({ "devices": ["X"] })).asked();
    let body = json!({ "devices": ["X"], "auth": password_auth("alice", "wonderland") });
    client.post("delete_devices", Some(&token), &body).ok();
    client.post("delete_devices", Some(&token), &json!({ "devices": ["X"] })).ok();
    let device = text(&fresh, "device_id");
    client.send("DELETE", &format!("devices/{device}"), Some(&token), None).ok();
    assert!(!client.is_live(&text(&fresh, "access_token")));
    client.post("account/password", Some(&token), &json!({ "new_password": "another-glass" })).asked();
    client.post("account/deactivate", Some(&token), &json!({})).asked();
    // It is the token's, not the user's (lesson 37).
    let other = client.token("alice", "wonderland");
    client.post("delete_devices", Some(&other), &json!({ "devices": ["X"] })).asked();
}

#[test]
fn u18_recent_authentication_ends_with_a_change_of_credentials() {
    let users = json!([{ "localpart": "alice", "password": "wonderland",
        "threepids": [{ "medium": "email", "address": "alice@example.org" }] }]);
    let server = Setup::new(json!({ "uia": { "recent_auth_ms": 60_000 }, "users": users })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let devices = json!({ "devices": ["X"] });
    let authenticate = |password: &str| {
        let auth = password_auth("alice", password);
        client.post("delete_devices", Some(&token), &with(&devices, "auth", auth)).ok();
        client.post("delete_devices", Some(&token), &devices).ok();
    };
    authenticate("wonderland");
    // Lesson 85: the change itself was authenticated with what it has replaced.
    client.change_password(&token, "looking-glass", password_auth("alice", "wonderland")).ok();
    client.post("delete_devices", Some(&token), &devices).asked();
    authenticate("looking-glass");
    let address = json!({ "medium": "email", "address": "alice@example.org" });
    client.post("account/3pid/delete", Some(&token), &address).ok();
    client.post("delete_devices", Some(&token), &devices).asked();
}

#[test]
fn u18_is_off_unless_it_is_asked_for_and_ends() {
    for (recent, pause) in [(0, 0), (500, 700)] {
        let server = Setup::new(json!({ "uia": { "recent_auth_ms": recent } })).start();
        let client = server.client();
        let token = client.token("alice", "wonderland");
        let body = json!({ "new_password": "looking-glass", "auth": password_auth("alice", "wonderland") });
        client.post("account/password", Some(&token), &body).ok();
        sleep(Duration::from_millis(pause));
        client.post("delete_devices", Some(&token), &json!({ "devices": ["X"] })).asked();
    }
}
