//! Chance, and what is made of it: tokens, IDs, keys, and the wrappers that keep them out of logs.

use crate::id_keys::IdLines;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Random bytes that nobody can guess: of a generator for cryptography, one for each thread, which the operating
/// system's seeds again and again. To ask that one for each session ID would be a call of the system for each request.
///
/// # Panics
///
/// If the system has no randomness to give. Nothing that must not be guessed may be made then, so the
/// request that asked for it is given up.
pub fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// An opaque identifier that nobody can guess (192 bits), such as the `sid` of a 3PID validation.
pub fn opaque_id() -> String {
    URL_SAFE_NO_PAD.encode(entropy::<24>())
}

/// A device ID: ten upper-case letters.
pub fn device_id() -> String {
    letters(b'A', 10)
}

/// A localpart for who didn't ask for one: twelve lower-case letters.
pub fn localpart() -> String {
    letters(b'a', 12)
}

fn letters(first: u8, count: usize) -> String {
    // 234 is the largest multiple of 26 in a byte: what lies above would favour the first letters.
    std::iter::repeat_with(entropy::<16>)
        .flatten()
        .filter(|byte| *byte < 234)
        .map(|byte| char::from(first.saturating_add(byte % 26)))
        .take(count)
        .collect()
}

/// Text that must not reach a log: no `Display`, and a `Debug` that tells nothing.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself. The one way out, so that every use can be found.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The same as the crate takes it.
    pub fn lend(&self) -> matrix_uia::Secret<'_> {
        matrix_uia::Secret::new(&self.0)
    }

    /// Whether `presented` is this secret, in a time that tells nothing about how much of it is right.
    pub fn matches(&self, presented: impl AsRef<[u8]>) -> bool {
        // What a comparison of two hashes gives away is of no use to who can't choose the hash.
        SecretHash::of(&self.0) == SecretHash::of(presented)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// What the database keeps of a token or a client secret: its SHA-256.
///
/// Tokens have 256 random bits, so neither a salt nor a slow hash would add anything.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    pub fn of(secret: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(secret).into())
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// A fresh token: the text goes to the client, the hash to the database.
#[derive(Debug)]
pub struct Token {
    pub text: Secret,
    pub hash: SecretHash,
}

impl Token {
    pub fn access() -> Self {
        Self::new("mua_")
    }

    pub fn refresh() -> Self {
        Self::new("mur_")
    }

    /// For the link of a message. What is kept of it is the crate's digest, in the validation.
    pub fn message() -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(entropy::<32>()))
    }

    /// For `m.login.token`.
    pub fn login() -> Self {
        Self::new("mul_")
    }

    /// The prefix tells a secret scanner what it has found.
    fn new(prefix: &str) -> Self {
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(entropy::<32>()));
        let hash = SecretHash::of(&text);
        Self { text: Secret::new(text), hash }
    }
}

/// The key that a server keeps; every other is derived from it, each for its own purpose, but those for session IDs that
/// are rotated.
#[derive(Clone)]
pub struct ServerKey {
    bytes: [u8; 32],
    /// Keys beside it, for session IDs.
    ids: IdLines,
}

impl ServerKey {
    pub fn generate() -> Self {
        Self::from_bytes(entropy())
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, ids: IdLines::default() }
    }

    /// The same, with these keys for session IDs beside it.
    pub fn with_ids(self, ids: IdLines) -> Self {
        Self { ids, ..self }
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub const fn ids(&self) -> &IdLines {
        &self.ids
    }

    /// HMAC-SHA-256 of `input` under this key. Two purposes never give the same value.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn derive(&self, purpose: &str, input: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.bytes).expect("HMAC takes keys of any length");
        mac.update(&Sha256::digest(purpose));
        mac.update(input);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_are_ten_upper_case_letters_and_differ() {
        let (one, other) = (device_id(), device_id());
        assert_eq!(one.len(), 10);
        assert!(one.bytes().all(|b| b.is_ascii_uppercase()), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn opaque_ids_keep_to_the_grammar_of_opaque_identifiers() {
        let id = opaque_id();
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b)), "{id}");
    }

    #[test]
    fn a_token_is_found_by_the_hash_of_its_text() {
        let token = Token::access();
        assert_eq!(token.hash, SecretHash::of(token.text.expose()));
        assert_ne!(token.hash, Token::access().hash);
    }

    #[test]
    fn secrets_match_only_themselves() {
        let secret = Secret::new("as-secret".to_owned());
        assert!(secret.matches("as-secret"));
        assert!(!secret.matches("as-secre"));
        assert!(!secret.matches(""));
    }

    #[test]
    fn derived_values_depend_on_key_purpose_and_input() {
        let key = ServerKey::from_bytes([7; 32]);
        let value = key.derive("a", b"b");
        assert_eq!(value, key.derive("a", b"b"));
        assert_ne!(value, key.derive("ab", b""));
        assert_ne!(value, ServerKey::from_bytes([8; 32]).derive("a", b"b"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = Token::login();
        let shown = format!("{token:?} {:?}", ServerKey::from_bytes([7; 32]));
        assert!(!shown.contains(token.text.expose()) && !shown.contains('7'), "{shown}");
    }
}
