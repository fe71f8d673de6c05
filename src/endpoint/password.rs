//! [`POST /account/password`]: changing the password with a token, resetting it without.
//!
//! ```text
//!  body ─► ChangePasswordRequest ─► check ─► Call ─► Guard ─► Grant
//!                                     │                         │
//!                            before any challenge            change ─► PasswordChange
//!                                                                        │
//!                                                    effects, in the order that is safe
//! ```
//!
//! [`POST /account/password`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword

use core::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::Secret;
use crate::server::denied::Denied;
use crate::server::digest::BindingKey;
use crate::server::flows::MAX_STAGES;
use crate::server::operation::{ChangePassword, Reference, Subject, UserRef};
use crate::server::session::{Call, Grant, Params, Proof, Receipt};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, MAX_PASSWORD_LEN, ParseError};

/// The body of a request to change or reset a password.
///
/// ```
/// use matrix_uia::endpoint::password::ChangePasswordRequest;
/// let request = ChangePasswordRequest::parse(br#"{"new_password":"caf\u00e9","logout_devices":false}"#)?;
/// assert_eq!(request.new_password.unwrap().expose(), "café");
/// assert_eq!(request.logout_devices, Some(false));
/// # Ok::<(), matrix_uia::wire::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ChangePasswordRequest<'a> {
    /// The new password. Missing is no error yet: clients ask for the flows without it.
    pub new_password: Option<Secret<'a>>,
    /// Whether other devices are to be logged out; absent means yes.
    pub logout_devices: Option<bool>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> ChangePasswordRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![AUTH_SLOTS;
            "new_password": Text, "logout_devices": Flag, "auth": Object(AUTH),
        ];
        let mut slots = [Span::NONE; AUTH_SLOTS + 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., new_password, logout_devices, dict] = &slots;
        Ok(Self {
            new_password: new_password.secret(text),
            logout_devices: logout_devices.flag(text),
            auth: AuthSpans::of(keys, text).auth(*dict),
        })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.secret_if("new_password", self.new_password)?;
        object.boolean_if("logout_devices", self.logout_devices)?;
        self.auth.write_key(&mut object)?;
        object.end()
    }

    /// What can be refused before anybody is asked to authenticate (rules P2, P5).
    ///
    /// `enabled` is the [`m.change_password` capability].
    ///
    /// # Errors
    ///
    /// 403 `M_FORBIDDEN` if passwords can't be changed, 400 `M_INVALID_PARAM` if the new
    /// one is longer than [`MAX_PASSWORD_LEN`] bytes, 400 `M_WEAK_PASSWORD` if it is too
    /// weak.
    ///
    /// [`m.change_password` capability]: https://spec.matrix.org/v1.19/client-server-api/#mchange_password-capability
    pub fn check(&self, strength: &PasswordStrength, enabled: bool) -> Result<(), MatrixError> {
        if !enabled {
            return Err(MatrixError::new(ErrorCode::Forbidden, "Passwords can't be changed on this server."));
        }
        self.new_password.map_or(Ok(()), |password| strength.check(password))
    }

    /// The call to be guarded, made by `subject`, or by nobody yet: a reset.
    #[inline]
    pub fn call(&self, key: &BindingKey, subject: Option<Subject>) -> Call<'a, ChangePassword> {
        let params = key
            .params::<ChangePassword>()
            .text(self.new_password.map(|secret| secret.expose()))
            .boolean(self.logout_devices);
        Call::new(self.auth, subject).with_params(params.finish())
    }
}

/// What a new password has to have. The spec's [password management] section recommends
/// a lower-case letter, an upper-case letter, a number, a symbol and eight characters.
///
/// [password management]: https://spec.matrix.org/v1.19/client-server-api/#password-management
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasswordStrength {
    /// Fewest characters. Default: 8.
    pub minimum_length: usize,
    /// At least one digit. Default: no.
    pub require_digit: bool,
    /// At least one character that is neither letter nor digit. Default: no.
    pub require_symbol: bool,
    /// At least one lower-case letter. Default: no.
    pub require_lowercase: bool,
    /// At least one upper-case letter. Default: no.
    pub require_uppercase: bool,
}

