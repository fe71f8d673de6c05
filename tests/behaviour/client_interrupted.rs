//! Rule C7, and design 2.4: what was not sent, given up, or answered for another.

use std::ops::ControlFlow;

use matrix_uia::client::{
    Answer, Call, CallName, Client, Given, Next, Progress, Prompt, Received, Reply, Ticket, WaitReason,
    WriteError,
};
use matrix_uia::wire::{AuthType, Raw, UserIdentifier};
use matrix_uia::{Millis, Secret, Timestamp};
use serde_json::json;

use super::client::{DUMMY, PASSWORD, client};
use crate::support::client::{Walk, completed, offer, with};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const CHALLENGE: &[u8] = br#"{"flows":[{"stages":["m.login.password"]}],"session":"s"}"#;

fn name(name: &str) -> CallName<'_> {
    CallName::new(name).unwrap()
}

fn begun(call: &str) -> Progress {
    begun_at(call, NOW)
}

fn begun_at(call: &str, at: Timestamp) -> Progress {
    let mut progress = Progress::new(name(call));
    assert!(matches!(client().begin(&mut progress, Answer::new(401, CHALLENGE), at), Received::GoOn));
    progress
}

fn password<'g>() -> Given<'g> {
    Given::Password { identifier: UserIdentifier::User("alice".into()), password: Secret::new("wonderland") }
}

fn given(client: &Client<'_>, progress: &mut Progress) -> Ticket {
    client.give(progress, password(), NOW).expect("it is asked for").ticket()
}

