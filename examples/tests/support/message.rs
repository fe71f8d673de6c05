//! What the server sends to addresses: the files of the outbox.

use super::{Answer, Client, text};
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, Clone)]
pub struct Message(pub Value);

impl Message {
    /// The files of `dir`, which are numbered without a gap.
    pub fn all(dir: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        // One that is being written isn't sent yet.
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        for (index, name) in names.iter().enumerate() {
            assert_eq!(*name, format!("{:04}.json", index + 1));
        }
        let read = |name| serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap();
        names.iter().map(|name| Self(read(name))).collect()
    }

    /// The messages, newest first, whatever else a crash has left in `dir`. Read when they are asked for.
    pub fn newest(dir: &Path) -> impl Iterator<Item = Self> {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut numbers: Vec<u64> =
            names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect();
        numbers.sort_unstable();
        let read = |number| std::fs::read(dir.join(format!("{number:04}.json"))).unwrap();
        numbers.into_iter().rev().map(move |number| Self(serde_json::from_slice(&read(number)).unwrap()))
    }

    #[track_caller]
    pub fn text(&self, key: &str) -> String {
        text(&self.0, key)
    }

    pub fn sid(&self) -> String {
        self.text("sid")
    }

    /// What a stage takes as proof.
    pub fn creds(&self) -> Value {
        json!({ "sid": self.0["sid"], "client_secret": self.0["client_secret"] })
    }

    /// What a client submits.
    pub fn submission(&self) -> Value {
        json!({ "sid": self.0["sid"], "client_secret": self.0["client_secret"], "token": self.0["token"] })
    }

    /// The path of the `submit_url`, at the server that sent it.
    #[track_caller]
    pub fn path(&self) -> String {
        let url = self.text("submit_url");
        let rest = url.strip_prefix("http://127.0.0.1:").unwrap_or_else(|| panic!("{url}"));
        rest[rest.find('/').unwrap()..].to_owned()
    }

    /// The path of the link that is opened.
    pub fn link(&self) -> String {
        let (sid, secret, token) = (self.sid(), self.text("client_secret"), self.text("token"));
        format!("{}?sid={sid}&client_secret={secret}&token={token}", self.path())
    }

    /// Submits the token as a client does.
    #[track_caller]
    pub fn submit(&self, client: Client) -> Answer {
        client.post(&self.path(), None, &self.submission())
    }

    /// Presses the button of the link's page.
    #[track_caller]
    pub fn press(&self, client: Client) -> Answer {
        let (sid, secret, token) = (self.sid(), self.text("client_secret"), self.text("token"));
        let fields = [("sid", &*sid), ("client_secret", &*secret), ("token", &*token)];
        client.post_form(&self.path(), &fields)
    }
}
