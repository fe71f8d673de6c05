//! [`POST /account/3pid/delete`]: taking an address from an account.
//!
//! [`POST /account/3pid/delete`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete

use core::fmt::{self, Write};

use super::add::changes_allowed;
use super::address::{Medium, Threepid};
use super::domain::Domain;
use crate::endpoint::deactivate::{UnbindResult, check_id_server};
use crate::text::Text;
use crate::wire::ParseError;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The body of a request to remove a 3PID. It needs an access token and no further
/// authentication.
///
/// ```
/// use matrix_uia::endpoint::threepid::DeleteThreepidRequest;
/// let request = DeleteThreepidRequest::parse(br#"{"medium": "email", "address": "A@example.org"}"#, true)?;
/// assert_eq!(request.threepid.address(), "a@example.org");
/// assert_eq!(request.unbind_at(Some("id.example.org")).unwrap(), "id.example.org");
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeleteThreepidRequest<'a> {
    /// What is to be removed.
    pub threepid: Threepid,
    /// The identity server to unbind it at; absent means where it was bound.
    pub id_server: Option<Text<'a>>,
}

impl<'a> DeleteThreepidRequest<'a> {
    /// A request to remove `threepid`, and to unbind it where it was bound.
    #[must_use]
    pub const fn new(threepid: Threepid) -> Self {
        Self { threepid, id_server: None }
    }

    /// Reads the body. `enabled` is the [`m.3pid_changes` capability].
    ///
    /// # Errors
    ///
    /// 403 `M_FORBIDDEN` if 3PIDs can't be changed; 400 `M_NOT_JSON` or `M_BAD_JSON` as
    /// [`wire`](crate::wire) lists; 400 `M_MISSING_PARAM` without `medium` or `address`; 400
    /// `M_INVALID_PARAM` for a medium that is none, an address that is none of it (an
    /// international domain is written as it is listed, with A-labels), and a
    /// server name that is empty or longer than [`MAX_ID_SERVER_LEN`] bytes.
    ///
    /// [`MAX_ID_SERVER_LEN`]: crate::endpoint::deactivate::MAX_ID_SERVER_LEN
    /// [`m.3pid_changes` capability]: https://spec.matrix.org/v1.19/client-server-api/#m3pid_changes-capability
    #[inline(never)]
    pub fn parse(body: &'a [u8], enabled: bool) -> Result<Self, MatrixError> {
        Self::from_keys(Self::keys(body, enabled)?, |_| None)
    }

