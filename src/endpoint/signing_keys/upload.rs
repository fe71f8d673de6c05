//! The keys that may be stored, once a grant says so.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::UploadSigningKeysRequest;
use super::key::{SigningKey, SigningKeyKind, SigningKeys};
use crate::decode::Version;
use crate::endpoint::checked::Checked;
use crate::server::call::{Call, Param, Params};
use crate::server::digest::{BindingKey, ParamDigest};
use crate::server::endpoint::Endpoint;
use crate::server::grant::{Grant, Refusal};
use crate::server::operation::UploadSigningKeys;
use crate::server::reference::UserRef;
use crate::server::seal::Sealer;
use crate::wire::error::{ErrorCode, MatrixError};

/// A user's cross-signing keys as a host keeps them: each as the JSON it came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredSigningKeys {
    version: Version<1>,
    /// The master key.
    pub master: Option<String>,
    /// The self-signing key.
    pub self_signing: Option<String>,
    /// The user-signing key.
    pub user_signing: Option<String>,
}

impl StoredSigningKeys {
    /// The JSON of the key of that kind.
    #[must_use]
    pub fn get(&self, kind: SigningKeyKind) -> Option<&str> {
        match kind {
            SigningKeyKind::Master => self.master.as_deref(),
            SigningKeyKind::SelfSigning => self.self_signing.as_deref(),
            SigningKeyKind::UserSigning => self.user_signing.as_deref(),
        }
    }

    /// Puts the JSON of a key in the place of the earlier one.
    pub fn set(&mut self, kind: SigningKeyKind, json: Option<String>) {
        match kind {
            SigningKeyKind::Master => self.master = json,
            SigningKeyKind::SelfSigning => self.self_signing = json,
            SigningKeyKind::UserSigning => self.user_signing = json,
        }
    }

    /// The keys; one that can't be read counts as absent.
    #[must_use]
    pub fn read(&self) -> SigningKeys<'_> {
        SigningKeyKind::ALL.iter().fold(SigningKeys::default(), |keys, kind| {
            keys.with(*kind, self.get(*kind).and_then(|json| SigningKey::parse(*kind, json).ok()))
        })
    }
}

/// Keys that may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the keys are not uploaded until they are stored"]
#[non_exhaustive]
pub struct SigningKeysUpload {
    /// Whose keys.
    pub user: UserRef,
    /// The keys to store, each in the place of the earlier one. Those that are not here
    /// stay as they are.
    pub keys: StoredSigningKeys,
}

impl SigningKeysUpload {
    /// Whether one of the keys is called `device_id`: what was kept was asked about when
    /// it came, and a device may have been made since.
    #[must_use]
    pub fn has_public_key(&self, device_id: &str) -> bool {
        self.keys.read().iter().any(|(_, key)| key.public_key == device_id)
    }
}

impl Endpoint for Checked<UploadSigningKeysRequest<'_>> {
    type Op = UploadSigningKeys;
    type Stored = StoredSigningKeys;
    type Plan<H: Send> = SigningKeysUpload;

    fn call(&self, key: &BindingKey) -> Call<'_, UploadSigningKeys> {
        let param = |kind: SigningKeyKind| {
            let hasher = key.param::<UploadSigningKeys>(kind.name());
            let digest = self.keys.get(kind).map(|signing| hasher.digest(key.json(signing.json)));
            Param::optional(digest, ParamDigest::ABSENT)
        };
        let kinds = [SigningKeyKind::Master, SigningKeyKind::SelfSigning, SigningKeyKind::UserSigning];
        Call::new(&self.auth).with_params(Params::new(kinds.map(param)))
    }

    fn to_stored(
        &self,
        _: &BindingKey,
        before: Option<StoredSigningKeys>,
        _: Option<Sealer>,
    ) -> StoredSigningKeys {
        let mut stored = before.unwrap_or_default();
        for (kind, key) in self.keys.iter() {
            stored.set(kind, Some(key.json.as_str().to_owned()));
        }
        stored
    }

    /// # Errors
    ///
    /// [`Refusal`] with 400 `M_MISSING_PARAM` if no key was ever given, or the host lost
    /// what it kept; the session stays complete and takes other parameters.
    fn plan<H: Send>(
        &self,
        key: &BindingKey,
        grant: Grant<UploadSigningKeys>,
        stored: Option<StoredSigningKeys>,
        _: Option<H>,
    ) -> Result<SigningKeysUpload, Refusal> {
        let lost = grant.needs_stored() && stored.is_none();
        let keys = self.to_stored(key, stored, None);
        match grant.user() {
            Some(user) if !lost && keys != StoredSigningKeys::default() => {
                Ok(SigningKeysUpload { user, keys })
            }
            _ => Err(Refusal::for_params(MatrixError::new(
                ErrorCode::MissingParam,
                "There is no key to upload.",
            ))),
        }
    }
}
