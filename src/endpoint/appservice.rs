//! What an application service may do by its `as_token`, and without
//! User-Interactive Authentication.
//!
//! ```text
//!                     no token            401 M_MISSING_TOKEN
//!  the request's ─┬─► not a service's     login 403 M_FORBIDDEN, register 401 M_UNKNOWN_TOKEN
//!      token      ├─► not its namespace   400 M_EXCLUSIVE
//!                 └─► one of its users    goes ahead
//! ```
//!
//! Where the legacy API is off ([rule R7](crate::_manual::_06_rules)) application
//! services still register users, but without logging in, and delete devices, deactivate
//! accounts and upload signing keys as their users:
//! [`Exempt::ApplicationService`](crate::server::grant::Exempt::ApplicationService).
//!
//! See [server admin style permissions].
//!
//! [server admin style permissions]: https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions

use crate::wire::error::{ErrorCode, MatrixError};

/// What the access token of a request is, where an application service's is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "none, somebody's, a service's: there is no fourth case")]
pub enum ServiceToken {
    /// There is none.
    Missing,
    /// It is not that of an application service.
    Other,
    /// It is that of an application service.
    Service {
        /// Whether the user who is named is in its namespace, or its own sender.
        in_namespace: bool,
    },
}

impl ServiceToken {
    /// Whether the token is that of an application service which owns the user.
    pub(crate) const fn owns(self, other: MatrixError) -> Result<(), MatrixError> {
        match self {
            Self::Missing => Err(MatrixError::missing_token()),
            Self::Other => Err(other),
            Self::Service { in_namespace: false } => Err(MatrixError::new(
                ErrorCode::Exclusive,
                "This user is not in the application service's namespace.",
            )),
            Self::Service { in_namespace: true } => Ok(()),
        }
    }
}

/// Whether an application service registers a user.
///
/// Nobody is asked to authenticate, and whether people may register makes no difference.
///
/// # Errors
///
/// 401 `M_MISSING_TOKEN`, or `M_UNKNOWN_TOKEN` if the token is no application service's;
/// 400 `M_APPSERVICE_LOGIN_UNSUPPORTED` where the `legacy` API is off and
/// `inhibit_login` isn't true; 400 `M_EXCLUSIVE` outside its namespace.
///
/// ```
/// use matrix_uia::endpoint::appservice::{ServiceToken, may_register};
/// let ours = ServiceToken::Service { in_namespace: true };
/// assert!(may_register(ours, true, None).is_ok());
/// assert!(may_register(ours, false, Some(true)).is_ok());
/// assert_eq!(may_register(ours, false, None).unwrap_err().code().name(), "M_APPSERVICE_LOGIN_UNSUPPORTED");
/// ```
pub fn may_register(
    token: ServiceToken,
    legacy: bool,
    inhibit_login: Option<bool>,
) -> Result<(), MatrixError> {
    let login = inhibit_login != Some(true);
    if matches!(token, ServiceToken::Service { .. }) && login && !legacy {
        return Err(login_unsupported());
    }
    token.owns(MatrixError::unknown_token(false))
}

/// The answer where an application service asks to [act as a device] that the user it acts for
/// hasn't got: 400 `M_UNKNOWN_DEVICE`.
///
/// [act as a device]: https://spec.matrix.org/v1.19/application-service-api/#identity-assertion
pub const fn unknown_device() -> MatrixError {
    MatrixError::new(ErrorCode::UnknownDevice, "The user has no such device.")
}

pub(crate) const fn login_unsupported() -> MatrixError {
    MatrixError::new(
        ErrorCode::AppserviceLoginUnsupported,
        "Application services can't log in as users on this server.",
    )
}
