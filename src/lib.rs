//! Matrix User-Interactive Authentication as a sans-IO state machine.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
#[macro_use]
extern crate std;

pub mod account;
mod capacity;
pub mod deactivation;
mod denied;
pub mod devices;
pub mod digest;
pub mod error;
pub mod flows;
pub mod login;
pub mod operation;
pub mod password;
pub mod registration;
mod secret;
pub mod session;
pub mod store;
mod text;
mod time;
pub mod wire;

pub use capacity::CapacityError;
pub use denied::Denied;
pub use digest::BindingKey;
pub use error::Reject;
pub use flows::{FlowError, Flows, StageOrder};
pub use secret::Secret;
#[cfg(feature = "alloc")]
pub use secret::SecretBuf;
pub use session::{Call, Grant, Guard, Rules, Session, SessionId, Step};
pub use text::{Chars, Text};
pub use time::{Millis, Timestamp};
