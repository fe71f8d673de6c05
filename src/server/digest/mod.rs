//! What a session remembers of a request's parameters: a keyed digest, never the
//! parameters.
//!
//! It is taken over typed fields in a fixed order, so key order, white space, escapes
//! and unknown keys make no difference. It is keyed with a secret of the host's, so a
//! stored session is no oracle for the password in the request: without the key no
//! guess can be checked.
//!
//! The function is SipHash-2-4 with 128 bits of output, a keyed pseudo-random function
//! made for short inputs: on such inputs several times faster than an HMAC and a
//! fraction of its code, which matters on the hot path and on a microcontroller.

mod value;

use core::fmt;
use core::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hash128, Hasher128, SipHasher24};
use zeroize::ZeroizeOnDrop;

use crate::Text;
use crate::server::operation::Operation;

/// The secret that digests are keyed with, for all sessions of one store.
///
/// Made once from the host's generator, kept beside its other secrets, the same on
/// every worker. Changing it makes every open session refuse its own parameters.
#[derive(ZeroizeOnDrop)]
pub struct BindingKey([u8; 16]);

impl BindingKey {
    /// A key made from 16 bytes of the host's cryptographic generator.
    #[must_use]
    pub const fn from_entropy(entropy: [u8; 16]) -> Self {
        Self(entropy)
    }

    /// Starts the digest of a call's parameters.
    ///
    /// ```
    /// use matrix_uia::server::operation::ChangePassword;
    /// use matrix_uia::{BindingKey, Text};
    /// let key = BindingKey::from_entropy([7; 16]);
    /// let digest = |password| key.params::<ChangePassword>().text(password).boolean(Some(true)).finish();
    /// assert_eq!(digest(Some(Text::new("a"))), digest(Some(Text::new("a"))));
    /// assert_ne!(digest(Some(Text::new("a"))), digest(Some(Text::new("b"))));
    /// assert_eq!(key.params::<ChangePassword>().text(None).finish(), None, "nothing to bind");
    /// ```
    #[inline]
    pub fn params<Op: Operation>(&self) -> ParamsDigest {
        let mut bytes = Gather::new(&self.0);
        bytes.write(&Op::ID.to_bytes());
        ParamsDigest { bytes, any: false }
    }

    /// The target that a call's path parameters name.
    #[must_use]
    pub fn target<'t>(&self, path_params: impl IntoIterator<Item = Text<'t>>) -> Target {
        let mut bytes = Gather::new(&self.0);
        bytes.write(b"path");
        for param in path_params {
            bytes.text(param);
        }
        Target(bytes.finish().h1)
    }

    /// The digest of `parts` for a use of its own, which `label` names. No label begins
    /// like an operation's number or a path, so that no two uses give the same value.
    pub(crate) fn labelled(&self, label: &[u8], parts: &[&[u8]]) -> Digest {
        let mut bytes = Gather::new(&self.0);
        bytes.write(label);
        bytes.write(&[0]);
        for part in parts {
            bytes.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            bytes.write(part);
        }
        Digest(bytes.finish().as_bytes())
    }

    /// The same of one text, decoded.
    pub(crate) fn labelled_text(&self, label: &[u8], text: Text<'_>) -> Digest {
        let mut bytes = Gather::new(&self.0);
        bytes.write(label);
        bytes.write(&[0]);
        bytes.text(text);
        Digest(bytes.finish().as_bytes())
    }
}

impl fmt::Debug for BindingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BindingKey([redacted])")
    }
}

/// The digest of a request's parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub(crate) [u8; 16]);

impl Digest {
    /// The digest's bytes: a key to keep something under.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The path parameters that a session is bound to, such as a device ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(u64);

/// A digest in the making. Every parameter of the call is added, present or not, always
/// in the same order: an absent one is bound as absent.
#[must_use = "a digest that isn't finished binds nothing"]
pub struct ParamsDigest {
    bytes: Gather,
    any: bool,
}

/// Gathers short pieces, since the hash takes its time over each call however short.
struct Gather {
    hasher: SipHasher24,
    buffer: [u8; 64],
    used: usize,
}

impl Gather {
    #[inline]
    fn new(key: &[u8; 16]) -> Self {
        Self { hasher: SipHasher24::new_with_key(key), buffer: [0; 64], used: 0 }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        if let Some(room) = self.buffer.get_mut(self.used..end) {
            room.copy_from_slice(bytes);
            self.used = end;
        } else {
            self.flush();
            self.hasher.write(bytes);
        }
    }

    #[inline]
    fn flush(&mut self) {
        self.hasher.write(self.buffer.get(..self.used).unwrap_or_default());
        self.used = 0;
    }

