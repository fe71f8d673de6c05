//! What is asked of the host about a stage.

use core::fmt;

use super::check::{AddressCheck, PasswordCheck};
use super::operation::OperationId;
use super::reference::{Reference, UserRef};
use super::session::SessionId;
use crate::secret::Secret;
use crate::wire::json::Raw;
use crate::wire::{StageId, UserIdentifier};

/// What is asked, whoever asks: a request, or a page.
#[derive(Clone, Copy)]
pub struct Question<'r> {
    pub(super) operation: OperationId,
    /// The session, or the ID that a new one will have.
    pub(super) id: SessionId,
    pub(super) stage: StageId,
    pub(super) check: Check<'r>,
    pub(super) user: Option<UserRef>,
    pub(super) by_token: bool,
}

/// What the host has to look up.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a question nobody answers has to break the build")]
pub enum Check<'r> {
    /// Is this the user's password? [`PasswordCheck`] says whose to compare with.
    Password(PasswordCheck<'r>),
    /// Does the captcha's own service accept this response?
    Recaptcha {
        /// The response.
        response: Secret<'r>,
    },
    /// Has this e-mail address been validated? If so, claim it for this session.
    Email(AddressCheck<'r>),
    /// Has this phone number been validated? If so, claim it for this session.
    Msisdn(AddressCheck<'r>),
    /// Reserve one use of this token, in one atomic act that counts pending uses.
    RegistrationToken {
        /// The token.
        token: Secret<'r>,
    },
    /// Has what the stage waits for happened? The reference is the one given with
    /// [`Verdict::Pending`](super::verdict::Verdict::Pending) or
    /// [`Verdict::Continue`](super::verdict::Verdict::Continue).
    Awaited {
        /// The host's.
        reference: Reference,
    },
    /// A custom stage; the data is the whole auth dict.
    Custom {
        /// The auth dict.
        data: Raw<'r>,
        /// What the host last said it waits for, in a stage of several requests.
        reference: Option<Reference>,
    },
}

/// A counter that a failed attempt counts against (rule U17). The host keeps the counters;
/// a new session does not reset them.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a counter nobody keeps has to break the build")]
pub enum LimitKey<'r> {
    /// The user of the request's access token: a counter of its own, so that strangers
    /// can't lock the owner out.
    TokenUser(UserRef),
    /// Whoever the attempt names, in the identifier's
    /// [canonical form](UserIdentifier::canonical), whether such a user exists or not.
    Named(UserIdentifier<'r>),
    /// The peer's address.
    Address,
}

impl<'r> Question<'r> {
    /// What stands in the place of a question where none is asked yet.
    pub(super) const fn of_nothing(operation: OperationId, id: SessionId) -> Self {
        let check = Check::Awaited { reference: Reference::new(0) };
        Self { operation, id, stage: StageId::NONE, check, user: None, by_token: false }
    }

    /// What is to be done on the strength of the answer.
    #[must_use]
    pub const fn operation(&self) -> OperationId {
        self.operation
    }

    /// What to look up; borrowed from the request only.
    #[must_use]
    pub const fn check(&self) -> Check<'r> {
        self.check
    }

    /// The user whose access token the request carries, or whom a stage has proved.
    #[must_use]
    pub const fn user(&self) -> Option<UserRef> {
        self.user
    }

    /// The session the question is about, for what the host reserves in its name.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// Every counter that a failure counts against. If one of them is over its limit,
    /// verify nothing and answer [`Verdict::Limited`](super::verdict::Verdict::Limited).
    /// None for a poll, which is no attempt.
    pub fn limit_keys(&self) -> impl Iterator<Item = LimitKey<'r>> + use<'r> {
        let attempted = !self.is_poll();
        let by_user = self.user.filter(|_| self.by_token).map(LimitKey::TokenUser);
        let named = match self.check {
            Check::Password(check) if by_user.is_none() => Some(LimitKey::Named(check.identifier())),
            _ => None,
        };
        by_user.into_iter().chain(named).chain([LimitKey::Address]).filter(move |_| attempted)
    }

    /// Whether nothing was attempted: what fails then is not counted (rule U9).
    #[must_use]
    pub const fn is_poll(&self) -> bool {
        match self.check {
            Check::Awaited { .. } => true,
            Check::Email(check) | Check::Msisdn(check) => check.is_poll(),
            _ => false,
        }
    }
}

impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("check", &self.check).finish_non_exhaustive()
    }
}
