//! The answer to a login or a registration.

use core::fmt::{self, Write};

use crate::wire::json::ObjectWriter;
use crate::{Secret, Text};

/// The answer to a registration or a login.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LoginResponse<'a> {
    /// The full user ID.
    pub user_id: Text<'a>,
    /// What the client is logged in with; `None` if no login was wanted.
    pub login: Option<NewLogin<'a>>,
}

/// A device that is logged in.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewLogin<'a> {
    /// The access token.
    pub access_token: Secret<'a>,
    /// The device.
    pub device_id: Text<'a>,
    /// The refresh token, if the client takes one.
    pub refresh_token: Option<Secret<'a>>,
    /// How long the access token lives, in milliseconds.
    pub expires_in_ms: Option<u64>,
}

impl<'a> LoginResponse<'a> {
    /// An answer without a login.
    #[must_use]
    pub const fn new(user_id: Text<'a>) -> Self {
        Self { user_id, login: None }
    }

    /// The same with a login.
    #[must_use]
    pub const fn with_login(mut self, access_token: Secret<'a>, device_id: Text<'a>) -> Self {
        self.login = Some(NewLogin { access_token, device_id, refresh_token: None, expires_in_ms: None });
        self
    }

    /// Writes the body. `home_server` is not sent: the spec deprecates it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("user_id", self.user_id)?;
        if let Some(login) = self.login {
            object.text("access_token", login.access_token.expose())?;
            object.text("device_id", login.device_id)?;
            object.secret_if("refresh_token", login.refresh_token)?;
            if let Some(expires) = login.expires_in_ms {
                object.integer("expires_in_ms", expires)?;
            }
        }
        object.end()
    }
}
