//! Lessons of clients about servers, and what stands before them, that answer oddly.

use matrix_uia::client::{Answer, CallName, Client, Credential, Next, Progress, Received, SessionImpact};
use matrix_uia::wire::AuthType;
use matrix_uia::{Millis, Timestamp};
use serde_json::{Value, json};

use crate::support::client::{ALL, Walk, completed, offer, with};

const PASSWORD: &[&[&str]] = &[&["m.login.password"]];
const WITH_DUMMY: &[&[&str]] = &[&["m.login.password", "m.login.dummy"]];

fn in_session(body: Value, session: usize) -> Value {
    with(body, json!({"session": format!("s{session}")}))
}

/// Answers every prompt, and every request by `server`, until it is over; how often the
/// password was sent.
fn passwords(client: Client<'_>, mut server: impl FnMut(&Value, usize) -> Option<Value>) -> usize {
    let (mut walk, mut sent) = (Walk::new(client), 0);
    while !walk.progress.is_over() {
        let step = walk.step();
        if step.starts_with("wait") {
            walk.wait();
            continue;
        }
        if step.starts_with("password") {
            walk.give();
        }
        assert!(walk.flight.is_some(), "{step}");
        sent += usize::from(walk.body["auth"]["type"] == "m.login.password");
        assert!(walk.sent < 200, "it ends");
        match server(&walk.body, walk.sent) {
            Some(challenge) => walk.reply(401, challenge),
            None => walk.lose(),
        }
    }
    sent
}

#[test]
fn lesson_76_a_fresh_session_in_every_answer_gets_no_stream_of_passwords() {
    for refusal in [
        json!({}),
        json!({"errcode": "M_UNKNOWN", "error": "?"}),
        json!({"errcode": "M_FORBIDDEN", "error": "no"}),
    ] {
        let fresh = |_: &Value, sent| Some(in_session(with(offer(PASSWORD), refusal.clone()), sent));
        assert_eq!(passwords(Client::new(ALL).unattended(), fresh), 1, "{refusal}");
        assert_eq!(passwords(Client::new(ALL), fresh), 6, "an application that never asks anybody");
    }
    // Attended, it is to be asked for again, and never as something that nobody has judged.
    let mut walk = Walk::challenged(Client::new(ALL), offer(PASSWORD));
    walk.give();
    walk.reply(401, in_session(offer(PASSWORD), 1));
    assert_eq!(walk.step(), "password");
}

#[test]
fn lesson_76_two_servers_with_separate_memory_behind_a_round_robin() {
    // Each knows the sessions that it made itself, and takes turns.
    let mut known: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    let server = |body: &Value, sent: usize| {
        let sessions = &mut known[sent % 2];
        let session = body["auth"]["session"].as_str().unwrap_or_default().to_owned();
        if sessions.contains(&session) {
            return Some(in_session(completed(WITH_DUMMY, &["m.login.password"]), sent));
        }
        sessions.push(format!("s{sent}"));
        Some(in_session(
            with(offer(WITH_DUMMY), json!({"errcode": "M_UNKNOWN", "error": "unknown session"})),
            sent,
        ))
    };
    assert_eq!(passwords(Client::new(ALL).unattended(), server), 1);
}

#[test]
fn lesson_76_a_stage_that_is_taken_back_and_passed_again_is_a_circle() {
    let mut passed = false;
    let sent = passwords(Client::new(ALL), |body, _| {
        passed = body["auth"]["type"] == "m.login.password";
        Some(completed(WITH_DUMMY, if passed { &["m.login.password"] } else { &[] }))
    });
    assert!(sent <= 7, "{sent}");
}

#[test]
fn lesson_76_an_answer_that_is_always_lost_ends_it_though_the_server_says_how_things_stand() {
    let lossy = |body: &Value, _| (body["auth"].get("type").is_none()).then(|| offer(PASSWORD));
    let sent = passwords(Client::new(ALL), lossy);
    assert!(sent <= 6, "{sent}");
}

