//! Signing devices out, once a grant says so.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::delete::{DeleteDeviceRequest, DeleteDevicesRequest, DeviceIds, missing_devices};
use crate::decode::Version;
use crate::endpoint::checked::Checked;
use crate::server::call::{Call, Param, Params};
use crate::server::digest::{BindingKey, ParamName};
use crate::server::endpoint::Endpoint;
use crate::server::grant::{Grant, Refusal};
use crate::server::operation::{DeleteDevice, DeleteDevices};
use crate::server::reference::UserRef;
use crate::server::seal::Sealer;
use crate::text::Text;

/// Devices to be signed out, with their access and refresh tokens and pushers. One that
/// the user does not have is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "no device is signed out until the host does it"]
#[non_exhaustive]
pub struct DeviceDeletion {
    /// Whose devices.
    pub user: UserRef,
    /// Their IDs.
    pub devices: Vec<String>,
}

/// What the host keeps beside a session whose request may leave its devices out later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredDevices {
    version: Version<1>,
    /// The devices to be signed out.
    pub devices: Option<Vec<String>>,
}

/// Nobody names the user of a device but the access token.
fn user_of<Op: crate::server::operation::Operation>(grant: &Grant<Op>) -> Result<UserRef, Refusal> {
    grant.user().ok_or(Refusal::new(crate::wire::error::MatrixError::missing_token()))
}

impl Endpoint for Checked<DeleteDeviceRequest<'_>> {
    type Op = DeleteDevice;
    type Stored = ();
    type Plan<H: Send> = DeviceDeletion;

    fn call(&self, key: &BindingKey) -> Call<'_, DeleteDevice> {
        Call::new(&self.auth).at(key.target([Text::new(self.device_id)]))
    }

    fn to_stored(&self, _: &BindingKey, _: Option<()>, _: Option<Sealer>) {}

    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<DeleteDevice>,
        _: Option<()>,
        _: Option<H>,
    ) -> Result<DeviceDeletion, Refusal> {
        Ok(DeviceDeletion { user: user_of(&grant)?, devices: vec![self.device_id.to_owned()] })
    }
}

impl Endpoint for Checked<DeleteDevicesRequest<'_>> {
    type Op = DeleteDevices;
    type Stored = StoredDevices;
    type Plan<H: Send> = DeviceDeletion;

    fn call(&self, key: &BindingKey) -> Call<'_, DeleteDevices> {
        let digest = |ids: DeviceIds<'_>| {
            key.named(const { ParamName::of::<DeleteDevices>("devices") }).set(ids.iter())
        };
        Call::new(&self.auth).with_params(Params::new([Param::required(self.devices.map(digest))]))
    }

    fn to_stored(&self, _: &BindingKey, before: Option<StoredDevices>, _: Option<Sealer>) -> StoredDevices {
        let ids = |ids: DeviceIds<'_>| ids.iter().map(|id| id.to_cow().into_owned()).collect();
        let before = before.unwrap_or_default();
        StoredDevices { version: Version, devices: self.devices.map(ids).or(before.devices) }
    }

    /// # Errors
    ///
    /// [`Refusal`] with 400 `M_MISSING_PARAM` if no devices were ever given, or the host
    /// lost what it kept.
    fn plan<H: Send>(
        &self,
        key: &BindingKey,
        grant: Grant<DeleteDevices>,
        stored: Option<StoredDevices>,
        _: Option<H>,
    ) -> Result<DeviceDeletion, Refusal> {
        let devices = self.to_stored(key, stored, None).devices;
        let devices = devices.ok_or(Refusal::for_params(missing_devices()))?;
        Ok(DeviceDeletion { user: user_of(&grant)?, devices })
    }
}
