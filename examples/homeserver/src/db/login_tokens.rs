//! Tokens for `m.login.token`: one short-lived use each.

use super::{Result, Tx, UserKey};
use crate::secrets::SecretHash;
use matrix_uia::{CLOCK_TOLERANCE, Millis, Timestamp};
use rusqlite::OptionalExtension as _;

/// Keeps a token that is good for `lifetime`.
pub fn put(tx: &Tx, token: &SecretHash, user: UserKey, lifetime: Millis, now: Timestamp) -> Result<()> {
    tx.prepare_cached("INSERT INTO login_tokens (hash, user, expires_at) VALUES (?1, ?2, ?3)")?.execute((
        token,
        user,
        now.after(lifetime).as_millis(),
    ))?;
    Ok(())
}

/// Uses a token up. `None` if it is unknown, used or expired.
pub fn take(tx: &Tx, token: &SecretHash, lifetime: Millis, now: Timestamp) -> Result<Option<UserKey>> {
    let found = tx
        .prepare_cached("DELETE FROM login_tokens WHERE hash = ?1 RETURNING user, expires_at")?
        .query_row([token], |row| Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?))))
        .optional()?;
    Ok(found.filter(|(_, end)| !end.has_passed(lifetime, now)).map(|(user, _)| user))
}

/// Drops some that nobody came for, or that were made while the clock was wrong; whether there was any.
pub fn forget(tx: &Tx, lifetime: Millis, now: Timestamp, at_most: usize) -> Result<bool> {
    let latest = now.after(CLOCK_TOLERANCE).after(lifetime);
    let forgotten = tx
        .prepare_cached(
            "DELETE FROM login_tokens WHERE hash IN
                 (SELECT hash FROM login_tokens WHERE expires_at <= ?1 OR expires_at > ?2 LIMIT ?3)",
        )?
        .execute((now.as_millis(), latest.as_millis(), at_most))?;
    Ok(forgotten > 0)
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
            let (token, lifetime, at) = (SecretHash::of("one"), Millis::new(100), Timestamp::from_millis);
            put(tx, &token, alice, lifetime, at(0))?;
            assert_eq!(take(tx, &token, lifetime, at(99))?, Some(alice));
            assert_eq!(take(tx, &token, lifetime, at(99))?, None);
            put(tx, &token, alice, lifetime, at(0))?;
            assert_eq!(take(tx, &token, lifetime, at(100))?, None);
            put(tx, &token, alice, lifetime, at(0))?;
            remove_by_user(tx, alice)?;
            assert_eq!(take(tx, &token, lifetime, at(1))?, None);
            put(tx, &token, alice, lifetime, at(0))?;
            assert!(!forget(tx, lifetime, at(99), 9)? && forget(tx, lifetime, at(100), 9)?);
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn lesson_104_a_token_from_2099_is_over() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let (token, lifetime, at) = (SecretHash::of("one"), Millis::new(100), Timestamp::from_millis);
            put(tx, &token, alice, lifetime, at(4_070_908_800_000))?;
            assert_eq!(take(tx, &token, lifetime, at(1))?, None);
            put(tx, &token, alice, lifetime, at(4_070_908_800_000))?;
            assert!(forget(tx, lifetime, at(1), 9)?);
            Ok(())
        });
        done.unwrap();
    }
}
