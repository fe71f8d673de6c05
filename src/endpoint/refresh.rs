//! [`POST /refresh`]: new tokens for old, and which of a device's tokens are alive.
//!
//! A device's tokens come in generations. A login makes the first; a refresh makes the
//! one after that of the refresh token it was asked with. The newest generation of which
//! any token was *used* is the device's; older ones are spent.
//!
//! ```text
//!            ┌── refresh with n: another pair n+1, in the place of the first ──┐
//!            ▼                                                                 │
//!  login ─► n used ── refresh with n ─► n used, n+1 handed out ────────────────┘
//!            ▲                                    │
//!            └── n := n+1, the old n is spent ────┘ the first use of access or refresh token n+1
//! ```
//!
//! So the old refresh token works until the client has shown that the new pair arrived
//! (rule L4), and however often an answer is lost, it can ask again. There are never two
//! pairs alive beside that of the last use: one that was handed out and never used is
//! replaced. Two of a client's processes may have asked at once, and the one whose pair was
//! replaced must not take its user for logged out: the host remembers that pair, as spent.
//!
//! ```
//! use matrix_uia::endpoint::refresh::{Generation, Presented};
//! let first = Generation::FIRST;         // of the login
//! let second = first.next();             // handed out by a refresh
//! assert_eq!(first.presented(first), Presented::Live, "nobody has used the second yet");
//! assert_eq!(second.presented(first), Presented::FirstUse);
//! assert_eq!(first.presented(second), Presented::Spent);
//! ```
//!
//! [`POST /refresh`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh

use core::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::endpoint::account::{AccountStatus, Action};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::{Millis, Secret};

/// Longest refresh token that is looked at, in bytes. The spec sets no bound.
pub const MAX_REFRESH_TOKEN_LEN: usize = 2048;

/// The number of a device's token generation: kept with each token, and with the device
/// as the newest one used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// That of a login. It counts as used: the device's newest generation starts as this.
    pub const FIRST: Self = Self(0);

    /// How many spent generations are worth remembering, and how many replaced pairs.
    ///
    /// The client of a spent token is told so softly, for it or a request of it that was
    /// under way has a successor; that of an unknown token forgets everything it has.
    pub const REMEMBERED: u64 = 16;

    /// The generation a host has stored as `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number to store.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What a refresh with a live refresh token of this generation hands out. Before it
    /// does, every token of the device of this later generation is to be marked as replaced,
    /// and is [`Presented::Spent`] from then on: there is one if an earlier answer was lost.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// What it means that a token of this generation is presented, when `newest_used` is
    /// the device's.
    pub const fn presented(self, newest_used: Self) -> Presented {
        if self.0 < newest_used.0 {
            Presented::Spent
        } else if self.0 == newest_used.0 {
            Presented::Live
        } else {
            Presented::FirstUse
        }
    }

    /// Whether a token of this generation may be forgotten, now that `newest_used` is
    /// the device's.
    #[must_use]
    pub const fn is_forgotten(self, newest_used: Self) -> bool {
        self.0.saturating_add(Self::REMEMBERED) < newest_used.0
    }
}

/// What it means that a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the first use of a token has to be stored"]
#[allow(clippy::exhaustive_enums, reason = "older, the same, newer: there is no fourth case")]
pub enum Presented {
    /// It is good, and of the device's own generation: nothing changes.
    Live,
    /// It is good, and its generation becomes the device's: store that in the act that
    /// accepts it.
    FirstUse,
    /// A later one has been used, or another was handed out in its place before it was. The
    /// device lives on.
    Spent,
}

impl Presented {
    /// Whether the token is good, but for its account.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Live | Self::FirstUse)
    }
}

/// Whether an access token is good. `presented` is `None` for a token that is unknown.
///
/// One that has expired is not used by being presented: its generation must not become
/// the device's, or a client whose answer was lost would have nothing left.
///
/// # Errors
///
/// 401 `M_UNKNOWN_TOKEN`, with `soft_logout` if the device lives on. What the account's
/// status says comes after this, but for the soft logout: a lock outlives the token, so
/// ask [`AccountStatus::gate`] in any case where there is an account.
pub const fn check_access(presented: Option<Presented>, expired: bool) -> Result<(), MatrixError> {
    match presented {
        None => Err(MatrixError::unknown_token(false)),
        Some(presented) if presented.is_good() && !expired => Ok(()),
        Some(_) => Err(MatrixError::unknown_token(true)),
    }
}

