//! Where each call of the account API goes.

use super::threepid::Medium;

/// The method of an endpoint, its path below the homeserver's base URL, and whether it
/// takes an access token.
///
/// ```
/// use matrix_uia::endpoint::{EndpointPath, TokenUse};
/// let path = EndpointPath::DEACTIVATE;
/// assert_eq!((path.method, path.path), ("POST", "/_matrix/client/v3/account/deactivate"));
/// assert_eq!(path.token, TokenUse::Optional);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointPath {
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// Whether the call is made with an access token.
    pub token: TokenUse,
}

/// Whether a call takes an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "complete by definition")]
pub enum TokenUse {
    /// It must have one.
    Required,
    /// It may have one, and is another call with than without.
    Optional,
    /// It needs none; don't send one.
    None,
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $method:literal $path:literal $token:ident;)+) => {
        impl EndpointPath {
            $($(#[$doc])* pub const $name: Self =
                Self { method: $method, path: concat!("/_matrix/client/", $path), token: TokenUse::$token };)+

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

endpoints! {
    /// [`POST /register`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register).
    REGISTER = "POST" "v3/register" None;
    /// [`POST /login`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login).
    LOGIN = "POST" "v3/login" None;
    /// [`POST /login/get_token`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token).
    GET_LOGIN_TOKEN = "POST" "v1/login/get_token" Required;
    /// [`POST /refresh`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh).
    REFRESH = "POST" "v3/refresh" None;
    /// [`POST /logout`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout).
    LOGOUT = "POST" "v3/logout" Required;
    /// [`POST /logout/all`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall).
    LOGOUT_ALL = "POST" "v3/logout/all" Required;
    /// [`GET /account/whoami`](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami).
    WHOAMI = "GET" "v3/account/whoami" Required;
    /// [`POST /account/password`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword):
    /// with a token a change, without one a reset.
    PASSWORD = "POST" "v3/account/password" Optional;
    /// [`POST /account/deactivate`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate).
    DEACTIVATE = "POST" "v3/account/deactivate" Optional;
    /// [`GET /devices`](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices).
    DEVICES = "GET" "v3/devices" Required;
    /// [`POST /delete_devices`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices).
    DELETE_DEVICES = "POST" "v3/delete_devices" Required;
    /// [`POST /keys/device_signing/upload`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload).
    UPLOAD_SIGNING_KEYS = "POST" "v3/keys/device_signing/upload" Required;
    /// [`POST /register/email/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken).
    REGISTER_EMAIL_TOKEN = "POST" "v3/register/email/requestToken" None;
    /// [`POST /register/msisdn/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken).
    REGISTER_MSISDN_TOKEN = "POST" "v3/register/msisdn/requestToken" None;
    /// [`POST /account/password/email/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken).
    PASSWORD_EMAIL_TOKEN = "POST" "v3/account/password/email/requestToken" None;
    /// [`POST /account/password/msisdn/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordmsisdnrequesttoken).
    PASSWORD_MSISDN_TOKEN = "POST" "v3/account/password/msisdn/requestToken" None;
    /// [`GET /account/3pid`](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid).
    THREEPIDS = "GET" "v3/account/3pid" Required;
    /// [`POST /account/3pid/add`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd).
    ADD_THREEPID = "POST" "v3/account/3pid/add" Required;
    /// [`POST /account/3pid/delete`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete).
    DELETE_THREEPID = "POST" "v3/account/3pid/delete" Required;
    /// [`POST /account/3pid/email/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken).
    ADD_EMAIL_TOKEN = "POST" "v3/account/3pid/email/requestToken" Optional;
    /// [`POST /account/3pid/msisdn/requestToken`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken).
    ADD_MSISDN_TOKEN = "POST" "v3/account/3pid/msisdn/requestToken" Optional;
}

impl EndpointPath {
    /// The endpoint that sends the validation token which this call, or a stage of it, asks
    /// for; `None` for a call without such an endpoint.
    #[must_use]
    pub fn request_token(&self, medium: Medium) -> Option<Self> {
        let (email, msisdn) = match *self {
            Self::REGISTER => (Self::REGISTER_EMAIL_TOKEN, Self::REGISTER_MSISDN_TOKEN),
            Self::PASSWORD => (Self::PASSWORD_EMAIL_TOKEN, Self::PASSWORD_MSISDN_TOKEN),
            Self::ADD_THREEPID => (Self::ADD_EMAIL_TOKEN, Self::ADD_MSISDN_TOKEN),
            _ => return None,
        };
        Some(if medium == Medium::Email { email } else { msisdn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_have_one_method_and_path() {
        for (index, one) in EndpointPath::ALL.iter().enumerate() {
            for other in &EndpointPath::ALL[..index] {
                assert!((one.method, one.path) != (other.method, other.path), "{one:?}");
            }
        }
    }

    #[test]
    fn a_validation_token_is_asked_for_below_the_call_it_is_for() {
        for path in EndpointPath::ALL {
            for medium in Medium::ALL {
                let Some(asked) = path.request_token(medium) else { continue };
                let call = path.path.strip_suffix("/add").unwrap_or(path.path);
                assert_eq!(asked.path, format!("{call}/{}/requestToken", medium.name()));
            }
        }
    }
}
