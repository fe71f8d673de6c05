//! Keeps the password of a request until its call happens: sealed under a key made from the
//! session's ID, which a store has only as a digest (rule U13).
//!
//! The function is XChaCha20-Poly1305. Its key is the 24 random bytes of the session's ID
//! and a label; its nonce is the session's revision, of which each is stored once (a session
//! whose ID can begin it again counts from another number then). Who has the database alone has
//! neither the ID nor the key.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::session::{Revision, SessionId};
use crate::secret::Secret;
use crate::wire::MAX_PASSWORD_LEN;

const TAG_LEN: usize = 16;
/// Without the feature nothing is ever sealed, and nothing needs room for it.
const ROOM: usize = if cfg!(feature = "seal") { MAX_PASSWORD_LEN } else { 0 };

/// A sealed password: what a host may store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPassword {
    revision: Revision,
    tag: [u8; TAG_LEN],
    text: heapless::Vec<u8, ROOM>,
}

impl fmt::Debug for SealedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedPassword([redacted])")
    }
}

/// What seals and opens the passwords of one session.
///
/// Only with the feature `seal` there is one; without it nothing of a password is kept,
/// and a request that leaves it out is told that it is missing.
#[derive(Clone, Copy)]
pub struct Sealer {
    id: SessionId,
    revision: Revision,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer([redacted])")
    }
}

impl Sealer {
    /// That of the session `id`, for what is stored beside it at `revision`. Several
    /// passwords must not be sealed at one revision.
    #[must_use]
    pub const fn new(id: SessionId, revision: Revision) -> Option<Self> {
        if cfg!(feature = "seal") { Some(Self { id, revision }) } else { None }
    }

    /// Seals `password`; `None` if it is longer than
    /// [`MAX_PASSWORD_LEN`] bytes.
    #[must_use]
    pub fn seal(&self, password: Secret<'_>) -> Option<SealedPassword> {
        let Self { id, revision } = *self;
        let mut text = heapless::Vec::new();
        for piece in password.expose().pieces() {
            text.extend_from_slice(piece.as_bytes(&mut [0; 4])).ok()?;
        }
        let tag = cipher::seal(&id, revision, &mut text)?;
        Some(SealedPassword { revision, tag, text })
    }
}

/// A password that was opened; it is wiped when dropped.
pub struct OpenedPassword {
    text: zeroize::Zeroizing<[u8; ROOM]>,
    len: usize,
}

impl OpenedPassword {
    /// The password.
    #[must_use]
    pub fn secret(&self) -> Secret<'_> {
        let text = self.text.get(..self.len).and_then(|text| core::str::from_utf8(text).ok());
        Secret::new(text.unwrap_or_default())
    }
}

impl fmt::Debug for OpenedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedPassword([redacted])")
    }
}

impl SealedPassword {
    /// The password again; `None` if it was not sealed for the session `id`, or has been
    /// tampered with.
    #[must_use]
    pub fn open(&self, id: &SessionId) -> Option<OpenedPassword> {
        let mut text = zeroize::Zeroizing::new([0; ROOM]);
        let len = self.text.len();
        let part = text.get_mut(..len)?;
        part.copy_from_slice(&self.text);
        cipher::open(id, self.revision, part, &self.tag)?;
        core::str::from_utf8(part).ok()?;
        Some(OpenedPassword { text, len })
    }
}

#[cfg(feature = "seal")]
mod cipher {
    use chacha20poly1305::aead::AeadInPlace as _;
    use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};

    use super::{Revision, SessionId, TAG_LEN};

    fn cipher(id: &SessionId) -> XChaCha20Poly1305 {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        for (to, from) in key.iter_mut().zip(id.as_bytes().iter().chain(b"uia seal")) {
            *to = *from;
        }
        XChaCha20Poly1305::new((&*key).into())
    }

    fn nonce(revision: Revision) -> XNonce {
        let mut nonce = [0; 24];
        for (to, from) in nonce.iter_mut().zip(revision.get().to_le_bytes()) {
            *to = from;
        }
        nonce.into()
    }

    pub(super) fn seal(id: &SessionId, revision: Revision, text: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let tag = cipher(id).encrypt_in_place_detached(&nonce(revision), b"", text).ok()?;
        Some(tag.into())
    }

    pub(super) fn open(
        id: &SessionId,
        revision: Revision,
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Option<()> {
        let tag = Tag::from(*tag);
        cipher(id).decrypt_in_place_detached(&nonce(revision), b"", text, &tag).ok()
    }
}

/// No [`Sealer`] can be made, and nothing is opened.
#[cfg(not(feature = "seal"))]
mod cipher {
    use super::{Revision, SessionId, TAG_LEN};

    pub(super) const fn seal(_: &SessionId, _: Revision, _: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        None
    }

    pub(super) const fn open(_: &SessionId, _: Revision, _: &mut [u8], _: &[u8; TAG_LEN]) -> Option<()> {
        None
    }
}

#[cfg(all(test, feature = "seal"))]
mod tests {
    use super::*;

    const ID: SessionId = SessionId::from_entropy([7; 24]);

    #[allow(clippy::unwrap_used, reason = "it is a test")]
    fn sealed(password: &str) -> SealedPassword {
        Sealer::new(ID, Revision::default()).unwrap().seal(Secret::new(password)).unwrap()
    }

    #[test]
    fn only_the_session_opens_what_was_sealed_for_it() {
        let sealed = sealed("correct horse");
        assert_eq!(sealed.open(&ID).unwrap().secret().expose(), "correct horse");
        assert!(sealed.open(&SessionId::from_entropy([8; 24])).is_none());
    }

    #[test]
    fn a_changed_byte_opens_nothing() {
        let mut changed = sealed("correct horse");
        changed.text[0] ^= 1;
        assert!(changed.open(&ID).is_none());
        let mut changed = sealed("correct horse");
        changed.tag[0] ^= 1;
        assert!(changed.open(&ID).is_none());
        let mut changed = sealed("correct horse");
        changed.revision = changed.revision.next();
        assert!(changed.open(&ID).is_none());
    }

    #[test]
    fn the_password_is_not_in_what_is_stored() {
        let stored = serde_json::to_string(&sealed("aaaa")).unwrap();
        assert!(!stored.contains("97,97"), "{stored}");
    }

    #[test]
    fn a_password_that_is_too_long_is_not_sealed() {
        let sealer = Sealer::new(ID, Revision::default()).unwrap();
        assert!(sealer.seal(Secret::new(&"x".repeat(MAX_PASSWORD_LEN))).is_some());
        assert!(sealer.seal(Secret::new(&"x".repeat(MAX_PASSWORD_LEN + 1))).is_none());
    }
}
