//! The account that may be made, once a grant says so.

use super::{Localpart, MAX_DEVICE_TEXT_LEN, RegisterRequest};
use crate::Text;
use crate::endpoint::password::NewPassword;
use crate::server::denied::Denied;
use crate::server::operation::Register;
use crate::server::session::{Grant, Params, Proof, Receipt};
use crate::wire::error::{ErrorCode, MatrixError};

/// The parameters of the account to be made, from the request or from what was kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewAccount<'r> {
    /// The name; `None`: make one.
    pub username: Option<Localpart>,
    /// The password.
    pub password: NewPassword<'r>,
    /// The device; `None`: make one.
    pub device_id: Option<Text<'r>>,
    /// Its name.
    pub display_name: Option<Text<'r>>,
    /// Whether to log in.
    pub login: bool,
    /// Whether the client takes refresh tokens.
    pub refresh_token: bool,
}

/// What the host kept of a request that may leave its parameters out later. The hash it
/// made of the password it keeps beside this, never the password.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct KeptRegistration {
    /// The name asked for.
    pub username: Option<Localpart>,
    /// Whether a password was given, and hashed.
    pub has_password: bool,
    /// The device asked for.
    pub device_id: Option<heapless::String<MAX_DEVICE_TEXT_LEN>>,
    /// Its name.
    pub display_name: Option<heapless::String<MAX_DEVICE_TEXT_LEN>>,
    /// Whether no login is wanted.
    pub inhibit_login: bool,
    /// Whether the client takes refresh tokens.
    pub refresh_token: bool,
}

impl KeptRegistration {
    /// What to keep of a `request` that has been [checked](RegisterRequest::check).
    #[must_use]
    pub fn of(request: &RegisterRequest<'_>, username: Option<&Localpart>) -> Self {
        Self {
            username: username.cloned(),
            has_password: request.password.is_some(),
            device_id: request.device_id.and_then(|id| id.to_fixed().ok()),
            display_name: request.initial_device_display_name.and_then(|name| name.to_fixed().ok()),
            inhibit_login: request.inhibit_login.unwrap_or(false),
            refresh_token: request.refresh_token.unwrap_or(false),
        }
    }
}

/// An account that may be made.
///
/// Make it in one act with everything that belongs to it: the name if it is still free,
/// the 3PIDs the flow proved, the token it reserved, the device and its access token.
#[derive(Debug)]
#[must_use = "the account does not exist until the host makes it"]
pub struct Creation<'r> {
    account: NewAccount<'r>,
    grant: Grant<Register>,
}

/// Redeems a grant: which account is to be made.
///
/// # Errors
///
/// [`Denied`] with 400 `M_MISSING_PARAM` if no password was ever given (rule R6), or the
/// host lost what it kept; the session stays complete and takes other parameters.
pub fn create<'r>(
    grant: Grant<Register>,
    request: &RegisterRequest<'r>,
    username: Option<Localpart>,
    kept: Option<&'r KeptRegistration>,
) -> Result<Creation<'r>, Denied> {
    let given = NewAccount {
        username,
        password: NewPassword::Kept,
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        login: !request.inhibit_login.unwrap_or(false),
        refresh_token: request.refresh_token.unwrap_or(false),
    };
    let account = match (grant.params(), kept, request.password) {
        (Params::Request, _, Some(password)) => {
            Some(NewAccount { password: NewPassword::Given(password), ..given })
        }
        (Params::Kept, Some(kept), _) if kept.has_password => Some(NewAccount {
            username: kept.username.clone(),
            password: NewPassword::Kept,
            device_id: kept.device_id.as_deref().map(Text::new),
            display_name: kept.display_name.as_deref().map(Text::new),
            login: !kept.inhibit_login,
            refresh_token: kept.refresh_token,
        }),
        _ => None,
    };
    match account {
        Some(account) => Ok(Creation { account, grant }),
        None => {
            let missing = MatrixError::new(ErrorCode::MissingParam, "password is missing.");
            Err(Denied::for_params(missing, grant.redeem()))
        }
    }
}

impl<'r> Creation<'r> {
    /// The account's parameters.
    #[must_use]
    pub const fn account(&self) -> &NewAccount<'r> {
        &self.account
    }

    /// What the flow proved: 3PIDs to bind, a token to spend.
    pub fn proofs(&self) -> impl Iterator<Item = Proof> + '_ {
        self.grant.proofs()
    }

    /// How the session ends, once it is known.
    pub fn receipt(self) -> Receipt {
        self.grant.redeem()
    }

    /// The name was taken in the meantime, or another parameter is refused: the session
    /// stays complete, and other parameters may be sent.
    pub fn denied(self, reject: MatrixError) -> Denied {
        Denied::for_params(reject, self.grant.redeem())
    }
}
