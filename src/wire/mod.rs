//! What crosses HTTP, and nothing decided about it.
//!
//! ```text
//!  bytes ─► json (the one codec) ─► Auth, AuthData, UserIdentifier, ThreepidCreds
//!                                   Challenge (the 401 body)   requests   responses
//! ```
//!
//! Reading borrows from the body; writing goes to any [`core::fmt::Write`], so a
//! `String`, a `heapless::String` or a socket's buffer all do.
//!
//! # What the codec refuses
//!
//! A body that is no JSON is [`ParseError::NotJson`] (`M_NOT_JSON`); all else is
//! `M_BAD_JSON`: a body that is no object, a key of the wrong type, a key twice in one
//! object, nesting deeper than [`MAX_DEPTH`], more than [`MAX_OPEN_KEYS`] keys open at
//! once, half a surrogate pair. Unknown keys are ignored; `null` counts as absent.

use core::fmt;

pub mod error;
pub(crate) mod json;

mod auth_data;
mod auth_keys;
mod auth_type;
mod challenge;
mod flow_list;
mod identifier;
mod malformed;
mod web_url;

#[cfg(test)]
pub(crate) use auth_data::is_opaque;
pub(crate) use auth_data::is_session_text;
pub use auth_data::{Auth, AuthData, MAX_PASSWORD_LEN, ThreepidCreds};
pub(crate) use auth_keys::{AUTH, AUTH_SLOTS, AuthSpans};
pub use auth_type::{AuthType, MAX_AUTH_TYPE_LEN};
pub(crate) use auth_type::{Fnv, StageId, same};
pub use challenge::ChallengeBody;
pub(crate) use challenge::Parts;
pub use flow_list::{FlowList, FlowStages, Stages};
#[cfg(feature = "ruma")]
pub(crate) use identifier::bounded_identifier;
pub use identifier::{Locality, UserIdentifier};
pub use json::{MAX_DEPTH, MAX_OPEN_KEYS, Raw};
pub(crate) use malformed::MAX_FIELD_LEN;
pub use malformed::Malformed;
pub use web_url::WebUrl;
pub(crate) use web_url::turns_around;

/// Why a body was not read.
///
/// It never holds anything of the body. As an answer it is
/// [`MatrixError::from`](crate::wire::error::MatrixError): 400 with `M_NOT_JSON` or `M_BAD_JSON`, as
/// the [standard error response] section says.
///
/// [standard error response]: https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// The bytes are no JSON text in UTF-8, or something follows it.
    NotJson,
    /// The value has to be an object.
    NotAnObject,
    /// A key's value has the wrong type.
    WrongType,
    /// A key occurs twice in one object.
    DuplicateKey,
    /// Objects and arrays nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More than [`MAX_OPEN_KEYS`] keys are open at once.
    TooManyKeys,
    /// An escape is half of a surrogate pair.
    LoneSurrogate,
    /// A list is longer than the type that keeps it, or the body than 2 GiB.
    TooLong,
}

impl ParseError {
    /// What is wrong, in words for the peer; nothing of the input is repeated.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::NotJson => "The body is not valid JSON.",
            Self::NotAnObject => "A JSON object was expected.",
            Self::WrongType => "A key has a value of the wrong type.",
            Self::DuplicateKey => "A key occurs twice in one object.",
            Self::TooDeep => "The JSON is nested too deeply.",
            Self::TooManyKeys => "The JSON has too many keys.",
            Self::LoneSurrogate => "A string has half a surrogate pair.",
            Self::TooLong => "A list has too many items.",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "not valid json",
            Self::NotAnObject => "not a json object",
            Self::WrongType => "a value of the wrong type",
            Self::DuplicateKey => "a duplicate key",
            Self::TooDeep => "nested too deeply",
            Self::TooManyKeys => "too many keys",
            Self::LoneSurrogate => "a lone surrogate",
            Self::TooLong => "too many items",
        })
    }
}

impl core::error::Error for ParseError {}
