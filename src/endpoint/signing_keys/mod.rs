//! [`POST /keys/device_signing/upload`]: a user's cross-signing keys.
//!
//! ```text
//!  body ─► UploadSigningKeysRequest ─► check ─┬─► exempt: no keys yet, or the same ones ─┐
//!                                             ├─► Guard::recent ─────────────────────────┤
//!                                             └─► Call ─► Guard ─► Grant ────────────────┤
//!                                                                                        ▼
//!                           the host keeps each key as it came ◄── Upload ◄───────── upload
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

pub use key::{MAX_SIGNING_KEY_LEN, SigningKey, SigningKeyKind, SigningKeys};

use core::fmt::{self, Write};

use crate::Text;
use crate::server::denied::Denied;
use crate::server::digest::BindingKey;
use crate::server::operation::{Subject, UploadSigningKeys, UserRef};
use crate::server::session::{Call, Exempt, Grant, Params, Receipt};
use crate::wire::Auth;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter};

/// The body of an upload of cross-signing keys.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UploadSigningKeysRequest<'a> {
    /// The keys.
    pub keys: SigningKeys<'a>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> UploadSigningKeysRequest<'a> {
    /// An upload of `keys`, each as the application signed it:
    /// [`SigningKey::parse`] reads one, [`SigningKeys::with`] puts them together.
    #[must_use]
    pub const fn new(keys: SigningKeys<'a>) -> Self {
        Self { keys, auth: Auth::Absent }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists; 400
    /// `M_INVALID_PARAM` for a key that isn't what its place says, or is longer than
    /// [`MAX_SIGNING_KEY_LEN`] bytes.
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        let mut request = Self::default();
        let mut malformed = Ok(());
        json::read_object(body, |reader, name| {
            match SigningKeyKind::placed(name) {
                Some(kind) => {
                    let key = reader.optional(|reader| SigningKey::read(kind, reader))?.transpose();
                    match key {
                        Ok(key) => *request.keys.slot(kind) = key,
                        Err(reject) => malformed = Err(reject),
                    }
                }
                None if name == "auth" => request.auth = Auth::read(reader)?,
                None => reader.skip()?,
            }
            Ok(())
        })?;
        malformed.map(|()| request)
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

    /// What can be refused before anybody is asked to authenticate. `stored` are the
    /// user's keys so far.
    ///
    /// Refuse also, with [`key_in_use`], a key whose [`public_key`] is the ID of one of
    /// the user's devices.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` for a key of another user, 400 `M_MISSING_PARAM` if there
    /// is no master key, neither here nor stored.
    ///
    /// [`public_key`]: SigningKey::public_key
    pub fn check(&self, user_id: &str, stored: &SigningKeys<'_>) -> Result<(), MatrixError> {
        if self.keys.iter().any(|(_, key)| key.user_id != user_id) {
            return Err(MatrixError::new(ErrorCode::InvalidParam, "A key is that of another user."));
        }
        if self.keys.master.is_none() && stored.master.is_none() {
            return Err(MatrixError::new(ErrorCode::MissingParam, "No master signing key is available."));
        }
        Ok(())
    }

    /// The call to be guarded.
    pub fn call(&self, key: &BindingKey, subject: Subject) -> Call<'a, UploadSigningKeys> {
        let mut params = key.params::<UploadSigningKeys>();
        for kind in SigningKeyKind::ALL {
            params = params.digest(self.keys.get(*kind).map(|signing| key.json(signing.json)));
        }
        Call::new(self.auth, Some(subject)).with_params(params.finish())
    }

    /// A grant without asking, where [the endpoint's section] says so: there is no
    /// master key yet, or the request has it and no key that differs from the stored
    /// ones. A lost answer would else be followed by a challenge.
    ///
    /// Ask in the act that stores the keys: of two first uploads that race, the second
    /// is none. Keys are the same if they say the same, whatever the order of theirs.
    ///
    /// [the endpoint's section]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
    #[must_use]
    pub fn exempt(
        &self,
        key: &BindingKey,
        stored: &SigningKeys<'_>,
        user: UserRef,
    ) -> Option<Grant<UploadSigningKeys>> {
        self.keys.master?;
        let same = |kind: SigningKeyKind, given: SigningKey<'_>| {
            stored.get(kind).is_some_and(|old| key.json(old.json) == key.json(given.json))
        };
        let nothing_new = stored.master.is_none() || self.keys.iter().all(|(kind, given)| same(kind, given));
        nothing_new.then(|| Exempt::FirstSigningKeys.assume_exempt(Some(user)))
    }
}

/// The answer when the public key of one of the keys is the ID of one of the user's
/// devices: both name keys in signatures.
pub const fn key_in_use() -> MatrixError {
    MatrixError::new(ErrorCode::Forbidden, "Key ID in use.")
}

/// Keys that may be stored.
#[derive(Debug)]
#[must_use = "the keys are not uploaded until they are stored"]
pub struct Upload<'r> {
    keys: SigningKeys<'r>,
    receipt: Receipt,
}

/// Redeems a grant: which keys are to be stored. `kept` are those that the host kept of
/// an earlier request, when [`Challenge::keep_params`] said so.
///
/// [`Challenge::keep_params`]: crate::server::session::Challenge::keep_params
///
/// # Errors
///
/// [`Denied`] with 400 `M_MISSING_PARAM` if no key was ever given, or the host lost what
/// it kept; the session stays complete and takes other parameters.
pub fn upload<'r>(
    grant: Grant<UploadSigningKeys>,
    request: &UploadSigningKeysRequest<'r>,
    kept: Option<SigningKeys<'r>>,
) -> Result<Upload<'r>, Denied> {
    let keys = match grant.params() {
        Params::Request => Some(request.keys),
        Params::Kept => kept,
        Params::Never => None,
    };
    let receipt = grant.redeem();
    match keys.filter(|keys| keys.iter().next().is_some()) {
        Some(keys) => Ok(Upload { keys, receipt }),
        None => {
            let missing = MatrixError::new(ErrorCode::MissingParam, "There is no key to upload.");
            Err(Denied::for_params(missing, receipt))
        }
    }
}

impl<'r> Upload<'r> {
    /// The keys to store, each in the place of the earlier one. Those that are not here
    /// stay as they are.
    pub fn keys(&self) -> impl Iterator<Item = (SigningKeyKind, SigningKey<'r>)> + use<'r> {
        self.keys.iter()
    }

    /// Whether one of the keys is called `device_id`.
    #[must_use]
    pub fn has_public_key(&self, device_id: &str) -> bool {
        self.keys.iter().any(|(_, key)| key.public_key == Text::new(device_id))
    }

    /// How the session ends, once it is known.
    pub fn receipt(self) -> Receipt {
        self.receipt
    }

    /// Refused for the keys: the client may send others.
    pub fn denied(self, reject: MatrixError) -> Denied {
        Denied::for_params(reject, self.receipt)
    }
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
