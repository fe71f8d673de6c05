//! `MATRIX_REFRESH_TOKEN`: a token that has run out is renewed once, before anything is told as gone (lesson 94).

use super::run::Run;
use super::scripted::Scripted;
use serde_json::json;

const UNKNOWN: (u16, &str, &str) =
    (401, "", r#"{"errcode":"M_UNKNOWN_TOKEN","error":"no","soft_logout":false}"#);
const TOKENS: (u16, &str, &str) = (200, "", r#"{"access_token":"mua_new","refresh_token":"mur_new"}"#);

fn whoami(server: &Scripted) -> Run {
    let run = Run::at(server.address, "whoami").json().env("MATRIX_ACCESS_TOKEN", "mua_old");
    run.env("MATRIX_REFRESH_TOKEN", "mur_old")
}

#[test]
fn lesson_94_the_call_is_repeated_once_with_the_new_token() {
    let scripted = Scripted::new(&[UNKNOWN, TOKENS, (200, "", r#"{"user_id":"@alice:h"}"#)]);
    let answer = whoami(&scripted).run().ok();
    assert_eq!(answer["refreshed"], json!({ "access_token": "mua_new", "refresh_token": "mur_new" }));
    let asked = scripted.asked();
    assert!(asked[1].body.contains("mur_old") && asked[1].head.contains("/refresh "));
    assert!(asked[2].head.to_lowercase().contains("bearer mua_new"));
}

#[test]
fn lesson_94_only_what_the_refresh_says_ends_the_login() {
    let scripted = Scripted::new(&[UNKNOWN, UNKNOWN]);
    whoami(&scripted).run().refused(401, "M_UNKNOWN_TOKEN", "gone");
    scripted.asked();
    let scripted = Scripted::new(&[UNKNOWN, (403, "", "<html>Forbidden</html>")]);
    whoami(&scripted).run().network();
    scripted.asked();
    // Without one there is nothing to try.
    let scripted = Scripted::new(&[UNKNOWN]);
    let run = Run::at(scripted.address, "whoami").json().env("MATRIX_ACCESS_TOKEN", "mua_old");
    run.run().refused(401, "M_UNKNOWN_TOKEN", "gone");
    scripted.asked();
}

#[test]
fn lesson_94_new_tokens_are_printed_whatever_the_call_says() {
    let scripted = Scripted::new(&[UNKNOWN, TOKENS, (403, "", r#"{"errcode":"M_FORBIDDEN","error":"no"}"#)]);
    let ended = whoami(&scripted).run();
    scripted.asked();
    let line: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.status, &line["error"]["errcode"]), (1, &json!("M_FORBIDDEN")));
    assert_eq!(line["refreshed"]["refresh_token"], "mur_new");
}

#[test]
fn lesson_94_a_token_that_runs_out_in_mid_flow_is_renewed_and_nothing_is_asked() {
    let offer = (401, "", r#"{"flows":[{"stages":["m.login.password"]}],"session":"s"}"#);
    let scripted = Scripted::new(&[offer, UNKNOWN, TOKENS, offer, (200, "", "{}")]);
    let run = Run::at(scripted.address, "password --user alice").json().env("MATRIX_ACCESS_TOKEN", "mua_old");
    let run = run.env("MATRIX_REFRESH_TOKEN", "mur_old").env("MATRIX_PASSWORD", "wonderland");
    let ended = run.env("MATRIX_NEW_PASSWORD", "looking-glass").run();
    assert_eq!(ended.ok()["refreshed"]["access_token"], "mua_new");
    assert!(!ended.stderr.contains("Password of"), "{ended:?}");
    let asked = scripted.asked();
    assert!(asked[1].body.contains("wonderland") && asked[4].body.contains("wonderland"));
}

#[test]
fn lesson_94_a_new_token_that_is_none_is_no_wrong_usage() {
    let odd = (200, "", r#"{"access_token":"mua\r\nX: y","refresh_token":"mur_new"}"#);
    let scripted = Scripted::new(&[UNKNOWN, odd]);
    let ended = whoami(&scripted).run();
    scripted.asked();
    let line: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.status, &line["error"]["meaning"]), (4, &json!("network")));
    assert_eq!(line["refreshed"]["refresh_token"], "mur_new");
}
