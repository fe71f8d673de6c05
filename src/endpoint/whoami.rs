//! [`GET /account/whoami`]: whose the access token is.
//!
//! [`GET /account/whoami`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami

use core::fmt::{self, Write};

use crate::text::Text;
use crate::wire::ParseError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// Whose the access token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhoamiResponse<'a> {
    /// The full user ID.
    pub user_id: Text<'a>,
    /// The device, if the token belongs to one.
    pub device_id: Option<Text<'a>>,
    /// Whether it is a guest.
    pub is_guest: bool,
}

impl<'a> WhoamiResponse<'a> {
    /// A user who is no guest, by a token of no device.
    #[must_use]
    pub const fn new(user_id: Text<'a>) -> Self {
        Self { user_id, device_id: None, is_guest: false }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also
    /// without a `user_id`.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "user_id": Text, "device_id": Text, "is_guest": Flag];
        let mut slots = [Span::NONE; 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [user_id, device_id, is_guest] = slots;
        let user_id = user_id.text(text).ok_or(ParseError::WrongType)?;
        Ok(Self { user_id, device_id: device_id.text(text), is_guest: is_guest.flag(text).unwrap_or(false) })
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("user_id", self.user_id)?;
        object.text_if("device_id", self.device_id)?;
        object.boolean("is_guest", self.is_guest)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_client_reads_who_the_server_says_it_is() {
        let user_id = Text::new("@a:example.org");
        for (device_id, is_guest) in
            [(None, false), (Some(Text::new("D")), false), (Some(Text::new("D")), true)]
        {
            let whoami = WhoamiResponse { user_id, device_id, is_guest };
            let mut body = String::new();
            whoami.write(&mut body).unwrap();
            assert_eq!(WhoamiResponse::parse(body.as_bytes()), Ok(whoami));
        }
    }

    #[test]
    fn an_answer_without_a_user_is_none() {
        assert_eq!(WhoamiResponse::parse(b"{}"), Err(ParseError::WrongType));
        assert_eq!(WhoamiResponse::parse(br#"{"user_id":null}"#), Err(ParseError::WrongType));
    }
}
