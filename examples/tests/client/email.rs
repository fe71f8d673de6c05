//! The e-mail's link, followed by the test.

use super::run::{Ended, Run};
use super::scripted::Scripted;
use super::{NEO, registering};
use crate::support::{Client, Setup};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn users() -> Value {
    json!([{ "localpart": "alice", "password": "wonderland",
        "threepids": [{ "medium": "email", "address": "alice@example.org" }] }])
}

/// Follows the link once it has come, while the client waits for it.
#[track_caller]
fn followed(run: Run, setup: &Setup, client: Client) -> Ended {
    let running = run.start();
    let begun = Instant::now();
    while setup.outbox().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", running.stderr());
        sleep(Duration::from_millis(5));
    }
    let message = setup.last_message();
    message.press(client).page(200);
    let ended = running.end();
    assert_eq!(setup.outbox().len(), 1, "nothing is sent twice");
    for key in ["client_secret", "sid", "token"] {
        assert!(
            !ended.stderr.contains(&message.text(key)) && !ended.stdout.contains(&message.text(key)),
            "{ended:?}"
        );
    }
    ended
}

#[test]
fn a_registration_proves_its_address() {
    let flows = json!([["m.login.email.identity", "m.login.dummy"], ["m.login.dummy"]]);
    let setup = registering(flows, json!({}));
    let server = setup.start();
    let line = "register --user neo --email neo@example.org";
    let run = Run::at(server.address(), line).json().env("MATRIX_PASSWORD", NEO);
    assert_eq!(followed(run, &setup, server.client()).ok()["user_id"], "@neo:localhost");
    let login = Run::at(server.address(), "login --email neo@example.org").json().env("MATRIX_PASSWORD", NEO);
    login.run().ok();
    // Without one, the flow without.
    Run::at(server.address(), "register --user trinity").json().env("MATRIX_PASSWORD", NEO).run().ok();
    // An address in use.
    let again = Run::at(server.address(), "register --user morpheus --email neo@example.org").json();
    again.env("MATRIX_PASSWORD", NEO).run().refused(400, "M_THREEPID_IN_USE", "keep");
}

#[test]
fn whoever_is_there_is_asked_for_an_address_where_every_flow_wants_one() {
    let setup = registering(json!([["m.login.email.identity"]]), json!({}));
    let server = setup.start();
    let run = Run::at(server.address(), "register --user neo").args(&["--json"]).env("MATRIX_PASSWORD", NEO);
    followed(run.typing("neo@example.org\n"), &setup, server.client()).ok();
}

#[test]
fn a_reset_sets_the_new_password() {
    for (flags, kept) in [("", false), (" --keep-devices", true)] {
        let setup = Setup::sending(json!({ "users": users() }));
        let server = setup.start();
        let client = server.client();
        let device = client.token("alice", "wonderland");
        let line = format!("reset --email alice@example.org{flags}");
        let run = Run::at(server.address(), &line).json().env("MATRIX_NEW_PASSWORD", "jabberwocky");
        assert_eq!(followed(run, &setup, client).ok(), json!({}));
        client.login("alice", "jabberwocky").ok();
        assert_eq!(client.is_live(&device), kept);
    }
    let server = Setup::sending(json!({ "users": users() })).start();
    let unknown = Run::at(server.address(), "reset --email bob@example.org").json();
    unknown.env("MATRIX_NEW_PASSWORD", "jabberwocky").run().refused(400, "M_THREEPID_NOT_FOUND", "keep");
}

#[test]
fn a_link_not_followed_yet_is_no_refusal_whatever_the_server_calls_it() {
    let flows = r#""flows":[{"stages":["m.login.email.identity"]}],"session":"s""#;
    let open = format!("{{{flows}}}");
    let not_yet = format!(r#"{{{flows},"errcode":"M_UNAUTHORIZED","error":"not yet"}}"#);
    let scripted = Scripted::new(&[
        (401, "", &open),
        (429, "", r#"{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":20}"#),
        (200, "", r#"{"sid":"a-sid"}"#),
        (401, "", &not_yet),
        (200, "", "{}"),
    ]);
    let run = Run::at(scripted.address, "reset --email alice@example.org").json();
    run.env("MATRIX_NEW_PASSWORD", "jabberwocky").run().ok();
    let asked = scripted.asked();
    let body = |nth: usize| serde_json::from_str::<Value>(&asked[nth].body).unwrap();
    assert!(asked[1].head.starts_with("POST /_matrix/client/v3/account/password/email/requestToken "));
    assert_eq!(body(1), body(2), "the same, after the wait");
    assert_eq!((&body(1)["send_attempt"], &body(1)["email"]), (&1.into(), &"alice@example.org".into()));
    for nth in [3, 4] {
        let creds = json!({ "sid": "a-sid", "client_secret": body(1)["client_secret"] });
        assert_eq!(body(nth)["auth"]["threepid_creds"], creds);
        assert_eq!(body(nth)["new_password"], "jabberwocky");
    }
}
