//! The policy: which flows an operation asks for, checked once.
//!
//! ```text
//!  names, params ─► Flows::new ──► Flows: can be completed, and is already encoded
//!                        └───────► PolicyError: which flow, what is wrong, the mend
//! ```
//!
//! Flows that are known when the program is compiled are made by [`flows!`](crate::flows), which the
//! compiler checks the same way.
//!
//! What exists can be completed: no flow is empty, repeats a stage, is cut short by
//! another, or asks for a stage its operation may not ask for. What of the 401 body does
//! not depend on the session is written here once and copied from then on.

mod buffer;
mod draft;
mod encode;
mod error;
mod fixed;
mod held;
mod limits;
mod policy;
mod terms;
mod value;

pub use buffer::FlowsBuffer;
pub use error::{PolicyError, StageName};
#[doc(hidden)]
pub use fixed::{DraftedFlows, FixedFlows};
pub use limits::{MAX_FLOWS, MAX_STAGES, MAX_TYPES};
pub(crate) use policy::Policy;
pub use policy::StageOrder;
pub use terms::TermsVersion;
pub use value::Flows;