fn impact(credential: Credential, status: u16, body: &str) -> SessionImpact {
    let impact = SessionImpact::of(credential, status, body.as_bytes());
    // The engine says the same.
    let client = Client::new(ALL).with_credential(credential);
    let mut progress = Progress::<512>::new(CallName::new("c").unwrap());
    let now = Timestamp::from_millis(0);
    let Next::Send(request) = client.next(&mut progress, now) else { panic!("the first request") };
    let ticket = request.ticket();
    let _ = client.receive(&mut progress, ticket, Answer::new(status, body.as_bytes()), now);
    if let Next::Failed(failure) = client.next(&mut progress, now) {
        assert_eq!(failure.meaning(), impact, "{status} {body}");
    }
    impact
}

#[test]
fn lesson_94_a_refresh_token_is_tried_before_the_login_is_gone() {
    for soft in ["", r#","soft_logout":false"#, r#","soft_logout":true"#] {
        let body = format!(r#"{{"errcode":"M_UNKNOWN_TOKEN","error":"no"{soft}}}"#);
        let gone = if soft.ends_with("true") { SessionImpact::SoftLogout } else { SessionImpact::Gone };
        assert_eq!(impact(Credential::Refreshable, 401, &body), SessionImpact::Refresh);
        assert_eq!(impact(Credential::AccessToken, 401, &body), gone);
        assert_eq!(impact(Credential::RefreshToken, 401, &body), gone);
        assert_eq!(impact(Credential::Nothing, 401, &body), SessionImpact::Keep);
        // An error that came with a 2xx is that error.
        assert_eq!(impact(Credential::Refreshable, 200, &body), SessionImpact::Refresh);
        assert_eq!(impact(Credential::AccessToken, 200, &body), gone);
        assert_eq!(impact(Credential::RefreshToken, 200, &body), gone);
    }
}

#[test]
fn lesson_94_what_an_error_means_by_endpoint() {
    let forbidden = r#"{"errcode":"M_FORBIDDEN","error":"no"}"#;
    // The refresh token itself is all that a refresh can be refused for.
    assert_eq!(impact(Credential::RefreshToken, 403, forbidden), SessionImpact::Gone);
    assert_eq!(impact(Credential::RefreshToken, 401, forbidden), SessionImpact::Gone);
    assert_eq!(impact(Credential::RefreshToken, 403, "<html>Forbidden</html>"), SessionImpact::Keep);
    assert_eq!(impact(Credential::RefreshToken, 400, forbidden), SessionImpact::Keep);
    let locked = r#"{"errcode":"M_USER_LOCKED","error":"no","soft_logout":true}"#;
    assert_eq!(impact(Credential::RefreshToken, 401, locked), SessionImpact::Locked);
    let limited = r#"{"errcode":"M_LIMIT_EXCEEDED","error":"no","retry_after_ms":7}"#;
    let wait = SessionImpact::of(Credential::RefreshToken, 429, limited.as_bytes());
    assert_eq!(wait, SessionImpact::RateLimited(Some(Millis::new(7))));
    for credential in [Credential::AccessToken, Credential::Refreshable, Credential::Nothing] {
        assert_eq!(impact(credential, 403, forbidden), SessionImpact::Keep);
    }
}

/// What no homeserver says.
const ODD: [(u16, &str); 18] = [
    (200, "<html>Log in to the Wi-Fi</html>"),
    (200, ""),
    (200, r#"{"access_token""#),
    (200, "[]"),
    (200, "null"),
    (204, ""),
    (302, ""),
    (307, r#"{"errcode":7}"#),
    (400, "Bad Request"),
    (401, "<html>401 Authorization Required</html>"),
    (401, r#"{"message":"Unauthorized"}"#),
    (403, "<html>403 Forbidden</html>"),
    (404, "{}"),
    (302, r#"{"errcode":"M_FORBIDDEN","error":"no"}"#),
    (307, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"no","retry_after_ms":1}"#),
    (500, ""),
    (502, "<html>Bad Gateway</html>"),
    (503, r#"{"error":"maintenance"}"#),
];

#[test]
fn lesson_95_what_cannot_be_understood_decides_nothing() {
    for (status, body) in ODD {
        // At first it is asked again.
        let mut walk = Walk::new(Client::new(ALL));
        walk.step();
        walk.reply_bytes(status, None, body.as_bytes());
        assert_eq!(walk.step(), "wait 1000 NoAnswer", "{status} {body}");
        walk.wait();
        assert_eq!(walk.step(), "send -");
        // In mid-flow it is asked how things stand; the credential isn't sent meanwhile.
        let mut walk = Walk::challenged(Client::new(ALL), offer(PASSWORD));
        walk.give();
        let mut sent = 0;
        while !walk.progress.is_over() {
            walk.reply_bytes(status, None, body.as_bytes());
            if walk.step().starts_with("wait") {
                walk.wait();
                assert_eq!(walk.step(), r#"send {"session":"s"}"#, "{status} {body}");
                sent += 1;
            }
        }
        assert_eq!((walk.step().as_str(), sent), ("failed NoAnswer", 5));
        assert_eq!(walk.meaning(), SessionImpact::Keep);
        assert!(walk.progress.again(), "the progress still means something");
    }
}

#[test]
fn lesson_95_a_success_that_is_a_standard_error_is_that_error() {
    for status in [200, 201, 204] {
        let mut walk = Walk::challenged(Client::new(ALL), offer(PASSWORD));
        walk.give();
        walk.reply(status, json!({"errcode": "M_FORBIDDEN", "error": "no"}));
        assert_eq!(walk.step(), format!("failed {status} M_FORBIDDEN"));
    }
}

#[test]
fn lesson_95_501_is_said_at_once() {
    for (body, said) in
        [("<html>", "failed 501"), (r#"{"errcode":"M_UNRECOGNIZED"}"#, "failed 501 M_UNRECOGNIZED")]
    {
        let mut walk = Walk::new(Client::new(ALL));
        walk.step();
        walk.reply_bytes(501, None, body.as_bytes());
        assert_eq!(walk.step(), said);
    }
}

#[test]
fn lesson_95_a_login_without_a_device_is_no_login() {
    let client = Client::new(ALL);
    let mut progress = Progress::<512>::new(CallName::new("login").unwrap());
    let now = Timestamp::from_millis(0);
    let Next::Send(request) = client.next(&mut progress, now) else { panic!("the first request") };
    let ticket = request.ticket();
    let device = |body: &[u8]| {
        let body: Value = serde_json::from_slice(body).ok()?;
        body["device_id"].as_str().map(str::to_owned)
    };
    let body = br#"{"user_id":"@a:b","access_token":"t"}"#;
    let received = client.receive_as(&mut progress, ticket, Answer::new(200, body), now, device);
    assert!(matches!(received, Received::GoOn));
    assert!(matches!(client.next(&mut progress, now), Next::Wait { .. }));
}

#[test]
fn lesson_106_a_clock_that_is_set_back_prolongs_no_wait() {
    let (now, span) = (Timestamp::from_millis(10_000_000), Millis::from_secs(10));
    let client = Client::new(&[AuthType::Password]);
    let mut progress: Progress = Progress::new(CallName::new("password").unwrap());
    let Next::Send(request) = client.next(&mut progress, now) else { panic!("it begins") };
    let ticket = request.ticket();
    let limited = br#"{"errcode":"M_LIMIT_EXCEEDED","error":"Slowly.","retry_after_ms":10000}"#;
    let _ = client.receive(&mut progress, ticket, Answer::new(429, limited), now);
    let hour_before = Timestamp::from_millis(now.as_millis() - 3_600_000);
    for clock in [now, hour_before] {
        let Next::Wait { until, .. } = client.next(&mut progress, clock) else { panic!("it waits") };
        assert_eq!(until, clock.after(span));
    }
    assert!(matches!(client.next(&mut progress, hour_before.after(span)), Next::Send(_)));
}
