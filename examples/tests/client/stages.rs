//! Stages answered from flags, and by whoever is there.

use super::run::Run;
use super::scripted::Scripted;
use super::{NEO, registering};
use serde_json::{Value, json};

fn three() -> Value {
    json!([["m.login.terms", "m.login.registration_token", "m.login.dummy"]])
}

#[test]
fn a_flow_of_three_stages_by_flags() {
    let server = registering(three(), json!({})).start();
    let line = "register --user neo --registration-token good-token --accept-terms";
    let ended = Run::at(server.address(), line).json().env("MATRIX_PASSWORD", NEO).run();
    assert_eq!(ended.ok()["user_id"], "@neo:localhost");
    for line in [
        "terms … · registration_token · dummy\n",
        "terms ✓ · registration_token … · dummy\n",
        "terms ✓ · registration_token ✓ · dummy …\n",
    ] {
        assert!(ended.stderr.contains(line), "{ended:?}");
    }
    assert!(!ended.stderr.contains("good-token"));
}

#[test]
fn what_no_flag_answers_is_missing_and_nothing_is_sent_for_the_rest() {
    let server = registering(three(), json!({})).start();
    let register = |flags: &str| {
        let line = format!("register --user neo{flags}");
        Run::at(server.address(), &line).json().env("MATRIX_PASSWORD", NEO).run()
    };
    register("").missing(&["m.login.terms", "m.login.registration_token"]);
    register(" --accept-terms").missing(&["m.login.registration_token"]);
    register(" --registration-token good-token").missing(&["m.login.terms"]);
    register(" --accept-terms --registration-token bad-token").refused(401, "M_UNAUTHORIZED", "keep");
    let ended = register(" --accept-terms --registration-token good-token");
    assert_eq!(ended.ok()["user_id"], "@neo:localhost");
}

#[test]
fn stages_for_a_browser_are_missing_where_nobody_opens_one() {
    for stage in
        ["m.login.recaptcha", "m.login.sso", "m.login.msisdn", "m.login.email.identity", "org.example.pin"]
    {
        let server = registering(json!([["m.login.dummy", stage]]), json!({})).start();
        let register = Run::at(server.address(), "register --user neo").json().env("MATRIX_PASSWORD", NEO);
        register.run().missing(&[stage]);
    }
    let none = Scripted::new(&[(401, "", r#"{"flows":[],"session":"s"}"#)]);
    Run::at(none.address, "register --user neo").json().env("MATRIX_PASSWORD", NEO).run().missing(&[]);
    none.asked();
}

#[test]
fn a_flow_that_can_be_walked_is_found_beside_one_that_cannot() {
    let server =
        registering(json!([["m.login.recaptcha"], ["m.login.terms", "m.login.dummy"]]), json!({})).start();
    let register = Run::at(server.address(), "register --user neo --accept-terms").json();
    register.env("MATRIX_PASSWORD", NEO).run().ok();
}

#[test]
fn whoever_is_there_is_asked_and_shown_the_terms_in_their_language() {
    let server = registering(three(), json!({})).start();
    for (user, language, shown) in [
        ("neo", "de_AT.UTF-8", "AGB (https://example.org/de)"),
        ("trinity", "C", "Terms (https://example.org/en)"),
    ] {
        let line = format!("register --user {user}");
        let run = Run::at(server.address(), &line).language(language);
        let ended = run
            .typing("matrix-1999\nmatrix-1998\nmatrix-1999\nmatrix-1999\ny\nbad-token\ngood-token\n")
            .run();
        assert_eq!(ended.status, 0, "{ended:?}");
        assert!(ended.stderr.contains(shown) && ended.stderr.contains("Not the same."), "{ended:?}");
        assert!(
            ended.stderr.contains("not valid. (M_UNAUTHORIZED)"),
            "what was refused, and asked for again: {ended:?}"
        );
        assert!(!ended.stderr.contains("matrix-199") && !ended.stdout.contains("matrix-199"), "{ended:?}");
        assert!(ended.stdout.contains(&format!("@{user}:localhost")));
    }
    let no =
        Run::at(server.address(), "register --user morpheus").args(&["--json"]).env("MATRIX_PASSWORD", NEO);
    no.typing("n\n").run().missing(&["m.login.terms"]);
    let nobody = Run::at(server.address(), "register --user morpheus").args(&["--json"]);
    nobody.env("MATRIX_PASSWORD", NEO).run().missing(&["m.login.terms"]);
}

#[test]
fn a_wrong_password_is_asked_for_again() {
    let server = crate::support::Setup::new(json!({})).start();
    let token = server.client().token("alice", "wonderland");
    let run = Run::at(server.address(), "deactivate --user alice").args(&["--json"]);
    let run = run.env("MATRIX_ACCESS_TOKEN", &token).env("MATRIX_PASSWORD", "white-rabbit");
    let ended = run.typing("mad-hatter\nwonderland\n").run();
    ended.ok();
    assert_eq!(ended.stderr.matches("Password of alice: ").count(), 2, "the first was given: {ended:?}");
    assert_eq!(ended.stderr.matches("M_FORBIDDEN").count(), 2);
}

#[test]
fn a_server_that_leads_in_circles_is_left() {
    let circle = (401, "", r#"{"flows":[{"stages":["m.login.dummy"]}],"session":"s"}"#);
    let scripted = Scripted::new(&[circle; 2]);
    let ended = Run::at(scripted.address, "register --user neo").json().env("MATRIX_PASSWORD", NEO).run();
    ended.status_is(1);
    scripted.asked();
}