/// Whether a refresh goes ahead: `presented` is what the refresh token is, with the
/// status of its account, or `None` if it is unknown.
///
/// # Errors
///
/// 401 `M_UNKNOWN_TOKEN`, with `soft_logout` where the device lives on; 401
/// `M_USER_LOCKED`, which leaves the token as it is.
pub fn decide(presented: Option<(Presented, AccountStatus)>) -> Result<(), MatrixError> {
    let (presented, status) = presented.ok_or(MatrixError::unknown_token(false))?;
    status.gate(Action::Refresh)?;
    check_access(Some(presented), false)
}

/// The body of a refresh.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RefreshRequest<'a> {
    /// The refresh token, not empty and at most [`MAX_REFRESH_TOKEN_LEN`] bytes.
    pub refresh_token: Secret<'a>,
}

impl<'a> RefreshRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, 400
    /// `M_MISSING_PARAM` without a `refresh_token`. One that is empty or too long is
    /// simply unknown: 401 `M_UNKNOWN_TOKEN`.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![0; "refresh_token": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [token] = slots.map(|span| span.secret(text));
        let missing = MatrixError::new(ErrorCode::MissingParam, "refresh_token is missing.");
        let refresh_token: Secret<'a> = token.ok_or(missing)?;
        let text = refresh_token.expose();
        if text.is_empty() || text.len() > MAX_REFRESH_TOKEN_LEN {
            return Err(MatrixError::unknown_token(false));
        }
        Ok(Self { refresh_token })
    }
}

/// The answer to a refresh.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RefreshResponse<'a> {
    /// The new access token.
    pub access_token: Secret<'a>,
    /// The new refresh token.
    pub refresh_token: Secret<'a>,
    /// How long the access token lives; `None`: until it is ended.
    pub expires_in: Option<Millis>,
}

impl<'a> RefreshResponse<'a> {
    /// The answer.
    #[must_use]
    pub const fn new(
        access_token: Secret<'a>,
        refresh_token: Secret<'a>,
        expires_in: Option<Millis>,
    ) -> Self {
        Self { access_token, refresh_token, expires_in }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("access_token", self.access_token.expose())?;
        object.text("refresh_token", self.refresh_token.expose())?;
        if let Some(expires_in) = self.expires_in {
            object.integer("expires_in_ms", expires_in.get())?;
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::account::Event;

    #[test]
    fn spent_tokens_are_remembered_to_the_bound() {
        let newest = Generation::new(Generation::REMEMBERED + 1);
        assert!(Generation::FIRST.is_forgotten(newest));
        assert!(!Generation::FIRST.next().is_forgotten(newest));
        assert!(!newest.is_forgotten(newest));
    }

    #[test]
    fn an_expired_token_is_no_use_and_no_first_use() {
        for presented in [Presented::Live, Presented::FirstUse, Presented::Spent] {
            assert_eq!(check_access(Some(presented), true), Err(MatrixError::unknown_token(true)));
        }
        assert_eq!(check_access(None, false), Err(MatrixError::unknown_token(false)));
        assert_eq!(check_access(Some(Presented::FirstUse), false), Ok(()));
    }

    #[test]
    fn a_lock_outlives_the_token_and_so_does_being_gone() {
        let code = |presented, event| {
            decide(Some((presented, AccountStatus::default().on(event).unwrap()))).unwrap_err()
        };
        for presented in [Presented::Live, Presented::Spent] {
            assert_eq!(code(presented, Event::Lock).code(), ErrorCode::UserLocked);
            assert_eq!(code(presented, Event::Fence), MatrixError::unknown_token(false));
        }
    }

    #[test]
    fn a_token_that_can_be_none_is_unknown_and_not_malformed() {
        let code = |body: &[u8]| RefreshRequest::parse(body).unwrap_err().code();
        assert_eq!(code(b"{}"), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"refresh_token":null}"#), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"refresh_token":1}"#), ErrorCode::BadJson);
        assert_eq!(code(br#"{"refresh_token":""}"#), ErrorCode::UnknownToken);
        let body = |len: usize| format!(r#"{{"refresh_token":"{}"}}"#, "x".repeat(len));
        assert!(RefreshRequest::parse(body(MAX_REFRESH_TOKEN_LEN).as_bytes()).is_ok());
        assert_eq!(code(body(MAX_REFRESH_TOKEN_LEN + 1).as_bytes()), ErrorCode::UnknownToken);
    }
}
