//! Access and refresh tokens.
//!
//! A device's tokens come in generations: logging in makes generation 0, a refresh the one after that of
//! the refresh token it was asked with. Using any token makes its generation the device's, and all older
//! ones spent. So the old refresh token works until one of the new pair is used (the answer may have been
//! lost), and a refresh repeated with it replaces the pair that nobody has used.
//!
//! Spent tokens are remembered for a while: their client is logged out softly, for it, or a request of it
//! that was under way, has a successor. An unknown token tells a client to forget everything.

use super::users::User;
use super::{Result, UserKey, devices};
use crate::secrets::SecretHash;
use rusqlite::{OptionalExtension as _, Transaction};

/// How many spent generations of a device are remembered.
const REMEMBERED: u64 = 16;

/// Who presents a token.
#[derive(Debug)]
pub struct Bearer {
    pub user: User,
    pub device_id: String,
    /// Expired or spent: no longer good for anything, but its device lives on.
    pub stale: bool,
    /// When UIA was last completed with this token.
    pub uia_at: Option<u64>,
}

/// Tokens to be handed out.
#[derive(Debug, Clone, Copy)]
pub struct NewTokens {
    pub access: SecretHash,
    pub expires_at: Option<u64>,
    pub refresh: Option<SecretHash>,
}

/// Hands out a device's first tokens. Whatever it had before ends.
pub fn issue(tx: &Transaction<'_>, user: UserKey, device_id: &str, new: &NewTokens) -> Result<()> {
    end(tx, user, device_id)?;
    tx.prepare_cached("UPDATE devices SET generation = 0 WHERE user = ?1 AND device_id = ?2")?
        .execute((user, device_id))?;
    insert(tx, user, device_id, new, 0)
}

/// Ends all tokens of a device, which itself stays.
pub fn end(tx: &Transaction<'_>, user: UserKey, device_id: &str) -> Result<()> {
    for table in ["access_tokens", "refresh_tokens"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE user = ?1 AND device_id = ?2"))?
            .execute((user, device_id))?;
    }
    Ok(())
}

/// Who presents this access token; `None` if there is no such token. Counts as its use.
pub fn bearer(tx: &Transaction<'_>, access: &SecretHash, now_ms: u64) -> Result<Option<Bearer>> {
    let found = tx
        .prepare_cached(
            "SELECT u.*, t.device_id, t.generation, d.generation AS newest_used, t.uia_at,
                    ifnull(t.expires_at <= ?2, 0) AS expired
             FROM access_tokens t
             JOIN devices d ON d.user = t.user AND d.device_id = t.device_id
             JOIN users u ON u.id = t.user
             WHERE t.hash = ?1",
        )?
        .query_row((access, now_ms), |row| {
            let uses = (row.get("generation")?, row.get("newest_used")?);
            let bearer = Bearer {
                user: User::from_row(row)?,
                device_id: row.get("device_id")?,
                stale: row.get("expired")?,
                uia_at: row.get("uia_at")?,
            };
            Ok((bearer, uses))
        })
        .optional()?;
    let Some((mut bearer, (generation, newest_used))) = found else { return Ok(None) };
    bearer.stale |= generation < newest_used;
    if !bearer.stale {
        used(tx, &bearer, generation, newest_used)?;
        devices::seen(tx, bearer.user.key, &bearer.device_id, now_ms)?;
    }
    Ok(Some(bearer))
}

/// Who presents this refresh token; `None` if there is no such token. Counts as its use.
pub fn refresh_bearer(tx: &Transaction<'_>, refresh: &SecretHash) -> Result<Option<Bearer>> {
    let found = tx
        .prepare_cached(
            "SELECT u.*, t.device_id, t.generation, d.generation AS newest_used
             FROM refresh_tokens t
             JOIN devices d ON d.user = t.user AND d.device_id = t.device_id
             JOIN users u ON u.id = t.user
             WHERE t.hash = ?1",
        )?
        .query_row([refresh], |row| {
            let uses: (u64, u64) = (row.get("generation")?, row.get("newest_used")?);
            let bearer = Bearer {
                user: User::from_row(row)?,
                device_id: row.get("device_id")?,
                stale: uses.0 < uses.1,
                uia_at: None,
            };
            Ok((bearer, uses))
        })
        .optional()?;
    let Some((bearer, (generation, newest_used))) = found else { return Ok(None) };
    if !bearer.stale {
        used(tx, &bearer, generation, newest_used)?;
    }
    Ok(Some(bearer))
}

