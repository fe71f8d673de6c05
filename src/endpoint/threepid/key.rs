//! What a validation is found again by, and the digests it keeps.

use super::address::Threepid;
use super::purpose::Purpose;
use super::validation::Validation;
use crate::secret::Secret;
use crate::server::digest::{BindingKey, Digest};
use crate::server::reference::UserRef;
use crate::server::session::SessionId;

/// What a `requestToken` is about: everything that its validation is found again by.
#[derive(Clone, Debug)]
pub struct TokenRequestKey {
    pub(super) threepid: Threepid,
    pub(super) purpose: Purpose,
    pub(super) requester: Option<UserRef>,
    pub(super) secret: Digest,
    pub(super) send_attempt: i64,
    identity: Digest,
}

impl TokenRequestKey {
    /// A request for `threepid`, under the client's secret; `requester` is the user of its
    /// access token, if it has one.
    #[must_use]
    pub fn new(
        key: &BindingKey,
        purpose: Purpose,
        requester: Option<UserRef>,
        threepid: Threepid,
        client_secret: Secret<'_>,
        send_attempt: i64,
    ) -> Self {
        let secret = key.client_secret(client_secret);
        let identity = identity(key, purpose, requester, &threepid, secret);
        Self { threepid, purpose, requester, secret, send_attempt, identity }
    }

    /// The key to find the validation by: a digest of medium, address, client secret,
    /// purpose and requester. No two of a host's validations share one.
    #[must_use]
    pub const fn identity(&self) -> Digest {
        self.identity
    }

    /// The address: where the message goes.
    #[must_use]
    pub const fn threepid(&self) -> &Threepid {
        &self.threepid
    }

    pub(super) fn is_about(&self, validation: &Validation) -> bool {
        self.threepid == validation.threepid
            && self.purpose == validation.purpose
            && self.requester == validation.requester
            && self.secret == validation.secret
    }
}

fn identity(
    key: &BindingKey,
    purpose: Purpose,
    requester: Option<UserRef>,
    threepid: &Threepid,
    secret: Digest,
) -> Digest {
    let purpose = purpose.name().as_bytes();
    let requester: &[u8] = requester.as_ref().map_or(b"", |user| user.as_bytes());
    let medium = threepid.medium().name().as_bytes();
    key.labelled(b"3pid validation", &[purpose, medium, threepid.address().as_bytes(), &secret.0, requester])
}

impl Validation {
    /// The key it is found by, as [`TokenRequestKey::identity`].
    #[must_use]
    pub fn identity(&self, key: &BindingKey) -> Digest {
        identity(key, self.purpose, self.requester, &self.threepid, self.secret)
    }
}

impl BindingKey {
    /// What a validation keeps of the client's secret.
    #[must_use]
    pub fn client_secret(&self, secret: Secret<'_>) -> Digest {
        self.labelled_text(b"3pid client secret", secret.expose())
    }

    /// What a validation keeps of the token in the message.
    #[must_use]
    pub fn validation_token(&self, token: Secret<'_>) -> Digest {
        self.labelled_text(b"3pid token", token.expose())
    }

    /// What a validation keeps of the UIA session that has claimed it.
    #[must_use]
    pub fn claimant(&self, session: SessionId) -> Digest {
        self.labelled(b"3pid claimant", &[session.as_bytes()])
    }
}
