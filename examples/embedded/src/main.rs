//! User-Interactive Authentication on a Cortex-M4 without a heap, an operating system or
//! a runtime crate: four requests change a password, and the core stops.
//!
//! `.ci/bare-metal` builds it, measures it and runs it in QEMU. With the feature `probe` it says
//! what each call takes of the stack. With `answers` it prints its answers, and so does the
//! same program on the host: they are compared.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod board;
#[cfg(not(target_os = "none"))]
#[path = "host.rs"]
mod board;
#[cfg(all(feature = "probe", target_os = "none"))]
mod probe;
mod server;
#[cfg(all(feature = "probe", target_os = "none"))]
mod stack;

use core::fmt::Write;

use matrix_uia::server::operation::ChangePassword;
#[cfg(feature = "deactivation")]
use matrix_uia::server::operation::Deactivate;
#[cfg(feature = "registration")]
use matrix_uia::server::operation::Register;
use matrix_uia::{BindingKey, Secret, SessionId, Timestamp, flows};

use crate::server::{Body, Password, Server, Status};

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    if answers_as_it_should() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

/// The status of an answer, which is printed where answers are to be.
fn shown(status: Status, body: &str) -> Status {
    show(status, body);
    status
}

#[cfg(feature = "answers")]
fn show(status: Status, body: &str) {
    let mut line: heapless::String<8> = heapless::String::new();
    let _ = write!(line, "{status} ");
    for part in [&line, body, "\n"] {
        board::print(part);
    }
}

#[cfg(not(feature = "answers"))]
const fn show(_: Status, _: &str) {}

/// Asks for the flows, gets the password wrong, gets it right, and asks again.
fn answers_as_it_should() -> bool {
    let flows = flows!(ChangePassword: [["m.login.password"]]);
    // From the chip's generator, as all entropy.
    let key = BindingKey::from_entropy([7; 16]);
    let Some(password) = Password::new(Secret::new("wonderland")) else { return false };
    let mut server = Server::new(&flows, key, password);
    if !registers(&mut server) {
        return false;
    }
    let id = SessionId::from_entropy([9; 24]);
    #[cfg(not(feature = "sealed"))]
    let name = id.expose();
    // What the first answer says.
    #[cfg(feature = "sealed")]
    let mut name: heapless::String<160> = heapless::String::new();
    let attempts = [None, Some("not it"), Some("wonderland"), Some("wonderland")];
    let mut answers = [0; 4];
    for (password, status) in attempts.iter().zip(&mut answers) {
        let mut request = Body::new();
        if write_request(&mut request, *password, &name).is_err() {
            return false;
        }
        let body = core::hint::black_box(request.as_bytes());
        let mut out = Body::new();
        *status = shown(server.answer(body, id, Timestamp::from_millis(1), &mut out), &out);
        #[cfg(feature = "sealed")]
        if let Some(named) = named(&out) {
            name = named;
        }
    }
    answers == [401, 401, 200, 200]
        && a_crowd_takes_no_place(&mut server)
        && logs_in(&mut server)
        && requests_token(&mut server)
        && deactivates(&mut server)
}

/// Asks for the flows, goes through them, repeats the request, and finds the device taken.
#[cfg(feature = "registration")]
fn registers(server: &mut Server<'_>) -> bool {
    let flows = flows!(Register: [["m.login.dummy"]]);
    let ids = [[4; 24], [5; 24]].map(SessionId::from_entropy);
    let name = ids[0].expose();
    let dummy = ["\"type\":\"m.login.dummy\",\"session\":\"", &*name, "\""];
    let attempts = [
        ("a b", &[][..], 400),
        ("bob", &[], 400),
        ("alice", &[], 401),
        ("alice", &dummy, 200),
        ("alice", &dummy, 200),
        ("alice", &[], 403),
    ];
    attempts.iter().all(|(username, auth, status)| {
        let (mut request, mut out) = (Body::new(), Body::new());
        let parts = ["{\"username\":\"", username, "\",\"password\":\"wonderland\",\"auth\":{"];
        let written = parts.iter().chain(*auth).chain(&["}}"]).all(|part| request.write_str(part).is_ok());
        let body = core::hint::black_box(request.as_bytes());
        let answered = server.register(&flows, body, ids, Timestamp::from_millis(1), &mut out);
        written && shown(answered, &out) == *status
    })
}

#[cfg(not(feature = "registration"))]
const fn registers(_: &mut Server<'_>) -> bool {
    true
}

/// With the new password, and not with the old one.
#[cfg(feature = "login")]
fn logs_in(server: &mut Server<'_>) -> bool {
    let token = SessionId::from_entropy([5; 24]);
    let attempts = [("wonderland", 403), ("looking-glass", 200)];
    let as_they_should = attempts.iter().all(|(password, status)| {
        let (mut request, mut out) = (Body::new(), Body::new());
        let parts = ["{\"type\":\"m.login.password\",\"user\":\"alice\",\"password\":\"", password, "\"}"];
        let written = parts.iter().all(|part| request.write_str(part).is_ok());
        let body = core::hint::black_box(request.as_bytes());
        written && shown(server.log_in(body, token, &mut out), &out) == *status
    });
    as_they_should && server.knows(&token.expose())
}

