//! The one transition: what a request, a page or a verdict does to a session.
//!
//! ```text
//!  load ─► account: gate, epoch ─► locate ─► bind ─► judge ─► what to ask next
//!                                     ▲                │
//!                                     └── a verdict ◄──┘ applied to the session as it is then
//! ```
//!
//! It is one copy of code for every operation: it knows an operation by its facts, and no
//! endpoint. A verdict meets every check that a request meets, since in between the session
//! may have expired, moved on, or been closed.

pub(crate) mod answer;
pub(crate) mod asked;
mod bind;
pub(crate) mod end;
mod judge;
mod locate;
mod step;
pub(crate) mod work;
