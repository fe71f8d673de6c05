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

use crate::Text;
use crate::server::denied::Denied;
use crate::server::digest::BindingKey;
use crate::server::operation::{Subject, UploadSigningKeys, UserRef};
use crate::server::session::{Call, Exempt, Grant, Params, Receipt};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError};

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
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists; 400
    /// `M_INVALID_PARAM` for a key that isn't what its place says, or is longer than
    /// [`MAX_SIGNING_KEY_LEN`] bytes.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![AUTH_SLOTS;
            "master_key": Any, "self_signing_key": Any, "user_signing_key": Any, "auth": Object(AUTH),
        ];
        let mut slots = [Span::NONE; AUTH_SLOTS + 4];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., master, self_signing, user_signing, dict] = &slots;
        let mut request = Self { keys: SigningKeys::default(), auth: AuthSpans::of(keys, text).auth(*dict) };
        let mut malformed = Ok(());
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
                Err(reject) => malformed = Err(reject),
            }
        }
        malformed.map(|()| request)
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
