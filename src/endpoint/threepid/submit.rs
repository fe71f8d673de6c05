//! What comes back from the message, and its answer.

use core::fmt::{self, Write};

use super::check::{MAX_SECRET_LEN, check_secret, invalid, missing};
use crate::secret::Secret;
use crate::text::Text;
use crate::wire::error::MatrixError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{ParseError, is_session_text};

/// What comes back from the message: the body of [`POST /validate/email/submitToken`] at
/// the homeserver's own `submit_url`, and the form that a link's page posts.
///
/// [`POST /validate/email/submitToken`]: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SubmitTokenRequest<'a> {
    /// The validation session's ID.
    pub sid: Text<'a>,
    /// The secret of who asked for it.
    pub client_secret: Secret<'a>,
    /// The token of the message: 1 to [`MAX_SECRET_LEN`] bytes.
    pub token: Secret<'a>,
}

impl<'a> SubmitTokenRequest<'a> {
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

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("sid", self.sid)?;
        object.text("client_secret", self.client_secret.expose())?;
        object.text("token", self.token.expose())?;
        object.end()
    }
}

/// The answer to a [`SubmitTokenRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitTokenResponse {
    /// Whether the address is validated. A server of this crate answers with an error where
    /// it isn't.
    pub success: bool,
}

impl SubmitTokenResponse {
    /// The answer.
    #[must_use]
    pub const fn new(success: bool) -> Self {
        Self { success }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also without
    /// `success`.
    #[inline(never)]
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "success": Flag];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [success] = slots.map(|span| span.flag(text));
        success.map(Self::new).ok_or(ParseError::WrongType)
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.boolean("success", self.success)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn each_side_reads_what_the_other_writes() {
        let [secret, token] = ["s", "t\"1"].map(Secret::new);
        let request = SubmitTokenRequest::new(Some(Text::new("1")), Some(secret), Some(token)).unwrap();
        let mut body = String::new();
        request.write(&mut body).unwrap();
        let read = SubmitTokenRequest::parse(body.as_bytes()).unwrap();
        assert_eq!((read.sid, read.client_secret.expose()), (request.sid, secret.expose()));
        assert_eq!(read.token.expose(), token.expose());
        for success in [true, false] {
            body.clear();
            SubmitTokenResponse::new(success).write(&mut body).unwrap();
            assert_eq!(SubmitTokenResponse::parse(body.as_bytes()), Ok(SubmitTokenResponse::new(success)));
        }
        assert!(SubmitTokenResponse::parse(b"{}").is_err());
    }
}