#[cfg(not(feature = "login"))]
const fn logs_in(_: &mut Server<'_>) -> bool {
    true
}

/// Asks for what is refused, for a message, for the same again, for another one too early and in time,
/// and for one of another client.
#[cfg(feature = "request_token")]
fn requests_token(server: &mut Server<'_>) -> bool {
    const FIRST: &str =
        r#"{"client_secret":"a","email":" Alice@Example.org\n","send_attempt":1,"next_link":"https:\/\/a"}"#;
    const SECOND: &str = r#"{"client_secret":"a","email":"alice@example.org","send_attempt":2}"#;
    // The body, the second it comes in, the status, and whether a message is sent.
    let attempts: [(&str, u16, Status, bool); 12] = [
        (r#"{"client_secret":"a b","email":"a@b","send_attempt":1}"#, 1, 400, false),
        (r#"{"client_secret":"a","email":"alice","send_attempt":1}"#, 1, 400, false),
        (r#"{"client_secret":"a","email":"\u00e4@b","send_attempt":1}"#, 1, 400, false),
        (r#"{"client_secret":"a","email":"a@b","send_attempt":1,"next_link":"ftp://a"}"#, 1, 400, false),
        (r#"{"client_secret":"a","email":"bob@b","send_attempt":1}"#, 1, 400, false),
        (FIRST, 1, 200, true),
        (FIRST, 2, 200, false),
        (SECOND, 3, 429, false),
        (SECOND, 61, 200, true),
        (r#"{"client_secret":"b","email":"alice@example.org","send_attempt":1}"#, 121, 200, true),
        (SECOND, 122, 200, false),
        // It is over.
        (SECOND, 1_000, 200, true),
    ];
    attempts.iter().zip(0..).all(|((body, second, status, sends), number)| {
        let mut out = Body::new();
        let ids = [[number; 24], [number | 128; 24]].map(SessionId::from_entropy);
        let now = Timestamp::from_millis(u64::from(*second) * 1_000);
        let answered = server.request_token(core::hint::black_box(body.as_bytes()), ids, now, &mut out);
        let message = server.message();
        let names_all =
            message.as_ref().is_none_or(|it| it.allows == "change your password" && it.token == ids[1]);
        shown(answered, &out) == *status && message.is_some() == *sends && names_all
    })
}

#[cfg(not(feature = "request_token"))]
const fn requests_token(_: &mut Server<'_>) -> bool {
    true
}

/// Asks for the flows, gets the password wrong, gets it right, and is gone.
#[cfg(feature = "deactivation")]
fn deactivates(server: &mut Server<'_>) -> bool {
    let flows = flows!(Deactivate: [["m.login.password"]]);
    let id = SessionId::from_entropy([3; 24]);
    let name = id.expose();
    let attempts = [(None, 401), (Some("wonderland"), 401), (Some("looking-glass"), 200), (None, 401)];
    attempts.iter().all(|(password, status)| {
        let (mut request, mut out) = (Body::new(), Body::new());
        let written = write_auth(&mut request, "{\"erase\":false,\"auth\":{", *password, &name).is_ok();
        let body = core::hint::black_box(request.as_bytes());
        written
            && shown(server.deactivate(&flows, body, id, Timestamp::from_millis(3), &mut out), &out)
                == *status
    })
}

#[cfg(not(feature = "deactivation"))]
const fn deactivates(_: &mut Server<'_>) -> bool {
    true
}

/// More first requests than the store has places.
#[cfg(feature = "sealed")]
fn a_crowd_takes_no_place(server: &mut Server<'_>) -> bool {
    let before = server.stored();
    for number in 0..100 {
        let (mut out, id) = (Body::new(), SessionId::from_entropy([number; 24]));
        shown(
            server.answer(b"{\"new_password\":\"rabbit-hole\"}", id, Timestamp::from_millis(2), &mut out),
            &out,
        );
    }
    server.stored() == before
}

#[cfg(not(feature = "sealed"))]
const fn a_crowd_takes_no_place(_: &mut Server<'_>) -> bool {
    true
}

/// What the first answer calls the session.
#[cfg(feature = "sealed")]
fn named(answer: &Body) -> Option<heapless::String<160>> {
    let (_, session) = answer.split_once("\"session\":\"")?;
    session.split('"').next()?.try_into().ok()
}

fn write_request(out: &mut Body, password: Option<&str>, session: &str) -> core::fmt::Result {
    write_auth(out, "{\"new_password\":\"looking-glass\",\"auth\":{", password, session)
}

/// A body, from what stands before its auth dict.
fn write_auth(out: &mut Body, before: &str, password: Option<&str>, session: &str) -> core::fmt::Result {
    out.write_str(before)?;
    if let Some(password) = password {
        for part in [
            "\"type\":\"m.login.password\",\"identifier\":{\"type\":\"m.id.user\",\"user\":\"alice\"}",
            ",\"password\":\"",
            password,
            "\",\"session\":\"",
            session,
            "\"",
        ] {
            out.write_str(part)?;
        }
    }
    out.write_str("}}")
}
