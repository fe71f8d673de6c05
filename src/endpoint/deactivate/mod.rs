//! [`POST /account/deactivate`]: a resumable value that says what is left to be done.
//!
//! ```text
//!  Grant ─► plan ──► Deactivation ─► effect() ─► the host does it ─► done() ─┐
//!                        ▲             Fence first, MarkDeactivated last     │
//!                        └───────────────── store it, go on ◄────────────────┘
//! ```
//!
//! The account is fenced first: from then on no way in works, whatever becomes of the
//! rest. After a crash the stored value says what is left; every effect may be done
//! twice.
//!
//! [`POST /account/deactivate`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate

mod effect;
mod plan;
mod progress;
mod request;
mod response;
mod stored;

pub use effect::Effect;
pub use plan::StoredDeactivation;
pub use progress::Deactivation;
pub(crate) use request::check_id_server;
pub use request::{DeactivateRequest, IdServer, MAX_ID_SERVER_LEN};
pub use response::{DeactivateResponse, UnbindResult};
