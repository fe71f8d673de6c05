//! The answer to a login or a registration.

use core::fmt::{self, Write};

use crate::secret::Secret;
use crate::text::Text;
use crate::time::Millis;
use crate::wire::ParseError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The answer to a registration or a login.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LoginResponse<'a> {
    /// The full user ID.
    pub user_id: Text<'a>,
    /// What the client is logged in with; `None` if no login was wanted.
    pub login: Option<NewLogin<'a>>,
}

/// A device that is logged in.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewLogin<'a> {
    /// The access token.
    pub access_token: Secret<'a>,
    /// The device.
    pub device_id: Text<'a>,
    /// The refresh token, if the client takes one.
    pub refresh_token: Option<Secret<'a>>,
    /// How long the access token lives; `None`: until it is ended.
    pub expires_in: Option<Millis>,
}

impl<'a> LoginResponse<'a> {
    /// An answer without a login.
    #[must_use]
    pub const fn new(user_id: Text<'a>) -> Self {
        Self { user_id, login: None }
    }

    /// The same with a login.
    #[must_use]
    pub const fn with_login(mut self, access_token: Secret<'a>, device_id: Text<'a>) -> Self {
        self.login = Some(NewLogin { access_token, device_id, refresh_token: None, expires_in: None });
        self
    }

    /// Reads the body. Without both `access_token` and `device_id` nobody is logged in.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also
    /// without a `user_id`.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![
            0;
            "user_id": Text,
            "access_token": Text,
            "device_id": Text,
            "refresh_token": Text,
            "expires_in_ms": Any,
        ];
        let mut slots = [Span::NONE; 5];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [user_id, access_token, device_id, refresh_token, expires_in] = slots;
        let login = access_token.secret(text).zip(device_id.text(text));
        let login = login.map(|(access_token, device_id)| NewLogin {
            access_token,
            device_id,
            refresh_token: refresh_token.secret(text),
            expires_in: expires_in.lenient_millis(text),
        });
        Ok(Self { user_id: user_id.text(text).ok_or(ParseError::WrongType)?, login })
    }

    /// Writes the body. `home_server` is not sent: the spec deprecates it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("user_id", self.user_id)?;
        if let Some(login) = self.login {
            object.text("access_token", login.access_token.expose())?;
            object.text("device_id", login.device_id)?;
            object.secret_if("refresh_token", login.refresh_token)?;
            object.integer_if("expires_in_ms", login.expires_in.map(Millis::get))?;
        }
        object.end()
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
        assert_eq!((login.device_id, login.expires_in), (Text::new("D"), Some(Millis::from_secs(60))));
        let inhibited = br#"{"user_id":"@a:x","home_server":"x"}"#;
        assert!(LoginResponse::parse(inhibited).unwrap().login.is_none());
        assert!(LoginResponse::parse(br#"{"access_token":"t","device_id":"D"}"#).is_err());
    }

    #[test]
    fn the_client_reads_the_login_that_the_server_writes() {
        let mut given = LoginResponse::new(Text::new("@a:x")).with_login(Secret::new("t"), Text::new("D"));
        let login = given.login.as_mut().unwrap();
        (login.refresh_token, login.expires_in) = (Some(Secret::new("r")), Some(Millis::new(7)));
        let mut body = std::string::String::new();
        given.write(&mut body).unwrap();
        let read = LoginResponse::parse(body.as_bytes()).unwrap();
        let login = read.login.unwrap();
        assert_eq!((read.user_id, login.device_id), (given.user_id, Text::new("D")));
        assert_eq!((login.access_token.expose(), login.expires_in), ("t".into(), Some(Millis::new(7))));
        assert_eq!(login.refresh_token.unwrap().expose(), "r");
    }
}
