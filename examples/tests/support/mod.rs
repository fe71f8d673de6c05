//! A server, a client, and what both need.

mod answer;
mod client;
mod counted;
mod database;
mod message;
pub mod mutants;
pub mod program;
mod round_robin;
pub mod schema;
mod scratch;
mod server;
mod together;

pub use answer::Answer;
pub use client::Client;
pub use counted::Counted;
pub use database::{Database, Kind};
pub use message::Message;
pub use scratch::Scratch;
pub use server::{Server, Setup, available, bare, ids_are_sealed, run, sessions_are_elsewhere};
pub use together::{Request, at_once, with_status};

use serde_json::{Value, json};

/// An auth dict of `m.login.password`, without a session.
pub fn password_auth(user: &str, password: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password,
    })
}

/// The same, in a session.
pub fn password_auth_in(session: impl AsRef<str>, user: &str, password: &str) -> Value {
    with(&password_auth(user, password), "session", session.as_ref())
}

/// An auth dict that completes a dummy stage of `session`.
pub fn dummy_auth(session: &str) -> Value {
    json!({ "type": "m.login.dummy", "session": session })
}

/// An application service that has the user names which begin with `_bridge_`.
pub fn bridge() -> Value {
    json!({ "id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot", "user_prefix": "_bridge_" })
}

/// `object` with one key more.
pub fn with(object: &Value, key: &str, value: impl Into<Value>) -> Value {
    let mut object = object.clone();
    object[key] = value.into();
    object
}

/// A later request of a session, which leaves `params` out: but not where nothing is kept of the first.
pub fn kept(params: &Value, auth: Value) -> Value {
    if ids_are_sealed() { with(params, "auth", auth) } else { json!({ "auth": auth }) }
}

/// How often a test of chance is to be run: what the environment says, or a number that `cargo test` has time for.
pub fn times(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Ok(times) => times.parse().unwrap_or_else(|_| panic!("{variable}: not a number: {times}")),
        Err(_) => default,
    }
}

/// The string at `key`.
#[track_caller]
pub fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_else(|| panic!("no {key} in {object}")).to_owned()
}

/// Text as it stands in a query or a form.
pub fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
