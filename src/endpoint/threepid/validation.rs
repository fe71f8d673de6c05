//! The validation of one address, as a value: the state picture is that of
//! [`threepid`](super).

use serde::{Deserialize, Serialize};

use super::stored::Stored;
use super::{Delivery, Medium, Threepid};
use crate::server::digest::{BindingKey, Digest};
use crate::server::operation::{OperationId, Register};
use crate::server::reference::UserRef;
use crate::server::session::SessionId;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::{Millis, Secret, Timestamp};

/// What a validation is for. One made for one purpose proves nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::exhaustive_enums, reason = "a purpose nobody decides about has to break the build")]
pub enum Purpose {
    /// An account that is to be made: `register/…/requestToken`.
    Register,
    /// A password that is to be reset, and whatever else the owner of an address may do:
    /// `account/password/…/requestToken`.
    Reset,
    /// An address that an account is to have: `account/3pid/…/requestToken`.
    Add,
}

impl Purpose {
    /// What a validation has to be for that passes a stage of `operation`.
    #[must_use]
    pub fn of_stage(operation: OperationId) -> Self {
        if operation == Register::ID { Self::Register } else { Self::Reset }
    }
}

/// How long validations live, and how many wrong tokens they take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationRules {
    /// How long a validation lives from the last message, from its being validated and
    /// from its being claimed. Default: 15 minutes, as long as a UIA session; shorter than
    /// that it could end before the session that has claimed it.
    pub lifetime: Millis,
    /// How many wrong tokens it takes: the last one ends it. What a person types in can be
    /// guessed. Default: 10.
    pub max_wrong_tokens: u16,
}

impl Default for ValidationRules {
    fn default() -> Self {
        Self { lifetime: Millis::from_secs(900), max_wrong_tokens: 10 }
    }
}

/// What a `requestToken` is about: everything that its validation is found again by.
#[derive(Clone, Debug)]
pub struct TokenRequestKey {
    threepid: Threepid,
    purpose: Purpose,
    requester: Option<UserRef>,
    secret: Digest,
    send_attempt: i64,
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

