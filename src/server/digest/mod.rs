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

mod sip;
mod value;

use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::ZeroizeOnDrop;

use sip::Sip;

use crate::server::operation::Operation;
use crate::server::reference::{Reference, UserRef};
use crate::text::Text;
use crate::wire::Fnv;

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

    /// Starts the digest of one parameter of a call of `Op`, the one called `name`.
    ///
    /// ```
    /// use matrix_uia::server::operation::ChangePassword;
    /// use matrix_uia::{BindingKey, Text};
    /// let key = BindingKey::from_entropy([7; 16]);
    /// let digest = |password| key.param::<ChangePassword>("new_password").text(password);
    /// assert_eq!(digest(Text::new("a")), digest(Text::new("a")));
    /// assert_ne!(digest(Text::new("a")), digest(Text::new("b")));
    /// ```
    #[inline]
    pub fn param<Op: Operation>(&self, name: &'static str) -> ParamHasher {
        self.named(ParamName::of::<Op>(name))
    }

    /// The same, where the compiler has made the name.
    ///
    /// ```
    /// use matrix_uia::server::digest::ParamName;
    /// use matrix_uia::server::operation::ChangePassword;
    /// use matrix_uia::{BindingKey, Text};
    /// let key = BindingKey::from_entropy([7; 16]);
    /// let name = const { ParamName::of::<ChangePassword>("new_password") };
    /// let digest = key.named(name).text(Text::new("a"));
    /// assert_eq!(digest, key.param::<ChangePassword>("new_password").text(Text::new("a")));
    /// ```
    #[inline]
    pub const fn named(&self, name: ParamName) -> ParamHasher {
        ParamHasher { bytes: Sip::new_with_word(&self.0, name.0) }
    }

    /// The reference of the user that the host knows by this name, such as the user ID: a
    /// keyed digest, for hosts that have no numbers for their users.
    ///
    /// It can't be turned back into the name. A host whose flows name a user by a stage,
    /// without an access token, keeps the reference in an indexed column beside the name.
    #[must_use]
    pub fn user(&self, name: &str) -> UserRef {
        UserRef::from_bytes(self.labelled(b"user", &[name.as_bytes()]).0)
    }

    /// The reference of what the host knows by this name, such as a registration token: a keyed
    /// digest, for hosts that have no numbers for such things.
    ///
    /// It can't be turned back into the name, and may be kept in its place.
    #[must_use]
    pub fn reference(&self, name: Text<'_>) -> Reference {
        let [half @ .., _, _, _, _, _, _, _, _] = self.labelled_text(b"reference", name).0;
        Reference::new(u64::from_le_bytes(half))
    }

    /// The target that a call's path parameters name.
    #[must_use]
    pub fn target<'t>(&self, path_params: impl IntoIterator<Item = Text<'t>>) -> Target {
        let mut bytes = Sip::new(&self.0);
        bytes.write(b"path");
        for param in path_params {
            bytes.text(param);
        }
        Target(bytes.finish_half())
    }

    /// The digest of `parts` for a use of its own, which `label` names. No label begins
    /// like a parameter's name or a path, so that no two uses give the same value.
    pub(crate) fn labelled(&self, label: &[u8], parts: &[&[u8]]) -> Digest {
        let mut bytes = Sip::new(&self.0);
        bytes.write(label);
        bytes.write(&[0]);
        for part in parts {
            bytes.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            bytes.write(part);
        }
        Digest(bytes.finish_whole().to_le_bytes())
    }

    /// The same of one text, decoded.
    pub(crate) fn labelled_text(&self, label: &[u8], text: Text<'_>) -> Digest {
        let mut bytes = Sip::new(&self.0);
        bytes.write(label);
        bytes.write(&[0]);
        bytes.text(text);
        Digest(bytes.finish_whole().to_le_bytes())
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
    /// The digest that a host has kept as these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

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

#[cfg(feature = "sealed")]
impl Target {
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The name of one parameter of one operation, as a digest begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamName(u64);

impl ParamName {
    /// That of the parameter of `Op` called `name`. In a `const` it costs nothing later.
    #[must_use]
    pub const fn of<Op: Operation>(name: &str) -> Self {
        let operation = const { Fnv::of_name(Op::NAME.as_bytes()) };
        let hash = operation.rotate_left(32) ^ Fnv::of_name(name.as_bytes());
        // Written first, the byte that UTF-8 never has: no label or path begins with it.
        Self(hash | 0xFF)
    }
}

/// The digest of one parameter, in the making.
#[must_use = "a digest that isn't finished binds nothing"]
pub struct ParamHasher {
    bytes: Sip,
}

impl ParamHasher {
    /// Of a string.
    #[inline]
    #[must_use]
    pub fn text(mut self, value: Text<'_>) -> ParamDigest {
        self.bytes.text(value);
        self.finish()
    }

    /// Adds one of several texts, of which [`finish`](Self::finish) makes one digest.
    pub fn part(mut self, value: Option<Text<'_>>) -> Self {
        match value {
            Some(text) => {
                self.bytes.write(&[1]);
                self.bytes.text(text);
            }
            None => self.bytes.write(&[0]),
        }
        self
    }

    /// Adds a boolean.
    pub fn flag(mut self, value: Option<bool>) -> Self {
        self.bytes.write(&[value.map_or(0, |value| if value { 3 } else { 2 })]);
        self
    }

    /// Of a digest, such as [`BindingKey::json`] makes of a whole value.
    #[must_use]
    pub fn digest(mut self, value: Digest) -> ParamDigest {
        self.bytes.write(&value.0);
        self.finish()
    }

    /// Of a set of strings: order and duplicates make no difference, up to
    /// [`MAX_SET`] strings. Of a longer list they do.
    #[must_use]
    pub fn set<'t>(self, values: impl Iterator<Item = Text<'t>> + Clone) -> ParamDigest {
        let Self { bytes } = self;
        let hash = |value: Text<'t>| {
            let mut one = bytes.clone();
            one.text(value);
            one.finish_half()
        };
        let mut all = bytes.clone();
        let mut hashes = heapless::Vec::<u64, MAX_SET>::new();
        if values.clone().all(|value| hashes.push(hash(value)).is_ok()) {
            hashes.sort_unstable();
            let mut last = None;
            for hash in hashes {
                if last != Some(hash) {
                    all.write(&hash.to_le_bytes());
                }
                last = Some(hash);
            }
        } else {
            values.for_each(|value| all.text(value));
        }
        Self { bytes: all }.finish()
    }

    /// The digest of the parts.
    #[must_use]
    pub fn finish(self) -> ParamDigest {
        // 0 stands for a parameter that is not bound.
        ParamDigest(self.bytes.finish_half().max(ParamDigest::FIRST))
    }
}

