//! The `auth` dict: what a client sends to pass a stage.

use core::fmt::{self, Write};

use super::auth_type::AuthType;
use super::identifier::{UserIdentifier, bounded_identifier};
use super::json::{self, ObjectWriter, Raw};
use super::malformed::{MAX_FIELD_LEN, Malformed, fitting, is_within};
use crate::secret::Secret;
use crate::text::Text;

/// Longest password that is looked at, in bytes.
///
/// A password is hashed with a deliberately slow function; the bound keeps that, and
/// any identity provider behind it, from being fed kilobytes.
pub const MAX_PASSWORD_LEN: usize = 512;
/// Longest captcha response, in bytes. ReCaptcha's own are below 3 KiB.
const MAX_CAPTCHA_LEN: usize = 8 * 1024;
/// Longest registration token, in characters of the opaque grammar.
const MAX_TOKEN_LEN: usize = 64;
/// Longest access token of an identity server, in bytes.
const MAX_ID_TOKEN_LEN: usize = 1024;

/// The `auth` key of a request, as far as it can be told without a session.
///
/// The three cases are three different requests: asking for the flows, asking how
/// things stand, and attempting a stage.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Auth<'a> {
    /// No `auth`, `null`, `{}`, or neither `type` nor `session` in it.
    #[default]
    Absent,
    /// Only a `session`: how do things stand?
    Poll {
        /// The session asked about: a capability, and so a secret.
        session: Secret<'a>,
    },
    /// A stage is attempted.
    Attempt {
        /// The session, if one was given.
        session: Option<Secret<'a>>,
        /// Which stage.
        auth_type: AuthType<'a>,
        /// What it is attempted with, or which key is at fault.
        data: Result<AuthData<'a>, Malformed>,
    },
}

/// What a stage is attempted with, by type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AuthData<'a> {
    /// `m.login.password`.
    Password {
        /// Whose password.
        identifier: UserIdentifier<'a>,
        /// 1 to [`MAX_PASSWORD_LEN`] bytes: an empty one never reaches a host, whose
        /// directory might take it for an anonymous bind.
        password: Secret<'a>,
    },
    /// `m.login.recaptcha`.
    Recaptcha {
        /// The captcha's response token.
        response: Secret<'a>,
    },
    /// `m.login.email.identity`.
    EmailIdentity(ThreepidCreds<'a>),
    /// `m.login.msisdn`.
    Msisdn(ThreepidCreds<'a>),
    /// `m.login.registration_token`.
    RegistrationToken {
        /// 1 to 64 characters of the opaque grammar.
        token: Secret<'a>,
    },
    /// `m.login.dummy`.
    Dummy,
    /// `m.login.terms`.
    Terms,
    /// `m.login.sso`: completed elsewhere; sending the type is a poll.
    Sso,
    /// `m.oauth`: completed elsewhere; sending the type is a poll.
    OAuth,
    /// Any other type: the whole auth dict as it came.
    Custom(Raw<'a>),
}

/// Proof of a validated 3PID: the [`threepid_creds`] of an e-mail or phone stage.
///
/// [`threepid_creds`]: https://spec.matrix.org/v1.19/client-server-api/#email-based-identity--homeserver
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ThreepidCreds<'a> {
    /// The validation session's ID: `[0-9a-zA-Z.=_-]`, 1 to 255 characters.
    pub sid: Text<'a>,
    /// The secret the client made for it: `[0-9a-zA-Z.=_-]`, 1 to 255 characters.
    pub client_secret: Secret<'a>,
    /// The identity server that validated it, if the homeserver did not.
    pub id_server: Option<Text<'a>>,
    /// The token for that identity server.
    pub id_access_token: Option<Secret<'a>>,
}

impl<'a> Auth<'a> {
    /// The session the request names.
    #[must_use]
    pub const fn session(&self) -> Option<Secret<'a>> {
        match self {
            Self::Absent => None,
            Self::Poll { session } => Some(*session),
            Self::Attempt { session, .. } => *session,
        }
    }

    /// Writes the key `auth` of a body, unless there is none to write.
    pub(crate) fn write_key(&self, body: &mut ObjectWriter<'_, impl Write>) -> fmt::Result {
        if matches!(self, Self::Absent) { Ok(()) } else { self.write(body.key("auth")?) }
    }

    /// Writes the auth dict.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Absent => out.write_str("{}"),
            Self::Poll { session } => {
                let mut object = ObjectWriter::begin(out)?;
                object.text("session", session.expose())?;
                object.end()
            }
            Self::Attempt { session, auth_type, data } => match data {
                Ok(AuthData::Custom(raw)) if raw.is_object() => write_custom(out, *auth_type, *session, *raw),
                Ok(data) => data.write(out, *auth_type, *session),
                Err(_) => {
                    let mut object = ObjectWriter::begin(out)?;
                    object.text("type", auth_type.name())?;
                    object.secret_if("session", *session)?;
                    object.end()
                }
            },
        }
    }
}

