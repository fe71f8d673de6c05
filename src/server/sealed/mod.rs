//! Sessions that are not stored before a stage has said anything: their ID carries them.
//!
//! ```text
//!  ID    = 24 random bytes: what the session is stored under, once it is
//!        + the number of a key, and the untouched session encrypted with it
//!
//!  named ─► opens? ── no ──► as unknown
//!              └─ yes ─► stored under the 24 bytes? ── yes ─► that one holds
//!                                   └─ no ─► untouched: first stored when a stage passes, fails or waits
//! ```
//!
//! So a flood of first requests takes no room in any store. A host says so by its
//! [`HostKind`](super::exchange::HostKind), and keeps the keys.
//!
//! The text is encrypted, not only authenticated: whoever sees an ID, as in the address of a
//! fallback page, could compare the digest of a parameter in it with that of a guess in an ID
//! of their own.
//!
//! A client can tell such sessions from others in three cases. Nothing is kept of the first
//! request's parameters: a client that leaves them out later is told `M_MISSING_PARAM`, and
//! sends them again. A session that began under other terms than today's is unknown. And one
//! that was evicted begins again, where else it is unknown.

#[cfg(feature = "sealed")]
mod cipher;
#[cfg(feature = "sealed")]
mod form;
#[cfg(feature = "sealed")]
mod keys;
mod name;
mod naming;
#[cfg(not(feature = "sealed"))]
mod none;
mod tombstone;
#[cfg(feature = "sealed")]
mod untouched;

#[cfg(feature = "sealed")]
pub use keys::{IdKey, IdKeys, IdKeysError};
pub use name::SessionName;
pub(crate) use naming::{Naming, Sealing, Spelling};
pub(crate) use tombstone::Tombstone;

#[cfg(not(feature = "sealed"))]
use none::{Keys, Tail, Untouched, open, seal};
#[cfg(feature = "sealed")]
use {
    cipher::{Tail, open, seal},
    keys::Keys,
    untouched::Untouched,
};
