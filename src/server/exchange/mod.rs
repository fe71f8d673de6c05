//! The exchange: one request of a guarded endpoint, as a sequence of questions to the host.
//!
//! ```text
//!  Incoming::new ─► Load ─► Admit ─► Verify ─► Load ─► Hash ─► Load ─► Perform ─► Commit ─► Respond
//!                    ▲                (outside)       (outside)                     │
//!                    └──────────────── the commit lost its race ◄───────────────────┘
//! ```
//!
//! Each question holds its own continuation: the only way on is to answer it. From `Load`
//! to `Commit` is one transaction of the host's, if it has them; `Verify` and `Hash` may
//! take their time outside of it. A request may be dropped at any point: nothing is
//! stored but by a commit, and a claim that nobody ends lapses.

mod incoming;
mod kind;
mod questions;

pub use incoming::Incoming;
pub(super) use incoming::arrive;
pub use kind::{HostKind, OneTransaction};
pub use questions::{
    Admit, Commit, Exchange, Hash, Load, LookUpAccount, Perform, Performing, Recall, Repeat, Verify,
};
