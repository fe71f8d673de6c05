//! What an error means, and how the program ends (rules C6 and C8).

use super::run::Run;
use super::scripted::Scripted;
use super::{NEO, as_alice};
use crate::support::Setup;
use serde_json::json;

fn whoami(answers: &[(u16, &str, &str)]) -> super::run::Ended {
    let scripted = Scripted::new(answers);
    let ended = Run::at(scripted.address, "whoami").json().env("MATRIX_ACCESS_TOKEN", "mua_token").run();
    scripted.asked();
    ended
}

#[test]
fn every_meaning_reaches_whoever_asked() {
    for (status, body, code, meaning) in [
        (403, r#"{"errcode":"M_FORBIDDEN","error":"no"}"#, "M_FORBIDDEN", "keep"),
        (401, r#"{"errcode":"M_MISSING_TOKEN","error":"no"}"#, "M_MISSING_TOKEN", "keep"),
        (
            401,
            r#"{"errcode":"M_UNKNOWN_TOKEN","error":"no","soft_logout":true}"#,
            "M_UNKNOWN_TOKEN",
            "soft_logout",
        ),
        (401, r#"{"errcode":"M_UNKNOWN_TOKEN","error":"no"}"#, "M_UNKNOWN_TOKEN", "gone"),
        (401, r#"{"errcode":"M_USER_LOCKED","error":"no","soft_logout":true}"#, "M_USER_LOCKED", "locked"),
        (403, r#"{"errcode":"M_USER_SUSPENDED","error":"no"}"#, "M_USER_SUSPENDED", "suspended"),
        (403, r#"{"errcode":"M_USER_DEACTIVATED","error":"no"}"#, "M_USER_DEACTIVATED", "deactivated"),
        (
            429,
            r#"{"errcode":"M_LIMIT_EXCEEDED","error":"no","retry_after_ms":86400000}"#,
            "M_LIMIT_EXCEEDED",
            "rate_limited",
        ),
        (500, r#"{"errcode":"M_UNKNOWN","error":"no"}"#, "M_UNKNOWN", "keep"),
    ] {
        whoami(&[(status, "", body)]).refused(status, code, meaning);
    }
}

#[test]
fn what_is_no_answer_of_a_homeserver_is_told_from_one() {
    whoami(&[(502, "", "<html>")]).network();
    whoami(&[(302, "Location: http://127.0.0.1:1/\r\n", "")]).network();
    whoami(&[(404, "", "<html>")]).network();
    whoami(&[(200, "", "{")]).network();
    Run::at("127.0.0.1:1", "whoami").json().env("MATRIX_ACCESS_TOKEN", "mua_token").run().network();
    Run::at("127.0.0.1:1", "register --user neo").json().env("MATRIX_PASSWORD", NEO).run().network();
    Run::at("matrix.invalid", "whoami").json().env("MATRIX_ACCESS_TOKEN", "mua_token").run().network();
}

#[test]
fn a_limit_is_waited_for_as_long_as_is_reasonable() {
    let limited = r#"{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":20}"#;
    let me = r#"{"user_id":"@alice:localhost"}"#;
    assert_eq!(
        whoami(&[(429, "", limited), (429, "", limited), (200, "", me)]).ok()["user_id"],
        "@alice:localhost"
    );
    whoami(&[(429, "", limited); 6]).refused(429, "M_LIMIT_EXCEEDED", "rate_limited");
    whoami(&[(429, "Retry-After: 3600\r\n", limited)]).refused(429, "M_LIMIT_EXCEEDED", "rate_limited");
}

#[test]
fn the_servers_own_limit_is_waited_for() {
    let server =
        Setup::new(json!({ "rate_limits": { "failed_auth": { "burst": 1, "per_second": 1.0 } } })).start();
    for _ in 0..2 {
        let wrong =
            Run::at(server.address(), "login --user alice").json().env("MATRIX_PASSWORD", "white-rabbit");
        wrong.run().refused(403, "M_FORBIDDEN", "keep");
    }
}

#[test]
fn a_locked_account_and_an_old_token_are_told_apart() {
    let users = json!([{ "localpart": "alice", "password": "wonderland", "status": "locked" },
        { "localpart": "bob", "password": "builder-bob" }]);
    let server = Setup::new(json!({ "users": users, "access_token_lifetime_ms": 1 })).start();
    let login = Run::at(server.address(), "login --user alice").json().env("MATRIX_PASSWORD", "wonderland");
    login.run().refused(401, "M_USER_LOCKED", "locked");
    let login =
        Run::at(server.address(), "login --user bob --refresh").json().env("MATRIX_PASSWORD", "builder-bob");
    let token = crate::support::text(&login.run().ok(), "access_token");
    std::thread::sleep(std::time::Duration::from_millis(5));
    let whoami = Run::at(server.address(), "whoami").json().env("MATRIX_ACCESS_TOKEN", &token);
    whoami.run().refused(401, "M_UNKNOWN_TOKEN", "soft_logout");
}

#[test]
fn a_wrong_password_is_given_once() {
    let server = Setup::new(json!({ "uia": { "max_failed_attempts": 2 } })).start();
    for line in ["deactivate --user alice", "delete-devices A --user alice", "password --user alice"] {
        let run = as_alice(&server, line).env("MATRIX_PASSWORD", "white-rabbit");
        run.env("MATRIX_NEW_PASSWORD", "jabberwocky").run().refused(401, "M_FORBIDDEN", "keep");
    }
    let run = as_alice(&server, "password --user bob").env("MATRIX_NEW_PASSWORD", "jabberwocky");
    // Another than the token's user is no failed stage of the session: nothing else could be tried in it.
    run.run().refused(403, "M_FORBIDDEN", "keep");
}

#[test]
fn what_is_not_given_is_missing() {
    let server = Setup::new(json!({})).start();
    let token = server.client().token("alice", "wonderland");
    for line in ["deactivate --user alice", "delete-devices A --user alice", "password --user alice"] {
        let run = Run::at(server.address(), line).json().env("MATRIX_ACCESS_TOKEN", &token);
        run.env("MATRIX_NEW_PASSWORD", "jabberwocky").run().missing(&["m.login.password"]);
    }
    let run = as_alice(&server, "password --user alice");
    run.run().missing(&["MATRIX_NEW_PASSWORD"]);
    Run::at(server.address(), "reset --email a@example.org").json().run().missing(&["MATRIX_NEW_PASSWORD"]);
    Run::at(server.address(), "register --user neo").json().run().missing(&["MATRIX_PASSWORD"]);
    // Somebody could be asked, but nobody answers.
    let silent = Run::at(server.address(), "deactivate --user alice").args(&["--json"]);
    silent.env("MATRIX_ACCESS_TOKEN", &token).run().missing(&["m.login.password"]);
}
