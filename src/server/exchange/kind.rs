//! The two kinds of hosts.

/// How a host keeps sessions beside accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostKind {
    pub(super) one_transaction: bool,
}

impl HostKind {
    /// Sessions are kept where accounts are not, or the store only compares and sets: a
    /// claim is stored before a call is performed. Right for every host.
    pub const CLAIMS: Self = Self { one_transaction: false };

    /// Sessions and accounts are written in one transaction: no claim is ever stored.
    ///
    /// # Security
    ///
    /// The host asserts that what it does for a call and all of its commit happen
    /// together or not at all. Sessions in memory beside accounts in a database are not
    /// of this kind: a commit that fails would leave the session consumed and the call
    /// undone.
    #[must_use]
    pub const fn assume_one_transaction() -> Self {
        Self { one_transaction: true }
    }
}
