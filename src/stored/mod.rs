//! The serialised form of stored values: a version first, names instead of indices, and a
//! checksum over the whole (lesson 111).
//!
//! ```text
//!  value ─► fields ─► Versioned { version, value, check } ~~~► the host's store
//!  value ◄─ fields ◄─ version known? check right? ◄~~~~~~~~~~~~~~~~┘
//!           └─ impossible combinations are refused by the value's own `TryFrom`
//! ```

mod checksum;
mod named;
mod versioned;

pub(crate) use named::{list, stored_by_name};
pub(crate) use versioned::{read, stored_as, write};
