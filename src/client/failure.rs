//! How a flow ends when it doesn't succeed, and what an error means for the session that
//! the application has stored.
//!
//! ```text
//!  M_UNKNOWN_TOKEN ─┬─ soft_logout: true ─► SoftLogout: keep the data, log in again
//!                   └─ else ──────────────► Gone: the one thing that ends a session
//!  M_USER_LOCKED, M_USER_SUSPENDED, M_USER_DEACTIVATED, 429 ─► what they say
//!  anything else, a proxy's 401 too ─────► Keep
//! ```

use super::choice::{self, Abilities, FlowId, Means};
use crate::wire::error::{AnyCode, ErrorBody, ErrorCode};
use crate::wire::{AuthType, ChallengeBody, ParseError};
use crate::{Millis, Text};

/// What an error means for the login an application keeps (rule C8).
///
/// ```
/// use matrix_uia::client::SessionImpact;
/// let of = |status, body: &str| SessionImpact::of(status, body.as_bytes());
/// assert_eq!(of(401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#), SessionImpact::Gone);
/// assert_eq!(of(401, r#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":true}"#), SessionImpact::SoftLogout);
/// assert_eq!(of(401, r#"{"errcode":"M_USER_LOCKED","soft_logout":true}"#), SessionImpact::Locked);
/// assert_eq!(of(401, "<html>Log in to the Wi-Fi</html>"), SessionImpact::Keep);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum SessionImpact {
    /// Nothing: it stays as it is.
    #[default]
    Keep,
    /// The access token is of no use any more, the rest is: refresh it, or log in again
    /// on the same device. See [soft logout].
    ///
    /// [soft logout]: https://spec.matrix.org/v1.19/client-server-api/#soft-logout
    SoftLogout,
    /// The login is over, for good.
    Gone,
    /// The account is [locked]: keep everything, and try again later.
    ///
    /// [locked]: https://spec.matrix.org/v1.19/client-server-api/#account-locking
    Locked,
    /// The account is [suspended]: the login is good, this action is not.
    ///
    /// [suspended]: https://spec.matrix.org/v1.19/client-server-api/#account-suspension
    Suspended,
    /// The account is no more.
    Deactivated,
    /// Too many requests; nothing else has changed. The wait, if one was named.
    RateLimited(Option<Millis>),
}

impl SessionImpact {
    /// What an answer with an error `status` and this `body` means; for any endpoint.
    #[must_use]
    pub fn of(status: u16, body: &[u8]) -> Self {
        Self::of_error(status, ErrorBody::parse(body).as_ref())
    }

    pub(super) fn of_error(status: u16, error: Result<&ErrorBody<'_>, &ParseError>) -> Self {
        let wait = error.ok().and_then(|error| error.retry_after);
        let (Ok(error), Some(code)) = (error, error.ok().and_then(|error| error.code)) else {
            return if status == 429 { Self::RateLimited(wait) } else { Self::Keep };
        };
        match code {
            // With another status it isn't the answer the spec has for tokens.
            AnyCode::Known(ErrorCode::UnknownToken) if status == 401 => {
                if error.soft_logout == Some(true) {
                    Self::SoftLogout
                } else {
                    Self::Gone
                }
            }
            AnyCode::Known(ErrorCode::UserLocked) => Self::Locked,
            AnyCode::Known(ErrorCode::UserSuspended) => Self::Suspended,
            AnyCode::Known(ErrorCode::UserDeactivated) => Self::Deactivated,
            AnyCode::Known(ErrorCode::LimitExceeded) => Self::RateLimited(wait),
            _ if status == 429 => Self::RateLimited(wait),
            _ => Self::Keep,
        }
    }
}

/// Whether an error is about the access token, and so never part of a flow (rule C1).
pub(super) const fn is_about_the_token(code: Option<AnyCode<'_>>) -> bool {
    matches!(
        code,
        Some(AnyCode::Known(ErrorCode::UnknownToken | ErrorCode::MissingToken | ErrorCode::UserLocked))
    )
}

