//! Sessions that their IDs hold until there is something to remember of them.

mod alike;
mod flood;
mod forged;
mod stored;

use matrix_uia::server::exchange::HostKind;
use serde_json::{Value, json};

use crate::support::{ONE_TRANSACTION, Server, password_auth, sealed};

const ALICE: Option<&str> = Some("alice-token");
const NEW_PASSWORD: &str = "looking-glass";

/// A server whose session IDs are sealed.
fn server(kind: HostKind<'static>) -> Server {
    let mut server = Server::new();
    server.kind = sealed(kind);
    server
}

fn both_kinds() -> [Server; 2] {
    [HostKind::CLAIMS, ONE_TRANSACTION].map(server)
}

fn change(auth: Value) -> Value {
    json!({"new_password": NEW_PASSWORD, "auth": auth})
}

fn begin(server: &mut Server) -> String {
    server.change_password(ALICE, json!({"new_password": NEW_PASSWORD})).session().to_owned()
}

fn alice(session: &str) -> Value {
    password_auth(Some(session), "alice", "wonderland")
}
