//! Whose a session is, for the bound on how many one peer may have.

use crate::server::digest::{BindingKey, Digest};
use crate::server::reference::UserRef;

/// How many sessions one owner may have in a [`HashedStore`](super::HashedStore), unless
/// it is told another number. Rule U16.
pub const SESSIONS_PER_OWNER: usize = 1_000;

/// The owner of a session: the user whose access token began it or, without a token, the
/// address it came from. A store bounds the sessions of each, so that one peer can't take
/// it from all.
///
/// It is 64 bits of a keyed digest. Nobody without the key can choose a user name or an
/// address whose key equals another's; two that did would share one bound.
///
/// The owner is told when the session is stored and stays the same, also when a stage
/// proves later who the user is.
///
/// ```
/// use matrix_uia::BindingKey;
/// use matrix_uia::server::reference::UserRef;
/// use matrix_uia::server::store::OwnerKey;
/// let key = BindingKey::from_entropy([7; 16]); // from the host's generator
/// let alice = OwnerKey::of_user(&key, UserRef::new(1));
/// let somebody = OwnerKey::of_address(&key, &[192, 0, 2, 1]);
/// assert_ne!(alice, somebody);
/// assert_eq!(OwnerKey::from_u64(alice.get()), alice);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct OwnerKey(u64);

impl OwnerKey {
    /// No owner in particular: for a host with one user, or tests.
    ///
    /// Such sessions are bounded by the store's capacity only, and a session that has
    /// proved something is never evicted for one of them.
    pub const NOBODY: Self = Self(0);

    /// The user whose access token began the session.
    #[must_use]
    pub fn of_user(key: &BindingKey, user: UserRef) -> Self {
        Self::from_digest(key.labelled(b"owner: user", &[user.as_bytes()]))
    }

    /// The address that a request without access token came from, in bytes of the host's
    /// choosing. Of an IPv6 address these should be the first eight: a peer has all of the
    /// rest (rule E4).
    #[must_use]
    pub fn of_address(key: &BindingKey, address: &[u8]) -> Self {
        Self::from_digest(key.labelled(b"owner: address", &[address]))
    }

    /// The key whose number is `number`, as [`get`](Self::get) gave it to be stored.
    /// Numbers of any other origin need not be spread evenly, and a store may then take
    /// longer to find an owner.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number, for a store that keeps it in a column of its own. Zero is
    /// [`NOBODY`](Self::NOBODY).
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    fn from_digest(digest: Digest) -> Self {
        let half = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Self(half.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_an_address_of_the_same_bytes_are_two_owners() {
        let key = BindingKey::from_entropy([7; 16]);
        let user = OwnerKey::of_user(&key, UserRef::new(1));
        assert_ne!(user, OwnerKey::of_address(&key, &1_u64.to_le_bytes()));
        assert_ne!(user, OwnerKey::of_user(&key, UserRef::new(2)));
        assert_ne!(user, OwnerKey::of_user(&BindingKey::from_entropy([8; 16]), UserRef::new(1)));
    }

    #[test]
    fn nobody_is_no_digest() {
        assert_ne!(OwnerKey::from_digest(Digest::default()), OwnerKey::NOBODY);
    }
}
