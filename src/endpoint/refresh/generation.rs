//! The generations of a device's tokens.

use serde::{Deserialize, Serialize};

use crate::decode::DecodeError;
use crate::stored::stored_as;

/// The number of a device's token generation: kept with each token, and with the device
/// as the newest one used.
///
/// It serialises with a version and a checksum; a host with a column for it has
/// [`get`](Self::get) and [`new`](Self::new).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

/// The serialised form of a generation.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Generation", deny_unknown_fields)]
struct Fields {
    generation: u64,
}

stored_as!(Generation, Fields, 1);

impl From<Generation> for Fields {
    fn from(Generation(generation): Generation) -> Self {
        Self { generation }
    }
}

impl TryFrom<Fields> for Generation {
    type Error = DecodeError;

    /// Every number is one.
    fn try_from(fields: Fields) -> Result<Self, DecodeError> {
        Ok(Self(fields.generation))
    }
}

impl Generation {
    /// That of a login. It counts as used: the device's newest generation starts as this.
    pub const FIRST: Self = Self(0);

    /// How many spent generations are worth remembering, and how many replaced pairs.
    ///
    /// The client of a spent token is told so softly, for it or a request of it that was
    /// under way has a successor; that of an unknown token forgets everything it has.
    pub const REMEMBERED: u64 = 16;

    /// The generation a host has stored as `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number to store.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What a refresh with a live refresh token of this generation hands out. Before it
    /// does, every token of the device of this later generation is to be marked as replaced,
    /// and is [`Presented::Spent`] from then on: there is one if an earlier answer was lost.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// What it means that a token of this generation is presented, when `newest_used` is
    /// the device's.
    pub const fn presented(self, newest_used: Self) -> Presented {
        if self.0 < newest_used.0 {
            Presented::Spent
        } else if self.0 == newest_used.0 {
            Presented::Live
        } else {
            Presented::FirstUse
        }
    }

    /// Whether a token of this generation may be forgotten, now that `newest_used` is
    /// the device's.
    #[must_use]
    pub const fn is_forgotten(self, newest_used: Self) -> bool {
        self.0.saturating_add(Self::REMEMBERED) < newest_used.0
    }
}

/// What it means that a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the first use of a token has to be stored"]
#[allow(clippy::exhaustive_enums, reason = "older, the same, newer: there is no fourth case")]
pub enum Presented {
    /// It is good, and of the device's own generation: nothing changes.
    Live,
    /// It is good, and its generation becomes the device's: store that in the act that
    /// accepts it.
    FirstUse,
    /// A later one has been used, or another was handed out in its place before it was. The
    /// device lives on.
    Spent,
}

impl Presented {
    /// Whether the token is good, but for its account.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Live | Self::FirstUse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spent_tokens_are_remembered_to_the_bound() {
        let newest = Generation::new(Generation::REMEMBERED + 1);
        assert!(Generation::FIRST.is_forgotten(newest));
        assert!(!Generation::FIRST.next().is_forgotten(newest));
        assert!(!newest.is_forgotten(newest));
    }
}
