//! Signing devices out: [`DELETE /devices/{deviceId}`] and [`POST /delete_devices`]; and
//! naming them: [`PUT /devices/{deviceId}`].
//!
//! ```text
//!  body ─► DeleteDevicesRequest ─► Call ─► Guard ─► Grant ─► redeem ─► Receipt
//!  body ─► UpdateDeviceRequest ─► decide ─► DeviceUpdate
//! ```
//!
//! [`PUT /devices/{deviceId}`]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid
//! [`DELETE /devices/{deviceId}`]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid
//! [`POST /delete_devices`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices

use crate::Text;
use crate::endpoint::login::{DeviceIdUse, check_device, plan_device};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, Items, Raw, Reader};
use crate::wire::{Auth, ParseError};

use super::checked::Checked;

/// The body of a request to delete one device; which one is in the path.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DeleteDeviceRequest<'a> {
    /// The auth dict.
    pub auth: Auth<'a>,
    /// The device of the path, once it is checked.
    pub(super) device_id: &'a str,
}

impl<'a> DeleteDeviceRequest<'a> {
    /// Reads the body; an empty one counts as `{}`, since many clients send a `DELETE`
    /// without any.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { auth: Auth::of_body(body)?, device_id: "" })
    }

    /// The request for the device `device_id` of its path.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if the ID is longer than
    /// [`MAX_DEVICE_TEXT_LEN`](crate::endpoint::login::MAX_DEVICE_TEXT_LEN) bytes.
    pub fn check(self, device_id: &'a str) -> Result<Checked<Self>, MatrixError> {
        check_device(None, Some(Text::new(device_id)))?;
        Ok(Checked::new(Self { device_id, ..self }))
    }
}

/// The body of a request to delete several devices.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DeleteDevicesRequest<'a> {
    /// The devices.
    pub devices: Option<DeviceIds<'a>>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

/// A list of device IDs, read where it stands.
#[derive(Clone, Copy, Debug)]
pub struct DeviceIds<'a>(Raw<'a>);

impl<'a> DeviceIds<'a> {
    /// The IDs, in order.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + Clone + use<'a> {
        Items::of(Some(self.0)).filter_map(|item| item.reader().text().ok())
    }
}

impl<'a> DeleteDevicesRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; also if `devices` is no list of
    /// strings.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut request = Self::default();
        json::read_object(body, |reader, key| {
            match key {
                "devices" => {
                    request.devices = reader.optional(|reader| {
                        let mark = reader.mark();
                        reader.array(|reader| reader.text().map(|_| ()))?;
                        Ok(DeviceIds(reader.since(mark)))
                    })?;
                }
                "auth" => request.auth = Auth::read(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(request)
    }

    /// What can be refused before anybody is asked to authenticate.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if an ID is longer than
    /// [`MAX_DEVICE_TEXT_LEN`](crate::endpoint::login::MAX_DEVICE_TEXT_LEN) bytes.
    pub fn check(self) -> Result<Checked<Self>, MatrixError> {
        for id in self.devices.iter().flat_map(DeviceIds::iter) {
            check_device(None, Some(id))?;
        }
        Ok(Checked::new(self))
    }
}

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
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        let mut request = Self::default();
        json::read_object(body, |reader, key| {
            match key {
                "display_name" => request.display_name = reader.optional(Reader::text)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        check_device(None, request.display_name)?;
        Ok(request)
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

/// The answer when a complete call never said which devices.
pub const fn missing_devices() -> MatrixError {
    MatrixError::new(ErrorCode::MissingParam, "devices is missing.")
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_list_of_devices_is_read_where_it_stands() {
        let request = DeleteDevicesRequest::parse(br#"{"devices": [ "A" , "B\u0043" ]}"#).unwrap();
        let devices: Vec<_> = request.devices.unwrap().iter().collect();
        assert!(devices == ["A", "BC"]);
        assert!(DeleteDevicesRequest::parse(br#"{"devices":["A",1]}"#).is_err());
        assert!(DeleteDevicesRequest::parse(br#"{"devices":"A"}"#).is_err());
        assert_eq!(
            DeleteDevicesRequest::parse(br#"{"devices":[]}"#).unwrap().devices.unwrap().iter().count(),
            0
        );
    }

    #[test]
    fn a_delete_without_a_body_asks_for_the_flows() {
        assert!(matches!(DeleteDeviceRequest::parse(b"").unwrap().auth, Auth::Absent));
    }
}