/// Hands out the generation after that of `refresh`, which [`refresh_bearer`] has found to be live in the
/// same transaction.
pub fn rotate(tx: &Transaction<'_>, refresh: &SecretHash, new: &NewTokens) -> Result<()> {
    let (user, device_id, generation): (UserKey, String, u64) = tx
        .prepare_cached("SELECT user, device_id, generation FROM refresh_tokens WHERE hash = ?1")?
        .query_row([refresh], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for table in ["access_tokens", "refresh_tokens"] {
        tx.prepare_cached(&format!(
            "DELETE FROM {table} WHERE user = ?1 AND device_id = ?2 AND generation > ?3"
        ))?
        .execute((user, &device_id, generation))?;
    }
    insert(tx, user, &device_id, new, generation.saturating_add(1))
}

/// UIA was completed with this token.
pub fn mark_uia(tx: &Transaction<'_>, access: &SecretHash, now_ms: u64) -> Result<()> {
    tx.prepare_cached("UPDATE access_tokens SET uia_at = ?2 WHERE hash = ?1")?.execute((access, now_ms))?;
    Ok(())
}

fn insert(
    tx: &Transaction<'_>,
    user: UserKey,
    device_id: &str,
    new: &NewTokens,
    generation: u64,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO access_tokens (hash, user, device_id, generation, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((new.access, user, device_id, generation, new.expires_at))?;
    if let Some(refresh) = new.refresh {
        tx.prepare_cached(
            "INSERT INTO refresh_tokens (hash, user, device_id, generation) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((refresh, user, device_id, generation))?;
    }
    Ok(())
}

/// The first use of a generation makes the older ones spent, and forgets the oldest.
fn used(tx: &Transaction<'_>, bearer: &Bearer, generation: u64, newest_used: u64) -> Result<()> {
    if generation == newest_used {
        return Ok(());
    }
    let (user, device_id) = (bearer.user.key, &bearer.device_id);
    tx.prepare_cached("UPDATE devices SET generation = ?3 WHERE user = ?1 AND device_id = ?2")?
        .execute((user, device_id, generation))?;
    for table in ["access_tokens", "refresh_tokens"] {
        tx.prepare_cached(&format!(
            "DELETE FROM {table} WHERE user = ?1 AND device_id = ?2 AND generation + ?4 < ?3"
        ))?
        .execute((user, device_id, generation, REMEMBERED))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::users::{NewUser, create};

    fn pair(name: &str) -> NewTokens {
        let refresh = Some(SecretHash::of(format!("refresh {name}")));
        NewTokens { access: SecretHash::of(name), expires_at: None, refresh }
    }

    /// What a client would see: `Some(stale)`, or `None` for an unknown token.
    fn stale(tx: &Transaction<'_>, name: &str) -> Option<bool> {
        bearer(tx, &SecretHash::of(name), 1_000).unwrap().map(|bearer| bearer.stale)
    }

    fn stale_refresh(tx: &Transaction<'_>, name: &str) -> Option<bool> {
        refresh_bearer(tx, &pair(name).refresh.unwrap()).unwrap().map(|bearer| bearer.stale)
    }

    /// Alice, logged in with the pair `a` on her phone.
    fn logged_in(test: impl FnOnce(&Transaction<'_>, UserKey) -> Result<()>) {
        let db = Db::in_memory().unwrap();
        db.transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            devices::put(tx, alice, "PHONE", None, 1)?;
            issue(tx, alice, "PHONE", &pair("a"))?;
            test(tx, alice)
        })
        .unwrap();
    }

    #[test]
    fn a_token_leads_to_its_user_and_device() {
        logged_in(|tx, alice| {
            let found = bearer(tx, &SecretHash::of("a"), 2)?.unwrap();
            assert_eq!((found.user.key, found.device_id.as_str(), found.stale), (alice, "PHONE", false));
            assert_eq!(stale(tx, "b"), None);
            assert_eq!(stale_refresh(tx, "b"), None);
            Ok(())
        });
    }

    #[test]
    fn logging_in_again_on_a_device_ends_its_earlier_tokens() {
        logged_in(|tx, alice| {
            rotate(tx, &pair("a").refresh.unwrap(), &pair("b"))?;
            assert_eq!(stale(tx, "b"), Some(false));
            issue(tx, alice, "PHONE", &pair("c"))?;
            assert_eq!((stale(tx, "a"), stale(tx, "b"), stale(tx, "c")), (None, None, Some(false)));
            assert_eq!((stale_refresh(tx, "b"), stale_refresh(tx, "c")), (None, Some(false)));
            Ok(())
        });
    }

    #[test]
    fn no_token_outlives_its_device() {
        logged_in(|tx, alice| {
            devices::remove(tx, alice, "PHONE")?;
            assert_eq!((stale(tx, "a"), stale_refresh(tx, "a")), (None, None));
            Ok(())
        });
    }

    #[test]
    fn a_token_expires_at_its_time_and_its_device_lives_on() {
        logged_in(|tx, alice| {
            let new = NewTokens { expires_at: Some(500), ..pair("b") };
            issue(tx, alice, "PHONE", &new)?;
            let at = |now_ms| bearer(tx, &new.access, now_ms).map(|bearer| bearer.unwrap().stale);
            assert_eq!((at(499)?, at(500)?), (false, true));
            Ok(())
        });
    }

    #[test]
    fn the_old_refresh_token_dies_when_the_new_access_token_is_first_used() {
        logged_in(|tx, _| {
            rotate(tx, &pair("a").refresh.unwrap(), &pair("b"))?;
            assert_eq!((stale(tx, "a"), stale_refresh(tx, "a")), (Some(false), Some(false)));
            assert_eq!(stale(tx, "b"), Some(false));
            assert_eq!((stale(tx, "a"), stale_refresh(tx, "a")), (Some(true), Some(true)));
            Ok(())
        });
    }

    #[test]
    fn the_old_refresh_token_dies_when_the_new_refresh_token_is_first_used() {
        logged_in(|tx, _| {
            rotate(tx, &pair("a").refresh.unwrap(), &pair("b"))?;
            assert_eq!(stale_refresh(tx, "b"), Some(false));
            assert_eq!((stale(tx, "a"), stale_refresh(tx, "a")), (Some(true), Some(true)));
            Ok(())
        });
    }

    #[test]
    fn a_refresh_repeated_because_the_answer_was_lost_leaves_one_pair() {
        logged_in(|tx, _| {
            rotate(tx, &pair("a").refresh.unwrap(), &pair("lost"))?;
            rotate(tx, &pair("a").refresh.unwrap(), &pair("b"))?;
            assert_eq!((stale(tx, "lost"), stale_refresh(tx, "lost")), (None, None));
            assert_eq!(stale(tx, "b"), Some(false));
            Ok(())
        });
    }

    #[test]
    fn spent_tokens_are_remembered_but_not_for_ever() {
        logged_in(|tx, _| {
            let mut last = "a".to_owned();
            for n in 0..REMEMBERED + 1 {
                let next = n.to_string();
                rotate(tx, &pair(&last).refresh.unwrap(), &pair(&next))?;
                assert_eq!(stale(tx, &next), Some(false));
                last = next;
            }
            assert_eq!((stale_refresh(tx, "a"), stale_refresh(tx, "0")), (None, Some(true)));
            Ok(())
        });
    }

    #[test]
    fn completed_uia_is_remembered_for_the_token_alone() {
        logged_in(|tx, _| {
            mark_uia(tx, &SecretHash::of("a"), 42)?;
            assert_eq!(bearer(tx, &SecretHash::of("a"), 43)?.unwrap().uia_at, Some(42));
            rotate(tx, &pair("a").refresh.unwrap(), &pair("b"))?;
            assert_eq!(bearer(tx, &SecretHash::of("b"), 44)?.unwrap().uia_at, None);
            Ok(())
        });
    }
}
