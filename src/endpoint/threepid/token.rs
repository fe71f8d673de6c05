//! The transitions of a validation before anything relies on it: a token is asked for, sent,
//! and comes back.

use super::authority::AddressAuthority;
use super::key::TokenRequestKey;
use super::rules::ValidationRules;
use super::sending::Delivery;
use super::validation::{Phase, Validation};
use crate::server::digest::Digest;
use crate::time::Timestamp;
use crate::wire::error::{ErrorCode, MatrixError};

/// What a `requestToken` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the message isn't sent by itself"]
#[allow(clippy::exhaustive_enums, reason = "complete: new, again, or not at all")]
pub enum Requested {
    /// Store it under a fresh `sid`, in the place of one of the same identity, if there is
    /// one; keep the request's `next_link` with it; send, and answer that `sid`.
    New(Validation),
    /// Store it where it was, with this request's `next_link`; send again, and answer the
    /// same `sid`.
    Again(Validation),
    /// Change nothing and send nothing; answer the same `sid`.
    AlreadySent,
}

/// What the submission of a token came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "store what it has become, then answer"]
#[allow(clippy::exhaustive_enums, reason = "complete: validated or not")]
pub enum Submitted {
    /// Store it: the address is validated.
    Validated(Validation),
    /// Store what it has become, if anything; then send the error.
    Refused(Option<Validation>, MatrixError),
}

impl Validation {
    /// A `requestToken` came in, and `sending` is [decided](super::TokenRequestContext::decide).
    ///
    /// `found` is what the host has under [`TokenRequestKey::identity`]; `token` is the digest of the
    /// token that belongs to the fresh `sid`, should there be a new validation. A higher
    /// `send_attempt` than the last sends again; one that is over begins anew.
    ///
    /// The message has to name what the validation [can authorise](Self::authorises) by
    /// these `policies`. If they have changed since the last message, it begins anew, too.
    pub fn request(
        found: Option<Self>,
        asked: &TokenRequestKey,
        sending: Delivery,
        token: Digest,
        policies: &AddressAuthority,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Requested {
        let named = policies.of(asked.purpose, asked.threepid.medium()).fingerprint();
        let token = (sending == Delivery::Token).then_some(token);
        let same = |found: &Self| {
            // Whether there is a token may have changed with who has the address. One that
            // is validated has had its token, and may be claimed.
            let fits = found.phase != Phase::Sent || found.token.is_some() == token.is_some();
            asked.is_about(found) && found.named == named && !found.is_over(rules, now) && fits
        };
        match found.filter(same) {
            Some(found) if asked.send_attempt <= found.send_attempt => Requested::AlreadySent,
            Some(found) => Requested::Again(Self { send_attempt: asked.send_attempt, touched: now, ..found }),
            None => Requested::New(Self {
                threepid: asked.threepid.clone(),
                purpose: asked.purpose,
                requester: asked.requester,
                secret: asked.secret,
                named,
                token,
                send_attempt: asked.send_attempt,
                touched: now,
                wrong_tokens: 0,
                phase: Phase::Sent,
            }),
        }
    }

    /// The same with another token: for a host that makes a new one for each message.
    /// The earlier one is wrong from now on.
    pub fn with_token(mut self, token: Digest) -> Self {
        self.token = self.token.map(|_| token);
        self
    }

    /// The token came back, with the secret of who asked for it.
    ///
    /// `found` is what the host has under the `sid`. A wrong token is counted; one that was
    /// right is right again. The errors are those of the [Identity Service]'s `submitToken`:
    /// 400 `M_NO_VALID_SESSION` if there is no such validation or the secret is another's,
    /// 400 `M_SESSION_EXPIRED` if it is over, 400 `M_TOKEN_INCORRECT`. The spec does not say
    /// what follows too many wrong tokens; it is `M_SESSION_EXPIRED`, after which clients ask
    /// for another message.
    ///
    /// [Identity Service]: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken
    pub fn submit(
        found: Option<Self>,
        secret: Digest,
        token: Digest,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Submitted {
        let refused =
            |kept, code, message| Submitted::Refused(kept, MatrixError::new(code, message).with_status(400));
        let Some(mut found) = found.filter(|found| found.secret == secret) else {
            return refused(None, ErrorCode::NoValidSession, "There is no such validation.");
        };
        if found.is_over(rules, now) {
            return refused(None, ErrorCode::SessionExpired, "This validation is over.");
        }
        if found.token != Some(token) {
            if found.phase == Phase::Sent {
                found.wrong_tokens = found.wrong_tokens.saturating_add(1);
            }
            return refused(Some(found), ErrorCode::TokenIncorrect, "The token is incorrect.");
        }
        if found.phase == Phase::Sent {
            found.phase = Phase::Validated { at: now };
            found.touched = now;
        }
        Submitted::Validated(found)
    }
}
