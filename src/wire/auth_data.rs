//! The `auth` dict: what a client sends to pass a stage.

use core::fmt::{self, Write};

use super::identifier::{Field, IdentifierError, IdentifierFields};
use super::json::{self, ObjectWriter, Raw, Reader};
use super::{AuthType, ParseError, UserIdentifier};
use crate::{Secret, Text};

/// Longest password that is looked at, in bytes.
///
/// A password is hashed with a deliberately slow function; the bound keeps that, and
/// any identity provider behind it, from being fed kilobytes.
pub const MAX_PASSWORD_LEN: usize = 512;
/// Longest captcha response, in bytes. ReCaptcha's own are below 3 KiB.
const MAX_CAPTCHA_LEN: usize = 8 * 1024;
/// Longest `sid`, `client_secret`, identifier or server name, in bytes.
pub(crate) const MAX_FIELD_LEN: usize = 255;
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

/// Which key of an auth dict is at fault: `M_MISSING_PARAM` or `M_INVALID_PARAM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// A key the stage needs is absent.
    Missing(&'static str),
    /// A key has the wrong type or form.
    Invalid(&'static str),
}

impl From<IdentifierError> for Malformed {
    fn from(error: IdentifierError) -> Self {
        match error {
            IdentifierError::Missing(key) => Self::Missing(key),
            IdentifierError::Invalid(key) => Self::Invalid(key),
        }
    }
}

impl<'a> Auth<'a> {
    /// Reads an auth dict by itself.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if it is no JSON, no object, or its `type` or `session` is no
    /// string. What is wrong with the other keys is told in
    /// [`Attempt::data`](Self::Attempt), since only the stage knows which it needs.
    pub fn parse(json: &'a [u8]) -> Result<Self, ParseError> {
        json::read(json, Self::read)
    }

    /// The auth dict of a body that has no other key of its own.
    pub(crate) fn of_body(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut auth = Self::default();
        json::read_object(body, |reader, key| {
            if key == "auth" {
                auth = Self::read(reader)?
            } else {
                reader.skip()?
            }
            Ok(())
        })?;
        Ok(auth)
    }

    /// The session the request names.
    #[must_use]
    pub const fn session(&self) -> Option<Secret<'a>> {
        match self {
            Self::Absent => None,
            Self::Poll { session } => Some(*session),
            Self::Attempt { session, .. } => *session,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        if reader.null()? {
            return Ok(Self::Absent);
        }
        let mark = reader.mark();
        let mut fields = AuthFields::default();
        reader.fields(|reader, key| fields.field(reader, key))?;
        let session = fields.session.text(reader).map(Secret::from_text);
        let Some(name) = fields.auth_type.text(reader) else {
            return Ok(session.map_or(Self::Absent, |session| Self::Poll { session }));
        };
        let auth_type = AuthType::from_text(name);
        let data = fields.data(auth_type, mark, reader);
        Ok(Self::Attempt { session, auth_type, data })
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
        let password = secret(password, "password", MAX_PASSWORD_LEN)?;
        bounded_identifier(&identifier)?;
        Ok(Self::Password { identifier, password })
    }

    pub(crate) fn recaptcha(response: Text<'a>) -> Result<Self, Malformed> {
        secret(response, "response", MAX_CAPTCHA_LEN).map(|response| Self::Recaptcha { response })
    }

    pub(crate) fn registration_token(token: Text<'a>) -> Result<Self, Malformed> {
        let token = secret(token, "token", MAX_TOKEN_LEN)?;
        if !token.expose().chars().all(is_opaque) {
            return Err(Malformed::Invalid("token"));
        }
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
        let client_secret = self.client_secret.expose();
        let id_access_token = self.id_access_token.map(|token| token.expose());
        for (key, fits) in [
            ("sid", is_session_text(self.sid)),
            ("client_secret", is_session_text(client_secret)),
            ("id_server", self.id_server.is_none_or(|text| bounded(text, MAX_FIELD_LEN))),
            ("id_access_token", id_access_token.is_none_or(|text| bounded(text, MAX_ID_TOKEN_LEN))),
        ] {
            if !fits {
                return Err(Malformed::Invalid(key));
            }
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

/// Every key that any known stage reads, collected in one pass: `type` may come last.
#[derive(Default)]
pub(crate) struct AuthFields {
    pub(crate) session: Field,
    pub(crate) auth_type: Field,
    identifier: Nested<IdentifierFields>,
    legacy: IdentifierFields,
    password: Field,
    response: Field,
    token: Field,
    creds: Nested<CredsFields>,
}

#[derive(Clone, Copy, Default)]
struct CredsFields {
    sid: Field,
    client_secret: Field,
    id_server: Field,
    id_access_token: Field,
}

impl AuthFields {
    #[inline]
    pub(crate) fn field(&mut self, reader: &mut Reader<'_>, key: &str) -> Result<(), ParseError> {
        match key {
            "session" => self.session = Field::string(reader)?,
            "type" => self.auth_type = Field::string(reader)?,
            "identifier" => self.identifier = nested(reader, IdentifierFields::read)?,
            "password" => self.password = Field::read(reader)?,
            "response" => self.response = Field::read(reader)?,
            "token" => self.token = Field::read(reader)?,
            // Element and others wrote both spellings for years; of two the spec's holds,
            // wherever it stands, unless it is `null`.
            "threepid_creds" => self.creds = nested(reader, CredsFields::read)?.or(self.creds),
            "threepidCreds" if self.creds.is_none() => self.creds = nested(reader, CredsFields::read)?,
            _ => match self.legacy.slot(key) {
                Some(slot) => *slot = Field::read(reader)?,
                None => reader.skip()?,
            },
        }
        Ok(())
    }

    /// Who is named, in today's way or in an older one.
    pub(crate) fn identifier<'a>(&self, reader: &Reader<'a>) -> Result<UserIdentifier<'a>, Malformed> {
        let identifier = match &self.identifier {
            Some(Ok(fields)) => fields.identifier(reader)?,
            Some(Err(())) => return Err(Malformed::Invalid("identifier")),
            None => self.legacy.legacy(reader)?,
        };
        bounded_identifier(&identifier)?;
        Ok(identifier)
    }

    /// Whether what is wrong with `key`, as [`Malformed::Invalid`] names it, is the type of its value: an
    /// auth dict makes no difference (rule U6), a body does (rule E2).
    pub(crate) fn has_wrong_type(&self, key: &str) -> bool {
        let field = match (key, &self.identifier) {
            ("password", _) => Some(self.password),
            ("token", _) => Some(self.token),
            ("identifier", identifier) => return matches!(identifier, Some(Err(()))),
            (key, Some(Ok(fields))) => fields.named(key.strip_prefix("identifier.").unwrap_or(key)),
            (key, _) => self.legacy.named(key),
        };
        field.is_some_and(Field::has_wrong_type)
    }

    /// The password, not empty and bounded.
    pub(crate) fn password<'a>(&self, reader: &Reader<'a>) -> Result<Secret<'a>, Malformed> {
        secret(self.password.required("password", reader)?, "password", MAX_PASSWORD_LEN)
    }

    /// A token of at most `max` bytes, not empty.
    pub(crate) fn token<'a>(&self, max: usize, reader: &Reader<'a>) -> Result<Secret<'a>, Malformed> {
        secret(self.token.required("token", reader)?, "token", max)
    }

    /// What the stage is attempted with; the dict began at `mark`.
    fn data<'a>(
        &self,
        auth_type: AuthType<'a>,
        mark: usize,
        reader: &Reader<'a>,
    ) -> Result<AuthData<'a>, Malformed> {
        Ok(match auth_type {
            AuthType::Password => {
                let password = self.password(reader)?;
                AuthData::Password { identifier: self.identifier(reader)?, password }
            }
            AuthType::Recaptcha => AuthData::recaptcha(self.response.required("response", reader)?)?,
            AuthType::EmailIdentity => AuthData::EmailIdentity(creds(self.creds, reader)?),
            AuthType::Msisdn => AuthData::Msisdn(creds(self.creds, reader)?),
            AuthType::RegistrationToken => {
                AuthData::registration_token(self.token.required("token", reader)?)?
            }
            AuthType::Dummy => AuthData::Dummy,
            AuthType::Terms => AuthData::Terms,
            AuthType::Sso => AuthData::Sso,
            AuthType::OAuth => AuthData::OAuth,
            AuthType::Custom(_) => AuthData::Custom(reader.since(mark)),
        })
    }
}

