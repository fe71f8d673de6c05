//! What an error means for the login that the application has stored (rule C8).
//!
//! ```text
//!  M_UNKNOWN_TOKEN ─┬─ a refresh token is held ─► Refresh: nothing is decided yet
//!                   ├─ soft_logout: true ───────► SoftLogout: keep the data, log in again
//!                   └─ else ────────────────────► Gone: the one thing that ends a login
//!  401, 403 of refresh itself ─────────────────► about the refresh token: SoftLogout, Gone
//!  M_USER_LOCKED, M_USER_SUSPENDED, M_USER_DEACTIVATED, 429 ─► what they say
//!  anything else, a proxy's 401 too ───────────► Keep
//! ```

use crate::time::Millis;
use crate::wire::error::{AnyCode, ErrorCode, ErrorHead};

/// What a call was made with, on which it depends what its errors are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// No token: a login, a registration, a reset of the password. Nothing that is stored
    /// can be over by its answer.
    Nothing,
    /// An access token, and no refresh token is held.
    #[default]
    AccessToken,
    /// An access token, and a refresh token is held that has not been tried since.
    Refreshable,
    /// The refresh token itself: the call is `refresh`.
    RefreshToken,
}

/// What an error means for the login an application keeps (rule C8).
///
/// ```
/// use matrix_uia::client::{Credential, SessionImpact};
/// let of = |with, status, body: &str| SessionImpact::of(with, status, body.as_bytes());
/// let unknown = r#"{"errcode":"M_UNKNOWN_TOKEN"}"#;
/// assert_eq!(of(Credential::Refreshable, 401, unknown), SessionImpact::Refresh);
/// assert_eq!(of(Credential::AccessToken, 401, unknown), SessionImpact::Gone);
/// assert_eq!(of(Credential::RefreshToken, 401, unknown), SessionImpact::Gone);
/// assert_eq!(of(Credential::Nothing, 401, unknown), SessionImpact::Keep);
/// let soft = r#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":true}"#;
/// assert_eq!(of(Credential::AccessToken, 401, soft), SessionImpact::SoftLogout);
/// assert_eq!(of(Credential::RefreshToken, 403, "<html>Forbidden</html>"), SessionImpact::Keep);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum SessionImpact {
    /// Nothing: it stays as it is.
    #[default]
    Keep,
    /// The access token is of no use any more: trade the refresh token for a new one, and
    /// make the call again. Only what *that* says decides over the login; nothing is
    /// deleted before.
    Refresh,
    /// The tokens are of no use any more, the rest is: log in again on the same device. See
    /// [soft logout].
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
    /// What an answer with an error `status` and this `body` means, to a call that was made
    /// with that credential; for any endpoint.
    #[must_use]
    pub fn of(credential: Credential, status: u16, body: &[u8]) -> Self {
        Self::of_error(credential, status, &ErrorHead::read(body).unwrap_or_default())
    }

    pub(super) const fn of_error(credential: Credential, status: u16, error: &ErrorHead<'_>) -> Self {
        let ErrorHead { name: _, code, message: _, soft_logout, retry_after: wait } = *error;
        let Some(code) = code else {
            return if status == 429 { Self::RateLimited(wait) } else { Self::Keep };
        };
        match code {
            AnyCode::Known(ErrorCode::UserLocked) => Self::Locked,
            AnyCode::Known(ErrorCode::UserSuspended) => Self::Suspended,
            AnyCode::Known(ErrorCode::UserDeactivated) => Self::Deactivated,
            AnyCode::Known(ErrorCode::LimitExceeded) => Self::RateLimited(wait),
            _ if status == 429 => Self::RateLimited(wait),
            code => Self::of_token(credential, status, code, soft_logout),
        }
    }

    /// What is said of the token that the call was made with.
    const fn of_token(credential: Credential, status: u16, code: AnyCode<'_>, soft: bool) -> Self {
        // 401 is the status the spec has for tokens; an error that came with a 2xx is that error
        // (rule C7). With another status it is not about the token.
        let unknown =
            matches!(status, 200..=299 | 401) && matches!(code, AnyCode::Known(ErrorCode::UnknownToken));
        let refused = match credential {
            Credential::Nothing => return Self::Keep,
            Credential::Refreshable if unknown => return Self::Refresh,
            // Nothing else can be wrong with that call, whatever the server calls it.
            Credential::RefreshToken => unknown || matches!(status, 401 | 403),
            Credential::AccessToken | Credential::Refreshable => unknown,
        };
        match (refused, soft) {
            (false, _) => Self::Keep,
            (true, true) => Self::SoftLogout,
            (true, false) => Self::Gone,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_genuine_error_about_the_token_ends_a_session() {
        for (status, body, meaning) in [
            (401, r#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":false}"#, SessionImpact::Gone),
            (401, r#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":"true"}"#, SessionImpact::Gone),
            (200, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#, SessionImpact::Gone),
            (200, r#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":true}"#, SessionImpact::SoftLogout),
            (200, r#"{"errcode":"M_MISSING_TOKEN"}"#, SessionImpact::Keep),
            (403, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#, SessionImpact::Keep),
            (500, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#, SessionImpact::Keep),
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
            assert_eq!(
                SessionImpact::of(Credential::AccessToken, status, body.as_bytes()),
                meaning,
                "{status} {body}"
            );
        }
    }
}
