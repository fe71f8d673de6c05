//! What is asked of the host, and its answer.
//!
//! ```text
//!  Pending ─► check ─► the host looks it up ─► Verdict ─► resolve ─► Resolved ─► apply ─► Step
//! ```

use core::fmt;
use core::marker::PhantomData;

use super::{Facts, Guard, Proof, Session, SessionError, SessionId, Step};
use crate::server::operation::{Operation, OperationId, Reference, Subject, UserRef};
use crate::wire::error::ErrorCode;
use crate::wire::json::Raw;
use crate::wire::{StageId, ThreepidCreds, UserIdentifier};
use crate::{Millis, Secret, Timestamp};

/// A question to the host, which the request raised.
#[must_use = "the stage stays open until `resolve` is called"]
pub struct Pending<'r, Op: Operation> {
    pub(super) guard: Guard<'r, Op>,
    pub(super) facts: Facts,
    pub(super) question: Question<'r>,
}

/// What is asked, whoever asks: a request, or a [page](super::Outside).
#[derive(Clone, Copy)]
pub struct Question<'r> {
    pub(super) operation: OperationId,
    /// The session, or the ID that a new one will have.
    pub(super) id: SessionId,
    pub(super) stage: StageId,
    pub(super) check: Check<'r>,
    pub(super) user: Option<UserRef>,
}

/// What the host has to look up.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Check<'r> {
    /// Is this the user's password? Look the user up, verify, and answer
    /// [`Proof::User`]; an unknown user takes the same work and is
    /// [`StageFailure::Credentials`].
    Password {
        /// Whose.
        identifier: UserIdentifier<'r>,
        /// The password.
        password: Secret<'r>,
    },
    /// Does the captcha's own service accept this response?
    Recaptcha {
        /// The response.
        response: Secret<'r>,
    },
    /// Has this e-mail address been validated? If so, claim it for this session.
    Email(ThreepidCreds<'r>),
    /// Has this phone number been validated? If so, claim it for this session.
    Msisdn(ThreepidCreds<'r>),
    /// Reserve one use of this token, in one atomic act that counts pending uses.
    RegistrationToken {
        /// The token.
        token: Secret<'r>,
    },
    /// Has what the stage waits for happened? The reference is the one given with
    /// [`Verdict::Pending`] or [`Verdict::Continue`].
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

/// Which counter a failure of this attempt counts against. The host keeps the counters;
/// a new session does not reset them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LimitKey<'r> {
    /// The user whose access token the request carries.
    User(UserRef),
    /// Whoever the attempt names: resolve it to a user if there is one.
    Named(UserIdentifier<'r>),
    /// Nobody in particular: the peer's address.
    Address,
}

/// The host's answer to a [`Check`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Verdict<'r> {
    /// The stage has passed, and this was proved.
    Passed(Proof),
    /// It has not.
    Failed(StageFailure),
    /// Not yet: an e-mail that hasn't been clicked. Never a failed attempt.
    Pending(Reference),
    /// The stage takes another request; these keys go to the client.
    Continue {
        /// A JSON object whose keys are added to the 401 body.
        extra: Raw<'r>,
        /// What the host calls the state it keeps for this stage.
        reference: Reference,
    },
    /// The host can't tell now. Nothing changes.
    Unavailable,
    /// Too many failures before this one: nothing was verified, nothing changes.
    Limited(Millis),
}

/// Why a stage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StageFailure {
    /// Wrong password or unknown user: `M_FORBIDDEN`.
    Credentials,
    /// A third-party identifier nobody here has: 403 `M_FORBIDDEN`, as the
    /// [password stage](https://spec.matrix.org/v1.19/client-server-api/#password-based) says.
    UnknownThreepid,
    /// The captcha's service said no: `M_CAPTCHA_INVALID`.
    Captcha,
    /// The 3PID is not validated by these credentials: `M_THREEPID_AUTH_FAILED`.
    Threepid,
    /// The registration token is unknown, expired or used up: `M_UNAUTHORIZED`.
    Token,
    /// Anything else: `M_UNAUTHORIZED`.
    Other,
}