/// A nested object, told from `null` and from a value that is none.
type Nested<T> = Option<Result<T, ()>>;

fn nested<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, ParseError>,
) -> Result<Nested<T>, ParseError> {
    match reader.peek() {
        Some(b'{') => read(reader).map(|fields| Some(Ok(fields))),
        Some(b'n') => reader.null().map(|_| None),
        _ => reader.skip().map(|()| Some(Err(()))),
    }
}

impl CredsFields {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let mut fields = Self::default();
        reader.fields(|reader, key| {
            let slot = match key {
                "sid" => &mut fields.sid,
                "client_secret" => &mut fields.client_secret,
                "id_server" => &mut fields.id_server,
                "id_access_token" => &mut fields.id_access_token,
                _ => return reader.skip(),
            };
            *slot = Field::read(reader)?;
            Ok(())
        })?;
        Ok(fields)
    }
}

fn creds<'a>(fields: Nested<CredsFields>, reader: &Reader<'a>) -> Result<ThreepidCreds<'a>, Malformed> {
    let fields = match fields {
        Some(Ok(fields)) => fields,
        Some(Err(())) => return Err(Malformed::Invalid("threepid_creds")),
        None => return Err(Malformed::Missing("threepid_creds")),
    };
    let creds = ThreepidCreds {
        sid: fields.sid.required("sid", reader)?,
        client_secret: Secret::from_text(fields.client_secret.required("client_secret", reader)?),
        id_server: optional(fields.id_server, "id_server", reader)?,
        id_access_token: optional(fields.id_access_token, "id_access_token", reader)?.map(Secret::from_text),
    };
    creds.check()?;
    Ok(creds)
}

