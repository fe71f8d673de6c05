//! The body of a login.

use core::fmt::{self, Write};

use super::device::check_device;
use super::login_type::LoginType;
use crate::secret::Secret;
use crate::server::check::PasswordCheck;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, AuthSpans, Malformed, UserIdentifier};

/// Longest login token that is looked at, in bytes.
///
/// The spec sets no bound, and calls the token opaque. Synapse's were signed documents of a few hundred.
pub const MAX_LOGIN_TOKEN_LEN: usize = 2048;

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
    /// [`m.login.token`](https://spec.matrix.org/v1.19/client-server-api/#legacy-login).
    Token {
        /// The token, not empty and at most [`MAX_LOGIN_TOKEN_LEN`] bytes.
        token: Secret<'a>,
    },
    /// [`m.login.application_service`]: the proof is the `as_token` of the request.
    ///
    /// [`m.login.application_service`]: https://spec.matrix.org/v1.19/client-server-api/#appservice-login
    ApplicationService {
        /// As whom.
        identifier: UserIdentifier<'a>,
    },
}

impl<'a> Attempt<'a> {
    /// The password to be checked, of a server that has no other type of login.
    ///
    /// # Errors
    ///
    /// 400 `M_UNKNOWN` for a login of another type.
    pub const fn password_check(&self) -> Result<PasswordCheck<'a>, MatrixError> {
        match *self {
            Self::Password { identifier, password } => Ok(PasswordCheck::at_login(identifier, password)),
            Self::Token { .. } | Self::ApplicationService { .. } => Err(LoginType::unknown()),
        }
    }

    /// The type of the login.
    #[must_use]
    pub const fn login_type(&self) -> LoginType {
        match self {
            Self::Password { .. } => LoginType::Password,
            Self::Token { .. } => LoginType::Token,
            Self::ApplicationService { .. } => LoginType::ApplicationService,
        }
    }
}

/// A login's own keys. The rest are those of an auth dict, so one table serves both.
static KEYS: Table = table![AUTH_SLOTS;
    "device_id": Text,
    "initial_device_display_name": Text,
    "refresh_token": Flag,
    // A login has none: whatever it is, it is ignored like any unknown key.
    "session": Any,
]
.beside(&AUTH);

impl<'a> LoginRequest<'a> {
    /// A login on a device that the server names.
    #[must_use]
    pub const fn new(attempt: Attempt<'a>) -> Self {
        Self { attempt, device_id: None, initial_device_display_name: None, refresh_token: None }
    }

    /// Reads the body, in one pass. A server that doesn't serve every type reads it with
    /// [`Offer::read`](super::Offer::read).
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, the latter also for
    /// a key of the wrong type that the login needs; 400 `M_MISSING_PARAM` without a `type`
    /// or a key that it needs, 400 `M_INVALID_PARAM` for a key of the wrong form, 400
    /// `M_UNKNOWN` for a type that isn't known.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        let mut slots = [Span::NONE; AUTH_SLOTS + 4];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., device_id, display_name, refresh_token, _] = &slots;
        let device_id = device_id.text(text);
        let initial_device_display_name = display_name.text(text);
        check_device(device_id, initial_device_display_name)?;
        let keys = AuthSpans::of(keys, text);
        let Some(name) = keys.auth_type() else {
            return Err(MatrixError::new(ErrorCode::MissingParam, "type is missing."));
        };
        let Some(login_type) = LoginType::named(name) else { return Err(LoginType::unknown()) };
        let attempt = match Attempt::read(login_type, keys) {
            Ok(attempt) => attempt,
            Err(malformed) => return Err(refused(malformed, keys)),
        };
        let refresh_token = refresh_token.flag(text);
        Ok(Self { attempt, device_id, initial_device_display_name, refresh_token })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("type", Text::new(self.attempt.login_type().name()))?;
        match self.attempt {
            Attempt::Password { identifier, password } => {
                identifier.write(object.key("identifier")?)?;
                object.text("password", password.expose())?;
            }
            Attempt::Token { token } => object.text("token", token.expose())?,
            Attempt::ApplicationService { identifier } => identifier.write(object.key("identifier")?)?,
        }
        object.text_if("device_id", self.device_id)?;
        object.text_if("initial_device_display_name", self.initial_device_display_name)?;
        object.boolean_if("refresh_token", self.refresh_token)?;
        object.end()
    }
}

