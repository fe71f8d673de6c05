//! Naming a device, and making one for an application service.

use core::fmt::{self, Write};

use crate::endpoint::login::{DeviceIdUse, check_device, plan_device};
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The body of a request to rename a device, or, by an application service, to make one.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UpdateDeviceRequest<'a> {
    /// The new name; absent leaves it as it is.
    pub display_name: Option<Text<'a>>,
}

impl<'a> UpdateDeviceRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, 400
    /// `M_INVALID_PARAM` if the name is longer than
    /// [`MAX_DEVICE_TEXT_LEN`](crate::endpoint::login::MAX_DEVICE_TEXT_LEN) bytes.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![0; "display_name": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [display_name] = slots.map(|span| span.text(text));
        check_device(None, display_name)?;
        Ok(Self { display_name })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text_if("display_name", self.display_name)?;
        object.end()
    }
}

impl<'a> UpdateDeviceRequest<'a> {
    /// What the request comes to for the device `id` of its path, given what that ID `is`
    /// to the user already. Only an application service may make a device so.
    ///
    /// ```
    /// use matrix_uia::endpoint::devices::{DeviceUpdate, UpdateDeviceRequest};
    /// use matrix_uia::endpoint::login::DeviceIdUse::Free;
    /// let request = UpdateDeviceRequest::parse(br#"{"display_name":"Bridge"}"#)?;
    /// assert_eq!(request.decide("BRIDGE".into(), Free, true)?, DeviceUpdate::Make);
    /// assert_eq!(request.decide("BRIDGE".into(), Free, false).unwrap_err().status(), 404);
    /// # Ok::<(), matrix_uia::MatrixError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// 404 `M_NOT_FOUND` for a device that the user hasn't got. To an application service
    /// instead what a [login](crate::endpoint::login::plan_device) on a new device could be refused with:
    /// 400 `M_INVALID_PARAM` for an ID that is empty or too long, 403 `M_FORBIDDEN` for that of
    /// a cross-signing key.
    pub fn decide(
        &self,
        id: Text<'a>,
        is: DeviceIdUse,
        by_appservice: bool,
    ) -> Result<DeviceUpdate, MatrixError> {
        if is == DeviceIdUse::Device {
            return Ok(DeviceUpdate::Rename);
        }
        if !by_appservice {
            return Err(unknown_device());
        }
        check_device(Some(id), self.display_name)?;
        plan_device(Some(id), self.display_name, is).map(|_| DeviceUpdate::Make)
    }
}

/// What an update of a device comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the device is not changed by itself"]
#[allow(clippy::exhaustive_enums, reason = "complete: there is such a device, or there will be")]
pub enum DeviceUpdate {
    /// Give it the name of the request, if there is one; answer 200 `{}`.
    Rename,
    /// Make it, with that name and no tokens; answer 201 `{}`.
    Make,
}

/// The answer about a device that the user hasn't got.
pub const fn unknown_device() -> MatrixError {
    MatrixError::new(ErrorCode::NotFound, "There is no such device.")
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_server_reads_the_name_that_the_client_writes() {
        for display_name in [None, Some(Text::new("Phone \"1\""))] {
            let mut body = String::new();
            UpdateDeviceRequest { display_name }.write(&mut body).unwrap();
            assert_eq!(UpdateDeviceRequest::parse(body.as_bytes()).unwrap().display_name, display_name);
        }
    }
}
