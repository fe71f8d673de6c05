//! Deactivations: those that have begun and not ended, which are to be finished; and how the others ended, for as
//! long as their requests may be repeated.

use super::{Result, Tx, UserKey};
use rusqlite::OptionalExtension as _;

/// Keeps how far one has got, in the place of how far it had got before. `forget_at` is for one that has ended.
pub fn put(tx: &Tx, user: UserKey, progress: &str, forget_at: Option<u64>) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO deactivations (user, progress, forget_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET progress = excluded.progress, forget_at = excluded.forget_at",
    )?
    .execute((user, progress, forget_at))?;
    Ok(())
}

pub fn load(tx: &Tx, user: UserKey) -> Result<Option<String>> {
    tx.prepare_cached("SELECT progress FROM deactivations WHERE user = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()
}

/// Some that are under way: the first of those whose users come after `after`.
pub fn under_way(tx: &Tx, after: Option<UserKey>, at_most: usize) -> Result<Vec<UserKey>> {
    tx.prepare_cached(
        "SELECT user FROM deactivations WHERE forget_at IS NULL AND (?1 IS NULL OR user > ?1)
         ORDER BY user LIMIT ?2",
    )?
    .query_map((after, at_most), |row| row.get(0))?
    .collect()
}

/// Forgets some of those that ended long ago, or while the clock was wrong; whether there was any.
pub fn forget(tx: &Tx, now_ms: u64, latest_ms: u64, at_most: usize) -> Result<bool> {
    let forgotten = tx
        .prepare_cached(
            "DELETE FROM deactivations WHERE user IN
                 (SELECT user FROM deactivations WHERE forget_at <= ?1 OR forget_at > ?2 LIMIT ?3)",
        )?
        .execute((now_ms, latest_ms, at_most))?;
    Ok(forgotten > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::users::{NewUser, create};

    #[test]
    fn progress_is_kept_until_the_end_and_a_while_longer() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let bob = create(tx, &NewUser::named("bob"))?.unwrap();
            assert_eq!(load(tx, alice)?, None);
            put(tx, bob, "begun", None)?;
            put(tx, alice, "begun", None)?;
            put(tx, alice, "half", None)?;
            assert_eq!(load(tx, alice)?.as_deref(), Some("half"));
            assert_eq!(under_way(tx, None, 9)?, [alice, bob]);
            assert_eq!(under_way(tx, None, 1)?, [alice]);
            assert_eq!(under_way(tx, Some(alice), 9)?, [bob]);
            put(tx, alice, "ended", Some(100))?;
            assert_eq!(under_way(tx, None, 9)?, [bob]);
            assert!(!forget(tx, 99, 1_000, 9)?);
            assert!(forget(tx, 100, 1_000, 9)?);
            assert_eq!(load(tx, alice)?, None);
            put(tx, alice, "ended", Some(1_001))?;
            assert!(forget(tx, 99, 1_000, 9)?, "from a clock that was wrong");
            Ok(())
        });
        done.unwrap();
    }
}
