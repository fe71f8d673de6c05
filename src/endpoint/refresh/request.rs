//! The body of a refresh.

use core::fmt::{self, Write};

use crate::secret::Secret;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// Longest refresh token that is looked at, in bytes. The spec sets no bound.
pub const MAX_REFRESH_TOKEN_LEN: usize = 2048;

/// The body of a refresh.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RefreshRequest<'a> {
    /// The refresh token, not empty and at most [`MAX_REFRESH_TOKEN_LEN`] bytes.
    pub refresh_token: Secret<'a>,
}

impl<'a> RefreshRequest<'a> {
    /// A refresh with that token.
    #[must_use]
    pub const fn new(refresh_token: Secret<'a>) -> Self {
        Self { refresh_token }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, 400
    /// `M_MISSING_PARAM` without a `refresh_token`. One that is empty or too long is
    /// simply unknown: 401 `M_UNKNOWN_TOKEN`.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![0; "refresh_token": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [token] = slots.map(|span| span.secret(text));
        let missing = MatrixError::new(ErrorCode::MissingParam, "refresh_token is missing.");
        let refresh_token: Secret<'a> = token.ok_or(missing)?;
        let text = refresh_token.expose();
        if text.is_empty() || text.len() > MAX_REFRESH_TOKEN_LEN {
            return Err(MatrixError::unknown_token(false));
        }
        Ok(Self { refresh_token })
    }

    /// Writes the body, as a client sends it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_can_be_none_is_unknown_and_not_malformed() {
        let code = |body: &[u8]| RefreshRequest::parse(body).unwrap_err().code();
        assert_eq!(code(b"{}"), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"refresh_token":null}"#), ErrorCode::MissingParam);
        assert_eq!(code(br#"{"refresh_token":1}"#), ErrorCode::BadJson);
        assert_eq!(code(br#"{"refresh_token":""}"#), ErrorCode::UnknownToken);
        let body = |len: usize| format!(r#"{{"refresh_token":"{}"}}"#, "x".repeat(len));
        assert!(RefreshRequest::parse(body(MAX_REFRESH_TOKEN_LEN).as_bytes()).is_ok());
        assert_eq!(code(body(MAX_REFRESH_TOKEN_LEN + 1).as_bytes()), ErrorCode::UnknownToken);
    }

    #[test]
    fn the_server_reads_the_token_that_the_client_writes() {
        let mut body = std::string::String::new();
        RefreshRequest::new(Secret::new("a\"b")).write(&mut body).unwrap();
        assert_eq!(RefreshRequest::parse(body.as_bytes()).unwrap().refresh_token.expose(), "a\"b");
    }
}
