//! The stored session: the one value that is kept between two requests.
//!
//! ```text
//!             a stage passes               the last stage              the call succeeded
//!   (new) ──────────► Open ───────────► Open, complete ─────► Claimed ─────────► Consumed
//!                      │ ▲                   ▲                  │  │
//!                      │ └─ failed: counted  └── call refused ──┘  │ nobody ended the claim
//!                      ▼ too many failures                         ▼ within `claim_for`
//!                   closed: 429                          asked what became of it
//! ```
//!
//! A host that has one transaction for sessions and accounts never stores a claim.
//!
//! See [User-Interactive Authentication](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api).

mod id;
mod passed;
mod proof;
mod revision;
mod stored;
mod value;
mod worth;

pub use id::SessionId;
pub use proof::Proof;
pub use revision::Revision;
pub use value::Session;
pub use worth::Worth;

pub(crate) use id::letter;
pub(crate) use passed::{Passed, StageList};
pub(crate) use value::{Phase, SLOTS};
