//! Lessons of clients: each by its number.

use matrix_uia::client::{
    Answer, CallName, Client, Credential, Next, Patience, Progress, Received, SessionImpact, WaitReason,
};
use matrix_uia::{Millis, Timestamp};
use serde_json::json;

use crate::support::client::{ALL, Walk, completed, offer, with};

const PASSWORD: &[&[&str]] = &[&["m.login.password"]];
const DUMMY: &[&[&str]] = &[&["m.login.dummy"]];

fn client() -> Client<'static> {
    Client::new(ALL)
}

#[test]
fn lesson_13_a_poll_never_overlaps_a_submit() {
    let flows: &[&[&str]] = &[&["m.login.sso"]];
    let mut walk = Walk::challenged(client().with_browser(), offer(flows));
    walk.done();
    walk.progress.stage_completed_elsewhere();
    assert_eq!(walk.step(), r#"send {"session":"s"}"#);
    // The window says it is done, again and again, while the poll is on its way.
    for _ in 0..3 {
        walk.progress.stage_completed_elsewhere();
        walk.now += 60_000;
        assert_eq!(walk.step(), "busy");
    }
    walk.reply(200, json!({}));
    assert_eq!((walk.step(), walk.sent), ("done".to_owned(), 2));
}

#[test]
fn lesson_20_completed_may_be_absent_null_or_an_array() {
    for odd in [json!({}), json!({"completed": null}), json!({"completed": []}), json!({"completed": "x"})] {
        let mut walk = Walk::challenged(client(), with(offer(PASSWORD), odd));
        assert_eq!(walk.step(), "password");
    }
}

#[test]
fn lesson_38_the_next_request_is_built_from_the_last_challenge() {
    let flows: &[&[&str]] = &[&["m.oauth"]];
    let mut walk = Walk::challenged(client().with_browser(), offer(flows));
    walk.done();
    for later in
        [offer(flows), json!({"flows": [{"stages": ["m.oauth"]}]}), json!({"session": null}), json!({})]
    {
        walk.wait();
        assert_eq!(walk.step(), r#"send {"session":"s"}"#);
        walk.reply(401, later);
    }
}

#[test]
fn lesson_39_polling_has_an_end() {
    let mut patience = Patience::default();
    patience.poll_limit = Millis::from_secs(60);
    let mut walk =
        Walk::challenged(client().with_browser().with_patience(patience), offer(&[&["org.example.door"]]));
    walk.done();
    let deadline = walk.now + 60_000 + patience.max_poll_interval.get();
    while !walk.progress.is_over() {
        match walk.step() {
            step if step.starts_with("wait") => assert!(walk.wait() <= patience.max_poll_interval.get()),
            step if step.starts_with("send") => walk.reply(401, offer(&[&["org.example.door"]])),
            step => assert_eq!(step, "failed TimedOut"),
        }
    }
    assert!(walk.now <= deadline);
}

#[test]
fn lesson_40_the_next_stage_is_found_by_what_has_been_completed() {
    let flows: &[&[&str]] = &[&["m.login.password", "org.example.pin", "m.login.dummy"]];
    for (done, next) in [
        (&[][..], "password"),
        (&["m.login.password"], "org.example.pin"),
        (&["m.login.password", "m.login.password"], "org.example.pin"),
        (&["org.example.pin", "m.login.password"], r#"send {"session":"s","type":"m.login.dummy"}"#),
        (&["m.login.password", "org.example.pin", "m.login.dummy"], r#"send {"session":"s"}"#),
        (&["a", "b", "c", "d", "e"], "no flow "),
    ] {
        assert_eq!(Walk::challenged(client(), completed(flows, done)).step(), next, "{done:?}");
    }
}

#[test]
fn lesson_41_a_flow_it_cannot_do_is_not_chosen() {
    let mut walk =
        Walk::challenged(client(), offer(&[&["m.login.sso"], &["m.login.password", "m.login.dummy"]]));
    assert_eq!(walk.step(), "password");
    let mut walk = Walk::challenged(client(), offer(&[&["m.login.sso"]]));
    assert_eq!(walk.step(), "no flow m.login.sso");
}

#[test]
fn lesson_42_nothing_is_sent_that_was_not_advertised() {
    let mut walk = Walk::new(client());
    assert_eq!(walk.step(), "send -");
    walk.reply(401, json!({"flows": [{"stages": ["org.example.unknown"]}], "session": "s"}));
    assert_eq!((walk.step(), walk.sent), ("no flow org.example.unknown".to_owned(), 1));
}

#[test]
fn lesson_43_a_locked_account_is_no_dead_session() {
    for (body, meaning) in [
        (r#"{"errcode":"M_USER_LOCKED","error":"locked","soft_logout":true}"#, SessionImpact::Locked),
        (r#"{"errcode":"M_USER_LOCKED","error":"locked"}"#, SessionImpact::Locked),
        (r#"{"errcode":"M_UNKNOWN_TOKEN","error":"","soft_logout":true}"#, SessionImpact::SoftLogout),
        (r#"{"errcode":"M_UNKNOWN_TOKEN","error":""}"#, SessionImpact::Gone),
    ] {
        assert_eq!(SessionImpact::of(Credential::AccessToken, 401, body.as_bytes()), meaning);
    }
}

#[test]
fn lesson_55_the_client_keeps_what_is_right_in_an_odd_challenge() {
    let odd = br#"{"flows":[7,{"stages":["m.login.password"]},{}],"completed":null,"params":[],"session":"s","errcode":"M_FORBIDDEN","retry_after_ms":"soon"}"#;
    let mut walk = Walk::new(client());
    walk.step();
    walk.reply_bytes(401, None, odd);
    assert_eq!(walk.step(), "password M_FORBIDDEN");
}

#[test]
fn lesson_60_a_refusal_is_shown_and_an_empty_session_is_none() {
    let flows: &[&[&str]] = &[&["m.login.registration_token", "m.login.dummy"], &["org.example.unknown"]];
    let mut walk = Walk::challenged(client(), with(offer(flows), json!({"session": ""})));
    assert_eq!(walk.step(), "registration_token");
    assert_eq!(walk.give(), r#"send {"token":"fBVFdqVE","type":"m.login.registration_token"}"#);
    walk.reply(401, with(offer(flows), json!({"errcode": "M_UNAUTHORIZED", "error": "Unknown token"})));
    // Neither sent again by itself, nor a dummy because some flow has one.
    assert_eq!((walk.step(), walk.sent), ("registration_token M_UNAUTHORIZED".to_owned(), 2));
}

#[test]
fn lesson_68_the_end_absorbs_everything() {
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    let ticket = walk.flight.unwrap();
    walk.reply(200, json!({"access_token": "t"}));
    let now = walk.timestamp();
    for (status, body) in [(200, "{}"), (401, r#"{"flows":[{"stages":["m.login.dummy"]}]}"#), (500, "")] {
        let late = walk.client.receive(&mut walk.progress, ticket, Answer::new(status, body.as_bytes()), now);
        assert!(matches!(late, Received::Ignored));
    }
    walk.client.no_answer(&mut walk.progress, ticket, now);
    walk.progress.stage_completed_elsewhere();
    walk.progress.cancel();
    walk.progress.address_given(matrix_uia::client::Medium::Email);
    walk.restart();
    assert_eq!((walk.step(), walk.sent), ("done".to_owned(), 2));
    // A request that was being made when the user gave up.
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.progress.cancel();
    assert_eq!(walk.step(), "failed Cancelled");
}

#[test]
fn lesson_69_a_dummy_is_sent_once_for_each_state_of_the_server() {
    let mut walk = Walk::challenged(client(), offer(DUMMY));
    while walk.step().starts_with("send") {
        walk.reply(401, offer(DUMMY));
    }
    assert_eq!((walk.step(), walk.sent), ("failed Loop".to_owned(), 2));
}

#[test]
fn lesson_70_a_new_session_is_a_restart_of_the_progress() {
    let flows: &[&[&str]] = &[&["m.login.password", "org.example.pin"]];
    let mut walk = Walk::challenged(client(), completed(flows, &["m.login.password"]));
    assert_eq!(walk.step(), "org.example.pin");
    walk.give();
    walk.reply(401, with(offer(flows), json!({"session": "t"})));
    assert_eq!(walk.step(), "password");
    walk.give();
    assert_eq!(walk.body["auth"]["session"], "t");
}

#[test]
fn lesson_71_a_proxys_401_ends_no_session() {
    for body in
        ["", "<html>401 Authorization Required</html>", "{}", r#"{"error":"unauthorized"}"#, "[]", "null"]
    {
        assert_eq!(
            SessionImpact::of(Credential::AccessToken, 401, body.as_bytes()),
            SessionImpact::Keep,
            "{body}"
        );
        let client = client();
        let mut progress = Progress::<512>::new(CallName::new("c").unwrap());
        let now = Timestamp::from_millis(0);
        let Next::Send(request) = client.next(&mut progress, now) else { panic!("the first request") };
        let ticket = request.ticket();
        let _ = client.receive(&mut progress, ticket, Answer::new(401, body.as_bytes()), now);
        // Nor does it decide anything: it is asked again.
        assert!(
            matches!(client.next(&mut progress, now), Next::Wait { why: WaitReason::NoAnswer, .. }),
            "{body}"
        );
    }
}
