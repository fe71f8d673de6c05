//! The terminal client from outside: the built program, against the built homeserver, or a server that is a
//! script.
//!
//! What every run has in common is checked in [`run`]: one line on standard output or none, and no secret of
//! the environment on either output.

mod commands;
mod email;
mod errors;
mod fake;
mod odd;
mod odd_answers;
mod pages;
mod renewed;
mod resume;
mod run;
mod scripted;
mod stages;
mod terminal;

use crate::support::{Server, Setup};
use run::Run;
use serde_json::{Value, json};

const NEO: &str = "looking-glass";

/// A server with these flows for a registration.
fn registering(flows: Value, more: Value) -> Setup {
    let mut config = json!({
        "flows": { "register": flows },
        "registration_tokens": [{ "token": "good-token", "uses_allowed": 2 }],
        "params": { "m.login.terms": { "policies": { "tos": {
            "version": "1",
            "en": { "name": "Terms", "url": "https://example.org/en" },
            "de": { "name": "AGB", "url": "https://example.org/de" },
        } } }, "m.login.recaptcha": { "public_key": "a-key" } },
        "recaptcha_accepts": ["good-captcha"],
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Setup::sending(config)
}

/// A command of alice's, with her token and her password, that asks nothing.
fn as_alice(server: &Server, line: &str) -> Run {
    let token = server.client().token("alice", "wonderland");
    Run::at(server.address(), line)
        .json()
        .env("MATRIX_ACCESS_TOKEN", &token)
        .env("MATRIX_PASSWORD", "wonderland")
}
