//! What is done on a page of the server: the test reads the address that is printed, and fills the page in.

use super::run::Run;
use super::{NEO, registering};
use crate::support::Setup;
use serde_json::json;

/// Fills in the page at the address that was printed last.
#[track_caller]
fn fill_in(setup: &Setup, server: &crate::support::Server, url: &str, typed: &[(&str, &str)]) {
    let client = server.client();
    let path = url.strip_prefix(&format!("http://{}", server.address())).expect("at the server");
    let page = client.page(path, "");
    assert_eq!(page.status, 200, "{page}");
    let send = |fields: &[(String, String)], typed: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        client.form(path, "", &fields.chain(typed.iter().copied()).collect::<Vec<_>>())
    };
    let sent = setup.outbox().len();
    let mut answer = send(&page.html().fields(), typed);
    if setup.outbox().len() > sent {
        setup.last_message().press(client).page(200);
        answer = send(&answer.html().fields(), &[]);
    }
    answer.shows(200, "Done");
}

#[test]
fn every_stage_can_be_done_on_a_page() {
    for (stage, typed) in [
        ("m.login.recaptcha", &[("g-recaptcha-response", "good-captcha")][..]),
        ("m.login.sso", &[]),
        ("org.example.pin", &[]),
        ("m.login.msisdn", &[("country", "GB"), ("phone_number", "07700 900001")]),
        ("m.login.password", &[("user", "alice"), ("password", "wonderland")]),
    ] {
        let setup = registering(json!([["m.login.terms", stage, "m.login.dummy"]]), json!({}));
        let server = setup.start();
        let run = Run::at(server.address(), "register --user neo --accept-terms").args(&["--json"]);
        let mut running = run.env("MATRIX_PASSWORD", NEO).start();
        let said = running.says("Press Enter when done. ");
        assert!(
            said.contains(&format!("terms ✓ · {} … · dummy\n", stage.trim_start_matches("m.login."))),
            "{said}"
        );
        let url = said.lines().find_map(|line| line.strip_prefix("Open ")).expect("an address");
        assert!(url.contains(&format!("/auth/{stage}/fallback/web?session=")));
        fill_in(&setup, &server, url, typed);
        running.type_in("\n");
        assert_eq!(running.end().ok()["user_id"], "@neo:localhost", "{stage}");
    }
}

#[test]
fn a_page_that_is_not_done_yet_is_asked_about_again() {
    let setup = registering(json!([["m.login.recaptcha"]]), json!({}));
    let server = setup.start();
    let mut running = Run::at(server.address(), "register --user neo").env("MATRIX_PASSWORD", NEO).start();
    let said = running.says("Press Enter when done. ");
    running.type_in("\n");
    running.says("Waiting for it to be done elsewhere");
    let url = said.lines().find_map(|line| line.strip_prefix("Open ")).unwrap();
    fill_in(&setup, &server, url, &[("g-recaptcha-response", "good-captcha")]);
    let ended = running.end();
    assert!(ended.status == 0 && ended.stdout.contains("@neo:localhost"), "{ended:?}");
}
