//! The body of a guest's registration.

use core::fmt::{self, Write};

use crate::endpoint::login::check_device;
use crate::text::Text;
use crate::wire::error::MatrixError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The body of a guest's registration: [all parameters but one] are ignored, whatever
/// their type.
///
/// [all parameters but one]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RegisterGuestRequest<'a> {
    /// The name of the guest's device.
    pub initial_device_display_name: Option<Text<'a>>,
}

impl<'a> RegisterGuestRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, 400
    /// `M_INVALID_PARAM` if the name is longer than
    /// [`MAX_DEVICE_TEXT_LEN`](super::MAX_DEVICE_TEXT_LEN) bytes.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![0; "initial_device_display_name": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [name] = slots;
        Self::named(name.text(text))
    }

    /// The request with this name, wherever it comes from.
    pub(crate) fn named(initial_device_display_name: Option<Text<'a>>) -> Result<Self, MatrixError> {
        check_device(None, initial_device_display_name)?;
        Ok(Self { initial_device_display_name })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text_if("initial_device_display_name", self.initial_device_display_name)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_server_reads_the_name_that_the_client_writes() {
        for initial_device_display_name in [None, Some(Text::new("Phone"))] {
            let mut body = String::new();
            RegisterGuestRequest { initial_device_display_name }.write(&mut body).unwrap();
            let read = RegisterGuestRequest::parse(body.as_bytes()).unwrap();
            assert_eq!(read.initial_device_display_name, initial_device_display_name);
        }
    }
}
