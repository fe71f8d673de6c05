//! One cross-signing key as a client uploads it.

use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::Reader;
use crate::wire::{ParseError, Raw};

/// Longest cross-signing key, in bytes of its JSON. Real ones have a few hundred; without
/// a bound a client could keep anything on the server.
pub const MAX_SIGNING_KEY_LEN: usize = 4096;

/// The one table: each key, where it stands in the request, and what its `usage` says.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident, $field:ident = $name:literal, $usage:literal;)+) => {
        /// What a [cross-signing key] is for.
        ///
        /// [cross-signing key]: https://spec.matrix.org/v1.19/client-server-api/#cross-signing
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::exhaustive_enums, reason = "the spec's three; a fourth has to break every match")]
        pub enum SigningKeyKind {
            $($(#[$doc])* $variant,)+
        }

        impl SigningKeyKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The key's name in a request, such as `master_key`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            const fn usage(self) -> &'static str {
                match self { $(Self::$variant => $usage,)+ }
            }
        }

        /// A user's cross-signing keys, of one request or as they are stored.
        #[derive(Clone, Copy, Debug, Default)]
        #[non_exhaustive]
        pub struct SigningKeys<'a> {
            $($(#[$doc])* pub $field: Option<SigningKey<'a>>,)+
        }

        impl<'a> SigningKeys<'a> {
            /// The key of that kind.
            #[must_use]
            pub const fn get(&self, kind: SigningKeyKind) -> Option<SigningKey<'a>> {
                match kind { $(SigningKeyKind::$variant => self.$field,)+ }
            }

            pub(super) const fn slot(&mut self, kind: SigningKeyKind) -> &mut Option<SigningKey<'a>> {
                match kind { $(SigningKeyKind::$variant => &mut self.$field,)+ }
            }
        }
    };
}

kinds! {
    /// The master key, which signs the other two.
    Master, master = "master_key", "master";
    /// The self-signing key, which signs the user's devices.
    SelfSigning, self_signing = "self_signing_key", "self_signing";
    /// The user-signing key, which signs other users' master keys.
    UserSigning, user_signing = "user_signing_key", "user_signing";
}

impl<'a> SigningKeys<'a> {
    /// The keys there are.
    pub fn iter(&self) -> impl Iterator<Item = (SigningKeyKind, SigningKey<'a>)> + use<'a> {
        let keys = *self;
        SigningKeyKind::ALL.iter().filter_map(move |kind| keys.get(*kind).map(|key| (*kind, key)))
    }

    /// The same with another key of that kind; that is how stored ones are put together.
    #[must_use]
    pub const fn with(mut self, kind: SigningKeyKind, key: Option<SigningKey<'a>>) -> Self {
        *self.slot(kind) = key;
        self
    }
}

/// A cross-signing key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SigningKey<'a> {
    /// The key's JSON as it came: what the host stores, and what signatures are made of.
    pub json: Raw<'a>,
    /// Whose key it says it is.
    pub user_id: Text<'a>,
    /// The public key.
    pub public_key: Text<'a>,
}

/// What is told apart while a key is read.
#[derive(Default)]
struct Fields<'a> {
    user_id: Option<Text<'a>>,
    fits: bool,
    keys: usize,
    named: bool,
    public_key: Option<Text<'a>>,
}

impl<'a> SigningKey<'a> {
    /// Reads a key by itself, as it was stored.
    ///
    /// # Errors
    ///
    /// Those of [`UploadSigningKeysRequest::parse`](super::UploadSigningKeysRequest::parse), and of its
    /// `check` those about a key alone.
    pub fn parse(kind: SigningKeyKind, json: &'a str) -> Result<Self, MatrixError> {
        crate::wire::json::read(json.as_bytes(), |reader| Self::read(kind, reader))?
    }

