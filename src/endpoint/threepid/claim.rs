//! What a validated address is used for: a stage of one UIA session, or an account's new
//! address.

use super::address::{Medium, Threepid};
use super::authority::AddressAuthority;
use super::purpose::Purpose;
use super::rules::ValidationRules;
use super::validation::{Phase, Validation};
use crate::server::digest::Digest;
use crate::server::operation::OperationId;
use crate::server::reference::UserRef;
use crate::time::Timestamp;

/// What a claim came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an unstored claim never happened"]
#[allow(clippy::exhaustive_enums, reason = "complete: granted, pending or refused")]
pub enum Claimed {
    /// Store it, and the stage has passed: [`Verdict::Passed`](crate::server::verdict::Verdict).
    Granted(Validation),
    /// Nobody has submitted the token yet: [`Verdict::Pending`](crate::server::verdict::Verdict).
    NotYet,
    /// It proves nothing here: [`StageFailure::Threepid`](crate::server::verdict::StageFailure).
    Refused,
}

/// By what a stage refers to a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimBy {
    /// By its credentials: [`AddressBy::Credentials`](crate::server::check::AddressBy).
    Credentials {
        /// The medium that the stage is about.
        medium: Medium,
        /// [`BindingKey::client_secret`](crate::BindingKey::client_secret) of the credentials' secret.
        secret: Digest,
    },
    /// By the reference that was given with the verdict "pending", when its credentials had
    /// been found good: [`AddressBy::Awaited`](crate::server::check::AddressBy).
    Awaited,
}

/// The stage that wants to pass by a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a fact nobody looks up has to break the build")]
pub struct Claimant {
    /// The operation that the stage guards.
    pub operation: OperationId,
    /// [`BindingKey::claimant`](crate::BindingKey::claimant) of its UIA session.
    pub session: Digest,
    /// The user of that session's access token, if it has one.
    pub user: Option<UserRef>,
}

impl Validation {
    /// A stage of a UIA session wants to pass by it.
    ///
    /// `found` is what the host has under the credentials' `sid`, or by the reference it
    /// gave. A validation passes a stage of one session: that session may ask again, no
    /// other (lesson 25). It passes only a stage of an operation that its message named, and
    /// that these `policies` still guard so (lesson 86).
    pub fn claim(
        found: Option<Self>,
        how: ClaimBy,
        claimant: Claimant,
        policies: &AddressAuthority,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Claimed {
        let Claimant { operation, session, user } = claimant;
        let fits = |found: &Self| {
            let referred = match how {
                ClaimBy::Credentials { medium, secret } => {
                    found.threepid.medium() == medium && found.secret == secret
                }
                ClaimBy::Awaited => true,
            };
            let authorised = found.authorises(policies);
            let named = authorised.fingerprint() == found.named && authorised.allows(operation);
            referred && named && found.is_of_user(user) && !found.is_future(now)
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

    /// The digest of the UIA session that has claimed it, and when it did.
    ///
    /// Where sessions are kept elsewhere than validations, a crash between a claim and its
    /// session leaves a claim that nobody can use. Where another session is
    /// [refused](Claimed::Refused) for a claim that is older than
    /// [`Rules::claim_for`](crate::Rules::claim_for), look whether there is a session of that
    /// digest, and [give it back](Self::give_back) if there is none. A younger one's session
    /// may be about to be stored.
    #[must_use]
    pub const fn claimed_by(&self) -> Option<(Digest, Timestamp)> {
        match self.phase {
            // Nothing else touches a validation that is claimed.
            Phase::Claimed { by, .. } => Some((by, self.touched)),
            Phase::Sent | Phase::Validated { .. } => None,
        }
    }

    /// What it validated and when, if it is for adding an address, was asked under `secret`
    /// by `user` or nobody, and no UIA session has claimed it.
    pub(super) fn into_addable(
        self,
        secret: Digest,
        user: UserRef,
        rules: &ValidationRules,
        now: Timestamp,
    ) -> Option<(Threepid, Timestamp)> {
        match self.phase {
            Phase::Validated { at }
                if self.purpose == Purpose::Add
                    && self.is_of_user(Some(user))
                    && self.secret == secret
                    && !self.is_over(rules, now) =>
            {
                Some((self.threepid, at))
            }
            _ => None,
        }
    }

    /// Whether nobody by name has asked for it, or `user`.
    fn is_of_user(&self, user: Option<UserRef>) -> bool {
        self.requester.is_none() || self.requester == user
    }
}
