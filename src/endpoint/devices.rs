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
use crate::server::digest::BindingKey;
use crate::server::operation::{DeleteDevice, DeleteDevices, Subject};
use crate::server::session::Call;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, Items, Raw, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError};

/// The body of a request to delete one device; which one is in the path.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DeleteDeviceRequest<'a> {
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> DeleteDeviceRequest<'a> {
    /// Reads the body; an empty one counts as `{}`, since many clients send a `DELETE`
    /// without any.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { auth: Auth::of_body(body)? })
    }

    /// The call to be guarded.
    pub fn call(&self, key: &BindingKey, subject: Subject, device_id: &str) -> Call<'a, DeleteDevice> {
        Call::new(self.auth, Some(subject)).at(key.target([Text::new(device_id)]))
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
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
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
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![AUTH_SLOTS; "devices": Any, "auth": Object(AUTH)];
        let mut slots = [Span::NONE; AUTH_SLOTS + 2];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., devices, dict] = &slots;
        let devices = if devices.is_absent() {
            None
        } else {
            let list = devices.raw(text).ok_or(ParseError::WrongType)?;
            list.reader().array(|reader| reader.text().map(|_| ()))?;
            Some(DeviceIds(list))
        };
        Ok(Self { devices, auth: AuthSpans::of(keys, text).auth(*dict) })
    }

    /// The call to be guarded.
    pub fn call(&self, key: &BindingKey, subject: Subject) -> Call<'a, DeleteDevices> {
        let params = key.params::<DeleteDevices>().list(self.devices.map(|devices| devices.iter()));
        Call::new(self.auth, Some(subject)).with_params(params.finish())
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
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![0; "display_name": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [display_name] = slots.map(|span| span.text(text));
        check_device(None, display_name)?;
        Ok(Self { display_name })
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
