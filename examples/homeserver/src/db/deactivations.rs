//! Deactivations that have begun and not ended: what a restart must finish.

use super::{Result, Tx, UserKey};
use rusqlite::OptionalExtension as _;

/// Keeps how far one has got, in the place of how far it had got before.
pub fn put(tx: &Tx, user: UserKey, progress: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO deactivations (user, progress) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET progress = excluded.progress",
    )?
    .execute((user, progress))?;
    Ok(())
}

pub fn load(tx: &Tx, user: UserKey) -> Result<Option<String>> {
    tx.prepare_cached("SELECT progress FROM deactivations WHERE user = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()
}

/// Every one that is under way.
pub fn all(tx: &Tx) -> Result<Vec<(UserKey, String)>> {
    tx.prepare_cached("SELECT user, progress FROM deactivations ORDER BY user")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// It has ended.
#[cfg(test)]
pub fn remove(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached("DELETE FROM deactivations WHERE user = ?1")?.execute([user])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::users::{NewUser, create};

    #[test]
    fn progress_is_kept_until_the_end() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let bob = create(tx, &NewUser::named("bob"))?.unwrap();
            assert_eq!(load(tx, alice)?, None);
            put(tx, bob, "begun")?;
            put(tx, alice, "begun")?;
            put(tx, alice, "half")?;
            assert_eq!(load(tx, alice)?.as_deref(), Some("half"));
            assert_eq!(all(tx)?, [(alice, "half".to_owned()), (bob, "begun".to_owned())]);
            remove(tx, alice)?;
            remove(tx, alice)?;
            assert_eq!(all(tx)?.len(), 1);
            Ok(())
        });
        done.unwrap();
    }
}