fn secret<'a>(text: Text<'a>, key: &'static str, max: usize) -> Result<Secret<'a>, Malformed> {
    if bounded(text, max) { Ok(Secret::from_text(text)) } else { Err(Malformed::Invalid(key)) }
}

fn optional<'a>(field: Field, key: &'static str, reader: &Reader<'a>) -> Result<Option<Text<'a>>, Malformed> {
    if field.is_absent() { Ok(None) } else { Ok(Some(field.required(key, reader)?)) }
}

/// Not empty, and at most `max` bytes.
fn bounded(text: Text<'_>, max: usize) -> bool {
    !text.is_empty() && text.len() <= max
}

pub(crate) fn bounded_identifier(identifier: &UserIdentifier<'_>) -> Result<(), Malformed> {
    let fits = match identifier {
        UserIdentifier::User(user) => bounded(*user, MAX_FIELD_LEN),
        UserIdentifier::Thirdparty { medium, address } => {
            bounded(*medium, MAX_FIELD_LEN) && bounded(*address, MAX_FIELD_LEN)
        }
        UserIdentifier::Phone { country, phone } => bounded(*country, 2) && bounded(*phone, MAX_FIELD_LEN),
    };
    if fits { Ok(()) } else { Err(Malformed::Invalid("identifier")) }
}

/// The grammar of a 3PID validation's `sid` and `client_secret`: 1 to 255 characters of
/// `[0-9a-zA-Z.=_-]`.
pub(crate) fn is_session_text(text: Text<'_>) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '=' | '_' | '-');
    bounded(text, MAX_FIELD_LEN) && text.chars().all(fits)
}

/// The [opaque identifier grammar](https://spec.matrix.org/v1.19/appendices/#opaque-identifiers).
pub(crate) const fn is_opaque(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-')
}
