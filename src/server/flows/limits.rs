//! How much one policy may have.

/// Most flows of one policy.
pub const MAX_FLOWS: usize = 16;
/// Most stages of one flow.
pub const MAX_STAGES: usize = 8;
/// Most different stages in all flows of one policy.
pub const MAX_TYPES: usize = 32;
