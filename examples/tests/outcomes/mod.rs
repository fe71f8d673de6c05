//! Two that can't both have it, again and again: whoever comes first, there is one outcome, the one that the
//! rules give.
//!
//! `RACES` says how often, half of them with each store, for more than `cargo test` has time for. Each test
//! counts who came first, and says so with `--nocapture`: a race that always ends the same way is none.

mod accounts;
mod addresses;
mod ends;
mod locks;
mod repeated;

use crate::support::{Answer, Client, Request, Setup, at_once, bridge, text, times, with};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const STORES: [&str; 2] = ["memory", "sqlite"];
const AS: Option<&str> = Some("as-secret");

fn races() -> usize {
    times("RACES", 6)
}

/// Where a race is run, again and again.
struct Ground {
    setup: Setup,
    client: Client,
}

/// Runs a race so many times on a server of this config, half of them over each store. It says who came first.
fn run(config: &Value, race: impl Fn(&Ground, usize) -> &'static str) {
    let mut counts = BTreeMap::<_, usize>::new();
    for store in STORES {
        let mut setup = Setup::sending(config.clone());
        setup.sessions = Some(store);
        let many = json!({ "burst": 1_000_000, "per_second": 1000.0 });
        setup.config()["rate_limits"] = json!({ "failed_auth": many, "request_token": many });
        // What nobody asks for isn't made either: each password is hashed.
        for (key, unless) in [("users", json!([])), ("appservices", json!([bridge()]))] {
            if config.get(key).is_none() {
                setup.config()[key] = unless;
            }
        }
        let server = setup.start();
        let ground = Ground { setup, client: server.client() };
        for n in 0..races().div_ceil(2) {
            *counts.entry(race(&ground, n)).or_default() += 1;
        }
    }
    println!("{}: {counts:?}", std::thread::current().name().unwrap_or_default());
}

impl Ground {
    /// A user without a password, which would have to be hashed.
    fn made(&self, name: &str) -> Value {
        let body = json!({ "type": "m.login.application_service", "username": name });
        self.client.post("register", AS, &with(&body, "refresh_token", true)).ok()
    }

    fn made_token(&self, name: &str) -> String {
        text(&self.made(name), "access_token")
    }

    /// A second device of theirs.
    fn another_token(&self, name: &str) -> String {
        let user = json!({ "type": "m.id.user", "user": name });
        let body = json!({ "type": "m.login.application_service", "identifier": user });
        text(&self.client.post("login", AS, &body).ok(), "access_token")
    }

    /// Credentials of an address that is validated by now, asked for at this path.
    fn validated(&self, path: &str, token: Option<&str>, address: &str) -> Value {
        self.validated_by(path, token, address, "secret")
    }

    /// The same, for a client with this secret.
    fn validated_by(&self, path: &str, token: Option<&str>, address: &str, secret: &str) -> Value {
        let body = json!({ "client_secret": secret, "send_attempt": 1, "email": address });
        let sid = text(&self.client.post(path, token, &body).ok(), "sid");
        let message = self.setup.last_message();
        assert_eq!((message.sid(), message.text("address")), (sid, address.to_owned()));
        message.submit(self.client).ok();
        message.creds()
    }
}

/// Sends them all at once, each in turn with the head start of who is let go first. The answers in the order of
/// the requests.
fn raced<const N: usize>(client: &Client, n: usize, mut requests: [Request<'_>; N]) -> [Answer; N] {
    let first = n / 2 % N;
    requests.rotate_left(first);
    let mut answers: [Answer; N] = at_once(client, &requests).try_into().unwrap();
    answers.rotate_right(first);
    answers
}
