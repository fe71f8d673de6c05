//! The body of a request to deactivate an account.

use core::fmt::{self, Write};

use crate::endpoint::checked::Checked;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, MAX_FIELD_LEN, ParseError};

/// Longest name of an identity server, in bytes.
pub const MAX_ID_SERVER_LEN: usize = MAX_FIELD_LEN;

/// 400 `M_INVALID_PARAM` for a name that no identity server can have.
pub(crate) fn check_id_server(server: Option<Text<'_>>) -> Result<(), MatrixError> {
    match server {
        Some(server) if server.is_empty() || server.len() > MAX_ID_SERVER_LEN => {
            Err(MatrixError::new(ErrorCode::InvalidParam, "id_server is not a server name."))
        }
        _ => Ok(()),
    }
}

/// The name of an identity server.
pub type IdServer = heapless::String<MAX_ID_SERVER_LEN>;

/// The body of a request to deactivate an account.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DeactivateRequest<'a> {
    /// The identity server to unbind all 3PIDs from.
    pub id_server: Option<Text<'a>>,
    /// Whether content is to be erased as far as possible; absent means no.
    pub erase: Option<bool>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> DeactivateRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![AUTH_SLOTS; "id_server": Text, "erase": Flag, "auth": Object(AUTH)];
        let mut slots = [Span::NONE; AUTH_SLOTS + 3];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., id_server, erase, dict] = &slots;
        Ok(Self {
            id_server: id_server.text(text),
            erase: erase.flag(text),
            auth: AuthSpans::of(keys, text).auth(*dict),
        })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text_if("id_server", self.id_server)?;
        object.boolean_if("erase", self.erase)?;
        self.auth.write_key(&mut object)?;
        object.end()
    }

    /// What can be refused before anybody is asked to authenticate.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if `id_server` is empty or longer than
    /// [`MAX_ID_SERVER_LEN`] bytes.
    pub fn check(self) -> Result<Checked<Self>, MatrixError> {
        check_id_server(self.id_server)?;
        Ok(Checked::new(self))
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_server_reads_the_deactivation_that_the_client_writes() {
        for (id_server, erase) in [(None, None), (Some(Text::new("id.example.org")), Some(true))] {
            let mut body = String::new();
            DeactivateRequest { id_server, erase, auth: Auth::Absent }.write(&mut body).unwrap();
            let read = DeactivateRequest::parse(body.as_bytes()).unwrap();
            assert_eq!((read.id_server, read.erase), (id_server, erase));
        }
    }
}
