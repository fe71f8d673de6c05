//! How a visit to a page ended.

use core::fmt;

use super::verdict::StageFailure;
use crate::time::Millis;
use crate::wire::Malformed;
use crate::wire::error::{ErrorCode, MatrixError};

/// How a visit to a stage's page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "send the page that says so"]
#[allow(clippy::exhaustive_enums, reason = "every answer there is")]
pub enum PageOutcome {
    /// The stage can be attempted: show its page. The answer to a look.
    Open,
    /// The stage has passed.
    Passed,
    /// It has not.
    Refused(PageRefusal),
}

/// Why a stage has not passed by its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageRefusal {
    /// There is no such session (any more), or not for this operation and account.
    Unknown,
    /// The session's account may not go on.
    Account(MatrixError),
    /// Too many attempts have failed; what is left of the session's lifetime.
    Closed(Millis),
    /// The stage is not the next one of any flow.
    OutOfOrder,
    /// The stage has passed before.
    Already,
    /// Somebody else authenticated than the session is for.
    WrongUser,
    /// The form lacks something.
    Malformed(Malformed),
    /// What was given is not right.
    Failed(StageFailure),
    /// Nothing is wrong, and what the stage waits for hasn't happened.
    Pending,
    /// Other terms hold than the page has shown.
    TermsChanged,
    /// The host can't tell now.
    Unavailable,
    /// Too many failures before this one: nothing was verified.
    Limited(Millis),
}

impl PageRefusal {
    /// The same as an error of the API: a code, a status, and a sentence for the page.
    pub const fn error(self) -> MatrixError {
        match self {
            Self::Unknown => MatrixError::new(ErrorCode::NotFound, "The session is unknown, or has expired."),
            Self::Account(error) => error,
            Self::Closed(wait) | Self::Limited(wait) => MatrixError::limited(wait),
            Self::OutOfOrder => MatrixError::new(
                ErrorCode::InvalidParam,
                "This stage is not one that the session can take now.",
            ),
            Self::Already => {
                MatrixError::new(ErrorCode::InvalidParam, "This stage has been completed before.")
            }
            Self::WrongUser => {
                MatrixError::new(ErrorCode::Forbidden, "These are not the credentials of the right account.")
            }
            Self::Malformed(Malformed::Missing(_)) => {
                MatrixError::new(ErrorCode::MissingParam, "Please fill in every field.")
            }
            Self::Malformed(Malformed::Invalid(_)) => {
                MatrixError::new(ErrorCode::InvalidParam, "What you entered can't be right. Please check it.")
            }
            Self::Failed(failure) => MatrixError::of(failure.fault()).with_status(403),
            Self::Pending => MatrixError::new(ErrorCode::SessionNotValidated, "This has not happened yet."),
            Self::TermsChanged => MatrixError::new(
                ErrorCode::TermsNotSigned,
                "The terms have changed since you opened this page. Please read them again.",
            )
            .with_status(409),
            Self::Unavailable => MatrixError::unavailable(),
        }
    }
}

impl fmt::Display for PageRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such session",
            Self::Account(_) => "the account may not go on",
            Self::Closed(_) => "too many failed attempts in this session",
            Self::OutOfOrder => "the stage is not the next of any flow",
            Self::Already => "the stage has passed already",
            Self::WrongUser => "the session belongs to another user",
            Self::Malformed(_) => "the form lacks something",
            Self::Failed(_) => "what was given is not right",
            Self::Pending => "what the stage waits for hasn't happened",
            Self::TermsChanged => "the terms have changed",
            Self::Unavailable => "the host can't tell now",
            Self::Limited(_) => "too many failed attempts",
        })
    }
}

impl core::error::Error for PageRefusal {}
