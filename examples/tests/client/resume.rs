//! `--resume`: killed at every step, before and after the server has heard of it.

use super::run::{Run, Running};
use super::scripted::Scripted;
use super::{NEO, registering};
use crate::support::{Scratch, Setup};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, channel};

/// Stands before the server, and lets one request through that is never answered, or doesn't let it through.
struct Between {
    address: SocketAddr,
    /// How many requests are answered before that one.
    left: Arc<AtomicI32>,
    reached: Receiver<()>,
}

/// What happens at that request.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Killed,
    /// Only its connection breaks.
    Broken,
}

impl Between {
    fn new(server: SocketAddr, answered: i32, let_through: bool, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let left = Arc::new(AtomicI32::new(answered));
        let counter = Arc::clone(&left);
        let (reach, reached) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let request = read(&mut connection);
                let is_last = counter.fetch_sub(1, Ordering::SeqCst) == 0;
                let answer = (!is_last || let_through).then(|| forward(server, &request));
                if !is_last {
                    let _ = connection.write_all(&answer.unwrap());
                    continue;
                }
                if reach.send(()).is_err() {
                    return;
                }
                if then == Then::Killed {
                    // Held open until the client is dead.
                    let _ = connection.read(&mut [0; 1]);
                }
            }
        });
        Self { address, left, reached }
    }

    /// From now on everything passes.
    fn open(&self) {
        self.left.store(-1, Ordering::SeqCst);
    }
}

fn read(connection: &mut TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return Vec::new();
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let mut request = head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").into_bytes();
    request.extend(body);
    request
}

fn forward(server: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut connection = TcpStream::connect(server).unwrap();
    connection.write_all(request).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    answer
}

/// Kills the client at its `nth` request, starts it again, and says whether there was such a request.
fn killed_at(
    nth: i32,
    let_through: bool,
    then: Then,
    setup: &Setup,
    line: &str,
    secret: (&str, &str),
) -> bool {
    let server = setup.start();
    let between = Between::new(server.address(), nth, let_through, then);
    let dir = Scratch::new();
    let file = dir.path().join("progress");
    let run = || {
        let run = Run::at(between.address, line).json().args(&["--resume", file.to_str().unwrap()]);
        run.env(secret.0, secret.1).start()
    };
    let client = server.client();
    let mut pressed = false;
    let mut press = || {
        if !pressed && !setup.outbox().is_empty() {
            setup.last_message().press(client).page(200);
            pressed = true;
        }
    };
    let first = run();
    let reached = loop {
        press();
        if between.reached.recv_timeout(std::time::Duration::from_millis(20)).is_ok() {
            break true;
        }
        if first.has_ended() {
            break false;
        }
    };
    let ended = if reached && then == Then::Broken {
        press_until_over(&first, &mut press);
        first.end()
    } else if reached {
        first.kill();
        check_file(&file, secret.1);
        between.open();
        let second = run();
        press_until_over(&second, &mut press);
        second.end()
    } else {
        first.end()
    };
    ended.ok();
    assert!(!file.exists(), "there is nothing to go on with");
    assert!(setup.outbox().len() <= 1, "nothing is sent twice");
    reached
}

