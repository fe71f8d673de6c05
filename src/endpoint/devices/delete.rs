//! Signing devices out.

use core::fmt::{self, Write};

use crate::endpoint::checked::Checked;
use crate::endpoint::login::check_device;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, Items, ObjectWriter, Raw, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError};

/// The body of a request to delete one device; which one is in the path.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DeleteDeviceRequest<'a> {
    /// The auth dict.
    pub auth: Auth<'a>,
    /// The device of the path, once it is checked.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code, reason = "the deletion's plan owns its list"))]
    pub(super) device_id: &'a str,
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
        Ok(Self { auth: Auth::of_body(body)?, device_id: "" })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        self.auth.write_key(&mut object)?;
        object.end()
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

/// A list of device IDs: read where it stands in a body, or given by a client.
#[derive(Clone, Copy, Debug)]
pub struct DeviceIds<'a> {
    /// An array of strings; none in a list that was given.
    read: Option<Raw<'a>>,
    given: &'a [&'a str],
}

impl<'a> DeviceIds<'a> {
    /// The list of these IDs.
    #[must_use]
    pub const fn new(ids: &'a [&'a str]) -> Self {
        Self { read: None, given: ids }
    }

    /// The IDs, in order.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + Clone + use<'a> {
        let read = Items::of(self.read).filter_map(|item| item.reader().text().ok());
        read.chain(self.given.iter().copied().map(Text::new))
    }
}

impl<'a> DeleteDevicesRequest<'a> {
    /// A request to delete the devices with these IDs.
    #[must_use]
    pub const fn new(ids: &'a [&'a str]) -> Self {
        Self { devices: Some(DeviceIds::new(ids)), auth: Auth::Absent }
    }

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
            Some(DeviceIds { read: Some(list), given: &[] })
        };
        Ok(Self { devices, auth: AuthSpans::of(keys, text).auth(*dict) })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        if let Some(devices) = self.devices {
            object.list("devices", devices.iter(), json::write_text)?;
        }
        self.auth.write_key(&mut object)?;
        object.end()
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

/// The answer when a complete call never said which devices.
pub const fn missing_devices() -> MatrixError {
    MatrixError::new(ErrorCode::MissingParam, "devices is missing.")
}

#[cfg(test)]
mod tests {
    use std::string::String;
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

    #[test]
    fn the_server_reads_the_deletion_that_the_client_writes() {
        for ids in [&[][..], &["A"], &["A", "B\"é"]] {
            let mut body = String::new();
            DeleteDevicesRequest::new(ids).write(&mut body).unwrap();
            let read = DeleteDevicesRequest::parse(body.as_bytes()).unwrap();
            assert!(read.devices.unwrap().iter().eq(ids.iter().map(|id| Text::new(id))), "{body}");
            let mut again = String::new();
            read.write(&mut again).unwrap();
            assert_eq!(again, body);
        }
        let mut body = String::new();
        DeleteDeviceRequest::default().write(&mut body).unwrap();
        assert_eq!(body, "{}");
    }
}