/// What the server said when it said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageError<'p> {
    /// `errcode`.
    pub code: Option<AnyCode<'p>>,
    /// `error`, for people.
    pub message: Option<Text<'p>>,
}

impl<'p> StageError<'p> {
    pub(super) fn of(challenge: &ChallengeBody<'p>) -> Option<Self> {
        let (code, message) = (challenge.code, challenge.message);
        (code.is_some() || message.is_some()).then_some(Self { code, message })
    }
}

/// Why a flow has ended without success. It stays ended, whatever comes after.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum FlowFailure<'p> {
    /// The server said no, or something that is no answer of a homeserver's.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The error, if the body was one.
        error: Option<StageError<'p>>,
        /// What it means for the stored session.
        meaning: SessionImpact,
    },
    /// No flow can be walked by this application.
    NoFlow(Missing<'p>),
    /// A stage was refused, and nobody is there to answer otherwise: `m.login.dummy`, or any
    /// of an [`unattended`](super::Client::unattended) client's.
    Refused(Option<StageError<'p>>),
    /// The server repeats itself: always the same state, no error, no progress.
    Loop,
    /// A stage that is completed elsewhere was not, within [`Patience`](super::Patience).
    TimedOut,
    /// The server limits every attempt. The wait it asked for last, if any.
    RateLimited(Option<Millis>),
    /// No answer came, however often it was tried.
    NoAnswer,
    /// The challenge is longer than the progress has room for.
    TooLarge,
    /// The application cancelled it.
    Cancelled,
}

impl FlowFailure<'_> {
    /// What it means for the stored session.
    #[must_use]
    pub const fn meaning(&self) -> SessionImpact {
        match self {
            Self::Answer { meaning, .. } => *meaning,
            Self::RateLimited(wait) => SessionImpact::RateLimited(*wait),
            _ => SessionImpact::Keep,
        }
    }
}

/// The stages of a flow that the application can't do: those of the flow that comes
/// closest, so that it is clear what would help.
#[derive(Clone, Copy, Debug)]
pub struct Missing<'p> {
    pub(super) challenge: ChallengeBody<'p>,
    pub(super) abilities: Abilities<'p>,
    pub(super) flow: Option<FlowId>,
}

impl<'p> Missing<'p> {
    /// The stages, in the flow's order; none if the server offers no flow at all.
    pub fn stages(&self) -> impl Iterator<Item = AuthType<'p>> + use<'p> {
        let Self { challenge, abilities, flow } = *self;
        let stages = flow.and_then(|flow| choice::find(&challenge, flow)).map(|flow| flow.stages());
        stages.into_iter().flatten().filter(move |stage| {
            let done = challenge.completed().any(|done| done == *stage);
            !done && matches!(abilities.means(&challenge, *stage), Means::Nobody | Means::WithAddress)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_genuine_error_about_the_token_ends_a_session() {
        for (status, body, meaning) in [
            (401, r#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":false}"#, SessionImpact::Gone),
            (401, r#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":"true"}"#, SessionImpact::Gone),
            (403, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#, SessionImpact::Keep),
            (401, r#"{"errcode":"M_MISSING_TOKEN"}"#, SessionImpact::Keep),
            (401, r#"{"errcode":"M_UNAUTHORIZED"}"#, SessionImpact::Keep),
            (401, "{}", SessionImpact::Keep),
            (401, "", SessionImpact::Keep),
            (403, r#"{"errcode":"M_FORBIDDEN"}"#, SessionImpact::Keep),
            (403, r#"{"errcode":"M_USER_DEACTIVATED"}"#, SessionImpact::Deactivated),
            (403, r#"{"errcode":"M_USER_SUSPENDED"}"#, SessionImpact::Suspended),
            (429, "too fast", SessionImpact::RateLimited(None)),
            (
                429,
                r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":7}"#,
                SessionImpact::RateLimited(Some(Millis::new(7))),
            ),
            (429, r#"{"retry_after_ms":7}"#, SessionImpact::RateLimited(Some(Millis::new(7)))),
        ] {
            assert_eq!(SessionImpact::of(status, body.as_bytes()), meaning, "{status} {body}");
        }
    }
}
