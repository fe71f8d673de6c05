//! The answers that show devices.

use core::fmt::{self, Write};

use crate::text::Text;
use crate::time::Timestamp;
use crate::wire::ParseError;
use crate::wire::json::{self, Items, ObjectWriter, Raw, Span, Table, table};

/// One device: the answer to [`GET /devices/{deviceId}`], and an item of
/// [`DevicesResponse`].
///
/// [`GET /devices/{deviceId}`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceResponse<'a> {
    /// Its ID.
    pub device_id: Text<'a>,
    /// Its name.
    pub display_name: Option<Text<'a>>,
    /// The IP address it was last seen at.
    pub last_seen_ip: Option<Text<'a>>,
    /// When it was last seen, since the Unix epoch.
    pub last_seen_ts: Option<Timestamp>,
}

impl<'a> DeviceResponse<'a> {
    /// A device of which nothing but its ID is known.
    #[must_use]
    pub const fn new(device_id: Text<'a>) -> Self {
        Self { device_id, display_name: None, last_seen_ip: None, last_seen_ts: None }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also
    /// without a `device_id`.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table =
            table![0; "device_id": Text, "display_name": Text, "last_seen_ip": Text, "last_seen_ts": Any];
        let mut slots = [Span::NONE; 4];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [device_id, display_name, last_seen_ip, last_seen_ts] = slots;
        let since_epoch = last_seen_ts.lenient_millis(text);
        Ok(Self {
            device_id: device_id.text(text).ok_or(ParseError::WrongType)?,
            display_name: display_name.text(text),
            last_seen_ip: last_seen_ip.text(text),
            last_seen_ts: since_epoch.map(|millis| Timestamp::from_millis(millis.get())),
        })
    }

    /// Writes the body; what isn't known is left out, not `null`.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("device_id", self.device_id)?;
        object.text_if("display_name", self.display_name)?;
        object.text_if("last_seen_ip", self.last_seen_ip)?;
        object.integer_if("last_seen_ts", self.last_seen_ts.map(Timestamp::as_millis))?;
        object.end()
    }
}

/// The answer to [`GET /devices`]: read where it stands in a body, or given by a server.
///
/// [`GET /devices`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices
#[derive(Clone, Copy, Debug)]
pub struct DevicesResponse<'a> {
    /// What `devices` has; none in an answer that was given.
    read: Option<Raw<'a>>,
    given: &'a [DeviceResponse<'a>],
}

impl<'a> DevicesResponse<'a> {
    /// The answer that lists `devices`.
    #[must_use]
    pub const fn new(devices: &'a [DeviceResponse<'a>]) -> Self {
        Self { read: None, given: devices }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "devices": Any];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [devices] = slots;
        Ok(Self { read: devices.raw(text), given: &[] })
    }

    /// The devices, in the server's order. What has no ID is left out.
    pub fn iter(&self) -> impl Iterator<Item = DeviceResponse<'a>> + use<'a> {
        let read =
            Items::of(self.read).filter_map(|device| DeviceResponse::parse(device.as_str().as_bytes()).ok());
        read.chain(self.given.iter().copied())
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.list("devices", self.iter(), |out, device| device.write(out))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn devices_are_read_as_far_as_they_can_be() {
        let body = br#"{"devices":[{"device_id":"A","display_name":"Phone","last_seen_ts":1},{},7,{"device_id":"B","display_name":null,"last_seen_ts":"x"}]}"#;
        let devices: Vec<_> = DevicesResponse::parse(body).unwrap().iter().collect();
        let [a, b] = devices[..] else { panic!("{devices:?}") };
        assert!(a.device_id == "A" && a.last_seen_ts == Some(Timestamp::from_millis(1)));
        assert!(b.display_name.is_none() && b.last_seen_ts.is_none());
        assert_eq!(DevicesResponse::parse(b"{}").unwrap().iter().count(), 0);
        assert_eq!(DeviceResponse::parse(b"{}"), Err(ParseError::WrongType));
    }

    #[test]
    fn the_client_reads_the_devices_that_the_server_writes() {
        let mut known = DeviceResponse::new(Text::new("A"));
        known.display_name = Some(Text::new("Phone"));
        known.last_seen_ip = Some(Text::new("::1"));
        known.last_seen_ts = Some(Timestamp::from_millis(1_474_491_775_024));
        for devices in [&[][..], &[known], &[known, DeviceResponse::new(Text::new("B"))]] {
            let mut body = String::new();
            DevicesResponse::new(devices).write(&mut body).unwrap();
            let read = DevicesResponse::parse(body.as_bytes()).unwrap();
            assert!(read.iter().eq(devices.iter().copied()), "{body}");
        }
        let mut body = String::new();
        known.write(&mut body).unwrap();
        assert_eq!(DeviceResponse::parse(body.as_bytes()), Ok(known));
    }
}
