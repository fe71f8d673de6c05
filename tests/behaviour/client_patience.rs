//! Rules C6 to C8: waiting, losing answers, and what an error means for a login.

use matrix_uia::Millis;
use matrix_uia::client::{Credential, Medium, Patience, SessionImpact};
use matrix_uia::wire::AuthType;
use serde_json::json;

use super::client::{DUMMY, PASSWORD, client};
use crate::support::client::{Walk, completed, offer, with};

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn c06_a_rate_limit_is_waited_for_and_the_same_step_resumed() {
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
    assert_eq!(walk.meaning(), SessionImpact::RateLimited(Some(Millis::from_secs(1))));
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn c06_a_wait_that_is_too_long_ends_it_with_what_the_server_said() {
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
        assert_eq!(walk.meaning(), SessionImpact::RateLimited(Some(Millis::new(wait))));
        let error = walk.progress.error().unwrap();
        assert_eq!(
            (error.code.unwrap().name(), error.message.unwrap()),
            ("M_LIMIT_EXCEEDED".into(), "later".into())
        );
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#rate-limiting
#[test]
fn c06_silence_and_limits_have_bounds_of_their_own() {
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
    assert_eq!(walk.meaning(), SessionImpact::RateLimited(Some(Millis::from_secs(1))));
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c07_one_request_is_on_its_way_at_a_time() {
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    walk.progress.stage_completed_elsewhere();
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
fn c07_the_whole_body_is_repeated_with_the_last_session() {
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
fn c07_a_lost_answer_is_asked_for_before_anything_is_sent_again() {
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
fn c07_what_may_have_happened_is_not_repeated_unasked() {
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
fn c07_no_flow_lists_what_is_missing() {
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
fn c07_a_server_that_leads_in_circles_ends_with_an_error() {
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
fn c08_a_401_with_flows_is_a_challenge_whatever_its_code() {
    for code in ["M_FORBIDDEN", "M_UNAUTHORIZED", "M_UNKNOWN", "COM.EXAMPLE_CODE"] {
        let mut walk = Walk::new(client());
        walk.step();
        walk.reply(401, with(offer(PASSWORD), json!({"errcode": code, "error": "no"})));
        assert_eq!(walk.step(), format!("password {code}"));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#soft-logout
#[test]
fn c08_an_error_is_told_as_what_it_means_for_the_stored_session() {
    for (status, body, meaning) in [
        (401, json!({"errcode": "M_UNKNOWN_TOKEN"}), SessionImpact::Gone),
        (401, json!({"errcode": "M_UNKNOWN_TOKEN", "soft_logout": true}), SessionImpact::SoftLogout),
        (401, json!({"errcode": "M_USER_LOCKED", "soft_logout": true}), SessionImpact::Locked),
        (403, json!({"errcode": "M_USER_DEACTIVATED"}), SessionImpact::Deactivated),
        (403, json!({"errcode": "M_USER_SUSPENDED"}), SessionImpact::Suspended),
        (403, json!({"errcode": "M_FORBIDDEN"}), SessionImpact::Keep),
    ] {
        assert_eq!(SessionImpact::of(Credential::AccessToken, status, body.to_string().as_bytes()), meaning);
        let mut walk = Walk::new(client());
        walk.step();
        walk.reply(status, body);
        assert_eq!(walk.meaning(), meaning);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c07_the_stages_can_be_shown_with_what_is_done() {
    use matrix_uia::client::StageStatus::{Completed, Later, Next};
    let flows: &[&[&str]] = &[&["m.login.terms", "m.login.password", "m.login.dummy"], &["m.oauth"]];
    let mut walk = Walk::challenged(client().with_browser(), completed(flows, &["m.login.terms"]));
    walk.step();
    let shown: Vec<_> = walk.client.stages(&walk.progress).collect();
    assert_eq!(shown, [(AuthType::Terms, Completed), (AuthType::Password, Next), (AuthType::Dummy, Later)]);
}
