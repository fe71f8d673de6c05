//! Keeps the password of a request until its call happens: sealed under a key made from the
//! session's ID, which a store has only as a digest (rule U13).
//!
//! The function is ChaCha20-Poly1305. Its key is the 24 random bytes of the session's ID
//! and a label; its nonce is the session's revision, of which each is stored once (a session
//! whose ID can begin it again counts from another number then). No other session has the key,
//! so that the nonce need not be the longer one of XChaCha20. Who has the database alone has
//! neither the ID nor the key.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::session::{Revision, SessionId};
use crate::secret::Secret;
use crate::wire::MAX_PASSWORD_LEN;

/// Without the feature nothing is ever sealed, and nothing needs room for it.
const ROOM: usize = if cfg!(feature = "seal") { MAX_PASSWORD_LEN } else { 0 };

/// A sealed password: what a host may store.
///
/// Without the feature `seal` there is no value of it, and an `Option` of it takes no room.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedPassword(cipher::Sealed);

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
        cipher::seal(&self.id, self.revision, password).map(SealedPassword)
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
        cipher::open(&self.0, id)
    }
}

#[cfg(feature = "seal")]
mod cipher {
    use chacha20poly1305::aead::AeadInPlace as _;
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce, Tag};
    use serde::{Deserialize, Serialize};

    use super::{OpenedPassword, ROOM, Revision, SessionId};
    use crate::secret::Secret;

    const TAG_LEN: usize = 16;

    #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Sealed {
        pub(super) revision: Revision,
        pub(super) tag: [u8; TAG_LEN],
        pub(super) text: heapless::Vec<u8, ROOM>,
    }

    fn cipher(id: &SessionId) -> ChaCha20Poly1305 {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        for (to, from) in key.iter_mut().zip(id.as_bytes().iter().chain(b"uia seal")) {
            *to = *from;
        }
        ChaCha20Poly1305::new((&*key).into())
    }

    fn nonce(revision: Revision) -> Nonce {
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().zip(revision.get().to_le_bytes()) {
            *to = from;
        }
        nonce.into()
    }

    pub(super) fn seal(id: &SessionId, revision: Revision, password: Secret<'_>) -> Option<Sealed> {
        let mut text = heapless::Vec::new();
        for piece in password.expose().pieces() {
            text.extend_from_slice(piece.as_bytes(&mut [0; 4])).ok()?;
        }
        let tag = cipher(id).encrypt_in_place_detached(&nonce(revision), b"", &mut text).ok()?;
        Some(Sealed { revision, tag: tag.into(), text })
    }

    pub(super) fn open(sealed: &Sealed, id: &SessionId) -> Option<OpenedPassword> {
        let Sealed { revision, tag, text: given } = sealed;
        let mut text = zeroize::Zeroizing::new([0; ROOM]);
        let len = given.len();
        let part = text.get_mut(..len)?;
        part.copy_from_slice(given);
        let tag = Tag::from(*tag);
        cipher(id).decrypt_in_place_detached(&nonce(*revision), b"", part, &tag).ok()?;
        core::str::from_utf8(part).ok()?;
        Some(OpenedPassword { text, len })
    }
}

/// No [`Sealer`] can be made, and there is nothing to open.
#[cfg(not(feature = "seal"))]
mod cipher {
    use serde::{Deserialize, Serialize};

    use super::{OpenedPassword, Revision, SessionId};
    use crate::secret::Secret;

    #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub(super) enum Sealed {}

    pub(super) const fn seal(_: &SessionId, _: Revision, _: Secret<'_>) -> Option<Sealed> {
        None
    }

    pub(super) const fn open(sealed: &Sealed, _: &SessionId) -> Option<OpenedPassword> {
        match *sealed {}
    }
}

/// What is stored with a password in it was stored by a build that could seal it.
#[cfg(all(test, not(feature = "seal")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_nothing_is_sealed_and_nothing_read() {
        assert!(Sealer::new(SessionId::from_entropy([7; 24]), Revision::default()).is_none());
        assert_eq!(size_of::<Option<SealedPassword>>(), 0);
        assert!(serde_json::from_str::<Option<SealedPassword>>("null").is_ok_and(|none| none.is_none()));
        for stored in [r#"{"revision":1,"tag":[],"text":[]}"#, "{}", "\"\"", "1", "[]"] {
            assert!(serde_json::from_str::<Option<SealedPassword>>(stored).is_err(), "{stored}");
        }
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
        changed.0.text[0] ^= 1;
        assert!(changed.open(&ID).is_none());
        let mut changed = sealed("correct horse");
        changed.0.tag[0] ^= 1;
        assert!(changed.open(&ID).is_none());
        let mut changed = sealed("correct horse");
        changed.0.revision = changed.0.revision.next();
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
