//! Tokens for `m.login.token`: one short-lived use each.

use super::{Result, Tx, UserKey};
use crate::secrets::SecretHash;
use rusqlite::OptionalExtension as _;

/// Keeps a token, and drops those that nobody came for.
pub fn put(tx: &Tx, token: &SecretHash, user: UserKey, expires_at: u64, now_ms: u64) -> Result<()> {
    tx.prepare_cached("DELETE FROM login_tokens WHERE expires_at <= ?1")?.execute([now_ms])?;
    tx.prepare_cached("INSERT INTO login_tokens (hash, user, expires_at) VALUES (?1, ?2, ?3)")?
        .execute((token, user, expires_at))?;
    Ok(())
}

/// Uses a token up. `None` if it is unknown, used or expired.
pub fn take(tx: &Tx, token: &SecretHash, now_ms: u64) -> Result<Option<UserKey>> {
    tx.prepare_cached("DELETE FROM login_tokens WHERE hash = ?1 AND expires_at > ?2 RETURNING user")?
        .query_row((token, now_ms), |row| row.get(0))
        .optional()
}

/// Ends the tokens of a user.
pub fn remove_by_user(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached("DELETE FROM login_tokens WHERE user = ?1")?.execute([user])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::users::{NewUser, create};

    #[test]
    fn a_token_is_good_once_and_for_its_time() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let (one, other) = (SecretHash::of("one"), SecretHash::of("other"));
            put(tx, &one, alice, 100, 0)?;
            put(tx, &other, alice, 100, 0)?;
            assert_eq!(take(tx, &one, 99)?, Some(alice));
            assert_eq!(take(tx, &one, 99)?, None);
            assert_eq!(take(tx, &other, 100)?, None);
            assert_eq!(take(tx, &other, 99)?, Some(alice));
            put(tx, &one, alice, 100, 0)?;
            remove_by_user(tx, alice)?;
            assert_eq!(take(tx, &one, 1)?, None);
            Ok(())
        });
        done.unwrap();
    }
}
