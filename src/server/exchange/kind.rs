//! The kinds of hosts.

use core::fmt;

use crate::server::sealed::{Sealing, SessionName};
use crate::text::Text;

/// What a host keeps sessions in that one transaction writes together with its accounts, such as
/// the transaction of its database.
///
/// No store of this crate is that: what it holds in memory stays as it is when the commit of a
/// database fails. Nor can a host make it that; it takes a type of the host's own.
///
/// # Security
///
/// Who implements it asserts that what the host does for a call and all of its commit happen
/// together or not at all. Sessions in memory beside accounts in a database don't: a commit that
/// fails would leave the session consumed and the call undone, and a repetition would be told that
/// the call succeeded.
pub trait OneTransaction {}

/// How a host keeps sessions: beside accounts or elsewhere, from the first request on or once
/// there is something to remember.
#[derive(Clone, Copy)]
pub struct HostKind<'k> {
    pub(super) one_transaction: bool,
    pub(super) sealing: Sealing<'k>,
}

impl<'k> HostKind<'k> {
    /// Sessions are kept where accounts are not, or the store only compares and sets: a
    /// claim is stored before a call is performed. Right for every host.
    pub const CLAIMS: Self = Self { one_transaction: false, sealing: Sealing::NONE };

    /// Sessions and accounts are written in one transaction, a `T`: no claim is ever stored.
    ///
    /// ```
    /// use matrix_uia::server::exchange::{HostKind, OneTransaction};
    /// /// A transaction of a database whose tables hold accounts and sessions.
    /// struct Transaction;
    /// impl OneTransaction for Transaction {}
    /// let kind = HostKind::assume_one_transaction::<Transaction>();
    /// # let _ = kind;
    /// ```
    ///
    /// # Security
    ///
    /// The host asserts what [`OneTransaction`] says.
    #[must_use]
    pub const fn assume_one_transaction<T: OneTransaction + ?Sized>() -> Self {
        Self { one_transaction: true, sealing: Sealing::NONE }
    }

    /// The same, but a session is first stored when a stage has passed, failed or waits for
    /// something; until then its ID [holds](crate::server::sealed) it. No first request takes
    /// any room, however many come.
    ///
    /// ```
    /// use matrix_uia::server::exchange::HostKind;
    /// use matrix_uia::server::sealed::{IdKey, IdKeys};
    /// let keys = IdKeys::new(IdKey::new(1, [0x11; 32]));
    /// let kind = HostKind::CLAIMS.with_sealed_ids(&keys);
    /// # let _ = kind;
    /// ```
    #[cfg(feature = "sealed")]
    #[must_use]
    pub const fn with_sealed_ids(self, keys: &'k crate::server::sealed::IdKeys) -> Self {
        Self { sealing: Sealing::with(keys), ..self }
    }

    /// Whether a claim is stored before a call is performed.
    #[must_use]
    pub const fn claims(&self) -> bool {
        !self.one_transaction
    }

    /// The session that `text` names, such as in the address of a page; `None` if no session of
    /// such a host can have that name.
    ///
    /// ```
    /// use matrix_uia::server::exchange::HostKind;
    /// use matrix_uia::{SessionId, Text};
    /// let id = SessionId::from_entropy([0x5A; 24]);
    /// let text = id.expose();
    /// let name = HostKind::CLAIMS.session_name(Text::new(&text));
    /// assert_eq!(name.map(|name| name.id()), Some(id));
    /// ```
    #[must_use]
    pub fn session_name<'t>(&self, text: Text<'t>) -> Option<SessionName<'t>> {
        self.sealing.name(text)
    }
}

impl fmt::Debug for HostKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKind")
            .field("one_transaction", &self.one_transaction)
            .field("sealed_ids", &self.sealing.is_on())
            .finish()
    }
}
