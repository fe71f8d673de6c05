//! Conversions from and to [ruma]'s types, for programs that already speak ruma.
//!
//! ```text
//!  ours to ruma's:   Auth, Challenge, MatrixError, … ─► From, TryFrom, auth_data ─► a value of ruma's
//!  ruma's to ours:   a value of ruma's ─► Encoded (its JSON, wiped) ─► parse ─► Auth, ChallengeBody, ErrorBody
//! ```
//!
//! A value of this crate borrows a request and is checked, and one of ruma's owns its text
//! and is not. So the way from ruma's goes through the one place that checks: its JSON is
//! written into an [`Encoded`] and parsed like any request. What holds of a parsed value,
//! that a password is never empty or a 3PID's secret has its form, holds of a converted
//! one too, and none of ruma's values panics or slips through.
//!
//! ```
//! use matrix_uia::ruma::{Encoded, auth_data};
//! use matrix_uia::wire::{Auth, AuthType};
//! use ruma_client_api::uiaa;
//!
//! let theirs = uiaa::AuthData::Dummy(uiaa::Dummy::new());
//! let encoded = Encoded::from(&theirs);
//! let ours = Auth::parse(encoded.as_bytes())?;
//! assert!(matches!(ours, Auth::Attempt { auth_type: AuthType::Dummy, session: None, .. }));
//!
//! let back = auth_data(&ours)?.expect("a stage is attempted");
//! assert_eq!(back.auth_type(), Some(uiaa::AuthType::Dummy));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What maps to what
//!
//! | here | in `ruma-client-api` 0.25 | to ruma's | to ours |
//! | --- | --- | --- | --- |
//! | [`Auth`](crate::wire::Auth) | `Option<uiaa::AuthData>` | [`auth_data`] | [`Encoded::auth`] |
//! | [`AuthType`](crate::wire::AuthType) | `uiaa::AuthType` | `From` | `From` |
//! | [`UserIdentifier`](crate::wire::UserIdentifier) | `uiaa::UserIdentifier` | `From` | `TryFrom`, borrows |
//! | [`ThreepidCreds`](crate::wire::ThreepidCreds) | `uiaa::ThirdpartyIdCredentials` | `TryFrom` | `TryFrom`, borrows |
//! | [`Challenge`](crate::server::respond::Challenge) | `uiaa::UiaaInfo`, `UiaaResponse` | `From` | |
//! | [`ChallengeBody`](crate::wire::ChallengeBody) | `uiaa::UiaaInfo` | `TryFrom` | [`Encoded`] |
//! | [`ErrorCode`](crate::wire::error::ErrorCode), [`AnyCode`](crate::wire::error::AnyCode) | `api::error::ErrorCode` | `From` | `From` |
//! | [`ErrorBody`](crate::wire::error::ErrorBody) | `api::error::{ErrorBody, StandardErrorBody}` | `From`, `TryFrom` | [`Encoded`] |
//! | [`MatrixError`](crate::wire::error::MatrixError) | `api::error::Error`, `UiaaResponse` | `From` | `TryFrom` |
//!
//! # What is lost on the way to ruma
//!
//! | what | becomes |
//! | --- | --- |
//! | an auth dict with a key at fault | [`Unconvertible::Malformed`]: there is no such value |
//! | 3PID credentials made by hand, of no form that the specification has | [`Unconvertible::NoPlace`] |
//! | a number in a custom dict that no `f64` comes near | [`Unconvertible::NoPlace`]; one it comes near is rounded |
//! | `m.login.sso` | a custom type of that name: ruma has no variant for it, and its `AuthType::Sso` equals but never matches |
//! | a 401 without `flows`, which leaves them as they were | [`Unconvertible::NoPlace`] |
//! | `completed: []` | an empty list, which ruma doesn't write: a client can't tell it from none given |
//! | a stage's own keys beside the state ([`Verdict::Continue`]) | gone |
//! | an unknown key of an error whose code ruma knows | gone |
//! | `soft_logout`, `retry_after_ms` and the like, where the code isn't the one they belong to | gone |
//! | an error without `error`; without the key its code demands | an empty sentence; an empty key, for a room's version `unknown` |
//! | a `status` of `M_BAD_STATUS` that is none, a `body` that is no string | gone |
//! | a wait of more milliseconds than JavaScript can count | as many as it can |
//! | an error without `errcode` | `api::error::ErrorBody::Json` |
//! | the wait of a [`MatrixError`] | rounded up to whole seconds, since ruma rounds its `Retry-After` down |
//!
//! # What is lost on the way from ruma
//!
//! | what | becomes |
//! | --- | --- |
//! | text beyond the bounds or the grammar of [`wire`](crate::wire) | what parsing makes of it: [`Malformed`] or [`ParseError`](crate::wire::ParseError) |
//! | an identifier of a type of somebody's own | `Malformed`, `Unconvertible` |
//! | `"session": null`, which ruma writes where there is none | absent |
//! | other keys beside `m.login.sso`, which ruma keeps as it keeps a custom type's | ignored |
//! | a flow without stages | left out: it could not be completed, but only skipped |
//! | a wait until a date | gone: it stands in a header, and needs a clock |
//! | an error's sentence, on the way to a [`MatrixError`] | a sentence of ours, so that it can be logged |
//!
//! [`MatrixError`]: crate::wire::error::MatrixError
//! [`Verdict::Continue`]: crate::server::verdict::Verdict::Continue
//! [ruma]: https://docs.rs/ruma-client-api/0.25

mod auth_data;
mod challenge;
mod encoded;
mod errors;

use core::fmt;

pub use auth_data::auth_data;
pub use encoded::Encoded;

use crate::wire::Malformed;

/// Why a value has no counterpart on the other side. It repeats nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unconvertible {
    /// A key of the auth dict is at fault.
    Malformed(Malformed),
    /// The other side has no place for what this key holds.
    NoPlace(&'static str),
}

impl From<Malformed> for Unconvertible {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl fmt::Display for Unconvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(Malformed::Missing(key)) => write!(f, "the key `{key}` is missing"),
            Self::Malformed(Malformed::Invalid(key)) => write!(f, "the key `{key}` is not valid"),
            Self::NoPlace(key) => write!(f, "the other side has no place for what `{key}` holds"),
        }
    }
}

impl core::error::Error for Unconvertible {}
