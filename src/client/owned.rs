//! A failure that can be returned: it borrows nothing.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::failure::FlowFailure;
use super::meaning::SessionImpact;
use crate::wire::error::ErrorCode;

/// A [`FlowFailure`] that owns what the server said, for a function that returns it.
///
/// ```
/// use matrix_uia::client::{CallName, Client, Next, OwnedFailure, Progress};
/// use matrix_uia::Timestamp;
/// fn logout() -> Result<(), OwnedFailure> {
/// #   let call = CallName::new("logout").expect("a short name");
///     let (client, mut progress) = (Client::new(&[]), Progress::<512>::new(call));
///     progress.cancel();
///     match client.next(&mut progress, Timestamp::from_millis(0)) {
///         Next::Failed(failure) => Err(failure.into()),
///         _ => Ok(()),
///     }
/// }
/// assert_eq!(logout().unwrap_err().to_string(), "cancelled");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnedFailure {
    /// The HTTP status, where an answer ended it.
    pub status: Option<u16>,
    /// `errcode`, where there was one; [`code`](Self::code) has it as a value.
    pub errcode: Option<String>,
    /// `error`, for people, as it came: escape it before a terminal shows it.
    pub message: Option<String>,
    /// What it means for the stored session.
    pub meaning: SessionImpact,
    /// The stages that are missing, where there is no flow to walk.
    pub missing: Vec<String>,
    words: String,
}

impl OwnedFailure {
    /// The error's code, if it is one that the specification has.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match crate::wire::error::AnyCode::from(crate::text::Text::new(self.errcode.as_deref()?)) {
            crate::wire::error::AnyCode::Known(code) => Some(code),
            _ => None,
        }
    }
}

impl From<FlowFailure<'_>> for OwnedFailure {
    fn from(failure: FlowFailure<'_>) -> Self {
        let (status, error) = match failure {
            FlowFailure::Answer { status, error, .. } => (Some(status), error),
            FlowFailure::Refused(error) => (Some(401), error),
            FlowFailure::RateLimited(_) => (Some(429), None),
            _ => (None, None),
        };
        let missing = match failure {
            FlowFailure::NoFlow(missing) => missing.stages().map(|stage| stage.name().to_exact()).collect(),
            _ => Vec::new(),
        };
        Self {
            status,
            errcode: error.and_then(|error| error.code).map(|code| code.name().to_exact()),
            message: error.and_then(|error| error.message).map(|words| words.to_exact()),
            meaning: failure.meaning(),
            missing,
            words: failure.to_string(),
        }
    }
}

impl fmt::Display for OwnedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl core::error::Error for OwnedFailure {}
