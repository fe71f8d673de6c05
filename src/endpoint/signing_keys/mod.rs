//! [`POST /keys/device_signing/upload`]: a user's cross-signing keys.
//!
//! ```text
//!  body ─► UploadSigningKeysRequest ─► check ─► Call ─► exchange ─► admit ─┬─► exempt: no keys yet, or the same ones ─┐
//!                                                                          ├─► authenticated just now ────────────────┤
//!                                                                          └─► the stages of a flow ──────────────────┤
//!                      the host keeps each key as it came ◄── SigningKeysUpload ◄── plan ◄── Grant ◄──────────────────┘
//! ```
//!
//! Whoever controls a user's master key is trusted as the user by everybody who verified
//! them. So the first keys are anybody's with the access token, and changing them takes
//! authentication.
//!
//! # What is not done here
//!
//! **Signatures are not verified**, as that takes an implementation of Ed25519: a server
//! that has one verifies, before it stores a key, that the self-signing and user-signing
//! keys are signed by the master key, and answers 400 `M_INVALID_SIGNATURE`. Clients
//! verify all of it themselves and trust no server in this, so a server without loses
//! its users nothing but an early error.
//!
//! [`POST /keys/device_signing/upload`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload

mod key;
#[cfg(feature = "alloc")]
mod upload;

pub use key::{MAX_SIGNING_KEY_LEN, SigningKey, SigningKeyKind, SigningKeys};
#[cfg(feature = "alloc")]
pub use upload::{SigningKeysUpload, StoredSigningKeys};

use core::fmt::{self, Write};

use crate::endpoint::checked::Checked;
use crate::server::digest::BindingKey;
use crate::server::grant::{Exempt, Refusal};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError};

/// The body of an upload of cross-signing keys.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UploadSigningKeysRequest<'a> {
    /// The keys.
    pub keys: SigningKeys<'a>,
    /// The auth dict.
    pub auth: Auth<'a>,
    /// Why one of the keys that came is none, and is not among them.
    malformed: Option<MatrixError>,
}

impl<'a> UploadSigningKeysRequest<'a> {
    /// An upload of `keys`, each as the application signed it:
    /// [`SigningKey::parse`] reads one, [`SigningKeys::with`] puts them together.
    #[must_use]
    pub const fn new(keys: SigningKeys<'a>) -> Self {
        Self { keys, auth: Auth::Absent, malformed: None }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![AUTH_SLOTS;
            "master_key": Any, "self_signing_key": Any, "user_signing_key": Any, "auth": Object(AUTH),
        ];
        let mut slots = [Span::NONE; AUTH_SLOTS + 4];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., master, self_signing, user_signing, dict] = &slots;
        let auth = AuthSpans::of(keys, text).auth(*dict);
        let mut request = Self { keys: SigningKeys::default(), auth, malformed: None };
        for (kind, span) in [
            (SigningKeyKind::Master, master),
            (SigningKeyKind::SelfSigning, self_signing),
            (SigningKeyKind::UserSigning, user_signing),
        ] {
            if span.is_absent() {
                continue;
            }
            let key = span.raw(text).ok_or(ParseError::WrongType)?;
            match SigningKey::read(kind, &mut key.reader())? {
                Ok(key) => *request.keys.slot(kind) = Some(key),
                Err(error) => request.malformed = Some(error),
            }
        }
        Ok(request)
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        for (kind, key) in self.keys.iter() {
            object.key(kind.name())?.write_str(key.json.as_str())?;
        }
        self.auth.write_key(&mut object)?;
        object.end()
    }

    /// What can be refused before anybody is asked to authenticate, by the request alone.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` for a key that isn't what its place says, is longer than
    /// [`MAX_SIGNING_KEY_LEN`] bytes, or is that of another user than `user_id`.
    pub fn check(self, user_id: &str) -> Result<Checked<Self>, MatrixError> {
        if let Some(error) = self.malformed {
            return Err(error);
        }
        if self.keys.iter().any(|(_, key)| key.user_id != user_id) {
            return Err(MatrixError::new(ErrorCode::InvalidParam, "A key is that of another user."));
        }
        Ok(Checked::new(self))
    }
}

impl Checked<UploadSigningKeysRequest<'_>> {
    /// What the user's keys so far and the IDs of the user's devices refuse: what an
    /// exchange asks as [`Admit`](crate::server::exchange::Admit).
    ///
    /// # Errors
    ///
    /// 400 `M_MISSING_PARAM` if there is no master key, neither here nor stored; 403
    /// `M_FORBIDDEN` for a key whose public key is the ID of one of the devices.
    pub fn admit<'d>(
        &self,
        stored: &SigningKeys<'_>,
        device_ids: impl IntoIterator<Item = &'d str>,
    ) -> Result<(), Refusal> {
        if self.keys.master.is_none() && stored.master.is_none() {
            let missing = MatrixError::new(ErrorCode::MissingParam, "No master signing key is available.");
            return Err(Refusal::new(missing));
        }
        let named = |id: &str| self.keys.iter().any(|(_, key)| key.public_key == id);
        if device_ids.into_iter().any(named) { Err(Refusal::new(key_in_use())) } else { Ok(()) }
    }

    /// Why nobody has to authenticate, where [the endpoint's section] says so: there is no
    /// master key yet, or the request has it and no key that differs from the stored
    /// ones. A lost answer would else be followed by a challenge.
    ///
    /// Ask in the transaction that stores the keys: of two first uploads that race, the
    /// second is none. Keys are the same if they say the same, whatever the order of theirs.
    ///
    /// [the endpoint's section]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
    #[must_use]
    pub fn exempt(&self, key: &BindingKey, stored: &SigningKeys<'_>) -> Option<Exempt> {
        self.keys.master?;
        let same = |kind: SigningKeyKind, given: SigningKey<'_>| {
            stored.get(kind).is_some_and(|old| key.json(old.json) == key.json(given.json))
        };
        let nothing_new = stored.master.is_none() || self.keys.iter().all(|(kind, given)| same(kind, given));
        nothing_new.then_some(Exempt::SigningKeys)
    }
}

/// The answer when the public key of one of the keys is the ID of one of the user's
/// devices: both name keys in signatures.
pub const fn key_in_use() -> MatrixError {
    MatrixError::new(ErrorCode::Forbidden, "Key ID in use.")
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_server_reads_the_keys_that_the_client_writes() {
        let mut keys = SigningKeys::default();
        for kind in SigningKeyKind::ALL {
            let usage = kind.name().strip_suffix("_key").unwrap();
            let json = format!(
                r#"{{"user_id":"@a:b", "usage":["{usage}"], "keys":{{"ed25519:K":"{usage}"}},"\u00e9":1.0}}"#
            );
            keys = keys.with(*kind, Some(SigningKey::parse(*kind, json.leak()).unwrap()));
            let mut body = String::new();
            UploadSigningKeysRequest::new(keys).write(&mut body).unwrap();
            let read = UploadSigningKeysRequest::parse(body.as_bytes()).unwrap();
            let json = |keys: &SigningKeys<'_>| String::from(keys.get(*kind).unwrap().json.as_str());
            assert_eq!(json(&read.keys), json(&keys), "a signature covers what was signed");
            assert_eq!(read.keys.iter().count(), keys.iter().count());
        }
    }
}