    /// A value of the wrong type is the body's fault, and a [`ParseError`]; one that
    /// isn't what its place says is the key's.
    pub(super) fn read(
        kind: SigningKeyKind,
        reader: &mut Reader<'a>,
    ) -> Result<Result<Self, MatrixError>, ParseError> {
        let mark = reader.mark();
        let mut fields = Fields::default();
        // What is no object is a key of the wrong type, and no matter of the body's.
        if reader.peek() != Some(b'{') {
            return Err(ParseError::WrongType);
        }
        reader.fields(|reader, name| {
            match name {
                "user_id" => fields.user_id = reader.optional(Reader::text)?,
                "usage" => reader.array(|reader| {
                    fields.fits |= reader.text()? == kind.usage();
                    Ok(())
                })?,
                "keys" => reader.object(|reader, id| {
                    fields.keys = fields.keys.saturating_add(1);
                    fields.named = id
                        .split_once(':')
                        .is_some_and(|(algorithm, key)| !algorithm.is_empty() && !key.is_empty());
                    fields.public_key = Some(reader.text()?);
                    Ok(())
                })?,
                "signatures" => signatures(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(fields.key(reader.since(mark)))
    }
}

impl<'a> Fields<'a> {
    fn key(self, json: Raw<'a>) -> Result<SigningKey<'a>, MatrixError> {
        let invalid = |message| MatrixError::new(ErrorCode::InvalidParam, message);
        if json.as_str().len() > MAX_SIGNING_KEY_LEN {
            return Err(invalid("A cross-signing key is too long."));
        }
        let user_id = self.user_id.ok_or(invalid("A cross-signing key has no user_id."))?;
        if !self.fits {
            return Err(invalid("A cross-signing key has another usage."));
        }
        // "Exactly one property … in the form `<algorithm>:<unpadded_base64_public_key>`".
        // That the name repeats the value is not asked for: the spec's own example doesn't.
        let public_key = self.public_key.filter(|key| self.keys == 1 && self.named && !key.is_empty());
        let public_key = public_key.ok_or(invalid("A cross-signing key has not exactly one public key."))?;
        Ok(SigningKey { json, user_id, public_key })
    }
}

/// Signatures by user, then by key.
fn signatures(reader: &mut Reader<'_>) -> Result<(), ParseError> {
    if reader.null()? {
        return Ok(());
    }
    reader.object(|reader, _| reader.object(|reader, _| reader.text().map(|_| ())))
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use serde_json::{Value, json};

    use super::*;

    fn says(key: &Value) -> String {
        match SigningKey::parse(SigningKeyKind::Master, &key.to_string()) {
            Ok(key) => key.public_key.to_string(),
            Err(reject) => reject.code().name().to_string(),
        }
    }

    fn with(name: &str, value: Value) -> Value {
        let mut key = json!({"user_id": "@a:b", "usage": ["x", "master"], "keys": {"ed25519:K": "K"}});
        key[name] = value;
        key
    }

    #[test]
    fn a_key_is_what_its_place_says() {
        assert_eq!(says(&with("x", json!(1))), "K");
        assert_eq!(says(&with("signatures", json!({"@a:b": {"ed25519:D": "s"}}))), "K");
        for odd in [
            with("user_id", Value::Null),
            with("usage", json!([])),
            with("usage", json!(["self_signing"])),
            with("keys", json!({})),
            with("keys", json!({"ed25519:K": "K", "ed25519:L": "L"})),
            with("keys", json!({"K": "K"})),
            with("keys", json!({"ed25519:": "K"})),
            with("keys", json!({"ed25519:K": ""})),
            with("x", json!("x".repeat(MAX_SIGNING_KEY_LEN))),
        ] {
            assert_eq!(says(&odd), "M_INVALID_PARAM", "{odd}");
        }
        for odd in [
            with("user_id", json!(1)),
            with("usage", json!("master")),
            with("usage", json!([1])),
            with("keys", json!(["K"])),
            with("keys", json!({"ed25519:K": 1})),
            with("signatures", json!({"@a:b": "s"})),
            json!("K"),
            json!(null),
        ] {
            assert_eq!(says(&odd), "M_BAD_JSON", "{odd}");
        }
    }
}
