//! What a passed stage proved.

use serde::{Deserialize, Serialize};

use crate::server::reference::{Reference, UserRef};

/// What a passed stage proved, by reference of the host's choosing. It is kept in the
/// session beside the stage: a registration binds that 3PID, the token is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_enums, reason = "what nobody gives back or spends has to break the build")]
// Its tag would have 64 bits otherwise, as what it holds has.
#[repr(u32)]
pub enum Proof {
    /// Nothing that matters later.
    #[default]
    Nothing,
    /// That this user is at the other end.
    User(UserRef),
    /// A validated 3PID, claimed for this session.
    Threepid(Reference),
    /// The reservation of a registration token.
    Token(Reference),
    /// Anything else.
    Other(Reference),
}

impl Proof {
    /// Whether the host has reserved something for it, which is spent or given back.
    #[must_use]
    pub const fn is_reservation(self) -> bool {
        matches!(self, Self::Threepid(_) | Self::Token(_) | Self::Other(_))
    }
}
