//! One operation of a client that doesn't give up easily: a flow through whichever processes are there.

use super::fleet::Fleet;
use super::history::{Op, Saw};
use super::session::Seen;
use crate::kill::chance;
use crate::support::{Setup, password_auth, text, with};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::thread::{scope, sleep};
use std::time::Duration;

/// How often something that changes nothing is asked again, and something that may.
const ATTEMPTS: usize = 40;

pub fn password(number: u32) -> String {
    format!("password-{number}")
}

/// Carries an operation out. `None`: nobody knows whether it was, or will be.
pub fn perform(fleet: &Fleet<'_>, setup: &Setup, name: &str, invitation: &str, op: Op) -> Option<Saw> {
    match op {
        Op::Login(number) => Some(login(fleet, name, number).map_or(Saw::Nothing, |done| match done {
            Ok(_) => Saw::Done,
            Err(()) => Saw::Refused,
        })),
        Op::Register(number) => {
            let params = json!({ "username": name, "password": password(number) });
            let token = json!({ "type": "m.login.registration_token", "token": invitation });
            guarded(fleet, "register", None, &params, &[token, json!({ "type": "m.login.dummy" })])
        }
        Op::Change { from, to } => {
            let Some(Ok(token)) = login(fleet, name, from) else { return Some(Saw::Nothing) };
            let params = json!({ "new_password": password(to), "logout_devices": false });
            let proof = password_auth(name, &password(from));
            guarded(fleet, "account/password", Some(&token), &params, &[proof])
        }
        Op::Deactivate(number) => {
            let Some(Ok(token)) = login(fleet, name, number) else { return Some(Saw::Nothing) };
            let proof = password_auth(name, &password(number));
            guarded(fleet, "account/deactivate", Some(&token), &json!({}), &[proof])
        }
        Op::Reset(to) => {
            let Some(creds) = validated(fleet, setup, name) else { return Some(Saw::Nothing) };
            let proof = json!({ "type": "m.login.email.identity", "threepid_creds": creds });
            guarded(fleet, "account/password", None, &json!({ "new_password": password(to) }), &[proof])
        }
    }
}

/// A token; `None` if nobody answers.
fn login(fleet: &Fleet<'_>, name: &str, number: u32) -> Option<Result<String, ()>> {
    let body = password_auth(name, &password(number));
    let (status, answer) = (0..ATTEMPTS).find_map(|_| fleet.send("login", None, &body))?;
    Some(if status == 200 { Ok(text(&answer, "access_token")) } else { Err(()) })
}

/// An address whose owner has followed the link.
fn validated(fleet: &Fleet<'_>, setup: &Setup, name: &str) -> Option<Value> {
    let secret = format!("secret{}", chance());
    let body = json!({ "client_secret": secret, "email": format!("{name}@example.org"), "send_attempt": 1 });
    let path = "account/password/email/requestToken";
    let (status, answer) = (0..ATTEMPTS).find_map(|_| fleet.send(path, None, &body))?;
    let message = setup.message(answer["sid"].as_str().filter(|_| status == 200)?);
    let path = "/_matrix/static/client/3pid/submit_token";
    let submitted = (0..ATTEMPTS).find_map(|_| fleet.send(path, None, &message.submission()))?;
    (submitted.0 == 200).then(|| message.creds())
}

fn guarded(
    fleet: &Fleet<'_>,
    path: &str,
    token: Option<&str>,
    params: &Value,
    proofs: &[Value],
) -> Option<Saw> {
    let begun = (0..ATTEMPTS).find_map(|_| fleet.send(path, token, params));
    let session = match begun {
        Some((401, challenge)) if challenge["session"].is_string() => text(&challenge, "session"),
        Some((400, error)) if error["errcode"] == "M_USER_IN_USE" => return Some(Saw::Refused),
        _ => return Some(Saw::Nothing),
    };
    let seen = Seen::default();
    let ask = |body: &Value| {
        let number = seen.sent();
        let answer = fleet.send(path, token, body);
        if let Some((status, body)) = &answer {
            seen.answered(number, &session, *status, body);
        }
        answer
    };
    let saw = complete(ask, &session, token, params, proofs);
    assert!(seen.is_linearizable(), "{path}: a session's requests have no order: {seen:#?}");
    fleet.sessions.fetch_add(1, Ordering::SeqCst);
    saw
}

/// Passes the stages of a session with these proofs, one after the other.
fn complete(
    ask: impl Fn(&Value) -> Option<(u16, Value)> + Sync,
    session: &str,
    token: Option<&str>,
    params: &Value,
    proofs: &[Value],
) -> Option<Saw> {
    let (mut at, mut unsure) = (0, false);
    for _ in 0..ATTEMPTS {
        let body = with(params, "auth", with(&proofs[at], "session", session));
        // Now and then the same request is under way twice.
        let (answer, twin) = scope(|threads| {
            let twin = chance().is_multiple_of(8).then(|| threads.spawn(|| ask(&body)));
            (ask(&body), twin.map(|twin| twin.join().unwrap()))
        });
        // What it did is in doubt, whatever it was told: it may have been told something that is past.
        unsure |= twin.is_some();
        if let Some(Some((200, _))) = twin {
            return Some(Saw::Done);
        }
        let sure = |saw: Saw| if unsure { None } else { Some(saw) };
        match answer {
            Some((200, _)) => return Some(Saw::Done),
            // It may be under way, or have been carried out. Some clients leave it at that.
            None if chance().is_multiple_of(8) => return None,
            None => unsure = true,
            Some((401, challenge)) if challenge["session"] == session => {
                let completed = challenge["completed"].as_array().map_or(0, Vec::len);
                match challenge["errcode"].as_str() {
                    // A stage has passed; or the call is under way.
                    None => at = completed.min(proofs.len() - 1),
                    // The password is wrong: another one has been set meanwhile.
                    Some("M_FORBIDDEN") if token.is_some() => return sure(Saw::Refused),
                    Some(_) => return sure(Saw::Nothing),
                }
            }
            Some((400, error)) if error["errcode"] == "M_USER_IN_USE" => return sure(Saw::Refused),
            Some(_) => return sure(Saw::Nothing),
        }
        sleep(Duration::from_millis(20 + chance() % 200));
    }
    None
}
