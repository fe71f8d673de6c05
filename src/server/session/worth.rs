//! What is lost when a session is evicted. Rule U16.

use super::value::Session;
use crate::wire::StageId;

/// What a session is worth to a store that has to make room.
///
/// The order is that of eviction: of two sessions the one that compares as less goes
/// first. A claim that ends without success can lower the worth, so it is read again on
/// every write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a new worth has to break every match: who may evict it?")]
pub enum Worth {
    /// Its stages have proved nothing: none has passed, or only `m.login.dummy` and
    /// `m.login.terms`, which anybody passes. It may be evicted for any session.
    Nothing,
    /// A stage has proved something, such as a password, a captcha or an address. It may
    /// be evicted only for a session of the same owner.
    Proved,
    /// It is claimed, and is never evicted: its claimant comes back to it.
    Claimed,
    /// It is consumed, and is never evicted: without it the same call could be carried out again.
    /// So is what is left of a [sealed](crate::server::sealed) one that is over.
    Over,
}

impl Worth {
    /// The number of it, for a database: 0 to 3, in the order of eviction. Numbers keep their
    /// meaning in every version.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Proved => 1,
            Self::Claimed => 2,
            Self::Over => 3,
        }
    }

    /// Whether it is never evicted.
    #[must_use]
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Claimed | Self::Over)
    }
}

impl Session {
    /// What is lost when it is evicted.
    #[must_use]
    pub fn worth(&self) -> Worth {
        let free = [StageId::DUMMY, StageId::TERMS];
        if self.is_claimed() {
            Worth::Claimed
        } else if self.consumed_at().is_some() || self.has_ended() {
            Worth::Over
        } else if self.passed.stages().iter().all(|stage| free.contains(stage)) {
            Worth::Nothing
        } else {
            Worth::Proved
        }
    }
}
