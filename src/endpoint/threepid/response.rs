//! The answer to a `requestToken`.

use core::fmt::{self, Write};

use crate::text::Text;
use crate::wire::ParseError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The answer to a [`RequestTokenRequest`](super::RequestTokenRequest).
///
/// It is the same, in its keys and in how its `sid` looks, whether a token was sent, a
/// notice, or nothing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestTokenResponse<'a> {
    /// The validation session's ID: 1 to [`MAX_SECRET_LEN`](super::MAX_SECRET_LEN) of `[0-9a-zA-Z.=_-]`.
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

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_client_reads_what_the_server_writes() {
        for submit_url in [None, Some(Text::new("https://example.org/submitToken"))] {
            let mut body = String::new();
            RequestTokenResponse { sid: Text::new("1"), submit_url }.write(&mut body).unwrap();
            let read = RequestTokenResponse::parse(body.as_bytes()).unwrap();
            assert_eq!((read.sid, read.submit_url), (Text::new("1"), submit_url));
        }
    }
}
