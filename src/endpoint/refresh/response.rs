//! The answer to a refresh.

use core::fmt::{self, Write};

use crate::secret::Secret;
use crate::time::Millis;
use crate::wire::ParseError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The answer to a refresh.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RefreshResponse<'a> {
    /// The new access token.
    pub access_token: Secret<'a>,
    /// The new refresh token. A server of this crate always gives one; without one in an
    /// answer the old one stays good.
    pub refresh_token: Option<Secret<'a>>,
    /// How long the access token lives; `None`: until it is ended.
    pub expires_in: Option<Millis>,
}

impl<'a> RefreshResponse<'a> {
    /// The answer.
    #[must_use]
    pub const fn new(
        access_token: Secret<'a>,
        refresh_token: Secret<'a>,
        expires_in: Option<Millis>,
    ) -> Self {
        Self { access_token, refresh_token: Some(refresh_token), expires_in }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also
    /// without an `access_token`.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "access_token": Text, "refresh_token": Text, "expires_in_ms": Any];
        let mut slots = [Span::NONE; 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [access_token, refresh_token, expires_in] = slots;
        Ok(Self {
            access_token: access_token.secret(text).ok_or(ParseError::WrongType)?,
            refresh_token: refresh_token.secret(text),
            expires_in: expires_in.lenient_millis(text),
        })
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("access_token", self.access_token.expose())?;
        object.secret_if("refresh_token", self.refresh_token)?;
        object.integer_if("expires_in_ms", self.expires_in.map(Millis::get))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_client_reads_the_tokens_that_the_server_writes() {
        for expires_in in [None, Some(Millis::from_secs(60))] {
            let mut body = String::new();
            let answer = RefreshResponse::new(Secret::new("a"), Secret::new("r"), expires_in);
            answer.write(&mut body).unwrap();
            let read = RefreshResponse::parse(body.as_bytes()).unwrap();
            assert_eq!((read.access_token.expose(), read.expires_in), ("a".into(), expires_in));
            assert_eq!(read.refresh_token.unwrap().expose(), "r");
        }
    }

    #[test]
    fn a_lifetime_that_cannot_be_read_costs_no_token() {
        let odd = br#"{"access_token":"t","refresh_token":null,"expires_in_ms":-1}"#;
        let answer = RefreshResponse::parse(odd).unwrap();
        assert!(answer.refresh_token.is_none() && answer.expires_in.is_none());
        assert!(RefreshResponse::parse(b"{}").is_err());
    }
}