impl StageFailure {
    pub(super) const fn error(self) -> SessionError {
        match self {
            Self::Credentials => SessionError(ErrorCode::Forbidden, "Invalid username or password."),
            Self::UnknownThreepid => SessionError(ErrorCode::Forbidden, "Invalid username or password."),
            Self::Captcha => SessionError(ErrorCode::CaptchaInvalid, "The captcha was not accepted."),
            Self::Threepid => {
                SessionError(ErrorCode::ThreepidAuthFailed, "The address could not be validated.")
            }
            Self::Token => SessionError(ErrorCode::Unauthorized, "The registration token is not valid."),
            Self::Other => SessionError(ErrorCode::Unauthorized, "The authentication was not accepted."),
        }
    }
}

impl<'r> Question<'r> {
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

    /// The user whose access token the request carries, or whom a stage has proved. The
    /// password to be checked is that user's or the stage fails.
    #[must_use]
    pub const fn user(&self) -> Option<UserRef> {
        self.user
    }

    /// Which counter a failure counts against.
    #[must_use]
    pub const fn limit_key(&self) -> LimitKey<'r> {
        match (self.user, self.check) {
            (Some(user), _) => LimitKey::User(user),
            (None, Check::Password { identifier, .. }) => LimitKey::Named(identifier),
            _ => LimitKey::Address,
        }
    }

    /// The session the question is about, for what the host reserves in its name.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// Whether nothing was attempted: what fails then is not counted (rule U9).
    pub(super) const fn is_poll(&self) -> bool {
        matches!(self.check, Check::Awaited { .. })
    }
}

impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("check", &self.check).finish_non_exhaustive()
    }
}

impl<'r, Op: Operation> Pending<'r, Op> {
    /// The question itself.
    #[must_use]
    pub const fn question(&self) -> &Question<'r> {
        &self.question
    }

    /// As [`Question::check`].
    #[must_use]
    pub const fn check(&self) -> Check<'r> {
        self.question.check()
    }

    /// As [`Question::user`].
    #[must_use]
    pub const fn user(&self) -> Option<UserRef> {
        self.question.user()
    }

    /// As [`Question::limit_key`].
    #[must_use]
    pub const fn limit_key(&self) -> LimitKey<'r> {
        self.question.limit_key()
    }

    /// As [`Question::session_id`].
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.question.session_id()
    }

    /// Answers the question.
    pub const fn resolve(self, verdict: Verdict<'r>) -> Resolved<'r, Op> {
        Resolved {
            guard: self.guard,
            facts: self.facts,
            id: self.question.id,
            stage: self.question.stage,
            polled: self.question.is_poll(),
            verdict,
            operation: PhantomData,
        }
    }
}

impl<Op: Operation> fmt::Debug for Pending<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("check", &self.question.check).finish_non_exhaustive()
    }
}

/// A verdict that has yet to be applied.
///
/// Verifying takes time, and meanwhile others may have changed the session: it is read
/// again, [`apply`](Self::apply) takes it as it is now, and its write is tried. If that
/// loses too, the same is done again; nothing is verified twice and no failure is lost.
#[must_use = "an unapplied verdict never happened"]
pub struct Resolved<'r, Op: Operation> {
    guard: Guard<'r, Op>,
    facts: Facts,
    id: SessionId,
    stage: StageId,
    /// Whether nothing was attempted: what fails then is not counted (rule U9).
    polled: bool,
    verdict: Verdict<'r>,
    operation: PhantomData<fn() -> Op>,
}

impl<'r, Op: Operation> Resolved<'r, Op> {
    /// The session to read again.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// The same, now that the subject of the request's token has been read again.
    ///
    /// Verifying takes time. If the account's credentials were replaced meanwhile, what
    /// was verified may be the old ones: the verdict is dropped, and the client gets a new
    /// session, as if its request had come in now. A host that reads accounts in the same
    /// transaction as sessions does this before [`apply`](Self::apply).
    pub fn as_of(&self, subject: Option<Subject>) -> Self {
        let outdated = self.facts.outdated || subject != self.facts.subject;
        Self { facts: Facts { subject, outdated, ..self.facts }, ..*self }
    }

    /// Applies the verdict to the session as it is now.
    ///
    /// `fresh` is the ID of the new session, should one be needed, as in
    /// [`Guard::receive`].
    pub fn apply(&self, current: Option<Session>, fresh: SessionId, now: Timestamp) -> Step<'r, Op> {
        self.guard.apply(&self.facts, self.id, self.stage, self.polled, self.verdict, current, fresh, now)
    }
}

impl<Op: Operation> fmt::Debug for Resolved<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved").finish_non_exhaustive()
    }
}
