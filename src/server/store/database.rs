//! What goes in and comes out where a database keeps the sessions.

use crate::server::commit::Committed;
use crate::server::digest::Digest;
use crate::server::session::Session;

/// How many sessions there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a bound that a store leaves out has to break its build")]
pub struct Limits {
    /// In all. A database may exceed it by as many as it has connections.
    pub all: usize,
    /// Of one owner. Those of [`OwnerKey::NOBODY`](super::OwnerKey::NOBODY) count against no owner's.
    pub per_owner: usize,
}

/// A session that left the store: it was evicted, or its time was over. What is reserved under
/// this key is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "every store makes it")]
pub struct Gone {
    /// What the database knew it by: the
    /// [digest](crate::server::digest::BindingKey::claimant) of its ID.
    pub key: Digest,
    /// The session; `None` if it can't be read, such as one of a later version.
    pub session: Option<Session>,
}

/// What came of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "every store makes it")]
#[must_use = "what the evicted session had reserved is lost"]
pub struct Done {
    /// The answer for the exchange.
    pub committed: Committed,
    /// The session that made room.
    pub evicted: Option<Gone>,
}

/// Without an eviction.
impl From<Committed> for Done {
    fn from(committed: Committed) -> Self {
        Self { committed, evicted: None }
    }
}