    /// Reads the body at a host that has a library for international domains: an address is
    /// found in whatever letters its domain is written. `to_ascii` is as that of
    /// [`Threepid::parse_international`].
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse); 400 `M_INVALID_PARAM` if `to_ascii` gives nothing, or is not
    /// called: without the feature `unicode` the address is ASCII.
    pub fn parse_international(
        body: &'a [u8],
        enabled: bool,
        to_ascii: impl FnOnce(&str) -> Option<Domain>,
    ) -> Result<Self, MatrixError> {
        Self::from_keys(Self::keys(body, enabled)?, to_ascii)
    }

    #[inline(never)]
    fn keys(body: &'a [u8], enabled: bool) -> Result<[Option<Text<'a>>; 3], MatrixError> {
        changes_allowed(enabled)?;
        static KEYS: Table = table![0; "medium": Text, "address": Text, "id_server": Text];
        let mut slots = [Span::NONE; 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        Ok(slots.map(|span| span.text(text)))
    }

    /// The request with these keys, wherever they come from.
    #[cfg(feature = "ruma")]
    pub(crate) fn of(
        medium: Option<Text<'a>>,
        address: Option<Text<'a>>,
        id_server: Option<Text<'a>>,
        enabled: bool,
    ) -> Result<Self, MatrixError> {
        changes_allowed(enabled)?;
        Self::from_keys([medium, address, id_server], |_| None)
    }

    fn from_keys(
        [medium, address, id_server]: [Option<Text<'a>>; 3],
        to_ascii: impl FnOnce(&str) -> Option<Domain>,
    ) -> Result<Self, MatrixError> {
        let medium = medium.ok_or(MatrixError::new(ErrorCode::MissingParam, "medium is missing."))?;
        let address = address.ok_or(MatrixError::new(ErrorCode::MissingParam, "address is missing."))?;
        let medium = Medium::from_name(medium)
            .ok_or(MatrixError::new(ErrorCode::InvalidParam, "There is no such medium."))?;
        let threepid = match medium {
            Medium::Email => Threepid::parse_international(address, to_ascii)?,
            Medium::Msisdn => Threepid::parse(medium, address)?,
        };
        check_id_server(id_server)?;
        Ok(Self { threepid, id_server })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("medium", Text::new(self.threepid.medium().name()))?;
        object.text("address", Text::new(self.threepid.address()))?;
        object.text_if("id_server", self.id_server)?;
        object.end()
    }

    /// Where to unbind it: at the server of the request, else where it `was_bound`, else
    /// nowhere that is known, which is `no-support`.
    #[must_use]
    pub fn unbind_at(&self, was_bound: Option<&'a str>) -> Option<Text<'a>> {
        self.id_server.or(was_bound.map(Text::new))
    }
}

/// The answer: the address is not the account's any more.
///
/// An identity server that refuses, fails or can't be told doesn't stop the removal. One
/// that the account never had is answered likewise: the answer to the first request may
/// have been lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteThreepidResponse {
    /// Whether the identity server has unbound it.
    pub id_server_unbind_result: UnbindResult,
}

impl DeleteThreepidResponse {
    /// The answer after an identity server has unbound it, or has not.
    #[must_use]
    pub const fn new(unbound: bool) -> Self {
        Self { id_server_unbind_result: UnbindResult::of(unbound) }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; also if the one key that the spec
    /// requires is missing or has another value than the two it allows.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        UnbindResult::parse(body).map(|id_server_unbind_result| Self { id_server_unbind_result })
    }

    /// Writes the body; `id_server_unbind_result` is always there (lesson 46).
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        self.id_server_unbind_result.write(out)
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;
    use crate::characters::ASCII_ONLY;

    #[test]
    fn p7_an_international_domain_is_read_where_the_host_can() {
        let body = r#"{"medium": "email", "address": "Alice@bücher.example"}"#.as_bytes();
        let to_ascii = |domain: &str| {
            assert_eq!(domain, "bücher.example");
            Domain::parse("xn--bcher-kva.example".into()).ok()
        };
        let read = |to_ascii: &dyn Fn(&str) -> Option<Domain>| {
            DeleteThreepidRequest::parse_international(body, true, to_ascii)
        };
        if ASCII_ONLY {
            let refused = read(&|_| panic!("no library is asked")).unwrap_err();
            assert_eq!(refused, Threepid::parse(Medium::Email, "é@b".into()).unwrap_err());
            return;
        }
        assert_eq!(read(&to_ascii).unwrap().threepid.address(), "alice@xn--bcher-kva.example");
        assert_eq!(read(&|_| None).unwrap_err(), Domain::not_ascii());
        assert_eq!(DeleteThreepidRequest::parse(body, true).unwrap_err(), Domain::not_ascii());
    }

    #[test]
    fn each_side_reads_what_the_other_writes() {
        let email = Threepid::parse(Medium::Email, "alice@example.org".into()).unwrap();
        for id_server in [None, Some(Text::new("id.example.org"))] {
            let mut body = String::new();
            DeleteThreepidRequest { threepid: email.clone(), id_server }.write(&mut body).unwrap();
            let read = DeleteThreepidRequest::parse(body.as_bytes(), true).unwrap();
            assert_eq!((&read.threepid, read.id_server), (&email, id_server));
        }
        for unbound in [true, false] {
            let mut body = String::new();
            DeleteThreepidResponse::new(unbound).write(&mut body).unwrap();
            let read = DeleteThreepidResponse::parse(body.as_bytes());
            assert_eq!(read, Ok(DeleteThreepidResponse::new(unbound)));
        }
    }
}
