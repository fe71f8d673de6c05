//! What became of a write.

use core::fmt;

use super::record::Record;
use crate::server::commit::Committed;
use crate::server::session::SessionId;
use crate::time::Millis;

/// A session was stored.
#[derive(PartialEq, Eq)]
#[must_use = "what the evicted session had reserved is lost"]
#[non_exhaustive]
pub struct Stored<K> {
    /// The one session that made room for it, if one had to. What it had reserved is to
    /// be given back.
    pub evicted: Option<(SessionId, Record<K>)>,
}

impl<K> Stored<K> {
    pub(super) const QUIETLY: Self = Self { evicted: None };
}

impl<K> fmt::Debug for Stored<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("evicted", &self.evicted).finish()
    }
}

/// Which bound a new session would have exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "the store's or its owner's: there is no third")]
pub enum Bound {
    /// The store has as many sessions as it can have.
    Store,
    /// The owner has as many sessions as one owner may have.
    Owner,
}

/// A session was not stored. Nothing has changed, and what was to be kept beside it
/// comes back.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotStored<K> {
    /// A bound is reached, and no session may be evicted for this one: answer with
    /// [`MatrixError::limited`](crate::MatrixError::limited) (rule U16).
    Full {
        /// Which bound. The answer is the same for both; an operator may want to know.
        bound: Bound,
        /// Until the first session that counts against this bound has run out.
        wait: Millis,
        /// What was to be kept.
        kept: Option<K>,
    },
    /// The stored session has another revision, or is gone; or, for a new one, its ID is
    /// taken. The commit has lost: load again.
    Conflict {
        /// What was to be kept.
        kept: Option<K>,
    },
}

impl<K> NotStored<K> {
    /// What was to be kept.
    #[must_use]
    pub fn into_kept(self) -> Option<K> {
        match self {
            Self::Full { kept, .. } | Self::Conflict { kept } => kept,
        }
    }
}

/// What the exchange is told of it. What was to be kept is dropped: the request has it still.
impl<K> From<NotStored<K>> for Committed {
    fn from(not_stored: NotStored<K>) -> Self {
        match not_stored {
            NotStored::Full { wait, .. } => Self::Full(wait),
            NotStored::Conflict { .. } => Self::Lost,
        }
    }
}

impl<K> fmt::Debug for NotStored<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { bound, wait, kept: _ } => {
                f.debug_struct("Full").field("bound", bound).field("wait", wait).finish_non_exhaustive()
            }
            Self::Conflict { kept: _ } => f.debug_struct("Conflict").finish_non_exhaustive(),
        }
    }
}

impl<K> fmt::Display for NotStored<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full { bound: Bound::Store, .. } => "the store is full of sessions that may not be evicted",
            Self::Full { bound: Bound::Owner, .. } => {
                "the owner has as many sessions as one owner may have, and none may be evicted"
            }
            Self::Conflict { .. } => "the stored session is not the one that was read",
        })
    }
}

impl<K> core::error::Error for NotStored<K> {}
