//! The host's answer about a stage.

pub use super::extra::Extra;
use super::reference::{Reference, Subject};
use super::session::Proof;
use crate::time::Millis;
use crate::wire::error::fault::Fault;
use crate::wire::error::{ErrorCode, MatrixError};

/// The host's answer to a [`Check`](super::question::Check).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "every answer there is")]
pub enum Verdict<'r> {
    /// The stage has passed, and this was proved.
    Passed(Evidence),
    /// It has not.
    Failed(StageFailure),
    /// Not yet: an e-mail that hasn't been clicked. Never a failed attempt.
    Pending(Reference),
    /// The stage takes another request; these keys go to the client.
    Continue {
        /// What is added to the 401 body.
        extra: Extra<'r>,
        /// What the host calls the state it keeps for this stage.
        reference: Reference,
    },
    /// The host can't tell now. Nothing changes.
    Unavailable,
    /// Too many failures before this one: nothing was verified, nothing changes.
    Limited(Millis),
}

/// What a stage has proved.
///
/// A password and an address are proved by their [checks](super::check) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub(super) proof: Proof,
    /// The account that it is about, with the epoch at that moment.
    pub(super) account: Option<Subject>,
}

impl Evidence {
    /// That a captcha was solved, and the like: nothing that matters later.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { proof: Proof::Nothing, account: None }
    }

    /// That this user is at the other end, said by an identity provider or by the host's
    /// own custom stage.
    #[must_use]
    pub const fn user(account: Subject) -> Self {
        Self { proof: Proof::User(account.user), account: Some(account) }
    }

    /// That one use of a registration token is reserved for the session.
    #[must_use]
    pub const fn token(reservation: Reference) -> Self {
        Self { proof: Proof::Token(reservation), account: None }
    }

    /// That the host has reserved something else for the session.
    #[must_use]
    pub const fn other(reservation: Reference) -> Self {
        Self { proof: Proof::Other(reservation), account: None }
    }

    pub(super) const fn address(proof: Proof, account: Option<Subject>) -> Self {
        Self { proof, account }
    }
}

/// Why a stage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StageFailure {
    /// Wrong password or unknown user: `M_FORBIDDEN`.
    Credentials,
    /// A password stage that names another user than the one who has to authenticate: 403
    /// `M_FORBIDDEN` (rule U7).
    OtherUser,
    /// A third-party identifier nobody here has: 403 `M_FORBIDDEN`, as the
    /// [password stage](https://spec.matrix.org/v1.19/client-server-api/#password-based) says.
    UnknownThreepid,
    /// The captcha's service said no: `M_CAPTCHA_INVALID`.
    Captcha,
    /// The 3PID is not validated by these credentials, or is not that user's:
    /// `M_THREEPID_AUTH_FAILED`.
    Threepid,
    /// The 3PID is validated, and no account has it: 404 `M_THREEPID_NOT_FOUND` (rule P4).
    UnownedThreepid,
    /// The registration token is unknown, expired or used up: `M_UNAUTHORIZED`.
    Token,
    /// Anything else: `M_UNAUTHORIZED`.
    Other,
}

impl StageFailure {
    /// What a 401 says beside the state.
    pub(crate) const fn fault(self) -> Fault {
        match self {
            Self::Credentials | Self::UnknownThreepid => {
                Fault::new(ErrorCode::Forbidden, "Invalid username or password.")
            }
            Self::OtherUser => Fault::new(
                ErrorCode::Forbidden,
                "These are not the credentials of the user who makes the request.",
            ),
            Self::Captcha => Fault::new(ErrorCode::CaptchaInvalid, "The captcha was not accepted."),
            Self::Threepid => {
                Fault::new(ErrorCode::ThreepidAuthFailed, "The address could not be validated.")
            }
            Self::UnownedThreepid => Fault::new(ErrorCode::ThreepidNotFound, "No account has this address."),
            Self::Token => Fault::new(ErrorCode::Unauthorized, "The registration token is not valid."),
            Self::Other => Fault::new(ErrorCode::Unauthorized, "The authentication was not accepted."),
        }
    }

    /// The error that is answered in place of a 401 with the state.
    pub(crate) const fn refusal(self) -> Option<MatrixError> {
        match self {
            Self::OtherUser | Self::UnknownThreepid => Some(MatrixError::of(self.fault())),
            Self::UnownedThreepid => Some(MatrixError::of(self.fault()).with_status(404)),
            _ => None,
        }
    }
}