impl Default for PasswordStrength {
    fn default() -> Self {
        Self {
            minimum_length: 8,
            require_digit: false,
            require_symbol: false,
            require_lowercase: false,
            require_uppercase: false,
        }
    }
}

impl PasswordStrength {
    /// Whether a new password will do.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if it is longer than [`MAX_PASSWORD_LEN`] bytes, 400
    /// `M_WEAK_PASSWORD` if it lacks something; an empty one is always too weak.
    pub fn check(&self, password: Secret<'_>) -> Result<(), MatrixError> {
        let text = password.expose();
        if text.len() > MAX_PASSWORD_LEN {
            return Err(MatrixError::new(ErrorCode::InvalidParam, "The password is too long."));
        }
        let weak = |message| Err(MatrixError::new(ErrorCode::WeakPassword, message));
        let has = |class: fn(char) -> bool| text.chars().any(class);
        if text.is_empty() || text.chars().count() < self.minimum_length {
            return weak("The password is too short.");
        }
        if self.require_digit && !has(|c| c.is_numeric()) {
            return weak("The password needs a digit.");
        }
        if self.require_lowercase && !has(char::is_lowercase) {
            return weak("The password needs a lower-case letter.");
        }
        if self.require_uppercase && !has(char::is_uppercase) {
            return weak("The password needs an upper-case letter.");
        }
        if self.require_symbol && !has(|c| !c.is_alphanumeric()) {
            return weak("The password needs a symbol.");
        }
        Ok(())
    }
}

/// What the host keeps with a session whose request may leave its parameters out later.
/// The hash it made of the new password it keeps beside this, never the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptChange {
    /// Whether a new password was given, and hashed.
    pub has_password: bool,
    /// Whether other devices are to be logged out.
    pub logout_devices: bool,
}

impl KeptChange {
    /// What to keep of `request`, when [`Challenge::keep_params`] says so.
    ///
    /// [`Challenge::keep_params`]: crate::server::session::Challenge::keep_params
    #[must_use]
    pub fn of(request: &ChangePasswordRequest<'_>) -> Self {
        Self {
            has_password: request.new_password.is_some(),
            logout_devices: request.logout_devices.unwrap_or(true),
        }
    }
}

/// Where the new password is to be taken from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum NewPassword<'r> {
    /// From this request: hash it.
    Given(Secret<'r>),
    /// The hash that was kept with the session.
    Kept,
}

/// ResetTarget password it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetTarget {
    /// This user's.
    User(UserRef),
    /// That of whoever has this validated 3PID *now* (rule P4): nobody is 404
    /// `M_THREEPID_NOT_FOUND`.
    OwnerOf(Reference),
}

/// One thing to be done. Each may be done twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an effect nobody carries out has to break the build")]
pub enum Effect {
    /// Replace the hash, and count the account's epoch up.
    SetPassword,
    /// End devices with their access and refresh tokens.
    EndDevices(Devices),
    /// Remove the pushers of those devices.
    EndPushers(Devices),
}

/// Which devices an effect is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an effect nobody carries out has to break the build")]
pub enum Devices {
    /// All but the one the request came from.
    Others,
    /// All.
    All,
}

/// A password change that may be carried out.
#[derive(Debug)]
#[must_use = "the password is not changed until the effects are carried out"]
pub struct PasswordChange<'r> {
    whose: ResetTarget,
    new_password: NewPassword<'r>,
    logout: Option<Devices>,
    threepids: heapless::Vec<Reference, MAX_STAGES>,
    receipt: Receipt,
}

