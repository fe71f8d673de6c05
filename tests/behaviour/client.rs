//! Rules C1 and C3 to C8: what a client does with each answer.

use matrix_uia::Millis;
use matrix_uia::client::{Client, Meaning, Medium, Patience};
use matrix_uia::wire::AuthType;
use serde_json::json;

use crate::support::client::{ALL, Walk, completed, offer, with};

const DUMMY: &[&[&str]] = &[&["m.login.dummy"]];
const PASSWORD: &[&[&str]] = &[&["m.login.password"]];
const TWO: &[&[&str]] = &[&["m.login.password", "m.login.recaptcha"]];
const KEY: &str = r#"{"m.login.recaptcha":{"public_key":"k"}}"#;

fn client() -> Client<'static> {
    Client::new(ALL)
}

fn params() -> serde_json::Value {
    json!({"params": serde_json::from_str::<serde_json::Value>(KEY).unwrap()})
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c1_the_first_request_has_no_auth_and_success_ends_it() {
    let mut walk = Walk::new(client());
    assert_eq!(walk.step(), "send -");
    assert_eq!(walk.body, json!({"new_password": "looking-glass"}));
    walk.reply(200, json!({}));
    assert_eq!(walk.step(), "done");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c1_what_a_later_401_leaves_out_is_carried_over() {
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
fn c1_a_401_without_flows_after_one_with_them_keeps_the_last_ones() {
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
fn c1_a_new_session_resets_the_progress() {
    let mut walk = Walk::challenged(client(), with(offer(TWO), params()));
    walk.give();
    walk.reply(401, with(completed(TWO, &["m.login.password"]), params()));
    assert_eq!(walk.step(), "recaptcha k");
    walk.give();
    walk.reply(401, json!({"session": "new", "errcode": "M_UNKNOWN", "error": "unknown session"}));
    assert_eq!(walk.step(), "password M_UNKNOWN again");
    assert!(walk.give().contains(r#""session":"new""#));
}

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn c1_any_other_answer_ends_it() {
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
    assert_eq!(walk.step(), "failed 200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
#[test]
fn c1_errors_about_the_token_are_never_part_of_the_flow() {
    for (code, meaning) in [
        ("M_UNKNOWN_TOKEN", Meaning::Gone),
        ("M_MISSING_TOKEN", Meaning::Keep),
        ("M_USER_LOCKED", Meaning::Locked),
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
fn c3_a_dummy_is_answered_by_the_engine_once_per_state_of_the_server() {
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
fn c3_every_other_stage_is_a_prompt_and_its_answer_has_type_and_session() {
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
fn c3_an_address_is_proved_with_a_token_that_is_asked_for_first() {
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
    walk.progress.told();
    assert_eq!((walk.step(), walk.give()), ("Email M_UNAUTHORIZED".to_owned(), creds.to_owned()));
    walk.reply(200, json!({}));
    assert_eq!(walk.step(), "done");
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn c4_what_the_application_cannot_do_is_done_on_a_page() {
    let mut offered = offer(&[&["org.example/odd stage?"]]);
    offered["session"] = "s&1 é".into();
    let mut walk = Walk::challenged(client().with_browser(), offered.clone());
    assert_eq!(
        walk.step(),
        "page https://example.org/_matrix/client/v3/auth/org.example%2Fodd%20stage%3F/fallback/web?session=s%261%20%C3%A9"
    );
    walk.done();
    assert_eq!(walk.step(), "wait 2000 Elsewhere");
    walk.progress.told();
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
fn c5_what_is_completed_elsewhere_is_asked_about_and_less_and_less_often() {
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
fn c5_a_poll_has_an_end() {
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

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn c6_a_rate_limit_is_waited_for_and_the_same_step_resumed() {
    let limited = br#"{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":1500}"#;
    let mut walk = Walk::new(client());
    walk.step();
    walk.reply_bytes(429, Some("7"), limited);
    assert_eq!((walk.wait(), walk.step()), (7_000, "send -".to_owned()));
    walk.reply(401, offer(PASSWORD));
    walk.give();
    walk.reply_bytes(429, None, limited);
    assert_eq!(walk.step(), "wait 1500 RateLimited");
    walk.wait();
    assert_eq!(walk.step(), "password again");
    // A date can't be held against a clock of one's own.
    walk.give();
    walk.reply_bytes(429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), limited);
    assert_eq!(walk.wait(), 1_500);
    for wait in [4_000, 8_000, 16_000] {
        walk.give();
        walk.reply_bytes(429, None, b"<html>too fast</html>");
        assert_eq!(walk.wait(), wait, "each later than the one before");
    }
    walk.give();
    walk.reply(401, with(offer(PASSWORD), json!({"errcode": "M_FORBIDDEN", "error": "no"})));
    assert_eq!(walk.step(), "password M_FORBIDDEN");

    let mut walk = Walk::challenged(client(), offer(DUMMY));
    walk.step();
    walk.reply_bytes(429, None, limited);
    walk.wait();
    assert_eq!(walk.step(), r#"send {"session":"s","type":"m.login.dummy"}"#);
    for _ in 0..4 {
        walk.reply_bytes(429, Some("1"), b"");
        walk.wait();
        walk.step();
    }
    walk.reply_bytes(429, Some("1"), b"");
    assert_eq!(walk.meaning(), Meaning::RateLimited(Some(Millis::from_secs(1))));
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn c6_a_wait_that_is_too_long_ends_it_with_what_the_server_said() {
    let mut patience = Patience::default();
    patience.max_retry_after = Millis::from_secs(30);
    for (wait, ends) in [(30_000, false), (30_001, true)] {
        let mut walk = Walk::new(client().with_patience(patience));
        walk.step();
        walk.reply(429, json!({"errcode": "M_LIMIT_EXCEEDED", "error": "later", "retry_after_ms": wait}));
        if !ends {
            assert_eq!(walk.wait(), wait);
            continue;
        }
        assert_eq!(walk.meaning(), Meaning::RateLimited(Some(Millis::new(wait))));
        let error = walk.progress.error().unwrap();
        assert_eq!(
            (error.code.unwrap().name(), error.message.unwrap()),
            ("M_LIMIT_EXCEEDED".into(), "later".into())
        );
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn c6_silence_and_limits_have_bounds_of_their_own() {
    let mut patience = Patience::default();
    (patience.max_unanswered, patience.max_retries) = (1, 3);
    let mut walk = Walk::new(client().with_patience(patience));
    walk.step();
    walk.lose();
    walk.wait();
    walk.step();
    walk.lose();
    assert_eq!(walk.step(), "failed NoAnswer");
    let mut walk = Walk::new(client().with_patience(patience));
    for _ in 0..3 {
        walk.step();
        walk.reply_bytes(429, Some("1"), b"");
        walk.wait();
    }
    walk.step();
    walk.reply_bytes(429, Some("1"), b"");
    assert_eq!(walk.meaning(), Meaning::RateLimited(Some(Millis::from_secs(1))));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c3_with_nobody_there_a_refusal_is_the_end() {
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

    // A session that is no more isn't either, nor a link that hasn't been followed.
    let mut walk = Walk::challenged(client().unattended(), offer(PASSWORD));
    walk.give();
    walk.reply(401, with(offer(PASSWORD), json!({"session": "t", "errcode": "M_UNKNOWN", "error": "gone"})));
    assert_eq!(walk.step(), "password M_UNKNOWN again");
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

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c7_one_request_is_on_its_way_at_a_time() {
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    walk.progress.told();
    assert_eq!(walk.step(), "busy");
    let ticket = walk.flight.unwrap();
    walk.reply(401, with(offer(PASSWORD), json!({"errcode": "M_FORBIDDEN", "error": "no"})));
    walk.give();
    // The answer to the earlier one comes a second time.
    let late = matrix_uia::client::Answer::new(200, b"{}");
    let now = walk.timestamp();
    let received = walk.client.receive(&mut walk.progress, ticket, late, now);
    assert!(matches!(received, matrix_uia::client::Received::Ignored));
    assert_eq!(walk.step(), "busy");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c7_the_whole_body_is_repeated_with_the_last_session() {
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.original = r#"{"devices":["A","B"],"odd":{"nested":[1,"\u00e9"]}}"#;
    walk.give();
    assert_eq!(walk.body["devices"], json!(["A", "B"]));
    assert_eq!(walk.body["odd"], json!({"nested": [1, "é"]}));
    walk.reply(401, with(offer(PASSWORD), json!({"session": "t", "errcode": "M_FORBIDDEN", "error": "no"})));
    walk.give();
    assert_eq!(walk.body["auth"]["session"], "t");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c7_a_lost_answer_is_asked_for_before_anything_is_sent_again() {
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    walk.lose();
    assert_eq!(walk.step(), "wait 1000 NoAnswer");
    walk.wait();
    assert_eq!(walk.step(), r#"send {"session":"s"}"#);
    walk.reply(401, offer(PASSWORD));
    assert_eq!(walk.step(), "password again");
    // The same after a restart while a request was on its way.
    walk.give();
    walk.restart();
    assert_eq!(walk.step(), r#"send {"session":"s"}"#);
    walk.reply(200, json!({}));
    assert_eq!(walk.step(), "done");

    let mut walk = Walk::new(client());
    for _ in 0..6 {
        assert_eq!(walk.step(), "send -");
        walk.lose();
        walk.now += 64_000;
    }
    assert_eq!(walk.step(), "failed NoAnswer");
}

/// The spec has no word on it: the call may have been carried out, and the session that
/// could tell is gone. https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c7_what_may_have_happened_is_not_repeated_unasked() {
    let mut walk = Walk::challenged(client(), offer(DUMMY));
    walk.step();
    walk.lose();
    walk.wait();
    walk.step();
    walk.reply(401, with(offer(DUMMY), json!({"session": "t", "errcode": "M_UNKNOWN", "error": "unknown"})));
    assert_eq!(walk.step(), "doubt");
    walk.restart();
    walk.done();
    assert_eq!(walk.step(), r#"send {"session":"t","type":"m.login.dummy"}"#);

    // And so where the server has no sessions to ask about.
    let mut walk = Walk::challenged(client(), json!({"flows": [{"stages": ["m.login.password"]}]}));
    walk.give();
    walk.lose();
    walk.wait();
    assert_eq!(walk.step(), "doubt");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c7_no_flow_lists_what_is_missing() {
    let flows: &[&[&str]] = &[&["a.a", "b.b", "c.c"], &["m.login.password", "b.b", "m.login.dummy", "c.c"]];
    let mut walk = Walk::challenged(client(), offer(flows));
    assert_eq!(walk.step(), "no flow b.b,c.c");
    walk.restart();
    assert_eq!(walk.step(), "no flow b.b,c.c");
    assert_eq!(Walk::challenged(client(), offer(&[])).step(), "no flow ");
    assert_eq!(Walk::challenged(client(), completed(PASSWORD, &["a.a"])).step(), "no flow ");
    // An address would help.
    let mut walk = Walk::challenged(client(), offer(&[&["m.login.msisdn"]]));
    assert_eq!(walk.step(), "address m.login.msisdn");
    walk.progress.address_given(Medium::Msisdn);
    assert_eq!(walk.step(), "token msisdn 1");
    walk.done();
    assert_eq!(walk.step(), "Msisdn");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c7_a_server_that_leads_in_circles_ends_with_an_error() {
    // The same state without a word, whatever is answered.
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    for _ in 0..3 {
        assert_eq!(walk.step(), "password");
        walk.give();
        walk.reply(401, offer(PASSWORD));
    }
    assert_eq!(walk.step(), "failed Loop");
    // A new session each time.
    let mut walk = Walk::challenged(client(), offer(DUMMY));
    for session in 0.. {
        if !walk.step().starts_with("send") {
            break;
        }
        walk.reply(401, with(offer(DUMMY), json!({"session": session.to_string()})));
    }
    assert_eq!(walk.step(), "failed Loop");
    assert!(walk.sent <= 10);
    // Everything completed, and still no result.
    let mut walk = Walk::challenged(client(), completed(DUMMY, &["m.login.dummy"]));
    assert_eq!(walk.step(), r#"send {"session":"s"}"#);
    walk.reply(401, completed(DUMMY, &["m.login.dummy"]));
    assert_eq!(walk.step(), "failed Loop");
    // A stage that takes several requests is no circle.
    let mut walk = Walk::challenged(client(), offer(&[&["org.example.pin"]]));
    for _ in 0..10 {
        assert_eq!(walk.step(), "org.example.pin");
        walk.give();
        walk.reply(401, offer(&[&["org.example.pin"]]));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c8_a_401_with_flows_is_a_challenge_whatever_its_code() {
    for code in ["M_FORBIDDEN", "M_UNAUTHORIZED", "M_UNKNOWN", "COM.EXAMPLE_CODE"] {
        let mut walk = Walk::new(client());
        walk.step();
        walk.reply(401, with(offer(PASSWORD), json!({"errcode": code, "error": "no"})));
        assert_eq!(walk.step(), format!("password {code}"));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#soft-logout
#[test]
fn c8_an_error_is_told_as_what_it_means_for_the_stored_session() {
    for (status, body, meaning) in [
        (401, json!({"errcode": "M_UNKNOWN_TOKEN"}), Meaning::Gone),
        (401, json!({"errcode": "M_UNKNOWN_TOKEN", "soft_logout": true}), Meaning::SoftLogout),
        (401, json!({"errcode": "M_USER_LOCKED", "soft_logout": true}), Meaning::Locked),
        (403, json!({"errcode": "M_USER_DEACTIVATED"}), Meaning::Deactivated),
        (403, json!({"errcode": "M_USER_SUSPENDED"}), Meaning::Suspended),
        (403, json!({"errcode": "M_FORBIDDEN"}), Meaning::Keep),
        (401, json!({"message": "Unauthorized"}), Meaning::Keep),
    ] {
        assert_eq!(Meaning::of(status, body.to_string().as_bytes()), meaning);
        let mut walk = Walk::new(client());
        walk.step();
        walk.reply(status, body);
        assert_eq!(walk.meaning(), meaning);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c7_the_stages_can_be_shown_with_what_is_done() {
    use matrix_uia::client::StageStatus::{Completed, Later, Next};
    let flows: &[&[&str]] = &[&["m.login.terms", "m.login.password", "m.login.dummy"], &["m.oauth"]];
    let mut walk = Walk::challenged(client().with_browser(), completed(flows, &["m.login.terms"]));
    walk.step();
    let shown: Vec<_> = walk.client.stages(&walk.progress).collect();
    assert_eq!(shown, [(AuthType::Terms, Completed), (AuthType::Password, Next), (AuthType::Dummy, Later)]);
}