    fn is_about(&self, validation: &Validation) -> bool {
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
    let purpose: &[u8] = match purpose {
        Purpose::Register => b"register",
        Purpose::Reset => b"reset",
        Purpose::Add => b"add",
    };
    let requester: &[u8] = requester.as_ref().map_or(b"", |user| user.as_bytes());
    let medium = threepid.medium().name().as_bytes();
    key.labelled(b"3pid validation", &[purpose, medium, threepid.address().as_bytes(), &secret.0, requester])
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

/// The validation of an address: the value a host keeps under its `sid`, and finds again
/// by [`TokenRequestKey::identity`].
///
/// No secret is in it, only keyed digests. Each transition takes the value (what was
/// found, which may be nothing) and gives what it has become.
///
/// ```
/// use matrix_uia::endpoint::threepid::{TokenRequestKey, Medium, Purpose, Requested, Delivery, Threepid, Validation, ValidationRules};
/// use matrix_uia::{BindingKey, Secret, Timestamp};
/// let key = BindingKey::from_entropy([7; 16]); // from the host's generator
/// let rules = ValidationRules::default();
/// let now = Timestamp::from_millis(1_000);
/// let alice = Threepid::parse(Medium::Email, "alice@example.org".into())?;
/// let asked = TokenRequestKey::new(&key, Purpose::Reset, None, alice, Secret::new("monkeys"), 1);
/// let token = key.validation_token(Secret::new("a-token-nobody-guesses"));
///
/// let Requested::New(sent) = Validation::request(None, &asked, Delivery::Token, token, &rules, now) else {
///     unreachable!("there was none")
/// };
/// let again = Validation::request(Some(sent), &asked, Delivery::Token, token, &rules, now);
/// assert!(matches!(again, Requested::AlreadySent));
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
#[must_use = "what is not stored never happened"]
pub struct Validation {
    pub(super) threepid: Threepid,
    pub(super) purpose: Purpose,
    pub(super) requester: Option<UserRef>,
    pub(super) secret: Digest,
    /// `None`: there never was one, only a notice. It looks like one that nobody submits.
    pub(super) token: Option<Digest>,
    pub(super) send_attempt: i64,
    /// The last message, being validated, or being claimed: what the lifetime counts from.
    pub(super) touched: Timestamp,
    pub(super) wrong_tokens: u16,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Sent,
    Validated { at: Timestamp },
    Claimed { at: Timestamp, by: Digest },
}

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

/// What a claim came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an unstored claim never happened"]
#[allow(clippy::exhaustive_enums, reason = "complete: granted, pending or refused")]
pub enum Claimed {
    /// Store it, and the stage has passed: [`Verdict::Passed`](crate::server::session::Verdict).
    Granted(Validation),
    /// Nobody has submitted the token yet: [`Verdict::Pending`](crate::server::session::Verdict).
    NotYet,
    /// It proves nothing here: [`StageFailure::Threepid`](crate::server::session::StageFailure).
    Refused,
}

/// By what a stage refers to a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimBy {
    /// By its credentials: [`Check::Email`] and [`Check::Msisdn`].
    ///
    /// [`Check::Email`]: crate::server::session::Check::Email
    /// [`Check::Msisdn`]: crate::server::session::Check::Msisdn
    Credentials {
        /// The medium that the stage is about.
        medium: Medium,
        /// [`BindingKey::client_secret`] of the credentials' secret.
        secret: Digest,
    },
    /// By the reference that was given with [`Verdict::Pending`], when its credentials had
    /// been found good: [`Check::Awaited`].
    ///
    /// [`Verdict::Pending`]: crate::server::session::Verdict::Pending
    /// [`Check::Awaited`]: crate::server::session::Check::Awaited
    Awaited,
}

impl Validation {
    /// A `requestToken` came in, and `sending` is [decided](super::TokenRequestContext::decide).
    ///
    /// `found` is what the host has under [`TokenRequestKey::identity`]; `token` is the digest of the
    /// token that belongs to the fresh `sid`, should there be a new validation. A higher
    /// `send_attempt` than the last sends again; one that is over begins anew.
    pub fn request(
        found: Option<Self>,
        asked: &TokenRequestKey,
        sending: Delivery,
        token: Digest,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Requested {
        let token = (sending == Delivery::Token).then_some(token);
        let same = |found: &Self| {
            // Whether there is a token may have changed with who has the address. One that
            // is validated has had its token, and may be claimed.
            let fits = found.phase != Phase::Sent || found.token.is_some() == token.is_some();
            asked.is_about(found) && !found.is_over(rules, now) && fits
        };
        match found.filter(same) {
            Some(found) if asked.send_attempt <= found.send_attempt => Requested::AlreadySent,
            Some(found) => Requested::Again(Self { send_attempt: asked.send_attempt, touched: now, ..found }),
            None => Requested::New(Self {
                threepid: asked.threepid.clone(),
                purpose: asked.purpose,
                requester: asked.requester,
                secret: asked.secret,
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

    /// A stage of a UIA session wants to pass by it.
    ///
    /// `found` is what the host has under the credentials' `sid`, or by the reference it
    /// gave; `session` the UIA session's digest, `user` the user of its access token. A
    /// validation passes a stage of one session: that session may ask again, no other
    /// (lesson 25). Its purpose has to be that [of the stage](Purpose::of_stage).
    pub fn claim(
        found: Option<Self>,
        how: ClaimBy,
        purpose: Purpose,
        session: Digest,
        user: Option<UserRef>,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Claimed {
        let fits = |found: &Self| {
            let referred = match how {
                ClaimBy::Credentials { medium, secret } => {
                    found.threepid.medium() == medium && found.secret == secret
                }
                ClaimBy::Awaited => true,
            };
            referred && found.is_for(purpose, user)
        };
        let Some(mut found) = found.filter(fits) else { return Claimed::Refused };
        match found.phase {
            Phase::Claimed { by, .. } if by == session => Claimed::Granted(found),
            Phase::Claimed { .. } => Claimed::Refused,
            _ if found.is_over(rules, now) => Claimed::Refused,
            Phase::Sent => Claimed::NotYet,
            Phase::Validated { at } => {
                found.phase = Phase::Claimed { at, by: session };
                found.touched = now;
                Claimed::Granted(found)
            }
        }
    }

    /// The UIA session of this digest has ended without using the claim: the validation may
    /// pass a stage of another one. `None` if that session has not claimed it.
    #[must_use]
    pub fn give_back(mut self, session: Digest) -> Option<Self> {
        match self.phase {
            Phase::Claimed { at, by } if by == session => {
                self.phase = Phase::Validated { at };
                Some(self)
            }
            _ => None,
        }
    }

    /// Whether the UIA session of this digest has claimed it: what may be spent with the
    /// session's call.
    #[must_use]
    pub fn is_claimed_by(&self, session: Digest) -> bool {
        matches!(self.phase, Phase::Claimed { by, .. } if by == session)
    }

    /// What it validated and when, if it is for `purpose`, was asked under `secret` by
    /// `user` or nobody, and no UIA session has claimed it.
    pub(super) fn usable(
        self,
        purpose: Purpose,
        secret: Digest,
        user: UserRef,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Option<(Threepid, Timestamp)> {
        match self.phase {
            Phase::Validated { at }
                if self.is_for(purpose, Some(user)) && self.secret == secret && !self.is_over(rules, now) =>
            {
                Some((self.threepid, at))
            }
            _ => None,
        }
    }

    fn is_for(&self, purpose: Purpose, user: Option<UserRef>) -> bool {
        self.purpose == purpose && (self.requester.is_none() || self.requester == user)
    }

    /// Whether nothing can come of it any more.
    #[must_use]
    pub fn is_over(&self, rules: &ValidationRules, now: Timestamp) -> bool {
        let guessed = self.phase == Phase::Sent && self.wrong_tokens >= rules.max_wrong_tokens;
        guessed || now.since(self.touched) >= rules.lifetime
    }

    /// From when on the host may forget it. Later than its end: who comes too late is told
    /// that it is over rather than that it never was.
    #[must_use]
    pub const fn forget_at(&self, rules: &ValidationRules) -> Timestamp {
        self.touched.after(rules.lifetime).after(rules.lifetime)
    }

    /// The key it is found by, as [`TokenRequestKey::identity`].
    #[must_use]
    pub fn identity(&self, key: &BindingKey) -> Digest {
        identity(key, self.purpose, self.requester, &self.threepid, self.secret)
    }

    /// Whether `secret` is that of who asked for it: who may be told about it.
    #[must_use]
    pub fn is_of(&self, secret: Digest) -> bool {
        self.secret == secret
    }

    /// The address.
    #[must_use]
    pub const fn threepid(&self) -> &Threepid {
        &self.threepid
    }

    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Who asked for it, if an access token said so.
    #[must_use]
    pub const fn requester(&self) -> Option<UserRef> {
        self.requester
    }

    /// When the address was validated, if it has been.
    #[must_use]
    pub const fn validated_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Sent => None,
            Phase::Validated { at } | Phase::Claimed { at, .. } => Some(at),
        }
    }
}
