//! What has gone wrong in deployed servers and clients, one test each: the row's number
//! and the property that makes it impossible. The list itself is in the manual, whose
//! sections most of these files are.

mod account;
mod binding;
mod claims;
mod client;
mod client_odd;
mod deactivation;
mod ending;
mod epochs;
mod fallback;
mod input;
mod once;
mod params;
mod progress;
mod refusals;
mod secrets;
mod stops;
mod stored;
mod strangers;
mod table;
mod threepid;
mod ways_in;

use matrix_uia::server::verdict::{Evidence, Verdict};
use serde_json::{Value, json};

use crate::support::{Server, password_auth, policy};

const ALICE: Option<&str> = Some("alice-token");
const BOB: Option<&str> = Some("bob-token");
const CODE: &str = "org.example.code";
const PIN: &str = "org.example.pin";

fn change(auth: Value) -> Value {
    json!({"new_password": "looking-glass", "auth": auth})
}

fn alice(session: Option<&str>) -> Value {
    password_auth(session, "alice", "wonderland")
}

fn with_flows(names: &[&[&str]]) -> Server {
    let mut server = Server::new();
    server.policies.change = policy(names, None);
    server
}

fn carol(auth: Value) -> Value {
    json!({"username": "carol", "password": "carol-secret", "auth": auth})
}

fn passed() -> Verdict<'static> {
    Verdict::Passed(Evidence::nothing())
}

fn token_server(limit: usize) -> Server {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.registration_token", "m.login.dummy"]], None);
    server.add_token("fBVFdqVE", limit);
    server
}

fn token(session: Option<&str>) -> Value {
    json!({"type": "m.login.registration_token", "token": "fBVFdqVE", "session": session})
}
