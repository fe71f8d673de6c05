//! Keys of session IDs that are sealed rotate, and what was begun before goes on.

use crate::support::{Client, Setup, dummy_auth};
use serde_json::json;
use std::fs;

/// 32 bytes as the key file has them.
const NEW: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

fn begin(client: Client) -> String {
    client.post("register", None, &json!({ "username": "carol", "password": "christmas" })).asked()
}

/// Whether the session of that ID is one still. It is not changed.
fn is_known(client: Client, session: &str) -> bool {
    let body = json!({ "username": "carol", "password": "christmas", "auth": { "session": session } });
    client.post("register", None, &body).json()["session"] == session
}

#[test]
fn an_id_that_was_sealed_before_a_rotation_is_good_until_its_key_is_removed() {
    let setup = Setup::kept(json!({
        "uia": { "sealed": true },
        "flows": { "register": [["m.login.recaptcha", "m.login.dummy"]] },
        "params": { "m.login.recaptcha": { "public_key": "key" } },
    }));
    let file = setup.data_dir().join("server.key");
    let server = setup.start();
    let old = begin(server.client());
    server.kill();
    let key = fs::read_to_string(&file).unwrap();
    let restart = |lines: &str| {
        fs::write(&file, format!("{key}{lines}")).unwrap();
        setup.start()
    };

    // First every process opens what none seals yet.
    let server = restart(&format!("opens 2 {NEW}\n"));
    let client = server.client();
    assert!(is_known(client, &old));
    let waiting = begin(client);
    server.kill();
    let server = restart(&format!("seals 2 {NEW}\nopens 1\n"));
    let client = server.client();
    let new = begin(client);
    assert!([&old, &waiting, &new].iter().all(|session| is_known(client, session)));
    server.kill();

    // One that has not been restarted since the first step knows the new ones.
    let server = restart(&format!("opens 2 {NEW}\n"));
    assert!(is_known(server.client(), &new));
    server.kill();

    // What the old key has sealed is unknown without it, and what was stored of it meanwhile is no help.
    let server = restart(&format!("seals 2 {NEW}\n"));
    let client = server.client();
    let body = json!({ "username": "carol", "password": "christmas", "auth": dummy_auth(&old) });
    client.post("register", None, &body).failed(&[], "M_UNKNOWN");
    assert!(is_known(client, &new));
}

#[test]
fn a_key_file_with_a_wrong_line_is_named_and_shown_to_nobody() {
    let setup = Setup::kept(json!({}));
    setup.start().kill();
    let file = setup.data_dir().join("server.key");
    let key = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{key}seals 2 {NEW}\nseals 3 {NEW}\n")).unwrap();
    let ended = setup.try_start().unwrap_err();
    assert!(ended.log.contains("server.key: two keys seal session IDs"), "{}", ended.log);
    assert!(!ended.log.contains(&NEW[..8]) && !ended.log.contains(&key[..8]), "{}", ended.log);
}
