//! The body of `requestToken`.

use core::fmt::{self, Write};

use super::address::{Medium, Threepid};
use super::check::{check_secret, invalid, is_web_link, missing};
use super::domain::Domain;
use crate::characters::ASCII_ONLY;
use crate::endpoint::deactivate::check_id_server;
use crate::secret::Secret;
use crate::text::Text;
use crate::wire::error::MatrixError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// Longest phone number as typed, in bytes.
const MAX_NUMBER_LEN: usize = 255;

/// A request to send a validation token to an address: the body of
/// [`POST /register/email/requestToken`] and its five sisters, which differ in what they
/// are [for](super::Purpose) and in the medium.
///
/// ```
/// use matrix_uia::endpoint::threepid::{GivenAddress, Medium, RequestTokenRequest, Threepid};
/// let body = br#"{"client_secret": "monkeys_are_GREAT", "email": "Alice@Example.org", "send_attempt": 1}"#;
/// let request = RequestTokenRequest::parse(Medium::Email, body)?;
/// let GivenAddress::Email(email) = request.address else { unreachable!("the medium is e-mail") };
/// assert_eq!(Threepid::parse(Medium::Email, email)?.address(), "alice@example.org");
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
///
/// [`POST /register/email/requestToken`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestTokenRequest<'a> {
    /// The secret the client made for this validation: 1 to [`MAX_SECRET_LEN`](super::MAX_SECRET_LEN) of
    /// `[0-9a-zA-Z.=_-]`.
    pub client_secret: Secret<'a>,
    /// Counts up when the client wants another message. A client of this crate takes it from
    /// [`TokenRequest::send_attempt`](crate::client::TokenRequest::send_attempt).
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GivenAddress<'a> {
    /// An e-mail address as typed. [`Threepid::parse`] makes the 3PID of it, and reads
    /// whatever [`RequestTokenRequest::parse`] has let pass, but for a domain that is not
    /// ASCII: that takes [`Threepid::parse_international`] and a library of the host's. Without
    /// the feature `unicode` no such address is let pass.
    Email(Text<'a>),
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
    /// The medium that `parse` is to be called for.
    #[must_use]
    pub const fn medium(&self) -> Medium {
        match self {
            Self::Email(_) => Medium::Email,
            Self::Phone { .. } => Medium::Msisdn,
        }
    }

    /// 400 `M_INVALID_PARAM`: no number is dialled so from that country.
    pub const fn invalid_number() -> MatrixError {
        invalid("This is no phone number of that country.")
    }
}