fn refused(malformed: Malformed, keys: AuthSpans<'_, '_>) -> MatrixError {
    match malformed {
        Malformed::Missing(_) => {
            MatrixError::new(ErrorCode::MissingParam, "A key that the login needs is missing.")
        }
        Malformed::Invalid(key) if keys.has_wrong_type(key) => {
            MatrixError::new(ErrorCode::BadJson, "A key of the login has a value of the wrong type.")
        }
        Malformed::Invalid(_) => {
            MatrixError::new(ErrorCode::InvalidParam, "A key of the login has the wrong form.")
        }
    }
}

impl<'a> Attempt<'a> {
    fn read(login_type: LoginType, keys: AuthSpans<'_, 'a>) -> Result<Self, Malformed> {
        Ok(match login_type {
            LoginType::Password => {
                let password = keys.password()?;
                Self::Password { identifier: keys.identifier()?, password }
            }
            LoginType::Token => Self::Token { token: keys.token(MAX_LOGIN_TOKEN_LEN)? },
            LoginType::ApplicationService => Self::ApplicationService { identifier: keys.identifier()? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &[u8]) -> ErrorCode {
        LoginRequest::parse(body).unwrap_err().code()
    }

    #[test]
    fn every_odd_login_has_its_error() {
        assert_eq!(code(b"{}"), ErrorCode::MissingParam);
        assert_eq!(code(b"{"), ErrorCode::NotJson);
        assert_eq!(code(b"[]"), ErrorCode::BadJson);
        assert_eq!(code(br#"{"type":"m.login.password"}"#), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"type":"m.login.token"}"#), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"type":"m.login.application_service"}"#), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"type":"m.login.dummy"}"#), ErrorCode::Unknown);
        assert_eq!(code(br#"{"type":"m.login.password","user":"a","password":""}"#), ErrorCode::InvalidParam);
        assert!(LoginRequest::parse(br#"{"type":"m.login.password","user":"a","password":"b"}"#).is_ok());
    }

    #[test]
    fn a_token_is_bounded() {
        let parsed = |len: usize| {
            let body = format!(r#"{{"type":"m.login.token","token":"{}"}}"#, "x".repeat(len));
            LoginRequest::parse(body.as_bytes()).map(|_| ()).map_err(|reject| reject.code())
        };
        assert_eq!(parsed(0), Err(ErrorCode::InvalidParam));
        assert_eq!(parsed(MAX_LOGIN_TOKEN_LEN), Ok(()));
        assert_eq!(parsed(MAX_LOGIN_TOKEN_LEN + 1), Err(ErrorCode::InvalidParam));
    }

    #[test]
    fn the_type_may_come_last_and_other_types_keys_do_not_count() {
        let body = br#"{"token":"t","password":1,"session":2,"type":"m.login.token"}"#;
        let request = LoginRequest::parse(body).unwrap();
        assert!(matches!(request.attempt, Attempt::Token { token } if token.expose() == "t"));
    }

    #[test]
    fn the_server_reads_the_login_that_the_client_writes() {
        let identifier = UserIdentifier::User(Text::new("alice"));
        for attempt in [
            Attempt::Password { identifier, password: Secret::new("p\"w") },
            Attempt::Token { token: Secret::new("t") },
            Attempt::ApplicationService { identifier },
        ] {
            let mut request = LoginRequest::new(attempt);
            request.device_id = Some(Text::new("D"));
            request.initial_device_display_name = Some(Text::new("Phone"));
            request.refresh_token = Some(true);
            let (mut body, mut again) = (std::string::String::new(), std::string::String::new());
            request.write(&mut body).unwrap();
            let read = LoginRequest::parse(body.as_bytes()).unwrap();
            assert_eq!(read.attempt.login_type(), attempt.login_type());
            let is_password = attempt.login_type() == LoginType::Password;
            assert_eq!(read.attempt.password_check().is_ok(), is_password);
            read.write(&mut again).unwrap();
            assert_eq!(again, body);
        }
    }
}
