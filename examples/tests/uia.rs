//! User-interactive authentication over HTTP: challenges, stages, order, failures (rules U1 to U12).

use crate::support::{Setup, dummy_auth, password_auth, password_auth_in, text};
use serde_json::{Value, json};

/// Two flows of three stages, for registrations.
fn stages() -> Value {
    json!({
        "flows": {
            "register": [
                ["m.login.registration_token", "m.login.recaptcha", "m.login.dummy"],
                ["m.login.recaptcha", "m.login.terms"],
            ],
        },
        "params": {
            "m.login.recaptcha": { "public_key": "a-key" },
            "m.login.terms": { "policies": { "privacy": {
                "version": "1", "en": { "name": "Privacy", "url": "https://example.org/privacy" } } } },
        },
        "recaptcha_accepts": ["good-captcha"],
        "registration_tokens": [{ "token": "good-token", "uses_allowed": 3 }],
    })
}

fn token_auth(session: &str, token: &str) -> Value {
    json!({ "type": "m.login.registration_token", "token": token, "session": session })
}

fn captcha_auth(session: &str, response: &str) -> Value {
    json!({ "type": "m.login.recaptcha", "response": response, "session": session })
}

fn carol(auth: Value) -> Value {
    json!({ "username": "carol", "password": "christmas", "auth": auth })
}

const TOKEN: &str = "m.login.registration_token";
const CAPTCHA: &str = "m.login.recaptcha";

#[test]
fn u01_whatever_says_nothing_gets_a_new_session_and_exactly_three_keys() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let mut sessions = Vec::new();
    for auth in [json!({}), json!({ "auth": null }), json!({ "auth": {} }), json!({ "auth": { "x": 1 } })] {
        for (path, token) in [
            ("register", None),
            ("account/password", Some(&*token)),
            ("account/password", None),
            ("account/deactivate", Some(&*token)),
            ("delete_devices", Some(&*token)),
        ] {
            sessions.push(client.post(path, token, &auth).asked());
        }
    }
    sessions.push(client.send("POST", "account/password", Some(&token), None).asked());
    sessions.push(client.send("POST", "register", None, Some(b"")).asked());
    // Not even where all that is asked is the dummy stage (lesson 10): the name is still free.
    client.post("register", None, &json!({ "username": "carol", "password": "christmas" })).asked();
    sessions.push(client.send("DELETE", "devices/X", Some(&token), None).asked());
    sessions.push(client.send("DELETE", "devices/X", Some(&token), Some(b"")).asked());
    let count = sessions.len();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), count, "each has a session of its own");
    client.register("carol", "christmas");
}

#[test]
fn u03_u4_flows_and_params_stay_the_same_and_completed_grows_in_order() {
    let server = Setup::new(stages()).start();
    let client = server.client();
    let first = client.post("register", None, &json!({ "username": "carol", "password": "christmas" }));
    let session = first.asked();
    let offered = first.json();
    let same = |answer: &crate::support::Answer| {
        let json = answer.json();
        assert_eq!((&json["flows"], &json["params"]), (&offered["flows"], &offered["params"]));
        assert_eq!(text(&json, "session"), session);
    };
    let post = |auth| client.post("register", None, &carol(auth));

    let answer = post(token_auth(&session, "bad-token"));
    answer.failed(&[], "M_UNAUTHORIZED");
    same(&answer);
    let answer = post(token_auth(&session, "good-token"));
    answer.continued(&[TOKEN]);
    same(&answer);
    let answer = post(captcha_auth(&session, "bad-captcha"));
    answer.failed(&[TOKEN], "M_CAPTCHA_INVALID");
    same(&answer);
    let answer = post(captcha_auth(&session, "good-captcha"));
    answer.continued(&[TOKEN, CAPTCHA]);
    same(&answer);
    let account = post(dummy_auth(&session)).ok();
    assert_eq!(account["user_id"], "@carol:localhost");
    assert!(account["home_server"].is_null(), "rule R4");
}

#[test]
fn u05_a_stage_out_of_turn_is_refused_and_verifies_nothing() {
    let server = Setup::new(stages()).start();
    let client = server.client();
    let post = |auth| client.post("register", None, &carol(auth));
    let session = post(json!({})).asked();
    post(dummy_auth(&session)).failed(&[], "M_INVALID_PARAM");
    post(captcha_auth(&session, "good-captcha")).continued(&[CAPTCHA]);
    // The token is first in its flow or nowhere: it is not tried, so none of its uses goes (lesson 53).
    for _ in 0..5 {
        post(token_auth(&session, "good-token")).failed(&[CAPTCHA], "M_INVALID_PARAM");
    }
    post(dummy_auth(&session)).failed(&[CAPTCHA], "M_INVALID_PARAM");
    for _ in 0..3 {
        let session = post(json!({})).asked();
        post(token_auth(&session, "good-token")).continued(&[TOKEN]);
    }
    // All three uses are promised now (lesson 63: the limit is the limit).
    let session = post(json!({})).asked();
    post(token_auth(&session, "good-token")).failed(&[], "M_UNAUTHORIZED");
}

