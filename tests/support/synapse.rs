//! What Synapse has answered, and the engine led through it.
//!
//! ```text
//!  tests/interop/synapse/bodies/VARIANT.json ─► scene ─► exchange ─┬─ sent: what the engine has to send
//!                                                                  └─ status, body: what it gets then
//! ```
//!
//! What it sends has to be what was sent to Synapse, to the key; so the answer it gets is the
//! one it would have got.

use std::collections::BTreeMap;

use matrix_uia::client::{Client, Medium, SessionImpact};
use serde::Deserialize;
use serde_json::Value;

use crate::support::client::{ALL, Walk};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) request: String,
    #[serde(default)]
    pub(crate) sent: Value,
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

impl Exchange {
    pub(crate) fn body(&self) -> Vec<u8> {
        self.body.to_string().into_bytes()
    }
}

pub(crate) type Scenes = BTreeMap<String, Vec<Exchange>>;

pub(crate) const RECORDINGS: &[(&str, &str)] = &[
    ("email", include_str!("../interop/synapse/bodies/email.json")),
    ("limited", include_str!("../interop/synapse/bodies/limited.json")),
    ("open", include_str!("../interop/synapse/bodies/open.json")),
    ("refresh", include_str!("../interop/synapse/bodies/refresh.json")),
    ("terms", include_str!("../interop/synapse/bodies/terms.json")),
    ("token", include_str!("../interop/synapse/bodies/token.json")),
];

pub(crate) fn recorded(variant: &str) -> Scenes {
    let (_, text) = RECORDINGS.iter().find(|(name, _)| *name == variant).unwrap();
    serde_json::from_str(text).unwrap()
}

pub(crate) fn scene(variant: &str, name: &str) -> Vec<Exchange> {
    recorded(variant).remove(name).unwrap_or_else(|| panic!("no scene {variant}: {name}"))
}

/// Leads the engine through a scene; what it asked its application on the way, what it waited
/// for, and how it ended.
pub(crate) fn replay(variant: &str, name: &str) -> Vec<String> {
    let (steps, _) = replay_with_meaning(variant, name);
    steps
}

pub(crate) fn replay_with_meaning(variant: &str, name: &str) -> (Vec<String>, Option<SessionImpact>) {
    let exchanges = scene(variant, name);
    let original = exchanges[0].sent.to_string();
    let mut walk = Walk::new(Client::new(ALL));
    walk.original = &original;
    if variant == "email" {
        walk.progress.address_given(Medium::Email);
    }
    let mut steps = Vec::new();
    for exchange in &exchanges {
        let auth = &exchange.sent["auth"];
        walk.user = auth["identifier"]["user"].as_str().unwrap_or("nobody");
        walk.password = auth["password"].as_str().unwrap_or("none");
        walk.registration_token = auth["token"].as_str().unwrap_or("none");
        // Whatever comes before something is sent.
        while walk.flight.is_none() {
            let step = walk.step();
            match step.split(' ').next() {
                Some("send") => break,
                Some("wait") => _ = walk.wait(),
                Some("token") => walk.done(),
                _ => _ = walk.give(),
            }
            steps.push(step);
        }
        assert_eq!(walk.body, exchange.sent, "{variant}: {name}");
        walk.reply_bytes(exchange.status, exchange.retry_after.as_deref(), &exchange.body());
    }
    let end = walk.step();
    let meaning = end.starts_with("failed").then(|| walk.meaning());
    steps.push(end);
    (steps, meaning)
}
