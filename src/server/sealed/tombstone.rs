//! What is left of a sealed session that is over before its ID is.

use crate::server::session::{Revision, Session};

/// What is stored in the place of a session that is over, if its ID could begin it again.
pub(crate) struct Tombstone {
    #[cfg(feature = "sealed")]
    session: Option<Session>,
}

impl Tombstone {
    pub(crate) const NONE: Self = Self {
        #[cfg(feature = "sealed")]
        session: None,
    };

    /// That of a session which is stored at `stored`.
    #[cfg(feature = "sealed")]
    pub(crate) fn of(session: &Session, stored: Option<Revision>) -> Self {
        Self { session: stored.filter(|_| session.sealed).map(|_| session.ended()) }
    }

    #[cfg(feature = "sealed")]
    pub(crate) const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    #[cfg(not(feature = "sealed"))]
    pub(crate) const fn of(_: &Session, _: Option<Revision>) -> Self {
        Self::NONE
    }

    #[cfg(not(feature = "sealed"))]
    pub(crate) const fn session(&self) -> Option<&Session> {
        None
    }
}
