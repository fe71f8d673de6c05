//! E-mail addresses in one form.
//!
//! ```text
//!  an address ─► canonical ─┬─ in ASCII ─► ascii
//!                           └─ not ──────► international, with the feature `unicode`; else refused
//! ```

mod ascii;
mod canonical;
mod form;
#[cfg(feature = "unicode")]
mod international;

pub(super) use canonical::{canonical, of_parts};
pub(super) use form::Address;
pub use form::MAX_ADDRESS_LEN;
