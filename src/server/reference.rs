//! How the host names its users and its own things in a session.

use serde::{Deserialize, Serialize};

/// A user as the host names one: a row's number, or a keyed digest of the user ID
/// ([`BindingKey::user`](crate::BindingKey::user)), which needs no table of numbers.
///
/// It has to mean the same user as long as any session lives, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserRef([u8; 16]);

impl UserRef {
    /// The user that the host calls `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self::from_bytes((number as u128).to_be_bytes())
    }

    /// The user that the host knows by these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, to look the user up by.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The number the reference was made from; `None` if it was made from other bytes.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
        let number = u128::from_be_bytes(self.0);
        if number > u64::MAX as u128 { None } else { Some(number as u64) }
    }
}

/// Something of the host's by number: a reservation, a validated 3PID, a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(pub(crate) u64);

impl Reference {
    /// What the host calls `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The host's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A user and the epoch of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The user.
    pub user: UserRef,
    /// Counts up whenever the account's credentials are replaced, an address is removed
    /// from it, or it is fenced. A session of an earlier epoch is over (rule U24).
    pub epoch: u32,
}

impl Subject {
    /// The user `user` at `epoch`.
    #[must_use]
    pub const fn new(user: UserRef, epoch: u32) -> Self {
        Self { user, epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_again_and_other_bytes_are_no_number() {
        assert_eq!(UserRef::new(u64::MAX).number(), Some(u64::MAX));
        assert_eq!(UserRef::from_bytes([1; 16]).number(), None);
    }
}
