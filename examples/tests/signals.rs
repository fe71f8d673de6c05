//! Being told to end: while it starts, and twice.
#![cfg(unix)]

use crate::support::{Scratch, Setup, bare, password_auth};
use serde_json::json;
use std::fs::File;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_during_a_start_that_takes_long_ends_it_with_status_0() {
    for signal in ["TERM", "INT"] {
        let dir = Scratch::new();
        let config = dir.path().join("config.json");
        assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
        let mut command = bare();
        command.args(["--listen", "127.0.0.1:0"]).arg("--config").arg(&config);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // This waits until the server reads the config, and the server for what is never written.
        let held = File::options().write(true).open(&config).unwrap();
        let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut status = None;
        until("it ends", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "{signal}: {status:?}");
        drop(held);
    }
}

#[test]
fn lesson_112_a_second_signal_ends_it_at_once_with_status_1() {
    // A deactivation that goes on for ten seconds after its fence.
    let server = Setup::new(json!({
        "users": [{ "localpart": "alice", "password": "wonderland", "threepids": [
            { "medium": "email", "address": "alice@example.org", "id_server": "dead.example" }] }],
        "identity_servers": { "dead.example": { "unbind": "error" } },
    }))
    .start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let (body, with) = (json!({ "auth": password_auth("alice", "wonderland") }).to_string(), token.clone());
    let in_hand =
        spawn(move || client.try_send("POST", "account/deactivate", Some(&with), Some(body.as_bytes())));
    until("the fence is raised", || !client.is_live(&token));
    server.signal("TERM");
    until("it listens no more", || TcpStream::connect(server.address()).is_err());
    server.signal("TERM");
    assert_eq!(server.wait().status.code(), Some(1));
    assert!(in_hand.join().unwrap().is_err(), "nobody waits for what was in hand");
}
