//! [`POST /register`], as a client sends it.
//!
//! [`POST /register`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register

use core::fmt::{self, Write};

use crate::endpoint::register::RegisterRequest;
use crate::wire::json::ObjectWriter;

impl RegisterRequest<'_> {
    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text_if("username", self.username)?;
        object.secret_if("password", self.password)?;
        object.text_if("device_id", self.device_id)?;
        object.text_if("initial_device_display_name", self.initial_device_display_name)?;
        object.boolean_if("inhibit_login", self.inhibit_login)?;
        object.boolean_if("refresh_token", self.refresh_token)?;
        self.auth.write_key(&mut object)?;
        object.end()
    }
}
