//! The loop over an [`Exchange`](crate::server::exchange::Exchange), once for every host: it does no IO, it asks a [`Host`]
//! that does.
//!
//! ```text
//!  Run::new ─► granted ─► the handler carries the plan out ─► done ─► granted ─► … ─► None: it succeeded
//!                 └─────────────────────────────────────────────────────────────► Err: the answer to send
//! ```
//!
//! The methods of a host are asynchronous. A host that never waits, such as a
//! microcontroller, returns what is ready and drives the loop with [`ready`]. Where 1,500 bytes of
//! code matter, it answers the questions of an exchange instead, as `examples/embedded` does.

mod host;
mod ready;
mod refuse;
mod run;
mod step;

pub use host::{Changes, Guarded, Host, Loaded, Next, Stop, Verified};
pub use ready::ready;
pub use refuse::{checked, refuse};
pub use run::Run;
pub use step::{Admit, Answer, Granted, Performing, Repeat, Step};

pub use super::transition::end::Recalled;