#[test]
fn c07_what_was_not_sent_is_neither_waited_for_nor_in_doubt() {
    let mut walk = Walk::new(client());
    assert_eq!(walk.step(), "send -");
    walk.client.not_sent(&mut walk.progress, walk.flight.take().unwrap());
    assert_eq!(walk.step(), "send -");
    // A server without sessions: what was sent could not be asked about.
    walk.reply(401, json!({"flows": [{"stages": ["m.login.password"]}]}));
    walk.give();
    walk.client.not_sent(&mut walk.progress, walk.flight.take().unwrap());
    assert_eq!(walk.step(), "password again");
    // Nor is what a page or a dummy asks for lost.
    let mut walk = Walk::challenged(client(), offer(DUMMY));
    for _ in 0..20 {
        assert_eq!(walk.step(), r#"send {"session":"s","type":"m.login.dummy"}"#);
        walk.client.not_sent(&mut walk.progress, walk.flight.take().unwrap());
    }
}

#[test]
fn c07_an_abandoned_request_is_asked_about() {
    let client = client();
    let mut progress = begun("c");
    let _lost = given(&client, &mut progress);
    assert!(matches!(client.next(&mut progress, NOW), Next::Busy));
    client.abandon(&mut progress, NOW);
    assert!(matches!(client.next(&mut progress, NOW), Next::Wait { why: WaitReason::NoAnswer, .. }));
    let later = NOW.after(Millis::from_secs(60));
    let Next::Send(request) = client.next(&mut progress, later) else { panic!("how do things stand?") };
    let ticket = request.ticket();
    let _ = client.receive(&mut progress, ticket, Answer::new(401, CHALLENGE), later);
    let Next::Prompt(prompt) = client.next(&mut progress, later) else { panic!("still open") };
    assert!(prompt.is_again());
    // With nothing on its way it changes nothing.
    let before = progress.clone();
    client.abandon(&mut progress, later);
    assert!(progress == before);
}

#[test]
fn c07_a_dropped_flight_is_abandoned_and_a_landed_one_is_not() {
    let client = client();
    let mut progress = begun("c");
    let ticket = given(&client, &mut progress);
    // A future that is cancelled.
    drop(client.flight(&mut progress, ticket, NOW));
    assert!(matches!(client.next(&mut progress, NOW), Next::Wait { why: WaitReason::NoAnswer, .. }));

    let mut progress = begun("c");
    let ticket = given(&client, &mut progress);
    let flight = client.flight(&mut progress, ticket, NOW);
    assert!(!flight.progress().is_over());
    assert!(matches!(flight.receive(Answer::new(200, b"{}"), NOW), Received::Result(b"{}")));
    assert!(matches!(client.next(&mut progress, NOW), Next::Done));

    let mut progress = begun("c");
    let ticket = given(&client, &mut progress);
    client.flight(&mut progress, ticket, NOW).not_sent();
    assert!(matches!(client.next(&mut progress, NOW), Next::Prompt(prompt) if prompt.is_again()));
}

#[test]
fn c07_a_ticket_is_one_progress_own() {
    let client = client();
    for (call, at) in [("deactivate", NOW), ("delete devices", NOW.after(Millis::new(1)))] {
        let (mut one, mut other) = (begun("delete devices"), begun_at(call, at));
        let (first, second) = (given(&client, &mut one), given(&client, &mut other));
        assert_ne!(first, second, "another call, or begun at another time");
        is_ignored_by(&client, &mut other, first, second);
        assert!(!one.is_over());
    }
}

fn is_ignored_by(client: &Client<'_>, other: &mut Progress, first: Ticket, second: Ticket) {
    let success = Answer::new(200, b"{}");
    assert!(matches!(client.receive(other, first, success, NOW), Received::Ignored));
    client.no_answer(other, first, NOW);
    client.not_sent(other, first);
    let settled = client.settle(other, first, Err::<(), _>("no"), |_| None::<Reply<&[u8]>>, NOW);
    assert!(matches!(settled, ControlFlow::Continue(())));
    assert!(matches!(client.next(other, NOW), Next::Busy));
    assert!(matches!(client.receive(other, second, success, NOW), Received::Result(_)));
}

#[test]
fn c07_a_ticket_ends_with_the_value_it_is_of() {
    let client = client();
    let mut progress = begun("c");
    let ticket = given(&client, &mut progress);
    let stored = serde_json::to_string(&progress).unwrap();
    let mut read: Progress = serde_json::from_str(&stored).unwrap();
    assert!(matches!(client.receive(&mut read, ticket, Answer::new(200, b"{}"), NOW), Received::Ignored));
}

#[test]
fn c07_a_progress_knows_its_call_and_another_body_goes_nowhere() {
    let client = client();
    let (delete, change) = (name("delete devices"), name("password"));
    let mut progress = Progress::<4096>::new(delete);
    let stored = serde_json::to_string(&progress).unwrap();
    progress = serde_json::from_str(&stored).unwrap();
    assert_eq!(progress.call(), "delete devices");
    let Next::Send(request) = client.next(&mut progress, NOW) else { panic!("the first") };
    assert!(request.is_of(delete) && !request.is_of(change));
    let body = Raw::parse(r#"{"new_password":"looking-glass"}"#).unwrap();
    let mut out = String::new();
    let wrong = Call::new(change.as_str(), body).unwrap();
    assert_eq!(request.write(&wrong, &mut out), Err(WriteError::OtherCall));
    assert_eq!(out, "");
    assert!(CallName::new(&"x".repeat(97)).is_err() && CallName::new(&"x".repeat(96)).is_ok());
}

#[test]
fn c07_settle_takes_what_somebody_else_has_read() {
    let client = client();
    let read = |error: &(u16, &'static str)| (error.0 != 0).then(|| Reply::new(error.0, error.1.as_bytes()));
    let refused = r#"{"errcode":"M_FORBIDDEN","error":"no"}"#;
    for (error, ends, over) in [
        ((401, refused), false, false),
        ((0, ""), false, false),
        ((502, ""), false, false),
        ((403, refused), true, true),
    ] {
        let mut progress = begun("c");
        let ticket = given(&client, &mut progress);
        let settled = client.settle(&mut progress, ticket, Err::<(), _>(error), read, NOW);
        assert_eq!(matches!(settled, ControlFlow::Break(Err(_))), ends, "{error:?}");
        assert_eq!(progress.is_over(), over, "{error:?}");
    }
    let mut progress = begun("c");
    let ticket = given(&client, &mut progress);
    let settled = client.settle(&mut progress, ticket, Ok::<_, (u16, &'static str)>("typed"), read, NOW);
    assert!(matches!(settled, ControlFlow::Break(Ok("typed"))));
    assert!(matches!(client.next(&mut progress, NOW), Next::Done));
}

#[test]
fn c07_it_begins_from_a_challenge_that_somebody_else_received() {
    let client = client();
    let mut progress = begun("c");
    assert!(matches!(client.next(&mut progress, NOW), Next::Prompt(Prompt::Password(_))));
    // One that has begun takes none, nor does one with a request on its way.
    let again = client.begin(&mut progress, Answer::new(401, CHALLENGE), NOW);
    assert!(matches!(again, Received::Ignored));
    let mut progress = Progress::<4096>::new(name("c"));
    let _request = client.next(&mut progress, NOW);
    assert!(matches!(client.begin(&mut progress, Answer::new(401, CHALLENGE), NOW), Received::Ignored));
}

#[test]
fn c07_looking_changes_nothing() {
    let client = client();
    for mut progress in [Progress::<4096>::new(name("c")), begun("c")] {
        let before = progress.clone();
        for _ in 0..20 {
            client.look(&progress, NOW, |next| assert!(matches!(next, Next::Send(_) | Next::Prompt(_))));
        }
        assert!(progress == before);
        assert!(!matches!(client.next(&mut progress, NOW), Next::Failed(_)));
    }
}

#[test]
fn c07_an_answer_by_value_goes_to_its_own_stage_or_nowhere() {
    let client = client();
    let mut progress = begun("c");
    let before = progress.clone();
    assert!(client.give(&mut progress, Given::Terms, NOW).is_err());
    assert!(progress == before);
    assert!(client.give(&mut progress, password(), NOW).is_ok());
    assert!(client.give(&mut progress, password(), NOW).is_err(), "it is on its way");
}

#[cfg(feature = "alloc")]
#[test]
fn c07_an_auth_dict_is_read_as_any_type() {
    let mut progress = begun("c");
    let request = client();
    let request = request.give(&mut progress, password(), NOW).unwrap();
    let auth: serde_json::Value =
        request.auth_as(|json| serde_json::from_str(json)).unwrap().expect("an auth dict");
    assert_eq!((&auth["type"], &auth["session"]), (&json!("m.login.password"), &json!("s")));
}

#[test]
fn c07_no_flow_is_no_end_of_the_progress() {
    let mut walk = Walk::challenged(Client::new(&[]), offer(PASSWORD));
    assert_eq!(walk.step(), "no flow m.login.password");
    assert!(!walk.progress.is_over());
    walk.restart();
    walk.client = client();
    assert_eq!(walk.step(), "password");
}

#[test]
#[cfg(feature = "alloc")]
fn c07_a_failure_can_be_returned_and_says_what_it_is() {
    use matrix_uia::client::{ClientBuf, OwnedFailure};
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    walk.reply(403, json!({"errcode": "M_FORBIDDEN", "error": "\u{1b}[2Jno\u{202e}"}));
    let now = walk.timestamp();
    let Next::Failed(failure) = walk.client.next(&mut walk.progress, now) else { panic!("over") };
    let failure = OwnedFailure::from(failure);
    let words = r"the server says no (403, M_FORBIDDEN: \u001b[2Jno\u202e)";
    assert_eq!(failure.to_string(), words);
    assert_eq!((failure.status, failure.errcode.as_deref()), (Some(403), Some("M_FORBIDDEN")));
    let _: Box<dyn std::error::Error> = failure.into();
    // A client of one's own, with stages of one's own.
    let pin = String::from("org.example.pin");
    let kept = ClientBuf::from(Client::new(&[AuthType::custom(&pin)]));
    let mut walk = Walk::challenged(kept.client(), offer(&[&["org.example.pin"], &["m.login.password"]]));
    assert_eq!(walk.step(), "org.example.pin");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn c07_what_ended_without_a_decision_can_be_taken_up() {
    let mut walk = Walk::challenged(client(), offer(PASSWORD));
    walk.give();
    while !walk.progress.is_over() {
        walk.lose();
        if walk.step().starts_with("wait") {
            walk.wait();
            walk.step();
        }
    }
    assert_eq!(walk.step(), "failed NoAnswer");
    walk.restart();
    assert!(walk.progress.again());
    assert_eq!(walk.step(), r#"send {"session":"s"}"#);
    walk.reply(401, with(completed(PASSWORD, &[]), json!({})));
    assert_eq!(walk.step(), "password again");
    walk.progress.cancel();
    assert!(!walk.progress.again());
}
