//! The bodies of `requestToken` and its answer, and of what comes back from the message.

use core::fmt::{self, Write};

use super::{Medium, Threepid};
use crate::endpoint::deactivate::check_id_server;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{MAX_FIELD_LEN, ParseError, WebUrl, is_session_text};
use crate::{Secret, Text};

/// Longest `client_secret`, `sid` or token, in characters of
/// `[0-9a-zA-Z.=_-]`; the spec's own bound.
pub const MAX_SECRET_LEN: usize = MAX_FIELD_LEN;
/// Longest `next_link`, in bytes. The spec sets none; it is kept until the link of the
/// message is opened.
pub const MAX_NEXT_LINK_LEN: usize = WebUrl::MAX_LEN;
/// Longest phone number as typed, in bytes.
const MAX_NUMBER_LEN: usize = 255;

/// A request to send a validation token to an address: the body of
/// [`POST /register/email/requestToken`] and its five sisters, which differ in what they
/// are [for](super::Purpose) and in the medium.
///
/// ```
/// use matrix_uia::endpoint::threepid::{GivenAddress, Medium, RequestToken};
/// let body = br#"{"client_secret": "monkeys_are_GREAT", "email": "Alice@Example.org", "send_attempt": 1}"#;
/// let request = RequestToken::parse(Medium::Email, body)?;
/// assert!(matches!(request.address, GivenAddress::Email(email) if email.address() == "alice@example.org"));
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
///
/// [`POST /register/email/requestToken`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestToken<'a> {
    /// The secret the client made for this validation: 1 to [`MAX_SECRET_LEN`] of
    /// `[0-9a-zA-Z.=_-]`.
    pub client_secret: Secret<'a>,
    /// Counts up when the client wants another message.
    pub send_attempt: i64,
    /// Where to.
    pub address: GivenAddress<'a>,
    /// Where the browser goes once the address is validated: an `http` or `https` URL, to
    /// any host. It is written by whoever asked, so a page says where it leads.
    pub next_link: Option<Text<'a>>,
    /// The identity server that is to validate. This crate's host validates itself, and
    /// only says whether it would have trusted that server.
    pub id_server: Option<Text<'a>>,
    /// The token for it.
    pub id_access_token: Option<Secret<'a>>,
}

/// An address as the request gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GivenAddress<'a> {
    /// An e-mail address.
    Email(Threepid),
    /// A phone number as it is dialled from a country. A library of the host's makes the
    /// digits of E.164 of it, [`Threepid::parse`] the 3PID; what it can't read is
    /// [`invalid_number`](Self::invalid_number).
    Phone {
        /// Two capital letters, as in ISO 3166-1.
        country: Text<'a>,
        /// The number as typed.
        number: Text<'a>,
    },
}

impl GivenAddress<'_> {
    /// 400 `M_INVALID_PARAM`: no number is dialled so from that country.
    pub const fn invalid_number() -> MatrixError {
        invalid("This is no phone number of that country.")
    }
}

const fn invalid(message: &'static str) -> MatrixError {
    MatrixError::new(ErrorCode::InvalidParam, message)
}

const fn missing(message: &'static str) -> MatrixError {
    MatrixError::new(ErrorCode::MissingParam, message)
}

#[derive(Default)]
struct Fields<'a> {
    client_secret: Option<Secret<'a>>,
    send_attempt: Option<i64>,
    email: Option<Text<'a>>,
    country: Option<Text<'a>>,
    phone_number: Option<Text<'a>>,
    next_link: Option<Text<'a>>,
    id_server: Option<Text<'a>>,
    id_access_token: Option<Secret<'a>>,
}

impl<'a> Fields<'a> {
    fn read(body: &'a [u8], medium: Medium) -> Result<Self, ParseError> {
        static COMMON: Table = table![0;
            "client_secret": Text, "send_attempt": Any, "next_link": Text, "id_server": Text, "id_access_token": Text,
        ];
        static EMAIL: Table = table![5; "email": Text].beside(&COMMON);
        static MSISDN: Table = table![6; "country": Text, "phone_number": Text].beside(&COMMON);
        let keys = match medium {
            Medium::Email => &EMAIL,
            Medium::Msisdn => &MSISDN,
        };
        let mut slots = [Span::NONE; 8];
        let text = json::walk(body, keys, &mut slots)?;
        let [secret, attempt, link, server, token, email, country, number] = slots;
        Ok(Self {
            client_secret: secret.secret(text),
            send_attempt: attempt.integer(text)?,
            email: email.text(text),
            country: country.text(text),
            phone_number: number.text(text),
            next_link: link.text(text),
            id_server: server.text(text),
            id_access_token: token.secret(text),
        })
    }

    fn address(&self, medium: Medium) -> Result<GivenAddress<'a>, MatrixError> {
        match medium {
            Medium::Email => {
                let email = self.email.ok_or(missing("email is missing."))?;
                Threepid::parse(medium, email)
                    .map(GivenAddress::Email)
                    .map_err(|_| invalid("email is no e-mail address."))
            }
            Medium::Msisdn => {
                let country = self.country.ok_or(missing("country is missing."))?;
                let number = self.phone_number.ok_or(missing("phone_number is missing."))?;
                if country.len() != 2 || !country.chars().all(|c| c.is_ascii_uppercase()) {
                    return Err(invalid("country is not the two-letter code of a country."));
                }
                if number.is_empty() || number.len() > MAX_NUMBER_LEN {
                    return Err(GivenAddress::invalid_number());
                }
                Ok(GivenAddress::Phone { country, number })
            }
        }
    }
}

