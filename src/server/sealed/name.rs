//! A session as a request or the address of a page names it.

use core::fmt;

use super::Untouched;
use crate::server::session::{Session, SessionId};
use crate::text::Text;

/// A session as its client, or the address of a page, names it: its ID, and whatever else
/// the text holds.
///
/// Whoever holds it holds the session: it is redacted in `Debug` and leaves only through
/// [`expose`](Self::expose).
///
/// [`HostKind::session_name`](crate::server::exchange::HostKind::session_name) reads it.
#[derive(Clone, Copy)]
pub struct SessionName<'t> {
    id: SessionId,
    sealed: Option<SealedName<'t>>,
}

impl<'t> SessionName<'t> {
    pub(super) const fn sealed(id: SessionId, sealed: SealedName<'t>) -> Self {
        Self { id, sealed: Some(sealed) }
    }

    /// The ID that it is stored under, once it is.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The text, for the form of a page.
    #[must_use]
    pub fn expose(&self) -> impl fmt::Display + '_ {
        struct Exposed<'n>(&'n SessionName<'n>);
        impl fmt::Display for Exposed<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0.sealed {
                    Some(name) => name.text.fmt(f),
                    None => f.write_str(&self.0.id.expose()),
                }
            }
        }
        Exposed(self)
    }

    /// The text, where it is more than the ID.
    pub(super) const fn sealed_name(&self) -> Option<SealedName<'t>> {
        self.sealed
    }

    /// The session as it began, if the text holds it. What is stored under its
    /// [ID](Self::id) wins over it.
    #[must_use]
    pub fn as_it_began(&self) -> Option<Session> {
        self.sealed.map(|name| name.session())
    }
}

/// A name that holds its session.
#[derive(Clone, Copy)]
pub(super) struct SealedName<'t> {
    pub(super) text: Text<'t>,
    pub(super) untouched: Untouched,
}

impl SealedName<'_> {
    pub(super) fn session(&self) -> Session {
        self.untouched.session()
    }
}

impl From<SessionId> for SessionName<'_> {
    fn from(id: SessionId) -> Self {
        Self { id, sealed: None }
    }
}

impl fmt::Debug for SessionName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionName([redacted])")
    }
}
