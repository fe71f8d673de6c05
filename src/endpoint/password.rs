//! [`POST /account/password`]: changing the password with a token, resetting it without.
//!
//! ```text
//!  body ─► ChangePasswordRequest ─► check ─► Call ─► exchange ─► Grant ─► plan ─► PasswordChange
//!                                     │                                                 │
//!                            before any challenge                   effects, in the order that is safe
//! ```
//!
//! [`POST /account/password`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword

use core::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::checked::Checked;
use crate::decode::Version;
use crate::secret::Secret;
use crate::server::call::{Call, Param, Params};
use crate::server::digest::{BindingKey, ParamDigest, ParamName};
use crate::server::endpoint::Endpoint;
use crate::server::grant::{Grant, Refusal};
use crate::server::operation::ChangePassword;
use crate::server::reference::UserRef;
use crate::server::seal::{SealedPassword, Sealer};
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
    /// one is too long, 400 `M_WEAK_PASSWORD` if it is too weak.
    ///
    /// [`m.change_password` capability]: https://spec.matrix.org/v1.19/client-server-api/#mchange_password-capability
    #[inline]
    pub fn check(self, strength: &PasswordStrength, enabled: bool) -> Result<Checked<Self>, MatrixError> {
        if !enabled {
            return Err(MatrixError::new(ErrorCode::Forbidden, "Passwords can't be changed on this server."));
        }
        if let Some(password) = self.new_password {
            strength.check(password)?;
        }
        Ok(Checked::new(self))
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
    /// Most bytes, at most [`MAX_PASSWORD_LEN`]. Default: that.
    pub maximum_bytes: usize,
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
            maximum_bytes: MAX_PASSWORD_LEN,
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
    // Where flash is scarce, and the requirements are known, only those are linked: no table of Unicode's.
    #[cfg_attr(target_pointer_width = "32", inline(always))]
    pub fn check(&self, password: Secret<'_>) -> Result<(), MatrixError> {
        let text = password.expose();
        if text.len() > self.maximum_bytes.min(MAX_PASSWORD_LEN) {
            return Err(MatrixError::new(ErrorCode::InvalidParam, "The password is too long."));
        }
        let weak = |message| Err(MatrixError::new(ErrorCode::WeakPassword, message));
        let has = |class: fn(char) -> bool| text.chars().any(class);
        // An empty one is too short for any minimum.
        if !text.has_chars(self.minimum_length.max(1)) {
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

/// What the host keeps beside a session whose request may leave its parameters out later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredPasswordChange {
    version: Version<1>,
    /// The new password, sealed.
    pub new_password: Option<SealedPassword>,
    /// Whether other devices are to be logged out.
    pub logout_devices: Option<bool>,
}

/// One thing to be done. Each may be done twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an effect nobody carries out has to break the build")]
pub enum Effect<'h, H> {
    /// Replace the hash by this one, and count the account's epoch up.
    SetPassword(&'h H),
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

/// A password change that may be carried out. `H` is the host's hash.
#[derive(Clone, Debug)]
#[must_use = "the password is not changed until the effects are carried out"]
pub struct PasswordChange<H> {
    user: UserRef,
    hash: H,
    logout: Option<Devices>,
}

impl Endpoint for Checked<ChangePasswordRequest<'_>> {
    type Op = ChangePassword;
    type Stored = StoredPasswordChange;
    type Plan<H: Send> = PasswordChange<H>;

    #[inline(never)]
    fn call(&self, key: &BindingKey) -> Call<'_, ChangePassword> {
        let digest = |password: Secret<'_>| {
            key.named(const { ParamName::of::<ChangePassword>("new_password") }).text(password.expose())
        };
        let params = Params::new([
            Param::required(self.new_password.map(digest)),
            Param::optional(self.logout_devices.map(ParamDigest::boolean), ParamDigest::boolean(true)),
        ]);
        Call::new(&self.auth).with_params(params)
    }

    fn password(&self) -> Option<Secret<'_>> {
        self.new_password
    }

    fn to_stored(
        &self,
        _: &BindingKey,
        before: Option<StoredPasswordChange>,
        sealer: Option<Sealer>,
    ) -> StoredPasswordChange {
        let before = before.unwrap_or_default();
        let given = sealer.zip(self.new_password).and_then(|(sealer, password)| sealer.seal(password));
        StoredPasswordChange {
            version: Version,
            new_password: given.or(before.new_password),
            logout_devices: self.logout_devices.or(before.logout_devices),
        }
    }

    fn stored_password(stored: &StoredPasswordChange) -> Option<&SealedPassword> {
        stored.new_password.as_ref()
    }

    /// Redeems a grant: what is to be done to change the password.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with 400 `M_MISSING_PARAM` if no new password was ever given, or the
    /// host lost what it kept; the session stays complete and takes other parameters. With
    /// 403 `M_FORBIDDEN` if the flow named nobody.
    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<ChangePassword>,
        stored: Option<StoredPasswordChange>,
        hash: Option<H>,
    ) -> Result<PasswordChange<H>, Refusal> {
        let Some(user) = grant.user() else {
            let message = "The authentication did not say whose password to reset.";
            return Err(Refusal::new(MatrixError::new(ErrorCode::Forbidden, message)));
        };
        let lost = grant.needs_stored() && stored.is_none();
        let Some(hash) = hash.filter(|_| !lost) else {
            let error = MatrixError::new(ErrorCode::MissingParam, "new_password is missing.");
            return Err(Refusal::for_params(error));
        };
        let kept = stored.and_then(|stored| stored.logout_devices);
        let logout_devices = self.logout_devices.or(kept).unwrap_or(true);
        let devices = if grant.has_token() { Devices::Others } else { Devices::All };
        Ok(PasswordChange { user, hash, logout: logout_devices.then_some(devices) })
    }
}

impl<H> PasswordChange<H> {
    /// Whose password it is.
    #[must_use]
    pub const fn user(&self) -> UserRef {
        self.user
    }

    /// What to do, in this order: once the first is done no old password works, whatever
    /// becomes of the rest.
    pub fn effects(&self) -> impl Iterator<Item = Effect<'_, H>> {
        let mut position = 0_u8;
        // By hand: the adapters for this take 250 bytes on a microcontroller.
        core::iter::from_fn(move || {
            position = position.saturating_add(1);
            match position {
                1 => Some(Effect::SetPassword(&self.hash)),
                2 => self.logout.map(Effect::EndDevices),
                3 => self.logout.map(Effect::EndPushers),
                _ => None,
            }
        })
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
            maximum_bytes: MAX_PASSWORD_LEN,
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