#[test]
fn u05_any_order_takes_the_stages_as_they_come() {
    let mut config = stages();
    config["uia"] = json!({ "stage_order": "any" });
    let server = Setup::new(config).start();
    let client = server.client();
    let post = |auth| client.post("register", None, &carol(auth));
    let session = post(json!({})).asked();
    post(dummy_auth(&session)).continued(&["m.login.dummy"]);
    post(captcha_auth(&session, "good-captcha")).continued(&["m.login.dummy", CAPTCHA]);
    post(token_auth(&session, "good-token")).ok();
}

#[test]
fn u07_failures_keep_the_state_and_a_stranger_s_credentials_are_403() {
    let setup = Setup::new(json!({ "users": [
        { "localpart": "alice", "password": "wonderland",
          "threepids": [{ "medium": "email", "address": "alice@example.org" }, { "medium": "msisdn", "address": "447700900000" }] },
        { "localpart": "bob", "password": "builder-bob" },
    ] }));
    let server = setup.start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |auth| client.change_password(&token, "wonderland", auth);
    let session = post(json!({})).asked();
    let tried = |identifier: Value, password: &str| json!({ "type": "m.login.password", "identifier": identifier, "password": password, "session": session });
    // A full ID of another server is a failed stage (rule U20).
    for user in ["alice", "@alice:localhost", "@alice:elsewhere.example", "@alice"] {
        let answer = post(tried(json!({ "type": "m.id.user", "user": user }), "white-rabbit"));
        assert_eq!(answer.failed(&[], "M_FORBIDDEN"), session, "{user}");
    }
    let nobody = json!({ "type": "m.id.thirdparty", "medium": "email", "address": "nobody@example.org" });
    post(tried(nobody, "wonderland")).rejected(403, "M_FORBIDDEN");
    // Another than the token's user (lessons 8 and 9): who it is, and whether the password is right, makes no
    // difference to the answer (lesson 74).
    let others = [("bob", "builder-bob"), ("bob", "white-rabbit"), ("nobody", "wonderland")];
    let answers = others.map(|(user, password)| {
        let answer = post(tried(json!({ "type": "m.id.user", "user": user }), password));
        answer.rejected(403, "M_FORBIDDEN");
        answer.json()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    client.login("bob", "builder-bob").ok();
    // And every one of the ways to say alice is good.
    for identifier in [
        json!({ "type": "m.id.user", "user": "@alice:localhost" }),
        json!({ "type": "m.id.thirdparty", "medium": "email", "address": "Alice@Example.org" }),
        json!({ "type": "m.id.phone", "country": "GB", "phone": "+44 7700 900000" }),
    ] {
        let session = post(json!({})).asked();
        let auth = json!({ "type": "m.login.password", "identifier": identifier, "password": "wonderland", "session": session });
        assert_eq!(post(auth).ok(), json!({}), "{identifier}");
    }
    for mut old in [json!({ "user": "alice" }), json!({ "medium": "email", "address": "alice@example.org" })]
    {
        old["type"] = "m.login.password".into();
        old["password"] = "wonderland".into();
        assert_eq!(post(old.clone()).ok(), json!({}), "{old}");
    }
}

#[test]
fn u08_a_completed_stage_sent_again_is_not_verified_again() {
    let server = Setup::new(stages()).start();
    let client = server.client();
    let post = |auth| client.post("register", None, &carol(auth));
    let session = post(json!({})).asked();
    post(token_auth(&session, "good-token")).continued(&[TOKEN]);
    // Were it verified, the wrong ones would fail and the right ones spend uses (lesson 2).
    for token in ["good-token", "good-token", "good-token", "bad-token"] {
        assert_eq!(post(token_auth(&session, token)).continued(&[TOKEN]), session);
    }
    let other = post(json!({})).asked();
    post(token_auth(&other, "good-token")).continued(&[TOKEN]);
}

#[test]
fn u09_a_session_alone_polls_and_counts_as_no_failure() {
    let mut config = stages();
    config["uia"] = json!({ "max_failed_attempts": 1 });
    let server = Setup::new(config).start();
    let client = server.client();
    let post = |auth| client.post("register", None, &carol(auth));
    let session = post(json!({})).asked();
    for _ in 0..3 {
        assert_eq!(post(json!({ "session": session })).continued(&[]), session);
    }
    post(token_auth(&session, "good-token")).continued(&[TOKEN]);
    for _ in 0..3 {
        assert_eq!(post(json!({ "session": session })).continued(&[TOKEN]), session);
    }
    post(captcha_auth(&session, "good-captcha")).continued(&[TOKEN, CAPTCHA]);
    post(dummy_auth(&session)).ok();
}

#[test]
fn u11_one_shot_is_the_first_step_of_a_session_that_can_be_continued() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |auth| client.change_password(&token, "looking-glass", auth);
    // Lessons 19 and 50: the whole state, and a session that was kept.
    let session = post(password_auth("alice", "white-rabbit")).failed(&[], "M_FORBIDDEN");
    let body = post(password_auth_in(session, "alice", "wonderland"));
    assert_eq!(body.ok(), json!({}));
    client.login("alice", "looking-glass").ok();
}

#[test]
fn u11_without_one_shot_nothing_is_verified_before_there_is_a_session() {
    let server = Setup::new(json!({ "uia": { "one_shot": false } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |auth| client.change_password(&token, "looking-glass", auth);
    let answer = post(password_auth("alice", "wonderland"));
    assert_eq!(answer.status, 401, "{answer}");
    assert!(answer.json()["errcode"].is_null() || answer.json()["errcode"] == "M_UNKNOWN", "{answer}");
    client.login("alice", "wonderland").ok();
    let session = text(&answer.json(), "session");
    post(password_auth_in(session, "alice", "wonderland")).ok();
}

#[test]
fn u12_an_unknown_session_is_a_new_start_and_never_none() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |auth| client.change_password(&token, "looking-glass", auth);
    // Lessons 15 and 22: with the right password at once, and yet nothing is verified.
    for unknown in
        ["", "x", "unknown-but-well-formed-session", "in/valid", &"x".repeat(255), &"x".repeat(300)]
    {
        let auth = password_auth_in(unknown, "alice", "wonderland");
        let session = post(auth).failed(&[], "M_UNKNOWN");
        assert_ne!(session, unknown);
        client.login("alice", "wonderland").ok();
        post(json!({ "session": unknown })).failed(&[], "M_UNKNOWN");
    }
    let session = post(json!({ "session": "unknown-but-well-formed-session" })).failed(&[], "M_UNKNOWN");
    post(password_auth_in(session, "alice", "wonderland")).ok();
}

#[test]
fn u12_reject_is_400() {
    let server = Setup::new(json!({ "uia": { "unknown_session": "reject" } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let post = |auth| client.change_password(&token, "looking-glass", auth);
    for auth in [
        json!({ "session": "unknown-but-well-formed-session" }),
        password_auth_in("unknown-but-well-formed-session", "alice", "wonderland"),
    ] {
        post(auth).rejected(400, "M_UNKNOWN");
    }
    let session = post(json!({})).asked();
    post(password_auth_in(session, "alice", "wonderland")).ok();
}

#[test]
fn u21_terms_and_captcha_are_their_own_flow() {
    let server = Setup::new(stages()).start();
    let client = server.client();
    let post = |auth| client.post("register", None, &carol(auth));
    let session = post(json!({})).asked();
    post(captcha_auth(&session, "good-captcha")).continued(&[CAPTCHA]);
    post(json!({ "type": "m.login.terms", "session": session })).ok();
}

#[test]
fn u22_a_registration_token_is_reserved_by_the_stage_and_given_back_at_the_session_s_end() {
    let mut config = stages();
    config["registration_tokens"] = json!([
        { "token": "good-token", "uses_allowed": 1 },
        { "token": "old-token", "expires_at_ms": 1 },
        { "token": "spent-token", "uses_allowed": 0 },
    ]);
    config["uia"] = json!({ "session_lifetime_ms": 2000 });
    let server = Setup::new(config).start();
    let client = server.client();
    let post = |auth| client.post("register", None, &carol(auth));
    for token in ["old-token", "spent-token", "bad-token"] {
        let session = post(json!({})).asked();
        post(token_auth(&session, token)).failed(&[], "M_UNAUTHORIZED");
    }
    let session = post(json!({})).asked();
    for token in ["", "sp ace", &"x".repeat(65)] {
        post(token_auth(&session, token)).failed(&[], "M_INVALID_PARAM");
    }
    post(token_auth(&session, "good-token")).continued(&[TOKEN]);
    let other = post(json!({})).asked();
    post(token_auth(&other, "good-token")).failed(&[], "M_UNAUTHORIZED");
    std::thread::sleep(std::time::Duration::from_millis(2200));
    // The session has expired, so its promise has too.
    let third = post(json!({})).asked();
    post(token_auth(&third, "good-token")).continued(&[TOKEN]);
    post(captcha_auth(&third, "good-captcha")).continued(&[TOKEN, CAPTCHA]);
    post(dummy_auth(&third)).ok();
    // Spent for good.
    std::thread::sleep(std::time::Duration::from_millis(2200));
    let fourth = client.post("register", None, &json!({})).asked();
    client
        .post("register", None, &json!({ "auth": token_auth(&fourth, "good-token") }))
        .failed(&[], "M_UNAUTHORIZED");
}
