//! The body of the request, and what is kept of it.

use core::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::id_server::{IdServer, check_id_server};
use crate::Text;
use crate::server::digest::BindingKey;
use crate::server::operation::{Deactivate, Subject};
use crate::server::session::Call;
use crate::wire::error::MatrixError;
use crate::wire::json::{self, ObjectWriter, Reader};
use crate::wire::{Auth, ParseError};

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
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut request = Self::default();
        json::read_object(body, |reader, key| {
            match key {
                "id_server" => request.id_server = reader.optional(Reader::text)?,
                "erase" => request.erase = reader.optional(Reader::boolean)?,
                "auth" => request.auth = Auth::read(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(request)
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
    pub fn check(&self) -> Result<(), MatrixError> {
        check_id_server(self.id_server)
    }

    /// The call to be guarded.
    pub fn call(&self, key: &BindingKey, subject: Option<Subject>) -> Call<'a, Deactivate> {
        let params = key.params::<Deactivate>().text(self.id_server).boolean(self.erase);
        Call::new(self.auth, subject).with_params(params.finish())
    }
}

/// What the host keeps with a session whose request may leave its parameters out later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptDeactivation {
    /// The identity server to unbind from.
    pub id_server: Option<IdServer>,
    /// Whether content is to be erased.
    pub erase: bool,
}

impl KeptDeactivation {
    /// What to keep of a `request` that has been [checked](DeactivateRequest::check).
    #[must_use]
    pub fn of(request: &DeactivateRequest<'_>) -> Self {
        Self {
            id_server: request.id_server.and_then(|server| server.to_fixed().ok()),
            erase: request.erase.unwrap_or(false),
        }
    }
}
