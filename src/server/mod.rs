//! The server's side: the policy, the stored session, and the transition that changes it.

pub(crate) mod denied;
pub mod digest;
pub mod flows;
pub mod operation;
pub mod session;
pub mod store;
