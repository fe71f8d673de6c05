//! Conversions from and to [ruma]'s types, for programs that already speak ruma.
//!
//! ```text
//!  ruma's request:   v3::Request ─► Body ─► ChangePasswordRequest, … ─► check ─► Checked, as after parsing
//!  ours to ruma's:   Auth, Challenge, MatrixError, … ─► From, TryFrom, auth_data ─► a value of ruma's
//!  ruma's to ours:   a value of ruma's ─► Encoded (its JSON, wiped) ─► parse ─► Auth, ChallengeBody, ErrorBody
//! ```
//!
//! A server whose framework hands it ruma's requests never sees a body's bytes: [`Body`]
//! reads the request here from the one it has. What is text in ruma's request is borrowed
//! from it; what this crate reads where it stands in a body (the auth dict, a list, a
//! key that is signed) is written as JSON in between, and wiped.
//!
//! ```
//! use matrix_uia::endpoint::register::{Kind, RegisterRequest};
//! use matrix_uia::ruma::Body;
//! use matrix_uia::MatrixError;
//! use ruma_client_api::account::register::v3;
//!
//! fn register(theirs: &v3::Request) -> Result<(), MatrixError> {
//!     let body = Body::of(theirs);
//!     let request: RegisterRequest<'_> = body.read()?;
//!     assert_eq!(Kind::try_from(&theirs.kind)?, Kind::User);
//!     # let _ = request;
//!     // request.check(…), and an exchange as after `RegisterRequest::parse`.
//!     Ok(())
//! }
//! # register(&v3::Request::new())?;
//! # Ok::<(), MatrixError>(())
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
//! # Requests
//!
//! | here | in `ruma-client-api` 0.25 | how |
//! | --- | --- | --- |
//! | [`ChangePasswordRequest`](crate::endpoint::password::ChangePasswordRequest) | `account::change_password` | [`Body`] |
//! | [`DeactivateRequest`](crate::endpoint::deactivate::DeactivateRequest) | `account::deactivate` | [`Body`] |
//! | [`RegisterRequest`](crate::endpoint::register::RegisterRequest) | `account::register` | [`Body`] |
//! | [`RegisterGuestRequest`](crate::endpoint::register::RegisterGuestRequest), [`Kind`](crate::endpoint::register::Kind) | `account::register`, its `kind` | `TryFrom` |
//! | [`DeleteDeviceRequest`](crate::endpoint::devices::DeleteDeviceRequest) | `device::delete_device` | [`Body`]; `check` takes its `device_id` |
//! | [`DeleteDevicesRequest`](crate::endpoint::devices::DeleteDevicesRequest) | `device::delete_devices` | [`Body`] |
//! | [`UploadSigningKeysRequest`](crate::endpoint::signing_keys::UploadSigningKeysRequest) | `keys::upload_signing_keys` | [`Body`] |
//! | [`AddThreepidRequest`](crate::endpoint::threepid::AddThreepidRequest) | `account::add_3pid` | [`Body`] |
//! | [`GetLoginTokenRequest`](crate::endpoint::login::GetLoginTokenRequest) | `session::get_login_token` | [`Body`] |
//! | [`LoginRequest`](crate::endpoint::login::LoginRequest) | `session::login` | [`Body`] |
//! | [`RefreshRequest`](crate::endpoint::refresh::RefreshRequest) | `session::refresh_token` | [`Body`] |
//! | [`RequestTokenRequest`](crate::endpoint::threepid::RequestTokenRequest) | `account::request_…_token_via_…`, all six | [`Body`] |
//! | [`DeleteThreepidRequest`](crate::endpoint::threepid::DeleteThreepidRequest) | `account::delete_3pid` | [`delete_threepid`] |
//! | [`UpdateDeviceRequest`](crate::endpoint::devices::UpdateDeviceRequest) | `device::update_device` | [`Body`]; `decide` takes its `device_id` |
//!
//! A request without a body, or with a single flag, is what ruma says it is. A host's own
//! implements [`Convert`].
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
//! | a flag that is as if left out (`logout_devices: true`, `erase: false`, …) | left out: ruma can't tell (rule U13) |
//! | `new_password`, `devices`, `sid` or `client_secret` left out of a later request (rule U13) | refused by ruma before this crate sees it: a server that is to take such requests parses the bytes |
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
mod body;
mod challenge;
mod encoded;
mod errors;
mod guarded;
mod unguarded;

use core::fmt;

pub use auth_data::auth_data;
pub use body::{Body, Convert};
pub use encoded::Encoded;
pub use unguarded::delete_threepid;

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