impl<'a> RequestToken<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists; 400
    /// `M_MISSING_PARAM` if a key is missing that has to be there; 400 `M_INVALID_PARAM`
    /// if one has not the form that the fields describe.
    #[inline(never)]
    pub fn parse(medium: Medium, body: &'a [u8]) -> Result<Self, MatrixError> {
        let fields = Fields::read(body, medium)?;
        let client_secret = fields.client_secret.ok_or(missing("client_secret is missing."))?;
        let send_attempt = fields.send_attempt.ok_or(missing("send_attempt is missing."))?;
        check_secret(client_secret)?;
        let address = fields.address(medium)?;
        if fields.next_link.is_some_and(|link| !is_web_link(link)) {
            return Err(invalid("next_link is not an http or https URL."));
        }
        check_id_server(fields.id_server)?;
        let Fields { next_link, id_server, id_access_token, .. } = fields;
        Ok(Self { client_secret, send_attempt, address, next_link, id_server, id_access_token })
    }
}

/// Whether `link` is a URL of the web in ASCII: one that goes into a header as it is.
fn is_web_link(link: Text<'_>) -> bool {
    WebUrl::parse(link).is_some() && link.chars().all(|c| c.is_ascii())
}

/// Whether a `client_secret` has the form of one.
fn check_secret(secret: Secret<'_>) -> Result<(), MatrixError> {
    if is_session_text(secret.expose()) {
        Ok(())
    } else {
        Err(invalid("client_secret is not 1 to 255 characters of [0-9a-zA-Z.=_-]."))
    }
}

/// The answer to a [`RequestToken`].
///
/// It is the same, in its keys and in how its `sid` looks, whether a token was sent, a
/// notice, or nothing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestTokenResponse<'a> {
    /// The validation session's ID: 1 to [`MAX_SECRET_LEN`] of `[0-9a-zA-Z.=_-]`.
    pub sid: Text<'a>,
    /// Where the client submits the token that its user types in. Without one there is
    /// nothing for it to do: the user opens a link.
    pub submit_url: Option<Text<'a>>,
}

impl<'a> RequestTokenResponse<'a> {
    /// An answer without a `submit_url`.
    #[must_use]
    pub const fn new(sid: Text<'a>) -> Self {
        Self { sid, submit_url: None }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; also if there is no `sid`.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "sid": Text, "submit_url": Text];
        let mut slots = [Span::NONE; 2];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [sid, submit_url] = slots.map(|span| span.text(text));
        Ok(Self { sid: sid.ok_or(ParseError::WrongType)?, submit_url })
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("sid", self.sid)?;
        object.text_if("submit_url", self.submit_url)?;
        object.end()
    }
}

/// What comes back from the message: the body of [`POST /validate/email/submitToken`] at
/// the homeserver's own `submit_url`, and the form that a link's page posts.
///
/// [`POST /validate/email/submitToken`]: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SubmitToken<'a> {
    /// The validation session's ID.
    pub sid: Text<'a>,
    /// The secret of who asked for it.
    pub client_secret: Secret<'a>,
    /// The token of the message: 1 to [`MAX_SECRET_LEN`] bytes.
    pub token: Secret<'a>,
}

impl<'a> SubmitToken<'a> {
    /// The body of what a success is answered with.
    pub const SUCCESS: &'static str = r#"{"success":true}"#;

    /// The three, from wherever they come.
    ///
    /// # Errors
    ///
    /// 400 `M_MISSING_PARAM` if one is missing, 400 `M_INVALID_PARAM` if one can't be
    /// what it should be.
    pub fn new(
        sid: Option<Text<'a>>,
        client_secret: Option<Secret<'a>>,
        token: Option<Secret<'a>>,
    ) -> Result<Self, MatrixError> {
        let sid = sid.ok_or(missing("sid is missing."))?;
        let client_secret = client_secret.ok_or(missing("client_secret is missing."))?;
        let token = token.ok_or(missing("token is missing."))?;
        if !is_session_text(sid) {
            return Err(invalid("sid is not 1 to 255 characters of [0-9a-zA-Z.=_-]."));
        }
        check_secret(client_secret)?;
        if token.expose().is_empty() || token.expose().len() > MAX_SECRET_LEN {
            return Err(invalid("token is not 1 to 255 bytes."));
        }
        Ok(Self { sid, client_secret, token })
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, and as
    /// [`new`](Self::new).
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![0; "sid": Text, "client_secret": Text, "token": Text];
        let mut slots = [Span::NONE; 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [sid, client_secret, token] = slots;
        Self::new(sid.text(text), client_secret.secret(text), token.secret(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_link_is_a_url_of_the_web() {
        for good in ["https://a", "HTTP://a.example:80/b?c=d&e=%20#f", "https://[::1]/", "http://localhost"] {
            assert!(is_web_link(good.into()), "{good}");
        }
        for bad in [
            "",
            "/relative",
            "//host",
            "javascript:alert(1)",
            "javascript://a\nalert(1)",
            "file:///etc/passwd",
            "ftp://a",
            "http:",
            "http://",
            "https:///x",
            "https://?x",
            "https://a b",
            "https://a\r\nSet-Cookie: x",
            "https://a\"><script>",
            "https://é",
            " https://a",
            "data:text/html,x",
            "http:\\\\a",
        ] {
            assert!(!is_web_link(bad.into()), "{bad}");
        }
        let of = |len: usize| format!("https://{}", "a".repeat(len - 8));
        assert!(is_web_link(of(MAX_NEXT_LINK_LEN).as_str().into()));
        assert!(!is_web_link(of(MAX_NEXT_LINK_LEN + 1).as_str().into()));
    }

    #[test]
    fn another_mediums_keys_are_unknown_ones() {
        let body = br#"{"client_secret":"s","send_attempt":1,"email":"a@b","country":7,"phone_number":[]}"#;
        assert!(RequestToken::parse(Medium::Email, body).is_ok());
    }
}