/// Wherever the values come from, a dict or a form, these are their bounds.
impl<'a> AuthData<'a> {
    pub(crate) fn password(identifier: UserIdentifier<'a>, password: Text<'a>) -> Result<Self, Malformed> {
        let password = Secret::from_text(fitting(password, "password", is_password)?);
        bounded_identifier(&identifier)?;
        Ok(Self::Password { identifier, password })
    }

    pub(crate) fn recaptcha(response: Text<'a>) -> Result<Self, Malformed> {
        let response = Secret::from_text(fitting(response, "response", is_captcha_response)?);
        Ok(Self::Recaptcha { response })
    }

    pub(crate) fn registration_token(token: Text<'a>) -> Result<Self, Malformed> {
        let token = Secret::from_text(fitting(token, "token", is_registration_token)?);
        Ok(Self::RegistrationToken { token })
    }
}

impl AuthData<'_> {
    fn write(
        &self,
        out: &mut impl Write,
        auth_type: AuthType<'_>,
        session: Option<Secret<'_>>,
    ) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("type", auth_type.name())?;
        match self {
            Self::Password { identifier, password } => {
                identifier.write(object.key("identifier")?)?;
                object.text("password", password.expose())?;
            }
            Self::Recaptcha { response } => object.text("response", response.expose())?,
            Self::EmailIdentity(creds) | Self::Msisdn(creds) => creds.write(object.key("threepid_creds")?)?,
            Self::RegistrationToken { token } => object.text("token", token.expose())?,
            Self::Dummy | Self::Terms | Self::Sso | Self::OAuth | Self::Custom(_) => {}
        }
        object.secret_if("session", session)?;
        object.end()
    }
}

/// A custom dict's own keys, with `type` and `session` as they are to be.
fn write_custom(
    out: &mut impl Write,
    auth_type: AuthType<'_>,
    session: Option<Secret<'_>>,
    raw: Raw<'_>,
) -> fmt::Result {
    out.write_str("{\"type\":")?;
    json::write_text(out, auth_type.name())?;
    if let Some(session) = session {
        out.write_str(",\"session\":")?;
        json::write_text(out, session.expose())?;
    }
    json::write_others(out, raw, &["type", "session"])?;
    out.write_char('}')
}

impl<'a> ThreepidCreds<'a> {
    pub(crate) fn checked(sid: Text<'a>, client_secret: Text<'a>) -> Result<Self, Malformed> {
        let creds = Self::new(sid, Secret::from_text(client_secret));
        creds.check()?;
        Ok(creds)
    }

    /// Credentials validated by the homeserver itself.
    #[must_use]
    pub const fn new(sid: Text<'a>, client_secret: Secret<'a>) -> Self {
        Self { sid, client_secret, id_server: None, id_access_token: None }
    }

    /// Whether each key has the form it must have, however the credentials were made.
    pub(crate) fn check(&self) -> Result<(), Malformed> {
        fitting(self.sid, "sid", is_session_text)?;
        fitting(self.client_secret.expose(), "client_secret", is_session_text)?;
        if let Some(server) = self.id_server {
            fitting(server, "id_server", is_id_server)?;
        }
        if let Some(token) = self.id_access_token {
            fitting(token.expose(), "id_access_token", is_id_access_token)?;
        }
        Ok(())
    }

    /// Writes the credentials as a JSON object.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("sid", self.sid)?;
        object.text("client_secret", self.client_secret.expose())?;
        object.text_if("id_server", self.id_server)?;
        object.secret_if("id_access_token", self.id_access_token)?;
        object.end()
    }
}

/// A secret that is not empty and has at most `max` bytes.
pub(super) fn secret<'a>(text: Text<'a>, key: &'static str, max: usize) -> Result<Secret<'a>, Malformed> {
    if is_within(text, max) { Ok(Secret::from_text(text)) } else { Err(Malformed::Invalid(key)) }
}

pub(super) fn is_password(text: Text<'_>) -> bool {
    is_within(text, MAX_PASSWORD_LEN)
}

pub(super) fn is_captcha_response(text: Text<'_>) -> bool {
    is_within(text, MAX_CAPTCHA_LEN)
}

pub(super) fn is_registration_token(text: Text<'_>) -> bool {
    is_within(text, MAX_TOKEN_LEN) && text.chars().all(is_opaque)
}

pub(super) fn is_id_server(text: Text<'_>) -> bool {
    is_within(text, MAX_FIELD_LEN)
}

pub(super) fn is_id_access_token(text: Text<'_>) -> bool {
    is_within(text, MAX_ID_TOKEN_LEN)
}

/// The grammar of a 3PID validation's `sid` and `client_secret`: 1 to 255 characters of
/// `[0-9a-zA-Z.=_-]`.
pub(crate) fn is_session_text(text: Text<'_>) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '=' | '_' | '-');
    is_within(text, MAX_FIELD_LEN) && text.chars().all(fits)
}

/// The [opaque identifier grammar](https://spec.matrix.org/v1.19/appendices/#opaque-identifiers).
pub(crate) const fn is_opaque(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-')
}
