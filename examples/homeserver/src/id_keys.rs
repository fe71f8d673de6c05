//! What session IDs are sealed with, where the config says that they are; and how another key takes its place.
//!
//! `server.key` says it in lines below the server's own key, each with the number and the text of a key:
//!
//! ```text
//! seals 2 KEY     new IDs are sealed with this one
//! opens 1 KEY     IDs that were sealed with this one are good still
//! ```
//!
//! A KEY is made like the server's: `head -c 32 /dev/urandom | basenc --base64url | tr -d =`. Number 1 without a KEY is
//! derived from the server's key; without any `seals` that one seals. To rotate, with a restart of every process after
//! each step: add `opens 2 KEY`; make it `seals 2 KEY`, and add `opens 1`; when sessions have had their lifetime, remove
//! `opens 1`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use matrix_uia::server::sealed::{IdKey, IdKeys};

/// The number of the key that is derived from the server's.
const DERIVED: u8 = 1;

/// The keys that the lines name.
#[derive(Clone, Default)]
pub struct IdLines(Vec<Line>);

#[derive(Clone)]
struct Line {
    seals: bool,
    number: u8,
    /// `None`: the derived one.
    key: Option<[u8; 32]>,
}

impl IdLines {
    /// # Errors
    ///
    /// What is wrong, and the mend; nothing of a key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.trim_ascii().is_empty());
        let lines = Self(lines.map(Line::parse).collect::<Result<_, _>>()?);
        lines.keys(|| [0; 32]).map(|_valid| lines)
    }

    /// `derived` makes the key that is derived from the server's.
    ///
    /// # Errors
    ///
    /// More than one key seals, two have the same number, or there are too many.
    pub fn keys(&self, derived: impl Fn() -> [u8; 32]) -> Result<IdKeys, String> {
        let key = |line: &Line| IdKey::new(line.number, line.key.unwrap_or_else(&derived));
        let mut seal = self.0.iter().filter(|line| line.seals);
        let current = seal.next().map_or_else(|| IdKey::new(DERIVED, derived()), key);
        if seal.next().is_some() {
            return Err("two keys seal session IDs; give one, and let the other open".to_owned());
        }
        let mut opens = self.0.iter().filter(|line| !line.seals);
        let keys = opens.try_fold(IdKeys::new(current), |keys, line| keys.also_opening(key(line)));
        keys.map_err(|error| {
            format!("{error}; give each its own, and at most {} that open", IdKeys::MAX_OTHERS)
        })
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let wrong =
            || "a line after the first is not `seals` or `opens`, a number and a key; mend it".to_owned();
        let seals = match words.next() {
            Some("seals") => true,
            Some("opens") => false,
            _ => return Err(wrong()),
        };
        let number = words.next().and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        let key = match words.next() {
            Some(key) => {
                let key = URL_SAFE_NO_PAD.decode(key).ok().and_then(|bytes| bytes.try_into().ok());
                Some(key.ok_or_else(wrong)?)
            }
            None if number == DERIVED => None,
            None => return Err(wrong()),
        };
        if words.next().is_some() { Err(wrong()) } else { Ok(Self { seals, number, key }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the key that seals and of those that open.
    fn numbers(text: &str) -> Result<String, String> {
        Ok(format!("{:?}", IdLines::parse(text)?.keys(|| [1; 32])?))
    }

    #[test]
    fn a_key_file_says_which_key_seals_and_which_open() {
        let key = URL_SAFE_NO_PAD.encode([2; 32]);
        for (text, seals, opens) in [
            (String::new(), 1, vec![]),
            (format!("opens 2 {key}\n"), 1, vec![2]),
            (format!("seals 2 {key}\nopens 1\n"), 2, vec![1]),
            (format!("opens 1\n\nseals 2 {key}\nopens 3 {key}\n"), 2, vec![1, 3]),
        ] {
            let shown = numbers(&text).unwrap();
            let found: Vec<u8> = shown
                .split("number: ")
                .skip(1)
                .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
                .collect();
            assert_eq!(found, [vec![seals], opens].concat(), "{text}: {shown}");
        }
    }

    #[test]
    fn a_line_that_is_wrong_is_an_error_that_shows_no_key() {
        let key = URL_SAFE_NO_PAD.encode([2; 32]);
        for (text, says) in [
            ("seals".to_owned(), "is not `seals`"),
            (format!("shuts 2 {key}"), "is not `seals`"),
            ("seals 2".to_owned(), "is not `seals`"),
            (format!("seals 256 {key}"), "is not `seals`"),
            (format!("seals 2 {key}x"), "is not `seals`"),
            (format!("seals 2 {key} more"), "is not `seals`"),
            (format!("seals 2 {key}\nseals 3 {key}"), "two keys seal"),
            (format!("opens 1 {key}"), "same number"),
            (format!("opens 2 {key}\nopens 3 {key}\nopens 4 {key}\nopens 5 {key}"), "too many"),
        ] {
            let error = IdLines::parse(&text).err().unwrap();
            assert!(error.contains(says) && !error.contains(&key[..8]), "{text}: {error}");
        }
    }
}