    /// The decoded text and a byte that UTF-8 never has: no two lists of texts run into
    /// the same bytes.
    #[inline]
    fn text(&mut self, text: Text<'_>) {
        for piece in text.pieces() {
            self.write(piece.as_bytes(&mut [0; 4]));
        }
        self.write(&[0xFF]);
    }

    #[inline]
    fn finish(mut self) -> Hash128 {
        self.flush();
        self.hasher.finish128()
    }
}

impl ParamsDigest {
    const ABSENT: &[u8] = &[0];
    const TEXT: &[u8] = &[1];
    const BOOLEAN: [&[u8]; 2] = [&[2], &[3]];
    const LIST: &[u8] = &[4];
    const LIST_END: &[u8] = &[5];
    const DIGEST: &[u8] = &[6];

    /// Adds a string.
    #[inline]
    pub fn text(mut self, value: Option<Text<'_>>) -> Self {
        match value {
            Some(text) => {
                self.any = true;
                self.bytes.write(Self::TEXT);
                self.bytes.text(text);
            }
            None => self.bytes.write(Self::ABSENT),
        }
        self
    }

    /// Adds a boolean.
    #[inline]
    pub fn boolean(mut self, value: Option<bool>) -> Self {
        let [no, yes] = Self::BOOLEAN;
        self.any |= value.is_some();
        self.bytes.write(value.map_or(Self::ABSENT, |value| if value { yes } else { no }));
        self
    }

    /// Adds a digest, such as [`BindingKey::json`] makes of a whole value.
    pub fn digest(mut self, value: Option<Digest>) -> Self {
        match value {
            Some(digest) => {
                self.any = true;
                self.bytes.write(Self::DIGEST);
                self.bytes.write(&digest.0);
            }
            None => self.bytes.write(Self::ABSENT),
        }
        self
    }

    /// Adds a list of strings, in their order.
    pub fn list<'t>(mut self, values: Option<impl IntoIterator<Item = Text<'t>>>) -> Self {
        let Some(values) = values else {
            self.bytes.write(Self::ABSENT);
            return self;
        };
        self.any = true;
        self.bytes.write(Self::LIST);
        for value in values {
            self.bytes.write(Self::TEXT);
            self.bytes.text(value);
        }
        self.bytes.write(Self::LIST_END);
        self
    }

    /// The digest, or `None` if no parameter was present.
    #[inline]
    #[must_use]
    pub fn finish(self) -> Option<Digest> {
        self.any.then(|| Digest(self.bytes.finish().as_bytes()))
    }
}

impl fmt::Debug for ParamsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParamsDigest([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::operation::{ChangePassword, DeleteDevices};

    const KEY: BindingKey = BindingKey::from_entropy([7; 16]);

    fn text(value: &str) -> Option<Digest> {
        KEY.params::<ChangePassword>().text(Some(Text::new(value))).finish()
    }

    #[test]
    fn an_escape_makes_no_difference_however_the_pieces_fall() {
        let escaped = Text::from_json(r"abcdefg\u00e9hijk\/lmnopqrs", true);
        assert_eq!(
            KEY.params::<ChangePassword>().text(Some(escaped)).finish(),
            text("abcdefgéhijk/lmnopqrs")
        );
    }

    #[test]
    fn absent_empty_and_swapped_are_three_things() {
        let two = |a: Option<&str>, b: Option<&str>| {
            KEY.params::<ChangePassword>().text(a.map(Text::new)).text(b.map(Text::new)).finish()
        };
        let all = [
            two(Some("a"), None),
            two(None, Some("a")),
            two(Some("a"), Some("")),
            two(Some(""), Some("a")),
            two(Some("aa"), None),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| other != one));
        }
        assert_eq!(two(None, None), None);
    }

    #[test]
    fn lists_do_not_run_into_each_other() {
        let list = |items: &[&'static str]| {
            KEY.params::<DeleteDevices>().list(Some(items.iter().map(|i| Text::new(i)))).finish()
        };
        assert_ne!(list(&["ab", "c"]), list(&["a", "bc"]));
        assert_ne!(list(&["ab"]), list(&["ab", ""]));
        assert_ne!(list(&[]), None, "an empty list was given");
    }

    #[test]
    fn another_key_gives_another_digest() {
        let other =
            BindingKey::from_entropy([8; 16]).params::<ChangePassword>().text(Some(Text::new("a"))).finish();
        assert_ne!(text("a"), other);
    }

    #[test]
    fn the_digest_is_the_same_on_every_machine() {
        // Stored sessions outlive the build that made them.
        let known = [222, 216, 32, 130, 156, 11, 66, 164, 117, 188, 94, 223, 118, 220, 56, 236];
        assert_eq!(text("wonderland").unwrap().0, known);
    }
}
