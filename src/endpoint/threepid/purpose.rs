//! What a validation is for.

use crate::server::operation::{OperationId, Register};
use crate::stored::stored_by_name;

/// What a validation is for. One made for one purpose proves nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a purpose nobody decides about has to break the build")]
pub enum Purpose {
    /// An account that is to be made: `register/…/requestToken`.
    Register,
    /// A password that is to be reset, and what else the server's policies guard with an
    /// address stage: `account/password/…/requestToken`.
    Reset,
    /// An address that an account is to have: `account/3pid/…/requestToken`.
    Add,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Register, Self::Reset, Self::Add];

    /// The name by which a stored validation has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Reset => "reset",
            Self::Add => "add",
        }
    }

    /// What a validation has to be for that passes a stage of `operation`.
    #[must_use]
    pub fn of_stage(operation: OperationId) -> Self {
        if operation == Register::ID { Self::Register } else { Self::Reset }
    }
}

stored_by_name!(Purpose);
