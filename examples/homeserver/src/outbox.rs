//! The way to send: every e-mail and SMS is a file in a directory, for whoever delivers it.
//!
//! ```text
//!  prepare (no lock held)                                 publish (in the transaction)
//!  .0042.part made, written, on disk ──────────────────► renamed to 0042.json
//! ```
//!
//! Files are numbered from 0001 and appear whole. Any number of processes, and of starts of one, may write
//! to the same directory: a number belongs to who makes the hidden file of that number first, and its
//! message is renamed from it. The directory is listed once at the start, and again only where others have taken
//! many numbers.

use crate::files;
use matrix_uia::Secret;
use matrix_uia::endpoint::threepid::{Purpose, Threepid};
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The directory.
#[derive(Debug)]
pub struct Outbox {
    dir: PathBuf,
    /// The highest number that is known to be somebody's.
    last: AtomicU64,
}

/// How many numbers in a row may be somebody else's before the directory is listed.
const MOST_TAKEN: u32 = 8;
/// A higher number in a file's name isn't one that was counted up to.
const HIGHEST: u64 = 999_999_999_999;

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
        let last = files::private_dir(&dir).and_then(|()| highest(&dir));
        let last = last.map_err(|error| {
            let dir = dir.display();
            format!("config: outbox: {dir}: {error}; give a directory that this server may write to")
        })?;
        Ok(Self { dir, last: AtomicU64::new(last) })
    }

    /// Writes one message, which nobody sees yet. It takes as long as the disk does: hold no lock.
    ///
    /// # Errors
    ///
    /// If it can't be written. Nothing is left of it then.
    pub fn prepare(&self, message: &Message<'_>) -> io::Result<Prepared<'_>> {
        files::private_dir(&self.dir)?;
        let text = message.json().to_string();
        let mut prepared = self.number()?;
        prepared.file.write_all(text.as_bytes())?;
        // What was answered with 200 has been sent, whatever becomes of the machine.
        prepared.file.sync_all()?;
        Ok(prepared)
    }

    /// Takes a number that is nobody's.
    fn number(&self) -> io::Result<Prepared<'_>> {
        let mut taken = 0_u32;
        let mut number = self.last.load(Ordering::Relaxed);
        loop {
            number = number.saturating_add(1);
            let path = self.dir.join(format!("{number:04}.json"));
            let hidden = self.dir.join(format!(".{number:04}.part"));
            if let Some(file) = files::create_new(&hidden)? {
                let prepared = Prepared { outbox: self, number, file, hidden: Some(hidden), path };
                // Asked with the number in hand: whoever had it before has renamed by now.
                if !prepared.path.try_exists()? {
                    return Ok(prepared);
                }
            }
            taken = taken.wrapping_add(1);
            if taken.is_multiple_of(MOST_TAKEN) {
                number = number.max(highest(&self.dir)?);
            }
        }
    }
}

/// A message that is on disk, and sent if it is published; else it is removed.
#[derive(Debug)]
#[must_use = "nobody gets it unless it is published"]
pub struct Prepared<'o> {
    outbox: &'o Outbox,
    number: u64,
    file: std::fs::File,
    hidden: Option<PathBuf>,
    path: PathBuf,
}

impl Prepared<'_> {
    /// Sends it.
    ///
    /// # Errors
    ///
    /// If it can't be renamed. It has not been sent then.
    pub fn publish(mut self) -> io::Result<()> {
        if let Some(hidden) = &self.hidden {
            std::fs::rename(hidden, &self.path)?;
        }
        self.hidden = None;
        self.outbox.last.fetch_max(self.number, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // Should it stay, its number is nobody's.
            let _ = std::fs::remove_file(hidden);
        }
    }
}

/// The highest number of a message that is there.
fn highest(dir: &Path) -> io::Result<u64> {
    let mut highest = 0;
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
        highest = highest.max(number.filter(|number| *number <= HIGHEST).unwrap_or(0));
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;
    use matrix_uia::endpoint::threepid::Medium;

    fn notice(outbox: &Outbox) -> Prepared<'_> {
        let to = Threepid::parse(Medium::Email, "a@b".into()).unwrap();
        let message = Message { to: &to, client_secret: Secret::new("secret"), token: None };
        outbox.prepare(&message).unwrap()
    }

    fn open(dir: &Scratch) -> Outbox {
        Outbox::open(dir.path().to_owned()).unwrap()
    }

    #[test]
    fn messages_are_numbered_after_what_is_there() {
        let dir = Scratch::new();
        let outbox = open(&dir);
        notice(&outbox).publish().unwrap();
        notice(&outbox).publish().unwrap();
        assert_eq!(dir.names(), ["0001.json", "0002.json"]);
        for name in ["0041.json", "README", "18446744073709551615.json", ".0042.part"] {
            // The last is of somebody who died with this number in hand.
            std::fs::write(dir.path().join(name), "{}").unwrap();
        }
        notice(&open(&dir)).publish().unwrap();
        notice(&outbox).publish().unwrap();
        let json: Vec<_> = dir.names().into_iter().filter(|name| name.starts_with("00")).collect();
        assert_eq!(json, ["0001.json", "0002.json", "0003.json", "0041.json", "0043.json"]);
    }

    #[test]
    fn lesson_107_others_numbers_are_passed_over_at_once() {
        let dir = Scratch::new();
        let outbox = open(&dir);
        for number in 1..=500 {
            std::fs::write(dir.path().join(format!("{number:04}.json")), "{}").unwrap();
        }
        notice(&outbox).publish().unwrap();
        assert!(dir.path().join("0501.json").exists());
    }

    /// A directory that is listed for a message would show a number that is far ahead.
    #[test]
    fn lesson_107_no_file_is_counted_for_a_message() {
        let dir = Scratch::new();
        let outbox = open(&dir);
        std::fs::write(dir.path().join("0900.json"), "{}").unwrap();
        for number in 1..=20 {
            notice(&outbox).publish().unwrap();
            assert!(dir.path().join(format!("{number:04}.json")).exists(), "{number}: {:?}", dir.names());
        }
    }

    #[test]
    fn what_is_not_published_is_gone_and_its_number_free() {
        let dir = Scratch::new();
        let outbox = open(&dir);
        let prepared = notice(&outbox);
        assert_eq!(dir.names(), [".0001.part"], "nobody takes it for a message");
        drop(prepared);
        notice(&outbox).publish().unwrap();
        assert_eq!(dir.names(), ["0001.json"]);
    }

    #[test]
    fn many_writers_get_a_number_each() {
        let dir = Scratch::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let outbox = open(&dir);
                    (0..8).for_each(|_| notice(&outbox).publish().unwrap());
                });
            }
        });
        assert_eq!(dir.names().len(), 64);
        assert!(dir.names().iter().all(|name| name.ends_with(".json")), "{:?}", dir.names());
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
