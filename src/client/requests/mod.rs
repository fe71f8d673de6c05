//! The calls of the account API as a client makes them: where each goes, what it sends,
//! what comes back.
//!
//! ```text
//!  Endpoint ─► method and path      a request type ─► write ─► body
//!                                                              │ the server
//!         the call's result ◄── an answer type ◄── parse ◄─────┘ or SessionImpact::of
//! ```
//!
//! A body written without `auth` is the `original` that
//! [`Request::write`](super::Request::write) repeats. Requests that the server's side of
//! this crate reads are written by the same type:
//! [`RegisterRequest`](crate::endpoint::register::RegisterRequest),
//! [`ChangePasswordRequest`](crate::endpoint::password::ChangePasswordRequest) and
//! [`DeactivateRequest`](crate::endpoint::deactivate::DeactivateRequest). Answers are read
//! tolerantly: what a call doesn't need may be missing, or odd.

mod devices;
mod login;
mod register;
mod validation;

pub use devices::{DeleteDevices, DeviceAnswer, DevicesAnswer, UploadSigningKeys};
pub use login::{Login, LoginWith, Refresh, RefreshAnswer, WhoamiAnswer};
pub use validation::{RequestEmailToken, RequestMsisdnToken};

use super::Medium;

/// An endpoint: its method, its path below the homeserver's base URL, and whether it
/// takes an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// Whether the call is made with an access token.
    pub token: Token,
}

/// Whether a call takes an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "complete by definition")]
pub enum Token {
    /// It must have one.
    Needed,
    /// It may have one, and is another call with than without.
    Optional,
    /// It needs none; don't send one.
    None,
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $method:literal $path:literal $token:ident;)+) => {
        impl Endpoint {
            $($(#[$doc])* pub const $name: Self =
                Self { method: $method, path: concat!("/_matrix/client/v3/", $path), token: Token::$token };)+

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

endpoints! {
    /// [`POST /register`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register).
    REGISTER = "POST" "register" None;
    /// [`POST /login`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login).
    LOGIN = "POST" "login" None;
    /// [`POST /refresh`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh).
    REFRESH = "POST" "refresh" None;
    /// [`POST /logout`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout).
    LOGOUT = "POST" "logout" Needed;
    /// [`POST /logout/all`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall).
    LOGOUT_ALL = "POST" "logout/all" Needed;
    /// [`GET /account/whoami`](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami).
    WHOAMI = "GET" "account/whoami" Needed;
    /// [`POST /account/password`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword):
    /// with a token a change, without one a reset.
    PASSWORD = "POST" "account/password" Optional;
    /// [`POST /account/deactivate`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate).
    DEACTIVATE = "POST" "account/deactivate" Optional;
    /// [`GET /devices`](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices).
    DEVICES = "GET" "devices" Needed;
    /// [`POST /delete_devices`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices).
    DELETE_DEVICES = "POST" "delete_devices" Needed;
    /// [`POST /keys/device_signing/upload`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload).
    UPLOAD_SIGNING_KEYS = "POST" "keys/device_signing/upload" Needed;
    /// [`POST /register/email/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken).
    REGISTER_EMAIL_TOKEN = "POST" "register/email/requestToken" None;
    /// [`POST /register/msisdn/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken).
    REGISTER_MSISDN_TOKEN = "POST" "register/msisdn/requestToken" None;
    /// [`POST /account/password/email/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken).
    PASSWORD_EMAIL_TOKEN = "POST" "account/password/email/requestToken" None;
    /// [`POST /account/password/msisdn/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordmsisdnrequesttoken).
    PASSWORD_MSISDN_TOKEN = "POST" "account/password/msisdn/requestToken" None;
}

impl Endpoint {
    /// The endpoint that sends the token which a stage of this call asks for, if the call
    /// has one.
    #[must_use]
    pub fn request_token(&self, medium: Medium) -> Option<Self> {
        let (email, msisdn) = match *self {
            Self::REGISTER => (Self::REGISTER_EMAIL_TOKEN, Self::REGISTER_MSISDN_TOKEN),
            Self::PASSWORD => (Self::PASSWORD_EMAIL_TOKEN, Self::PASSWORD_MSISDN_TOKEN),
            _ => return None,
        };
        Some(if medium == Medium::Email { email } else { msisdn })
    }
}
