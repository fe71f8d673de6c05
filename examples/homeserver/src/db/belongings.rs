//! What else belongs to a user. No endpoint of the account API reads most of it; a deactivation must
//! remove it all the same.

use super::{Result, Tx, UserKey};
use rusqlite::OptionalExtension as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belonging {
    KeyBackup,
    AccountData,
    Profile,
    /// The entry of the user directory.
    Directory,
    CrossSigningKey,
}

impl Belonging {
    const fn table(self) -> &'static str {
        match self {
            Self::KeyBackup => "key_backups",
            Self::AccountData => "account_data",
            Self::Profile => "profiles",
            Self::Directory => "directory",
            Self::CrossSigningKey => "cross_signing_keys",
        }
    }
}

/// Keeps `data` under a name, in the place of what was there.
pub fn put(tx: &Tx, user: UserKey, what: Belonging, name: &str, data: &str) -> Result<()> {
    let table = what.table();
    tx.prepare_cached(&format!(
        "INSERT INTO {table} (user, name, data) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET data = excluded.data"
    ))?
    .execute((user, name, data))?;
    Ok(())
}

pub fn get(tx: &Tx, user: UserKey, what: Belonging, name: &str) -> Result<Option<String>> {
    let table = what.table();
    tx.prepare_cached(&format!("SELECT data FROM {table} WHERE user = ?1 AND name = ?2"))?
        .query_row((user, name), |row| row.get(0))
        .optional()
}

/// Removes everything of one kind. Twice is as good as once.
pub fn remove_all(tx: &Tx, user: UserKey, what: Belonging) -> Result<()> {
    let table = what.table();
    tx.prepare_cached(&format!("DELETE FROM {table} WHERE user = ?1"))?.execute([user])?;
    Ok(())
}

/// A pusher belongs to a device, and ends with it.
#[cfg(test)]
pub fn put_pusher(tx: &Tx, user: UserKey, device_id: &str, push_key: &str, data: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO pushers (user, device_id, name, data) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET device_id = excluded.device_id, data = excluded.data",
    )?
    .execute((user, device_id, push_key, data))?;
    Ok(())
}

/// Removes every pusher of a user. Twice is as good as once.
pub fn remove_pushers(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached("DELETE FROM pushers WHERE user = ?1")?.execute([user])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::users::{NewUser, create};
    use crate::db::{Db, devices};

    #[test]
    fn every_kind_is_kept_apart_and_removed_without_harm() {
        use Belonging::*;
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let all = [KeyBackup, AccountData, Profile, Directory, CrossSigningKey];
            for what in all {
                put(tx, alice, what, "name", "old")?;
                put(tx, alice, what, "name", what.table())?;
            }
            for what in all {
                assert_eq!(get(tx, alice, what, "name")?.as_deref(), Some(what.table()));
                remove_all(tx, alice, what)?;
                remove_all(tx, alice, what)?;
                assert_eq!(get(tx, alice, what, "name")?, None);
            }
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn pushers_end_with_their_device_or_their_user() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let count = || tx.query_one("SELECT count(*) FROM pushers", [], |row| row.get::<_, u64>(0));
            for id in ["A", "B"] {
                devices::put(tx, alice, id, None, 1)?;
                put_pusher(tx, alice, id, id, "{}")?;
            }
            devices::remove(tx, alice, "A")?;
            assert_eq!(count()?, 1);
            remove_pushers(tx, alice)?;
            remove_pushers(tx, alice)?;
            assert_eq!(count()?, 0);
            Ok(())
        });
        done.unwrap();
    }
}
