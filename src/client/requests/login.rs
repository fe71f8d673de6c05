//! Logging in, keeping the login alive, and asking whose it is.

use core::fmt::{self, Write};

use crate::endpoint::register::{LoginResponse, NewLogin};
use crate::wire::json::{self, ObjectWriter, Reader};
use crate::wire::{ParseError, UserIdentifier};
use crate::{Secret, Text};

/// The body of a [login](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Login<'a> {
    /// What with.
    pub with: LoginWith<'a>,
    /// The device to log in on; its earlier tokens end.
    pub device_id: Option<Text<'a>>,
    /// Its name, if it is new.
    pub initial_device_display_name: Option<Text<'a>>,
    /// Whether to get a refresh token.
    pub refresh_token: Option<bool>,
}

/// What to log in with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LoginWith<'a> {
    /// `m.login.password`.
    Password {
        /// Whose.
        identifier: UserIdentifier<'a>,
        /// The password.
        password: Secret<'a>,
    },
    /// `m.login.token`.
    Token(Secret<'a>),
}

impl<'a> Login<'a> {
    /// A login on a device that the server names.
    #[must_use]
    pub const fn new(with: LoginWith<'a>) -> Self {
        Self { with, device_id: None, initial_device_display_name: None, refresh_token: None }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        match self.with {
            LoginWith::Password { identifier, password } => {
                object.text("type", Text::new("m.login.password"))?;
                identifier.write(object.key("identifier")?)?;
                object.text("password", password.expose())?;
            }
            LoginWith::Token(token) => {
                object.text("type", Text::new("m.login.token"))?;
                object.text("token", token.expose())?;
            }
        }
        object.text_if("device_id", self.device_id)?;
        object.text_if("initial_device_display_name", self.initial_device_display_name)?;
        object.boolean_if("refresh_token", self.refresh_token)?;
        object.end()
    }
}

impl<'a> LoginResponse<'a> {
    /// Reads the answer to a login or a registration. Without both `access_token` and
    /// `device_id` nobody is logged in.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also
    /// without a `user_id`.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut user_id = None;
        let mut access_token = None;
        let mut device_id = None;
        let mut refresh_token = None;
        let mut expires_in_ms = None;
        json::read_object(body, |reader, key| {
            match key {
                "user_id" => user_id = reader.optional(Reader::text)?,
                "access_token" => access_token = reader.secret()?,
                "device_id" => device_id = reader.optional(Reader::text)?,
                "refresh_token" => refresh_token = reader.secret()?,
                "expires_in_ms" => expires_in_ms = reader.raw()?.as_str().parse().ok(),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let login = access_token.zip(device_id).map(|(access_token, device_id)| NewLogin {
            access_token,
            device_id,
            refresh_token,
            expires_in_ms,
        });
        Ok(Self { user_id: user_id.ok_or(ParseError::WrongType)?, login })
    }
}

/// The body of a [refresh](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refresh<'a> {
    /// The refresh token.
    pub refresh_token: Secret<'a>,
}

impl<'a> Refresh<'a> {
    /// A refresh with that token.
    #[must_use]
    pub const fn new(refresh_token: Secret<'a>) -> Self {
        Self { refresh_token }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("refresh_token", self.refresh_token.expose())?;
        object.end()
    }
}

/// The answer to a refresh.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RefreshAnswer<'a> {
    /// The new access token.
    pub access_token: Secret<'a>,
    /// The new refresh token; without one the old one stays good.
    pub refresh_token: Option<Secret<'a>>,
    /// How long the access token lives, in milliseconds.
    pub expires_in_ms: Option<u64>,
}

impl<'a> RefreshAnswer<'a> {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also
    /// without an `access_token`.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut access_token = None;
        let mut refresh_token = None;
        let mut expires_in_ms = None;
        json::read_object(body, |reader, key| {
            match key {
                "access_token" => access_token = reader.secret()?,
                "refresh_token" => refresh_token = reader.secret()?,
                "expires_in_ms" => expires_in_ms = reader.raw()?.as_str().parse().ok(),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let access_token = access_token.ok_or(ParseError::WrongType)?;
        Ok(Self { access_token, refresh_token, expires_in_ms })
    }
}

/// The answer to [`GET /account/whoami`].
///
/// [`GET /account/whoami`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhoamiAnswer<'a> {
    /// The full user ID.
    pub user_id: Text<'a>,
    /// The device, if the token belongs to one.
    pub device_id: Option<Text<'a>>,
    /// Whether it is a guest.
    pub is_guest: bool,
}

impl<'a> WhoamiAnswer<'a> {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also
    /// without a `user_id`.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut user_id = None;
        let mut device_id = None;
        let mut is_guest = None;
        json::read_object(body, |reader, key| {
            match key {
                "user_id" => user_id = reader.optional(Reader::text)?,
                "device_id" => device_id = reader.optional(Reader::text)?,
                "is_guest" => is_guest = reader.optional(Reader::boolean)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let user_id = user_id.ok_or(ParseError::WrongType)?;
        Ok(Self { user_id, device_id, is_guest: is_guest.unwrap_or(false) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_there_or_it_is_not() {
        let both =
            br#"{"user_id":"@a:x","access_token":"t","device_id":"D","expires_in_ms":60000,"well_known":{}}"#;
        let login = LoginResponse::parse(both).unwrap().login.unwrap();
        assert_eq!((login.device_id, login.expires_in_ms), (Text::new("D"), Some(60_000)));
        let inhibited = br#"{"user_id":"@a:x","home_server":"x"}"#;
        assert!(LoginResponse::parse(inhibited).unwrap().login.is_none());
        assert!(LoginResponse::parse(br#"{"access_token":"t","device_id":"D"}"#).is_err());
        assert!(RefreshAnswer::parse(b"{}").is_err() && WhoamiAnswer::parse(b"{}").is_err());
        let odd = br#"{"access_token":"t","refresh_token":null,"expires_in_ms":-1}"#;
        let answer = RefreshAnswer::parse(odd).unwrap();
        assert!(answer.refresh_token.is_none() && answer.expires_in_ms.is_none());
    }
}