impl fmt::Debug for ParamHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParamHasher([redacted])")
    }
}

/// Longest list that [`ParamHasher::set`] takes for a set.
pub const MAX_SET: usize = 256;

/// What a session remembers of one bound parameter: 64 bits that only the host's key can
/// make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamDigest(pub(crate) u64);

impl ParamDigest {
    /// Left out, where leaving out says something.
    pub const ABSENT: Self = Self(1);
    const FIRST: u64 = 4;

    /// Of a boolean. There is nothing to hide in one bit.
    #[must_use]
    pub const fn boolean(value: bool) -> Self {
        Self(if value { 3 } else { 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::operation::{AddThreepid, ChangePassword, Deactivate, DeleteDevices, Register};

    const KEY: BindingKey = BindingKey::from_entropy([7; 16]);

    fn text(value: &str) -> ParamDigest {
        KEY.param::<ChangePassword>("new_password").text(Text::new(value))
    }

    #[test]
    fn an_escape_makes_no_difference_however_the_pieces_fall() {
        let escaped = Text::from_json(r"abcdefg\u00e9hijk\/lmnopqrs", true);
        let digest = KEY.param::<ChangePassword>("new_password").text(escaped);
        assert_eq!(digest, text("abcdefgéhijk/lmnopqrs"));
    }

    #[test]
    fn another_parameter_or_operation_or_key_gives_another_digest() {
        let value = Text::new("a");
        assert_ne!(text("a"), KEY.param::<ChangePassword>("other").text(value));
        assert_ne!(text("a"), KEY.param::<DeleteDevices>("new_password").text(value));
        let other = BindingKey::from_entropy([8; 16]);
        assert_ne!(text("a"), other.param::<ChangePassword>("new_password").text(value));
    }

    #[test]
    fn every_parameter_of_every_operation_has_a_name_of_its_own() {
        fn of<Op: Operation>() -> std::vec::Vec<ParamName> {
            let names =
                ["new_password", "id_server", "username", "password", "login", "sid", "client_secret"];
            names.into_iter().chain(["devices", "master_key"]).map(ParamName::of::<Op>).collect()
        }
        let mut all = of::<ChangePassword>();
        all.extend(of::<DeleteDevices>());
        all.extend(of::<Register>());
        all.extend(of::<Deactivate>());
        all.extend(of::<AddThreepid>());
        for (at, name) in all.iter().enumerate() {
            assert!(!all[..at].contains(name));
            assert_eq!(name.0.to_le_bytes()[0], 0xFF);
        }
    }

    #[test]
    fn a_set_has_no_order_and_no_duplicates() {
        let set = |items: &[&'static str]| {
            KEY.param::<DeleteDevices>("devices").set(items.iter().map(|item| Text::new(item)))
        };
        assert_eq!(set(&["a", "b"]), set(&["b", "a", "b"]));
        assert_ne!(set(&["ab", "c"]), set(&["a", "bc"]));
        assert_ne!(set(&["ab"]), set(&["ab", ""]));
        assert_ne!(set(&[]), set(&[""]));
        let many: std::vec::Vec<&str> = core::iter::repeat_n("a", MAX_SET + 1).collect();
        assert_ne!(set(&many), set(&["a"]), "too long for a set");
    }

    #[test]
    fn a_reference_is_of_one_name_under_one_key() {
        let reference = |name| KEY.reference(Text::new(name));
        assert_eq!(reference("a"), KEY.reference(Text::from_json(r"\u0061", true)));
        assert_ne!(reference("a"), reference("b"));
        assert_ne!(reference("a"), BindingKey::from_entropy([8; 16]).reference(Text::new("a")));
    }

    #[test]
    fn the_digest_is_the_same_on_every_machine() {
        // Stored sessions outlive the build that made them.
        assert_eq!(text("wonderland").0, 13_364_824_097_526_539_322);
    }
}
