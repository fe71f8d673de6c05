//! Rules C1 and C3 to C5: what a client does with each answer.

use matrix_uia::Millis;
use matrix_uia::client::{Client, Medium, Patience, SessionImpact};
use serde_json::json;

use crate::support::client::{ALL, Walk, completed, offer, with};

pub(super) const DUMMY: &[&[&str]] = &[&["m.login.dummy"]];

pub(super) const PASSWORD: &[&[&str]] = &[&["m.login.password"]];

const TWO: &[&[&str]] = &[&["m.login.password", "m.login.recaptcha"]];

const KEY: &str = r#"{"m.login.recaptcha":{"public_key":"k"}}"#;

pub(super) fn client() -> Client<'static> {
    Client::new(ALL)
}

fn params() -> serde_json::Value {
    json!({"params": serde_json::from_str::<serde_json::Value>(KEY).unwrap()})
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c01_the_first_request_has_no_auth_and_success_ends_it() {
    let mut walk = Walk::new(client());
    assert_eq!(walk.step(), "send -");
    assert_eq!(walk.body, json!({"new_password": "looking-glass"}));
    walk.reply(200, json!({}));
    assert_eq!(walk.step(), "done");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c01_what_a_later_401_leaves_out_is_carried_over() {
    for left_out in ["flows", "params", "completed", "session"] {
        let mut walk = Walk::challenged(client(), with(offer(TWO), params()));
        walk.give();
        walk.reply(401, with(completed(TWO, &["m.login.password"]), params()));
        walk.give();
        let mut later = with(completed(TWO, &["m.login.password"]), params());
        later.as_object_mut().unwrap().remove(left_out);
        walk.reply(401, with(later, json!({"errcode": "M_CAPTCHA_INVALID", "error": "no"})));
        assert_eq!(walk.step(), "recaptcha k M_CAPTCHA_INVALID", "without {left_out}");
        assert_eq!(
            walk.give(),
            r#"send {"response":"solved","session":"s","type":"m.login.recaptcha"}"#,
            "without {left_out}"
        );
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c01_a_401_without_flows_after_one_with_them_keeps_the_last_ones() {
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    walk.reply(401, json!({"errcode": "M_FORBIDDEN", "error": "Invalid password"}));
    assert_eq!(walk.step(), "password M_FORBIDDEN");
    // At first it would be an error as any other.
    let mut walk = Walk::new(client());
    walk.step();
    walk.reply(401, json!({"errcode": "M_FORBIDDEN", "error": "No"}));
    assert_eq!(walk.step(), "failed 401 M_FORBIDDEN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c01_a_new_session_resets_the_progress() {
    let mut walk = Walk::challenged(client(), with(offer(TWO), params()));
    walk.give();
    walk.reply(401, with(completed(TWO, &["m.login.password"]), params()));
    assert_eq!(walk.step(), "recaptcha k");
    walk.give();
    walk.reply(401, json!({"session": "new", "errcode": "M_UNKNOWN", "error": "unknown session"}));
    assert_eq!(walk.step(), "password M_UNKNOWN");
    assert!(walk.give().contains(r#""session":"new""#));
}

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn c01_any_other_answer_ends_it() {
    for (status, code) in
        [(400, "M_USER_IN_USE"), (403, "M_FORBIDDEN"), (404, "M_UNRECOGNIZED"), (500, "M_UNKNOWN")]
    {
        let mut walk = Walk::challenged(client(), offer(PASSWORD));
        walk.give();
        walk.reply(status, json!({"errcode": code, "error": "no"}));
        assert_eq!(walk.step(), format!("failed {status} {code}"));
        assert_eq!(walk.progress.error().unwrap().message.unwrap(), "no");
    }
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    walk.reply_bytes(200, None, b"<html>Welcome to the hotel</html>");
    assert_eq!(walk.step(), "wait 1000 NoAnswer", "nobody has decided anything");
}

/// https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
#[test]
fn c01_errors_about_the_token_are_never_part_of_the_flow() {
    for (code, meaning) in [
        ("M_UNKNOWN_TOKEN", SessionImpact::Gone),
        ("M_MISSING_TOKEN", SessionImpact::Keep),
        ("M_USER_LOCKED", SessionImpact::Locked),
    ] {
        let mut walk = Walk::challenged(client(), offer(PASSWORD));
        walk.give();
        walk.reply(401, with(offer(PASSWORD), json!({"errcode": code, "error": "no"})));
        assert_eq!(walk.step(), format!("failed 401 {code}"));
        assert_eq!(walk.meaning(), meaning);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#dummy-auth
#[test]
fn c03_a_dummy_is_answered_by_the_engine_once_per_state_of_the_server() {
    let mut walk = Walk::challenged(client(), offer(&[&["m.login.password", "m.login.dummy"]]));
    assert_eq!(walk.step(), "password");
    walk.give();
    walk.reply(401, completed(&[&["m.login.password", "m.login.dummy"]], &["m.login.password"]));
    assert_eq!(walk.step(), r#"send {"session":"s","type":"m.login.dummy"}"#);
    walk.reply(401, completed(&[&["m.login.password", "m.login.dummy"]], &["m.login.password"]));
    assert_eq!(walk.step(), "failed Loop");

    let mut walk = Walk::challenged(client(), offer(DUMMY));
    walk.step();
    walk.reply(401, with(offer(DUMMY), json!({"errcode": "M_FORBIDDEN", "error": "No dummies"})));
    assert!(walk.step().starts_with("failed Refused"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#authentication-types
#[test]
fn c03_every_other_stage_is_a_prompt_and_its_answer_has_type_and_session() {
    let terms =
        json!({"policies": {"tos": {"version": "1", "en": {"name": "T", "url": "https://example.org/t"}}}});
    let params = json!({"params": {"m.login.recaptcha": {"public_key": "k"}, "m.login.terms": terms,
        "org.example.pin": {"digits": 4}}});
    for (stage, prompt, sent) in [
        (
            "m.login.password",
            "password",
            json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": "wonderland", "session": "s"}),
        ),
        (
            "m.login.recaptcha",
            "recaptcha k",
            json!({"type": "m.login.recaptcha", "response": "solved", "session": "s"}),
        ),
        ("m.login.terms", "terms", json!({"type": "m.login.terms", "session": "s"})),
        (
            "m.login.registration_token",
            "registration_token",
            json!({"type": "m.login.registration_token", "token": "fBVFdqVE", "session": "s"}),
        ),
        (
            "org.example.pin",
            "org.example.pin",
            json!({"type": "org.example.pin", "pin": 1234, "session": "s"}),
        ),
    ] {
        let mut walk = Walk::challenged(client(), with(offer(&[&[stage]]), params.clone()));
        assert_eq!(walk.step(), prompt);
        walk.give();
        assert_eq!(walk.body, json!({"new_password": "looking-glass", "auth": sent}));
        walk.reply(401, json!({"errcode": "COM.EXAMPLE", "error": "again"}));
        assert_eq!(walk.step(), format!("{prompt} COM.EXAMPLE"));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[test]
fn c03_an_address_is_proved_with_a_token_that_is_asked_for_first() {
    let flows: &[&[&str]] = &[&["m.login.email.identity"]];
    let mut walk = Walk::new(client());
    walk.progress.address_given(Medium::Email);
    walk.begin(offer(flows));
    assert_eq!(walk.step(), "token email 1");
    walk.done();
    assert_eq!(walk.step(), "wait 2000 Elsewhere");
    walk.wait();
    let creds = r#"send {"session":"s","threepid_creds":{"client_secret":"client-secret","sid":"sid"},"type":"m.login.email.identity"}"#;
    assert_eq!((walk.step(), walk.give()), ("Email".to_owned(), creds.to_owned()));
    walk.reply(401, with(offer(flows), json!({"errcode": "M_UNAUTHORIZED", "error": "not yet"})));
    assert_eq!(walk.step(), "wait 3000 Elsewhere");
    // The user says the link has been followed.
    walk.progress.stage_completed_elsewhere();
    assert_eq!((walk.step(), walk.give()), ("Email M_UNAUTHORIZED".to_owned(), creds.to_owned()));
    walk.reply(200, json!({}));
    assert_eq!(walk.step(), "done");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn c04_what_the_application_cannot_do_is_done_on_a_page() {
    let mut offered = offer(&[&["org.example/odd stage?"]]);
    offered["session"] = "s&1 é".into();
    let mut walk = Walk::challenged(client().with_browser(), offered.clone());
    assert_eq!(
        walk.step(),
        "page https://example.org/_matrix/client/v3/auth/org.example%2Fodd%20stage%3F/fallback/web?session=s%261%20%C3%A9"
    );
    walk.done();
    assert_eq!(walk.step(), "wait 2000 Elsewhere");
    walk.progress.stage_completed_elsewhere();
    assert_eq!(walk.step(), r#"send {"session":"s&1 é"}"#);
    walk.reply(401, offered);
    assert_eq!(walk.step(), "wait 3000 Elsewhere");
    walk.wait();
    assert_eq!(walk.step(), r#"send {"session":"s&1 é"}"#);
    walk.reply(200, json!({}));
    assert_eq!(walk.step(), "done");
}

/// https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication
#[test]
fn c05_what_is_completed_elsewhere_is_asked_about_and_less_and_less_often() {
    let offered = with(
        offer(&[&["m.oauth"]]),
        json!({"params": {"m.oauth": {"url": "https://account.example.org/?a=b"}}}),
    );
    let mut walk = Walk::challenged(client().with_browser(), offered.clone());
    assert_eq!(walk.step(), "page https://account.example.org/?a=b");
    walk.done();
    let mut waits = Vec::new();
    for answer in 0..6 {
        waits.push(walk.wait());
        assert_eq!(walk.step(), r#"send {"session":"s"}"#);
        // A poll that fails says nothing about the stage.
        match answer {
            1 => walk.lose(),
            2 => walk.reply(503, json!({"errcode": "M_UNKNOWN", "error": "busy"})),
            3 => walk.reply_bytes(502, None, b"<html>"),
            4 => walk.reply_bytes(200, None, b""),
            _ => walk.reply(401, offered.clone()),
        }
    }
    assert_eq!(waits, [2_000, 3_000, 4_500, 6_750, 10_125, 15_000]);
    assert_eq!(walk.step(), "wait 15000 Elsewhere");
}

/// https://spec.matrix.org/v1.19/client-server-api/#sso-during-user-interactive-authentication
#[test]
fn c05_a_poll_has_an_end() {
    let mut patience = Patience::default();
    (patience.poll_interval, patience.poll_limit) = (Millis::from_secs(1), Millis::from_secs(60));
    for max_polls in [4, 200] {
        patience.max_polls = max_polls;
        let mut walk =
            Walk::challenged(client().with_browser().with_patience(patience), offer(&[&["m.login.sso"]]));
        walk.done();
        let started = walk.now;
        while walk.step() != "failed TimedOut" {
            walk.wait();
            if walk.step().starts_with("send") {
                walk.reply(401, offer(&[&["m.login.sso"]]));
            }
        }
        assert!(walk.now - started <= 60_000 + 15_000);
        assert!(walk.sent <= 1 + usize::from(max_polls));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c03_with_nobody_there_a_refusal_is_the_end() {
    let refused = with(offer(PASSWORD), json!({"errcode": "M_FORBIDDEN", "error": "no"}));
    // A first challenge may have a code as well.
    let mut walk = Walk::challenged(client().unattended(), refused.clone());
    assert_eq!(walk.step(), "password M_FORBIDDEN");
    walk.give();
    walk.reply(401, refused);
    assert!(walk.step().starts_with("failed Refused"));
    assert_eq!(walk.progress.error().unwrap().message.unwrap(), "no");
    assert_eq!(walk.sent, 2);

    // What went before is no refusal of what comes next.
    let mut walk = Walk::challenged(client().unattended(), with(offer(TWO), params()));
    walk.give();
    let passed =
        with(completed(TWO, &["m.login.password"]), json!({"errcode": "M_FORBIDDEN", "error": "more"}));
    walk.reply(401, with(passed, params()));
    assert_eq!(walk.step(), "recaptcha k M_FORBIDDEN");

    // Whatever session comes with it: nobody is there to say that it may be sent once more.
    let mut walk = Walk::challenged(client().unattended(), offer(PASSWORD));
    walk.give();
    walk.reply(401, with(offer(PASSWORD), json!({"session": "t", "errcode": "M_UNKNOWN", "error": "gone"})));
    assert!(walk.step().starts_with("failed Refused"));
    // A link that hasn't been followed is no refusal.
    let email: &[&[&str]] = &[&["m.login.email.identity"]];
    let mut walk = Walk::new(client().unattended());
    walk.progress.address_given(Medium::Email);
    walk.begin(offer(email));
    walk.done();
    for _ in 0..3 {
        walk.wait();
        walk.give();
        walk.reply(401, with(offer(email), json!({"errcode": "M_UNAUTHORIZED", "error": "not yet"})));
        assert!(walk.step().starts_with("wait"));
    }
}
