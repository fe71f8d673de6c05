//! Devices, and the keys that sign them.

use core::fmt::{self, Write};

use crate::Text;
use crate::wire::json::{self, Items, ObjectWriter, Raw, Reader};
use crate::wire::{Auth, ParseError};

/// The body of a call to delete several [devices].
///
/// [devices]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DeleteDevices<'a> {
    /// Their IDs.
    pub devices: &'a [&'a str],
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> DeleteDevices<'a> {
    /// To delete `devices`.
    #[must_use]
    pub const fn new(devices: &'a [&'a str]) -> Self {
        Self { devices, auth: Auth::Absent }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        let list = object.key("devices")?;
        for (index, device) in self.devices.iter().enumerate() {
            list.write_char(if index == 0 { '[' } else { ',' })?;
            json::write_text(list, Text::new(device))?;
        }
        list.write_str(if self.devices.is_empty() { "[]" } else { "]" })?;
        self.auth.write_key(&mut object)?;
        object.end()
    }
}

/// The body of an upload of [cross-signing keys], each as the application signed it.
///
/// [cross-signing keys]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UploadSigningKeys<'a> {
    /// The master key.
    pub master_key: Option<Raw<'a>>,
    /// The key that signs the user's own devices.
    pub self_signing_key: Option<Raw<'a>>,
    /// The key that signs other users.
    pub user_signing_key: Option<Raw<'a>>,
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl UploadSigningKeys<'_> {
    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        for (name, key) in [
            ("master_key", self.master_key),
            ("self_signing_key", self.self_signing_key),
            ("user_signing_key", self.user_signing_key),
        ] {
            if let Some(key) = key {
                object.key(name)?.write_str(key.as_str())?;
            }
        }
        self.auth.write_key(&mut object)?;
        object.end()
    }
}

/// The answer to [`GET /devices`].
///
/// [`GET /devices`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices
#[derive(Clone, Copy, Debug)]
pub struct DevicesAnswer<'a> {
    devices: Option<Raw<'a>>,
}

/// One device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceAnswer<'a> {
    /// Its ID.
    pub device_id: Text<'a>,
    /// Its name.
    pub display_name: Option<Text<'a>>,
}

impl<'a> DevicesAnswer<'a> {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut devices = None;
        json::read_object(body, |reader, key| {
            let value = reader.raw()?;
            if key == "devices" {
                devices = Some(value);
            }
            Ok(())
        })?;
        Ok(Self { devices })
    }

    /// The devices, in the server's order. What has no ID is left out.
    pub fn iter(&self) -> impl Iterator<Item = DeviceAnswer<'a>> + use<'a> {
        Items::of(self.devices).filter_map(|device| {
            let mut device_id = None;
            let mut display_name = None;
            let read = device.reader().fields(|reader, key| {
                match key {
                    "device_id" => device_id = reader.optional(Reader::text)?,
                    "display_name" => display_name = reader.optional(Reader::text)?,
                    _ => reader.skip()?,
                }
                Ok(())
            });
            read.ok()?;
            Some(DeviceAnswer { device_id: device_id?, display_name })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::endpoint::devices::DeleteDevicesRequest;

    #[test]
    fn the_server_reads_what_the_client_writes() {
        for ids in [&[][..], &["A"], &["A", "B\"é"]] {
            let mut body = String::new();
            DeleteDevices::new(ids).write(&mut body).unwrap();
            let read = DeleteDevicesRequest::parse(body.as_bytes()).unwrap();
            assert!(read.devices.unwrap().iter().eq(ids.iter().map(|id| Text::new(id))), "{body}");
        }
    }

    #[test]
    fn devices_are_read_as_far_as_they_can_be() {
        let body = br#"{"devices":[{"device_id":"A","display_name":"Phone","last_seen_ts":1},{},7,{"device_id":"B","display_name":null}]}"#;
        let devices: Vec<_> = DevicesAnswer::parse(body).unwrap().iter().collect();
        assert!(matches!(devices[..], [a, b] if a.device_id == "A" && b.display_name.is_none()));
        assert_eq!(DevicesAnswer::parse(b"{}").unwrap().iter().count(), 0);
    }
}
