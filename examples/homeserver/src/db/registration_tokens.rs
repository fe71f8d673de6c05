//! Uses of registration tokens: promised to a session when the stage passes, spent when the account is
//! made, free again when the session ends. How many there are, the config says.
//!
//! A reservation ends at the time its session does, wherever that session lives: should nobody give it
//! back, a crash included, it counts no longer.

use super::{Result, Tx};
use crate::secrets::Secret;
use matrix_uia::{CLOCK_TOLERANCE, Millis, Timestamp};
use rusqlite::OptionalExtension as _;

/// How many uses are gone: spent, or promised to a session that can still spend them. No session lives longer than
/// `lifetime`: what is promised for later was promised while the clock was wrong.
pub fn used(tx: &Tx, token: &Secret, lifetime: Millis, now: Timestamp) -> Result<u64> {
    tx.prepare_cached(
        "SELECT ifnull((SELECT spent FROM registration_token_uses WHERE token = ?1), 0)
              + (SELECT count(*) FROM registration_token_reservations
                 WHERE token = ?1 AND ends_at > ?2 AND ends_at <= ?3)",
    )?
    .query_row((token.expose(), now.as_millis(), latest(lifetime, now)), |row| row.get(0))
}

fn latest(lifetime: Millis, now: Timestamp) -> u64 {
    now.after(CLOCK_TOLERANCE).after(lifetime).as_millis()
}

/// Removes some promises that are over; whether there was any.
pub fn forget(tx: &Tx, lifetime: Millis, now: Timestamp, at_most: usize) -> Result<bool> {
    let forgotten = tx
        .prepare_cached(
            "DELETE FROM registration_token_reservations WHERE session IN
                 (SELECT session FROM registration_token_reservations
                  WHERE ends_at <= ?1 OR ends_at > ?2 LIMIT ?3)",
        )?
        .execute((now.as_millis(), latest(lifetime, now), at_most))?;
    Ok(forgotten > 0)
}

/// Promises one of `allowed` uses (`None`: any number) to a session that lives for `lifetime` at the most. `false` if
/// none is left. A session that asks again has what it has.
pub fn reserve(
    tx: &Tx,
    token: &Secret,
    allowed: Option<u64>,
    session: &[u8],
    lifetime: Millis,
    now: Timestamp,
) -> Result<bool> {
    let held: Option<String> = tx
        .prepare_cached("SELECT token FROM registration_token_reservations WHERE session = ?1")?
        .query_row([session], |row| row.get(0))
        .optional()?;
    if let Some(held) = held {
        return Ok(token.matches(held));
    }
    if let Some(allowed) = allowed
        && used(tx, token, lifetime, now)? >= allowed
    {
        return Ok(false);
    }
    tx.prepare_cached(
        "INSERT INTO registration_token_reservations (session, token, ends_at) VALUES (?1, ?2, ?3)",
    )?
    .execute((session, token.expose(), now.after(lifetime).as_millis()))?;
    Ok(true)
}

/// The session's registration succeeded. `false` if no use is promised to it (any more).
#[must_use = "who spends what isn't theirs must not go on"]
pub fn spend(tx: &Tx, session: &[u8]) -> Result<bool> {
    let token: Option<String> = tx
        .prepare_cached("DELETE FROM registration_token_reservations WHERE session = ?1 RETURNING token")?
        .query_row([session], |row| row.get(0))
        .optional()?;
    let Some(token) = token else { return Ok(false) };
    tx.prepare_cached(
        "INSERT INTO registration_token_uses (token, spent) VALUES (?1, 1)
         ON CONFLICT DO UPDATE SET spent = spent + 1",
    )?
    .execute([token])?;
    Ok(true)
}

/// The session ended without a registration.
pub fn give_back(tx: &Tx, session: &[u8]) -> Result<()> {
    tx.prepare_cached("DELETE FROM registration_token_reservations WHERE session = ?1")?
        .execute([session])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    const LIFETIME: Millis = Millis::new(99);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn with_token(test: impl FnOnce(&Tx, &Secret) -> Result<()>) {
        let token = Secret::new("fBVFdqVE".to_owned());
        Db::in_memory().unwrap().blocking_transaction(|tx| test(tx, &token)).unwrap();
    }

    fn reserve(tx: &Tx, token: &Secret, allowed: Option<u64>, session: &[u8]) -> Result<bool> {
        super::reserve(tx, token, allowed, session, LIFETIME, at(1))
    }

    fn used(tx: &Tx, token: &Secret, now: u64) -> Result<u64> {
        super::used(tx, token, LIFETIME, at(now))
    }

    #[test]
    fn a_use_is_promised_up_to_the_limit_and_no_further() {
        for limit in [0, 1, 2] {
            with_token(|tx, token| {
                for n in 0..=limit {
                    let session = n.to_string();
                    let got = reserve(tx, token, Some(limit), session.as_bytes())?;
                    assert_eq!(got, n < limit, "use {n} of {limit}");
                }
                assert_eq!(used(tx, token, 1)?, limit);
                Ok(())
            });
        }
    }

    #[test]
    fn a_spent_use_stays_spent_and_one_given_back_is_free() {
        with_token(|tx, token| {
            assert!(reserve(tx, token, Some(1), b"a")?);
            give_back(tx, b"a")?;
            give_back(tx, b"a")?;
            assert!(reserve(tx, token, Some(1), b"b")?);
            assert!(spend(tx, b"b")?);
            assert!(!spend(tx, b"b")?, "once");
            give_back(tx, b"b")?;
            assert_eq!(used(tx, token, 1_000)?, 1);
            assert!(!reserve(tx, token, Some(1), b"c")?);
            assert!(reserve(tx, token, None, b"c")?);
            Ok(())
        });
    }

    #[test]
    fn asking_again_takes_no_second_use() {
        with_token(|tx, token| {
            let other = Secret::new("other".to_owned());
            assert!(reserve(tx, token, Some(2), b"a")?);
            assert!(reserve(tx, token, Some(2), b"a")?);
            assert!(!reserve(tx, &other, None, b"a")?, "nor one of another token");
            assert_eq!(used(tx, token, 1)?, 1);
            Ok(())
        });
    }

    #[test]
    fn a_reservation_ends_with_its_session() {
        with_token(|tx, token| {
            assert!(reserve(tx, token, Some(1), b"a")?);
            assert!(!super::reserve(tx, token, Some(1), b"b", LIFETIME, at(99))?);
            assert!(super::reserve(tx, token, Some(1), b"b", LIFETIME, at(100))?);
            assert!(forget(tx, LIFETIME, at(100), 9)? && !forget(tx, LIFETIME, at(100), 9)?);
            assert!(!spend(tx, b"a")?, "what has ended can't be spent");
            assert_eq!(used(tx, token, 1_000)?, 0);
            Ok(())
        });
    }

    #[test]
    fn lesson_104_a_reservation_from_2099_is_over() {
        with_token(|tx, token| {
            assert!(super::reserve(tx, token, Some(1), b"a", LIFETIME, at(4_070_908_800_000))?);
            assert_eq!(used(tx, token, 1)?, 0);
            assert!(reserve(tx, token, Some(1), b"b")?);
            assert!(forget(tx, LIFETIME, at(1), 9)?);
            assert!(spend(tx, b"b")? && !spend(tx, b"a")?);
            Ok(())
        });
    }
}
