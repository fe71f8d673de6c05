//! Listing devices: [`GET /devices`] and [`GET /devices/{deviceId}`]; signing them out:
//! [`DELETE /devices/{deviceId}`] and [`POST /delete_devices`]; and naming them:
//! [`PUT /devices/{deviceId}`].
//!
//! ```text
//!  body ─► DeleteDevicesRequest ─► check ─► Call ─► exchange ─► Grant ─► plan ─► DeviceDeletion
//!  body ─► UpdateDeviceRequest ─► decide ─► DeviceUpdate
//!  DeviceResponse, or DevicesResponse of all ─► body
//! ```
//!
//! [`GET /devices`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices
//! [`GET /devices/{deviceId}`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid
//! [`PUT /devices/{deviceId}`]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid
//! [`DELETE /devices/{deviceId}`]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid
//! [`POST /delete_devices`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices

mod delete;
#[cfg(feature = "alloc")]
mod deletion;
mod list;
mod update;

pub use delete::{DeleteDeviceRequest, DeleteDevicesRequest, DeviceIds, missing_devices};
#[cfg(feature = "alloc")]
pub use deletion::{DeviceDeletion, StoredDevices};
pub use list::{DeviceResponse, DevicesResponse};
pub use update::{DeviceUpdate, UpdateDeviceRequest, unknown_device};