fn press_until_over(running: &Running, press: &mut impl FnMut()) {
    while !running.has_ended() {
        press();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn check_file(file: &Path, secret: &str) {
    let text = std::fs::read_to_string(file).expect("it is written before anything is sent");
    assert!(!text.contains(secret), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// Kills it at each of its requests, which are at least so many.
fn killed_at_each(
    at_least: usize,
    then: Then,
    setup: impl Fn() -> Setup + Sync,
    line: &str,
    secret: (&str, &str),
) {
    for let_through in [false, true] {
        // Most of it is waiting.
        let reached: Vec<bool> = std::thread::scope(|scope| {
            let setup = &setup;
            let threads = (0..8)
                .map(|nth| scope.spawn(move || killed_at(nth, let_through, then, &setup(), line, secret)));
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let requests = reached.iter().filter(|reached| **reached).count();
        assert!(requests >= at_least, "{reached:?}");
    }
}

#[test]
fn a_registration_killed_at_any_request_goes_on() {
    let flows = json!([["m.login.terms", "m.login.email.identity", "m.login.dummy"]]);
    let line = "register --user neo --accept-terms --email neo@example.org";
    // The first, terms, the e-mail's token, the e-mail, dummy.
    killed_at_each(5, Then::Killed, || registering(flows.clone(), json!({})), line, ("MATRIX_PASSWORD", NEO));
}

#[test]
fn an_answer_that_is_lost_is_no_end() {
    let flows = json!([["m.login.terms", "m.login.email.identity", "m.login.dummy"]]);
    let line = "register --user neo --accept-terms --email neo@example.org";
    killed_at_each(5, Then::Broken, || registering(flows.clone(), json!({})), line, ("MATRIX_PASSWORD", NEO));
}

#[test]
fn a_reset_killed_at_any_request_goes_on() {
    let users = json!([{ "localpart": "alice", "password": "wonderland",
        "threepids": [{ "medium": "email", "address": "alice@example.org" }] }]);
    let setup = || Setup::sending(json!({ "users": users.clone() }));
    let line = "reset --email alice@example.org";
    killed_at_each(3, Then::Killed, setup, line, ("MATRIX_NEW_PASSWORD", "jabberwocky"));
}

#[test]
fn a_server_in_trouble_has_decided_nothing() {
    let dir = Scratch::new();
    let file = dir.path().join("progress");
    // A file belongs to a server's address: of this one there is one after the other.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |answers: &[(u16, &str, &str)]| {
        let scripted = Scripted::on(address, answers);
        let line = format!("register --user neo --resume {}", file.display());
        let ended = Run::at(address, &line).json().env("MATRIX_PASSWORD", NEO).run();
        (ended, scripted.asked())
    };
    let offer = (401, "", r#"{"flows":[{"stages":["m.login.dummy"]}],"session":"a-session"}"#);
    let trouble = (500, "", r#"{"errcode":"M_UNKNOWN","error":"disk full"}"#);
    run(&[offer, trouble]).0.refused(500, "M_UNKNOWN", "keep");
    assert!(file.exists());
    let (ended, asked) = run(&[(403, "", r#"{"errcode":"M_FORBIDDEN","error":"no"}"#)]);
    ended.refused(403, "M_FORBIDDEN", "keep");
    let body: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body["auth"], json!({ "session": "a-session" }), "first how things stand");
    assert!(!file.exists(), "that was a decision");
}

#[test]
fn who_gave_a_wrong_password_goes_on_with_the_right_one() {
    const PASSWORD: &str = r#"{"flows":[{"stages":["m.login.terms","m.login.password"]}],"completed":["m.login.terms"],"session":"s""#;
    let dir = Scratch::new();
    let file = dir.path().join("progress");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |password: &str, answers: &[(u16, &str, &str)]| {
        let scripted = Scripted::on(address, answers);
        let line = format!("delete-devices A --user alice --resume {}", file.display());
        let run = Run::at(address, &line).json().env("MATRIX_ACCESS_TOKEN", "mua_t");
        (run.env("MATRIX_PASSWORD", password).run(), scripted.asked())
    };
    let open = format!("{PASSWORD}}}");
    let refused = format!(r#"{PASSWORD},"errcode":"M_FORBIDDEN","error":"no"}}"#);
    let (ended, _) = run("wrong", &[(401, "", &open), (401, "", &refused)]);
    ended.refused(401, "M_FORBIDDEN", "keep");
    let (ended, asked) = run("wonderland", &[(401, "", &open), (200, "", "{}")]);
    ended.ok();
    let body: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body["auth"], json!({ "session": "s" }), "the terms are not accepted again");
    assert!(asked[1].body.contains("wonderland") && !file.exists());
}

#[test]
fn a_file_of_another_body_is_left_alone() {
    let dir = Scratch::new();
    let file = dir.path().join("progress");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |devices: &str, answers: &[(u16, &str, &str)]| {
        let scripted = Scripted::on(address, answers);
        let line = format!("delete-devices {devices} --user alice --resume {}", file.display());
        let run = Run::at(address, &line).json().env("MATRIX_ACCESS_TOKEN", "mua_t");
        (run.run(), scripted.asked())
    };
    let offer = (401, "", r#"{"flows":[{"stages":["m.login.recaptcha"]}],"session":"s"}"#);
    run("A", &[offer]).0.missing(&["m.login.recaptcha"]);
    let before = std::fs::read(&file).unwrap();
    let (ended, asked) = run("B", &[]);
    ended.usage("of another call");
    assert!(asked.is_empty() && std::fs::read(&file).unwrap() == before);
}

#[test]
fn a_file_of_another_call_is_left_alone() {
    let server = registering(json!([["m.login.recaptcha"]]), json!({})).start();
    let dir = Scratch::new();
    let file = dir.path().join("progress");
    let at = |user: &str| {
        let line = format!("register --user {user} --resume {}", file.display());
        Run::at(server.address(), &line).json().env("MATRIX_PASSWORD", NEO).run()
    };
    at("neo").missing(&["m.login.recaptcha"]);
    let before = std::fs::read(&file).unwrap();
    at("trinity").usage("of another call");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    at("neo").missing(&["m.login.recaptcha"]);
    std::fs::write(&file, "{}").unwrap();
    at("neo").usage("--resume");
    let nowhere = format!("register --user neo --resume {}", dir.path().join("no/such/dir").display());
    Run::at(server.address(), &nowhere).json().env("MATRIX_PASSWORD", NEO).run().usage("--resume");
}