/// Redeems a grant: what is to be done to change the password.
///
/// Before carrying it out, ask [`AccountStatus::gate`] once more: the account may have
/// been locked, or its deactivation begun, since the session was made.
///
/// # Errors
///
/// [`Denied`] with 400 `M_MISSING_PARAM` if no new password was ever given, or the host
/// lost what it kept; the session stays complete and takes other parameters. With 403
/// `M_FORBIDDEN` if the flow named nobody.
///
/// [`AccountStatus::gate`]: crate::endpoint::account::AccountStatus::gate
pub fn change<'r>(
    grant: Grant<ChangePassword>,
    request: &ChangePasswordRequest<'r>,
    kept: Option<KeptChange>,
) -> Result<PasswordChange<'r>, Denied> {
    let (new_password, logout_devices) = match (grant.params(), kept) {
        (Params::Request, _) => {
            (request.new_password.map(NewPassword::Given), request.logout_devices.unwrap_or(true))
        }
        (Params::Kept, Some(kept)) => (kept.has_password.then_some(NewPassword::Kept), kept.logout_devices),
        (Params::Kept, None) | (Params::Never, _) => (None, true),
    };
    let threepids = grant.proofs().filter_map(|proof| match proof {
        Proof::Threepid(reference) => Some(reference),
        _ => None,
    });
    let threepids: heapless::Vec<_, MAX_STAGES> = threepids.take(MAX_STAGES).collect();
    let whose = grant.user().map(ResetTarget::User).or(threepids.first().copied().map(ResetTarget::OwnerOf));
    let with_token = grant.has_subject();
    let receipt = grant.redeem();
    let Some(whose) = whose else {
        let nobody =
            MatrixError::new(ErrorCode::Forbidden, "The authentication did not say whose password to reset.");
        return Err(Denied::new(nobody, receipt));
    };
    let Some(new_password) = new_password else {
        let missing = MatrixError::new(ErrorCode::MissingParam, "new_password is missing.");
        return Err(Denied::for_params(missing, receipt));
    };
    let devices = if with_token { Devices::Others } else { Devices::All };
    Ok(PasswordChange { whose, new_password, logout: logout_devices.then_some(devices), threepids, receipt })
}

impl<'r> PasswordChange<'r> {
    /// ResetTarget password it is.
    #[must_use]
    pub const fn whose(&self) -> ResetTarget {
        self.whose
    }

    /// Every 3PID that the flow proved. They all have to belong to that user *now*, or it
    /// is [`mixed`](Self::mixed): of a flow that asks for an e-mail address and a phone
    /// number, the second is no use if it may be anybody's.
    #[must_use]
    pub fn threepids(&self) -> &[Reference] {
        &self.threepids
    }

    /// 403 `M_FORBIDDEN`: what the flow proved is about two users.
    pub const fn mixed() -> MatrixError {
        MatrixError::new(ErrorCode::Forbidden, "The authentication is not that of one user.")
    }

    /// Where to take the new password from.
    #[must_use]
    pub const fn new_password(&self) -> NewPassword<'r> {
        self.new_password
    }

    /// What to do, in this order: once the first is done no old password works, whatever
    /// becomes of the rest.
    pub fn effects(&self) -> impl Iterator<Item = Effect> + use<> {
        let logout = self.logout.map(|devices| [Effect::EndDevices(devices), Effect::EndPushers(devices)]);
        core::iter::once(Effect::SetPassword).chain(logout.into_iter().flatten())
    }

    /// How the session ends, once it is known.
    pub fn receipt(self) -> Receipt {
        self.receipt
    }

    /// It turned out that it can't be done.
    pub fn denied(self, reject: MatrixError) -> Denied {
        Denied::new(reject, self.receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_measured_in_characters_and_bounded_in_bytes() {
        let strength = PasswordStrength::default();
        assert!(strength.check(Secret::new("éééééééé")).is_ok());
        assert!(strength.check(Secret::new("ééééééé")).is_err());
        assert!(strength.check(Secret::new(&"x".repeat(MAX_PASSWORD_LEN))).is_ok());
        let long = strength.check(Secret::new(&"x".repeat(MAX_PASSWORD_LEN + 1))).unwrap_err();
        assert_eq!((long.status(), long.code()), (400, ErrorCode::InvalidParam));
    }

    #[test]
    fn every_requirement_is_asked_for() {
        let strict = PasswordStrength {
            minimum_length: 1,
            require_digit: true,
            require_symbol: true,
            require_lowercase: true,
            require_uppercase: true,
        };
        assert!(strict.check(Secret::new("aB1!")).is_ok());
        for weak in ["B1!", "a1!", "aB!", "aB1", ""] {
            assert_eq!(
                strict.check(Secret::new(weak)).unwrap_err().code(),
                ErrorCode::WeakPassword,
                "{weak}"
            );
        }
        let lax = PasswordStrength { minimum_length: 0, ..PasswordStrength::default() };
        assert!(lax.check(Secret::new("")).is_err());
    }
}
