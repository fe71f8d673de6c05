//! What a host names, in one line: `use matrix_uia::server::prelude::*;`.
//!
//! ```text
//!  the policy    Flows, Rules, Guarded, HostKind, OneTransaction, BindingKey, the operations
//!  the host      Host, Loaded, Verified, Changes, HostChange, Committed; Question, Check, Named, Verdict
//!  the handler   Run, Step, Outcome, Refusal; Stop, Respond
//!  what is kept  Account, Caller, UserRef, Reference; Store and the stores
//! ```

pub use super::account::{Account, AccountStatus, Caller, Event};
pub use super::check::{Comparison, Named, PasswordCheck};
pub use super::commit::{Change, Committed, HostChange};
pub use super::digest::BindingKey;
pub use super::drive::{Changes, Guarded, Host, Loaded, Recalled, Run, Step, Stop, Verified};
pub use super::endpoint::Endpoint;
pub use super::exchange::{HostKind, OneTransaction};
pub use super::flows::{Flows, FlowsBuffer, PolicyError};
pub use super::grant::{Exempt, Grant, Outcome, Refusal};
pub use super::operation::{
    AddThreepid, ChangePassword, Deactivate, DeleteDevice, DeleteDevices, GetLoginToken, Operation, Register,
    UploadSigningKeys,
};
pub use super::question::{Check, Question};
pub use super::reference::{Reference, Subject, UserRef};
pub use super::respond::Respond;
pub use super::rules::Rules;
pub use super::session::{Proof, Session, SessionId};
#[cfg(feature = "alloc")]
pub use super::store::HashedStore;
pub use super::store::{FixedStore, Lifetimes, NotStored, OwnerKey, Store};
pub use super::verdict::{Evidence, StageFailure, Verdict};
pub use crate::secret::Secret;
pub use crate::text::Text;
pub use crate::time::{Millis, Timestamp};
pub use crate::wire::error::MatrixError;