impl<'a> RequestTokenRequest<'a> {
    /// A request without a `next_link`.
    #[must_use]
    pub const fn new(client_secret: Secret<'a>, address: GivenAddress<'a>, send_attempt: i64) -> Self {
        Self { client_secret, send_attempt, address, next_link: None, id_server: None, id_access_token: None }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists; 400
    /// `M_MISSING_PARAM` if a key is missing that has to be there; 400 `M_INVALID_PARAM`
    /// if one has not the form that the fields describe.
    #[inline(never)]
    pub fn parse(medium: Medium, body: &'a [u8]) -> Result<Self, MatrixError> {
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
        let [secret, attempt, link, server, token, email, country, number] = &slots;
        let send_attempt = attempt.integer(text)?;
        let Some(client_secret) = secret.secret(text) else {
            return Err(missing("client_secret is missing."));
        };
        let Some(send_attempt) = send_attempt else { return Err(missing("send_attempt is missing.")) };
        check_secret(client_secret)?;
        let address = match medium {
            Medium::Email => email_address(email.text(text))?,
            Medium::Msisdn => phone_number(country.text(text), number.text(text))?,
        };
        let next_link = link.text(text);
        if next_link.is_some_and(|link| !is_web_link(link)) {
            return Err(invalid("next_link is not an http or https URL."));
        }
        let id_server = server.text(text);
        check_id_server(id_server)?;
        let id_access_token = token.secret(text);
        Ok(Self { client_secret, send_attempt, address, next_link, id_server, id_access_token })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("client_secret", self.client_secret.expose())?;
        match self.address {
            GivenAddress::Email(email) => object.text("email", email)?,
            GivenAddress::Phone { country, number } => {
                object.text("country", country)?;
                object.text("phone_number", number)?;
            }
        }
        object.signed("send_attempt", self.send_attempt)?;
        object.text_if("next_link", self.next_link)?;
        object.text_if("id_server", self.id_server)?;
        object.secret_if("id_access_token", self.id_access_token)?;
        object.end()
    }
}

fn email_address(email: Option<Text<'_>>) -> Result<GivenAddress<'_>, MatrixError> {
    let Some(email) = email else { return Err(missing("email is missing.")) };
    match Threepid::parse(Medium::Email, email) {
        // A host with a library for such domains can read it.
        Err(error) if ASCII_ONLY || error != Domain::not_ascii() => Err(error),
        _ => Ok(GivenAddress::Email(email)),
    }
}

fn phone_number<'a>(
    country: Option<Text<'a>>,
    number: Option<Text<'a>>,
) -> Result<GivenAddress<'a>, MatrixError> {
    let Some(country) = country else { return Err(missing("country is missing.")) };
    let Some(number) = number else { return Err(missing("phone_number is missing.")) };
    if country.len() != 2 || !country.chars().all(|c| c.is_ascii_uppercase()) {
        return Err(invalid("country is not the two-letter code of a country."));
    }
    if number.is_empty() || number.len() > MAX_NUMBER_LEN {
        return Err(GivenAddress::invalid_number());
    }
    Ok(GivenAddress::Phone { country, number })
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn another_mediums_keys_are_unknown_ones() {
        let body = br#"{"client_secret":"s","send_attempt":1,"email":"a@b","country":7,"phone_number":[]}"#;
        assert!(RequestTokenRequest::parse(Medium::Email, body).is_ok());
    }

    #[test]
    fn an_address_that_is_not_ascii_passes_where_it_can_be_read() {
        for email in ["é@b", "a@ü"] {
            let body = format!(r#"{{"client_secret":"s","send_attempt":1,"email":"{email}"}}"#);
            let parsed = RequestTokenRequest::parse(Medium::Email, body.as_bytes()).map(|_| ());
            let read = Threepid::parse(Medium::Email, email.into()).map(|_| ());
            assert_eq!(parsed, if ASCII_ONLY { read } else { Ok(()) }, "{email}");
            assert_eq!(parsed.is_err(), ASCII_ONLY, "{email}");
        }
    }

    #[test]
    fn a_request_is_written_as_the_spec_shows_it() {
        let mut body = String::new();
        let email = GivenAddress::Email("alice@example.org".into());
        let mut request = RequestTokenRequest::new(Secret::new("monkeys"), email, 1);
        request.next_link = Some("https://example.org/congratulations.html".into());
        request.write(&mut body).unwrap();
        assert_eq!(
            body,
            r#"{"client_secret":"monkeys","email":"alice@example.org","send_attempt":1,"next_link":"https://example.org/congratulations.html"}"#
        );
        body.clear();
        let phone = GivenAddress::Phone { country: "GB".into(), number: "07700900001".into() };
        RequestTokenRequest::new(Secret::new("monkeys"), phone, 2).write(&mut body).unwrap();
        assert_eq!(
            body,
            r#"{"client_secret":"monkeys","country":"GB","phone_number":"07700900001","send_attempt":2}"#
        );
    }

    #[test]
    fn the_server_reads_the_request_that_the_client_writes() {
        let phone = GivenAddress::Phone { country: "GB".into(), number: "07700900001".into() };
        for address in [GivenAddress::Email("Alice@example.org".into()), phone] {
            for send_attempt in [i64::MIN, -1, 0, 1, i64::MAX] {
                let mut request = RequestTokenRequest::new(Secret::new("s"), address, send_attempt);
                request.id_server = Some("id.example.org".into());
                request.id_access_token = Some(Secret::new("t"));
                let mut body = String::new();
                request.write(&mut body).unwrap();
                let read = RequestTokenRequest::parse(address.medium(), body.as_bytes()).unwrap();
                assert_eq!((read.address, read.send_attempt), (address, send_attempt));
                assert_eq!(read.id_server, request.id_server);
                assert_eq!(read.id_access_token.unwrap().expose(), "t");
            }
        }
    }
}
