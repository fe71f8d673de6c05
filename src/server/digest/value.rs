//! The digest of a JSON value of any shape.

use super::sip::Sip;
use super::{BindingKey, Digest};
use crate::text::Text;
use crate::wire::json::Reader;
use crate::wire::{ParseError, Raw};

/// How deep a value is taken apart. What is deeper counts as it stands, order and white
/// space included.
const MAX_NESTING: usize = 8;

impl BindingKey {
    /// The digest of a JSON value: the order of keys, white space and escapes make no
    /// difference, everything else does.
    ///
    /// ```
    /// use matrix_uia::BindingKey;
    /// use matrix_uia::wire::Raw;
    /// let key = BindingKey::from_entropy([7; 16]);
    /// let digest = |json| key.json(Raw::parse(json).unwrap());
    /// assert_eq!(digest(r#"{"a":1,"b":["c"]}"#), digest(r#"{ "b": ["\u0063"], "a": 1 }"#));
    /// assert_ne!(digest(r#"{"a":1,"b":["c"]}"#), digest(r#"{"a":1,"b":{"0":"c"}}"#));
    /// ```
    #[must_use]
    pub fn json(&self, value: Raw<'_>) -> Digest {
        let mut tree = Tree { key: &self.0, sum: 0 };
        let _checked_before = tree.value(&mut value.reader(), 0, 0);
        Digest(tree.sum.to_le_bytes())
    }
}

/// Every value adds what its place and content hash to. A sum doesn't tell in which order
/// its terms came, and without the key nobody can choose terms that make the same one.
struct Tree<'k> {
    key: &'k [u8; 16],
    sum: u128,
}

/// What is hashed at one place.
enum Content<'a> {
    Nothing,
    Text(Text<'a>),
    Bytes(&'a [u8]),
}

impl Tree<'_> {
    // Not inlined: the hash's state would stand in the frame of every level.
    #[inline(never)]
    fn hash(&self, path: u64, kind: u8, content: &Content<'_>) -> u128 {
        let mut bytes = Sip::new(self.key);
        bytes.write(&path.to_le_bytes());
        bytes.write(&[kind]);
        match content {
            Content::Nothing => {}
            Content::Text(text) => bytes.text(*text),
            Content::Bytes(raw) => bytes.write(raw),
        }
        bytes.finish_whole()
    }

    #[inline(never)]
    fn add(&mut self, path: u64, kind: u8, content: &Content<'_>) {
        self.sum = self.sum.wrapping_add(self.hash(path, kind, content));
    }

    #[inline(never)]
    fn leaf(&mut self, reader: &mut Reader<'_>, path: u64) -> Result<(), ParseError> {
        if reader.peek() == Some(b'"') {
            let text = reader.text()?;
            self.add(path, b'"', &Content::Text(text));
        } else {
            let raw = reader.raw()?;
            self.add(path, b'=', &Content::Bytes(raw.as_str().as_bytes()));
        }
        Ok(())
    }

    fn value(&mut self, reader: &mut Reader<'_>, path: u64, depth: usize) -> Result<(), ParseError> {
        let below = depth.saturating_add(1);
        match reader.peek() {
            Some(b'{') if depth < MAX_NESTING => {
                self.add(path, b'{', &Content::Nothing);
                reader.object(|reader, key| {
                    let child = self.hash(path, b'k', &Content::Text(key)) as u64;
                    self.value(reader, child, below)
                })
            }
            Some(b'[') if depth < MAX_NESTING => {
                self.add(path, b'[', &Content::Nothing);
                let mut index = 0_u64;
                reader.array(|reader| {
                    let child = self.hash(path, b'i', &Content::Bytes(&index.to_le_bytes())) as u64;
                    index = index.wrapping_add(1);
                    self.value(reader, child, below)
                })
            }
            _ => self.leaf(reader, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    fn digest(json: &str) -> Digest {
        BindingKey::from_entropy([7; 16]).json(Raw::parse(json).unwrap())
    }

    #[test]
    fn values_that_differ_differ() {
        let all = [
            "{}",
            "[]",
            "\"\"",
            "null",
            "0",
            "1",
            "\"1\"",
            "true",
            "{\"a\":{}}",
            "{\"a\":[]}",
            "[[],{}]",
            "[{},[]]",
            "{\"a\":\"b\",\"c\":\"d\"}",
            "{\"a\":\"d\",\"c\":\"b\"}",
            "[\"a\",\"b\"]",
            "[\"b\",\"a\"]",
            "{\"a\":{\"b\":1},\"c\":{}}",
            "{\"a\":{},\"c\":{\"b\":1}}",
            "{\"a\":{\"b\":1,\"c\":{}}}",
        ];
        let digests: Vec<Digest> = all.iter().map(|json| digest(json)).collect();
        for (i, one) in digests.iter().enumerate() {
            for (j, other) in digests.iter().enumerate() {
                assert_eq!(one == other, i == j, "{} {}", all[i], all[j]);
            }
        }
    }

    #[test]
    fn what_is_too_deep_still_counts() {
        let nested = |inner: &str| {
            let mut json = String::from(inner);
            for _ in 0..MAX_NESTING + 2 {
                json = format!("{{\"a\":{json}}}");
            }
            digest(&json)
        };
        assert_eq!(nested("1"), nested("1"));
        assert_ne!(nested("1"), nested("2"));
    }
}
