//! [`POST /login`]: what a login asks, and who is asked to prove it.
//!
//! ```text
//!  body ─► LoginRequest ─► Attempt::Password ─► the host looks it up ─► login or Reject
//! ```
//!
//! [`POST /login`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login

use crate::account::{AccountStatus, Action};
use crate::error::{ErrorCode, Reject};
use crate::registration::MAX_DEVICE_TEXT_LEN;
use crate::wire::json::{self, Reader};
use crate::wire::{Auth, AuthData, Malformed, ParseError, UserIdentifier};
use crate::{Secret, Text};

/// The body of a login.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LoginRequest<'a> {
    /// How the user wants to prove who they are.
    pub attempt: Attempt<'a>,
    /// The device to log in on; its earlier tokens end.
    pub device_id: Option<Text<'a>>,
    /// Its name, if it is new.
    pub initial_device_display_name: Option<Text<'a>>,
    /// Whether the client takes refresh tokens.
    pub refresh_token: Option<bool>,
}

/// A login by type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Attempt<'a> {
    /// `m.login.password`.
    Password {
        /// Whose password.
        identifier: UserIdentifier<'a>,
        /// The password, not empty and bounded.
        password: Secret<'a>,
    },
}

impl<'a> LoginRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists; 400
    /// `M_MISSING_PARAM` without a `type` or a key that it needs, 400 `M_INVALID_PARAM`
    /// for a key of the wrong form, 400 `M_UNKNOWN` for a type that isn't known.
    pub fn parse(body: &'a [u8]) -> Result<Self, Reject> {
        let Device { device_id, initial_device_display_name, refresh_token } = Device::read(body)?;
        let too_long = |text: Option<Text<'_>>| text.is_some_and(|text| text.len() > MAX_DEVICE_TEXT_LEN);
        if too_long(device_id)
            || too_long(initial_device_display_name)
            || device_id.is_some_and(|id| id.is_empty())
        {
            return Err(Reject::new(
                ErrorCode::InvalidParam,
                "A parameter of the device has the wrong form.",
            ));
        }
        let attempt = Self::attempt(body)?;
        Ok(Self { attempt, device_id, initial_device_display_name, refresh_token })
    }

    /// A login's own keys are those of an auth dict: one reader serves both.
    // Not inlined, as `Device::read`: in one frame the two readers would take the stack of
    // both, and of a small processor's there is no more than for one.
    #[inline(never)]
    fn attempt(body: &'a [u8]) -> Result<Attempt<'a>, Reject> {
        let Auth::Attempt { data, .. } = Auth::parse(body)? else {
            return Err(Reject::new(ErrorCode::MissingParam, "type is missing."));
        };
        match data {
            Ok(AuthData::Password { identifier, password }) => Ok(Attempt::Password { identifier, password }),
            Ok(_) => Err(Reject::new(ErrorCode::Unknown, "There is no such type of login.")),
            Err(Malformed::Missing(_)) => {
                Err(Reject::new(ErrorCode::MissingParam, "A key that the login needs is missing."))
            }
            Err(Malformed::Invalid(_)) => {
                Err(Reject::new(ErrorCode::InvalidParam, "A key of the login has the wrong type or form."))
            }
        }
    }
}

/// What a login says of its device.
#[derive(Default)]
struct Device<'a> {
    device_id: Option<Text<'a>>,
    initial_device_display_name: Option<Text<'a>>,
    refresh_token: Option<bool>,
}

impl<'a> Device<'a> {
    #[inline(never)]
    fn read(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut device = Self::default();
        json::read_object(body, |reader, key| {
            match key {
                "device_id" => device.device_id = reader.optional(Reader::text)?,
                "initial_device_display_name" => {
                    device.initial_device_display_name = reader.optional(Reader::text)?;
                }
                "refresh_token" => device.refresh_token = reader.optional(Reader::boolean)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(device)
    }
}

/// Whether a login goes ahead, once the host knows all that it can know.
///
/// An unknown user and a wrong password are one answer, and have to be the same work
/// (rule L2). That an account is locked is told only after the right password; that it
/// is gone is told to everybody unless `hide_deactivated`, since nobody can prove to
/// have had it.
///
/// # Errors
///
/// 403 `M_FORBIDDEN`, 401 `M_USER_LOCKED`, 403 `M_USER_DEACTIVATED`.
pub fn decide(
    account: Option<AccountStatus>,
    password_is_right: bool,
    hide_deactivated: bool,
) -> Result<(), Reject> {
    let wrong = Reject::new(ErrorCode::Forbidden, "Invalid username or password.");
    let status = account.ok_or(wrong)?;
    match status.gate(Action::Login) {
        Err(gone) if gone.code() == ErrorCode::UserDeactivated => {
            Err(if hide_deactivated { wrong } else { gone })
        }
        _ if !password_is_right => Err(wrong),
        gate => gate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Event;

    fn code(body: &[u8]) -> ErrorCode {
        LoginRequest::parse(body).unwrap_err().code()
    }

    #[test]
    fn every_odd_login_has_its_error() {
        assert_eq!(code(b"{}"), ErrorCode::MissingParam);
        assert_eq!(code(b"{"), ErrorCode::NotJson);
        assert_eq!(code(b"[]"), ErrorCode::BadJson);
        assert_eq!(code(br#"{"type":"m.login.password"}"#), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"type":"m.login.dummy"}"#), ErrorCode::Unknown);
        assert_eq!(code(br#"{"type":"m.login.password","user":"a","password":""}"#), ErrorCode::InvalidParam);
        assert!(LoginRequest::parse(br#"{"type":"m.login.password","user":"a","password":"b"}"#).is_ok());
    }

    #[test]
    fn a_wrong_password_learns_nothing_about_the_lock() {
        let locked = AccountStatus::default().on(Event::Lock).unwrap();
        let wrong = decide(Some(locked), false, false).unwrap_err();
        assert_eq!(wrong, decide(None, false, false).unwrap_err());
        assert_eq!(decide(Some(locked), true, false).unwrap_err().code(), ErrorCode::UserLocked);
    }

    #[test]
    fn an_account_that_is_gone_says_so_unless_it_is_hidden() {
        let gone = AccountStatus::default().on(Event::Fence).unwrap();
        assert_eq!(decide(Some(gone), false, false).unwrap_err().code(), ErrorCode::UserDeactivated);
        assert_eq!(decide(Some(gone), true, true).unwrap_err(), decide(None, false, true).unwrap_err());
    }
}
