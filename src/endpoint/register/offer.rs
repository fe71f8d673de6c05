//! Who may register at all.

use crate::wire::error::{ErrorCode, MatrixError};

/// Which kind of account is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An account of a user.
    User,
    /// An account of a guest: no authentication, no parameters but a display name.
    Guest,
}

impl Kind {
    /// Reads the query parameter `kind`.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` for any other kind.
    pub fn parse(kind: Option<&str>) -> Result<Self, MatrixError> {
        match kind {
            None | Some("user") => Ok(Self::User),
            Some("guest") => Ok(Self::Guest),
            Some(_) => Err(MatrixError::new(ErrorCode::InvalidParam, "There is no such kind of account.")),
        }
    }
}

/// Whom a server registers.
///
/// ```
/// use matrix_uia::endpoint::register::{Kind, Offer};
/// let offer = Offer::default();
/// assert!(offer.check(Kind::User).is_ok());
/// assert_eq!(offer.check(Kind::Guest).unwrap_err().code().name(), "M_GUEST_ACCESS_FORBIDDEN");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// Whether the legacy API is served at all (rule R7). Default: yes.
    pub legacy: bool,
    /// Whether people may register. Default: yes.
    pub users: bool,
    /// Whether there are guests. Default: no.
    pub guests: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self { legacy: true, users: true, guests: false }
    }
}

impl Offer {
    /// Whether that kind of account is made here for people. Whether an application
    /// service makes one is [`may_register`](crate::endpoint::appservice::may_register)'s to say,
    /// and asked first.
    ///
    /// # Errors
    ///
    /// 404 `M_UNRECOGNIZED` for users where the legacy API is off; 403 `M_FORBIDDEN`
    /// where registration is; 403 `M_GUEST_ACCESS_FORBIDDEN` for guests where there are
    /// none.
    pub const fn check(&self, kind: Kind) -> Result<(), MatrixError> {
        match kind {
            Kind::Guest if self.guests => Ok(()),
            Kind::Guest => {
                Err(MatrixError::new(ErrorCode::GuestAccessForbidden, "There are no guests on this server."))
            }
            Kind::User if !self.legacy => Err(MatrixError::unrecognized()),
            Kind::User if !self.users => {
                Err(MatrixError::new(ErrorCode::Forbidden, "Registration is not enabled on this server."))
            }
            Kind::User => Ok(()),
        }
    }
}

/// The answer when a query parameter that has to be there isn't.
pub const fn missing_query() -> MatrixError {
    MatrixError::new(ErrorCode::MissingParam, "A query parameter is missing.")
}
