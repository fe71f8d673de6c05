//! The endpoints of the account part of the Client-Server API, one module each.

pub mod appservice;
mod checked;
pub mod deactivate;
#[cfg(feature = "alloc")]
mod device_deletion;
pub mod devices;
pub mod login;
pub mod moderation;
pub mod password;
pub mod refresh;
pub mod register;
pub mod signing_keys;
pub mod threepid;

pub use checked::Checked;
#[cfg(feature = "alloc")]
pub use device_deletion::{DeviceDeletion, StoredDevices};
