//! The way to send: every e-mail and SMS is a file in a directory, for whoever delivers it.
//!
//! Files are numbered from 0001 and appear whole. Any number of processes, and of starts of one, may write
//! to the same directory: a number belongs to who makes the hidden file of that number first, and its
//! message is renamed from it.

use crate::db::private_dir;
use matrix_uia::Secret;
use matrix_uia::endpoint::threepid::{Purpose, Threepid};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The directory.
#[derive(Debug)]
pub struct Outbox {
    dir: PathBuf,
}

/// What is sent, and to whom.
#[derive(Debug)]
pub struct Message<'m> {
    pub to: &'m Threepid,
    pub client_secret: Secret<'m>,
    /// `None`: a notice that there is no token, and why.
    pub token: Option<TokenMessage<'m>>,
}

/// A message with a token in it.
#[derive(Debug)]
pub struct TokenMessage<'m> {
    pub purpose: Purpose,
    pub sid: &'m str,
    pub token: Secret<'m>,
    pub submit_url: &'m str,
}

impl Message<'_> {
    fn json(&self) -> Value {
        let mut message = json!({
            "medium": self.to.medium().name(),
            "address": self.to.address(),
            "purpose": "notice",
            "client_secret": self.client_secret.expose().to_cow(),
        });
        if let (Some(sent), Some(message)) = (&self.token, message.as_object_mut()) {
            let purpose = match sent.purpose {
                Purpose::Register => "register",
                Purpose::Reset => "reset",
                Purpose::Add => "add_3pid",
            };
            message.extend([
                ("purpose".to_owned(), purpose.into()),
                ("sid".to_owned(), sent.sid.into()),
                ("token".to_owned(), sent.token.expose().to_cow().into()),
                ("submit_url".to_owned(), sent.submit_url.into()),
            ]);
        }
        message
    }
}

impl Outbox {
    /// Opens the directory, and makes it if need be: one that can't be there is found at the start, and not
    /// by the first person who waits for an e-mail.
    ///
    /// # Errors
    ///
    /// If it can't be made, or read: a line for the person who named it.
    pub fn open(dir: PathBuf) -> Result<Self, String> {
        let outbox = Self { dir };
        match private_dir(&outbox.dir).and_then(|()| outbox.last()) {
            Ok(_) => Ok(outbox),
            Err(error) => {
                let dir = outbox.dir.display();
                Err(format!("config: outbox: {dir}: {error}; give a directory that this server may write to"))
            }
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// If it can't be written. Nothing has been sent then.
    pub fn send(&self, message: &Message<'_>) -> io::Result<()> {
        private_dir(&self.dir)?;
        let text = message.json().to_string();
        let mut number = self.last()?;
        loop {
            number = number.saturating_add(1);
            if self.try_send(number, &text)? {
                return Ok(());
            }
        }
    }

    /// Writes a message under this number. `false`: it is somebody else's.
    fn try_send(&self, number: u64, text: &str) -> io::Result<bool> {
        let path = self.dir.join(format!("{number:04}.json"));
        let hidden = self.dir.join(format!(".{number:04}.part"));
        let Some(file) = create_new(&hidden)? else { return Ok(false) };
        // Asked with the number in hand: whoever had it before has renamed by now.
        if path.try_exists()? {
            std::fs::remove_file(&hidden)?;
            return Ok(false);
        }
        let sent = write(file, text).and_then(|()| std::fs::rename(&hidden, &path));
        if sent.is_err() {
            let _ = std::fs::remove_file(&hidden);
        }
        sent.map(|()| true)
    }

    /// The highest number of a message that is there.
    fn last(&self) -> io::Result<u64> {
        let mut last = 0;
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
    }
}

fn write(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    // What was answered with 200 has been sent, whatever becomes of the machine.
    file.sync_all()
}

/// Makes a file that only its owner may read; `None` if there is one.
fn create_new(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matrix_uia::endpoint::threepid::Medium;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("matrix-uia-outbox-{}", crate::secrets::opaque_id())))
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn notice(dir: &Scratch) {
        let to = Threepid::parse(Medium::Email, "a@b".into()).unwrap();
        let message = Message { to: &to, client_secret: Secret::new("secret"), token: None };
        Outbox::open(dir.0.clone()).unwrap().send(&message).unwrap();
    }

    #[test]
    fn messages_are_numbered_after_what_is_there() {
        let dir = Scratch::new();
        notice(&dir);
        notice(&dir);
        assert_eq!(dir.names(), ["0001.json", "0002.json"]);
        std::fs::write(dir.0.join("0041.json"), "{}").unwrap();
        std::fs::write(dir.0.join("README"), "").unwrap();
        // Somebody died with this number in hand.
        std::fs::write(dir.0.join(".0042.part"), "").unwrap();
        notice(&dir);
        assert_eq!(dir.names(), [".0042.part", "0001.json", "0002.json", "0041.json", "0043.json", "README"]);
    }

    #[test]
    fn many_writers_get_a_number_each() {
        let dir = Scratch::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..8).for_each(|_| notice(&dir)));
            }
        });
        let numbers: Vec<_> = (1..=64).map(|n| format!("{n:04}.json")).collect();
        assert_eq!(dir.names(), numbers);
    }

    #[test]
    fn a_notice_has_nothing_to_submit() {
        let to = Threepid::parse(Medium::Email, "a@b".into()).unwrap();
        let client_secret = Secret::new("secret");
        let sent = TokenMessage {
            purpose: Purpose::Add,
            sid: "sid",
            token: Secret::new("token"),
            submit_url: "http://x/",
        };
        let keys =
            |message: Message<'_>| message.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            keys(Message { to: &to, client_secret, token: None }),
            ["address", "client_secret", "medium", "purpose"]
        );
        assert_eq!(
            keys(Message { to: &to, client_secret, token: Some(sent) }),
            ["address", "client_secret", "medium", "purpose", "sid", "submit_url", "token"]
        );
    }
}
