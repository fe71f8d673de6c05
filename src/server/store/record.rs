//! What is stored under a session's ID.

use core::fmt;

use super::owner::OwnerKey;
use crate::server::session::Session;

/// A session and what the host keeps beside it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<K> {
    /// The session.
    pub session: Session,
    /// The host's own: such as the hash of a new password, which later requests of the
    /// session may leave out. It stays as long as the session, its tombstone included,
    /// unless it is replaced.
    pub kept: K,
    /// Whose bound the session counts against, as it was told when it was stored.
    pub owner: OwnerKey,
}

impl<K> fmt::Debug for Record<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, kept: _, owner: _ } = self;
        f.debug_struct("Record").field("session", session).finish_non_exhaustive()
    }
}
