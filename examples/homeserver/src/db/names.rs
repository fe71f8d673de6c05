//! Which names nobody has, without a look into the database.
//!
//! A request for a challenge may bring a name, and most of those are free. A look costs little, but two requests can't
//! have one at once, and whoever waits for another's is put aside and comes back to cold caches.

use hashbrown::HashTable;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{PoisonError, RwLock};

/// The names of all accounts, as hashes of 64 bits under a key of this process. It may also know names that nobody has:
/// those whose account was not committed, and those with the hash of another.
#[derive(Debug, Default)]
pub(super) struct Names {
    key: RandomState,
    hashes: RwLock<HashTable<u64>>,
}

impl Names {
    /// Before the account of that name is committed.
    pub(super) fn add(&self, name: &str) {
        let hash = self.key.hash_one(name);
        let mut hashes = self.hashes.write().unwrap_or_else(PoisonError::into_inner);
        hashes.entry(hash, |known| *known == hash, |known| *known).or_insert(hash);
    }

    /// Whether somebody may have the name; the database knows.
    pub(super) fn may_have(&self, name: &str) -> bool {
        let hash = self.key.hash_one(name);
        let hashes = self.hashes.read().unwrap_or_else(PoisonError::into_inner);
        hashes.find(hash, |known| *known == hash).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::db::Db;
    use crate::db::users::{NewUser, create};
    use crate::files::scratch::Scratch;

    #[test]
    fn a_name_is_known_before_its_account_is_committed_and_one_that_was_not_is_asked_for() {
        let db = Db::in_memory().unwrap();
        assert!(!db.may_have_user("alice"));
        let undone: Result<(), rusqlite::Error> = db.blocking_transaction(|tx| {
            create(tx, &NewUser::named("alice"))?;
            assert!(db.may_have_user("alice"));
            Err(rusqlite::Error::QueryReturnedNoRows)
        });
        assert!(undone.is_err());
        assert!(db.may_have_user("alice"), "the database is asked");
        assert!(!db.may_have_user("bob"));
    }

    #[test]
    fn of_a_database_that_others_write_to_nothing_is_known() {
        let dir = Scratch::new();
        let db = Db::in_dir(dir.path()).unwrap();
        assert!(db.may_have_user("alice"));
    }
}
