//! Access and refresh tokens.
//!
//! Which of a device's tokens are alive is the crate's to decide, by their generations: see
//! [`matrix_uia::endpoint::refresh`]. Here they are kept.

use super::users::User;
use super::{Result, Tx, UserKey, devices};
use crate::secrets::SecretHash;
use matrix_uia::endpoint::refresh::{Generation, Presented};
use rusqlite::{OptionalExtension as _, Row};

/// Who presents a token.
#[derive(Debug)]
pub struct Bearer {
    pub user: User,
    pub device_id: String,
    /// What the token is among those of its device.
    pub presented: Presented,
    /// Past its time, though its device lives on.
    pub expired: bool,
    /// When UIA was last completed with this token, and the account's epoch then.
    pub uia: Option<(u64, u32)>,
}

/// Tokens to be handed out.
#[derive(Debug, Clone, Copy)]
pub struct NewTokens {
    pub access: SecretHash,
    pub expires_at: Option<u64>,
    pub refresh: Option<SecretHash>,
}

/// Hands out a device's first tokens. Whatever it had before ends.
pub fn issue(tx: &Tx, user: UserKey, device_id: &str, new: &NewTokens) -> Result<()> {
    end(tx, user, device_id)?;
    tx.prepare_cached("UPDATE devices SET generation = ?3 WHERE user = ?1 AND device_id = ?2")?.execute((
        user,
        device_id,
        Generation::FIRST.get(),
    ))?;
    insert(tx, user, device_id, new, Generation::FIRST)
}

/// Ends all tokens of a device, which itself stays.
pub fn end(tx: &Tx, user: UserKey, device_id: &str) -> Result<()> {
    for table in ["access_tokens", "refresh_tokens"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE user = ?1 AND device_id = ?2"))?
            .execute((user, device_id))?;
    }
    Ok(())
}

/// Who presents this access token; `None` if there is no such token. Counts as its use, if it is good.
pub fn bearer(tx: &Tx, access: &SecretHash, now_ms: u64) -> Result<Option<Bearer>> {
    let found = tx
        .prepare_cached(
            "SELECT u.*, t.device_id, t.generation, t.replaced, d.generation AS newest_used, t.uia_at, t.uia_epoch,
                    ifnull(t.expires_at <= ?2, 0) AS expired
             FROM access_tokens t
             JOIN devices d ON d.user = t.user AND d.device_id = t.device_id
             JOIN users u ON u.id = t.user
             WHERE t.hash = ?1",
        )?
        .query_row((access, now_ms), |row| {
            let generation = Generation::new(row.get("generation")?);
            let bearer = Bearer {
                user: User::from_row(row)?,
                device_id: row.get("device_id")?,
                presented: presented(row, generation)?,
                expired: row.get("expired")?,
                uia: row.get::<_, Option<_>>("uia_at")?.zip(row.get("uia_epoch")?),
            };
            Ok((bearer, generation))
        })
        .optional()?;
    let Some((bearer, generation)) = found else { return Ok(None) };
    if !bearer.expired && bearer.presented.is_good() {
        used(tx, &bearer, generation)?;
        devices::seen(tx, bearer.user.key, &bearer.device_id, now_ms)?;
    }
    Ok(Some(bearer))
}

/// Who presents this refresh token; `None` if there is no such token. Counts as its use, if it is good.
pub fn refresh_bearer(tx: &Tx, refresh: &SecretHash) -> Result<Option<(Bearer, Generation)>> {
    let found = tx
        .prepare_cached(
            "SELECT u.*, t.device_id, t.generation, t.replaced, d.generation AS newest_used
             FROM refresh_tokens t
             JOIN devices d ON d.user = t.user AND d.device_id = t.device_id
             JOIN users u ON u.id = t.user
             WHERE t.hash = ?1",
        )?
        .query_row([refresh], |row| {
            let generation = Generation::new(row.get("generation")?);
            let bearer = Bearer {
                user: User::from_row(row)?,
                device_id: row.get("device_id")?,
                presented: presented(row, generation)?,
                expired: false,
                uia: None,
            };
            Ok((bearer, generation))
        })
        .optional()?;
    if let Some((bearer, generation)) = &found {
        used(tx, bearer, *generation)?;
    }
    Ok(found)
}

/// Hands out what follows `generation`, which [`refresh_bearer`] has found to be good in the same
/// transaction. What an earlier refresh handed out, and nobody has used, is replaced, and remembered for a while.
pub fn rotate(
    tx: &Tx,
    user: UserKey,
    device_id: &str,
    generation: Generation,
    new: &NewTokens,
) -> Result<()> {
    for table in ["access_tokens", "refresh_tokens"] {
        tx.prepare_cached(&format!(
            "UPDATE {table} SET replaced = replaced + 1
             WHERE user = ?1 AND device_id = ?2 AND generation > ?3"
        ))?
        .execute((user, device_id, generation.get()))?;
        tx.prepare_cached(&format!(
            "DELETE FROM {table} WHERE user = ?1 AND device_id = ?2 AND replaced > ?3"
        ))?
        .execute((user, device_id, Generation::REMEMBERED))?;
    }
    insert(tx, user, device_id, new, generation.next())
}

fn presented(row: &Row<'_>, generation: Generation) -> Result<Presented> {
    if row.get("replaced")? {
        return Ok(Presented::Spent);
    }
    Ok(generation.presented(Generation::new(row.get("newest_used")?)))
}

/// Whose access token it is, if it still is one, be it expired. No use of it.
pub fn user(tx: &Tx, access: &SecretHash) -> Result<Option<User>> {
    tx.prepare_cached("SELECT u.* FROM access_tokens t JOIN users u ON u.id = t.user WHERE t.hash = ?1")?
        .query_row([access], User::from_row)
        .optional()
}

/// UIA was completed with this token, when the account was at that epoch.
pub fn mark_uia(tx: &Tx, access: &SecretHash, now_ms: u64, epoch: u32) -> Result<()> {
    tx.prepare_cached("UPDATE access_tokens SET uia_at = ?2, uia_epoch = ?3 WHERE hash = ?1")?
        .execute((access, now_ms, epoch))?;
    Ok(())
}

fn insert(tx: &Tx, user: UserKey, device_id: &str, new: &NewTokens, generation: Generation) -> Result<()> {
    let generation = generation.get();
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

/// The first use of a generation makes it the device's, and forgets the oldest.
fn used(tx: &Tx, bearer: &Bearer, generation: Generation) -> Result<()> {
    if bearer.presented != Presented::FirstUse {
        return Ok(());
    }
    let (user, device_id) = (bearer.user.key, &bearer.device_id);
    tx.prepare_cached("UPDATE devices SET generation = ?3 WHERE user = ?1 AND device_id = ?2")?.execute((
        user,
        device_id,
        generation.get(),
    ))?;
    for table in ["access_tokens", "refresh_tokens"] {
        tx.prepare_cached(&format!(
            "DELETE FROM {table} WHERE user = ?1 AND device_id = ?2 AND generation + ?4 < ?3"
        ))?
        .execute((user, device_id, generation.get(), Generation::REMEMBERED))?;
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
    fn stale(tx: &Tx, name: &str) -> Option<bool> {
        bearer(tx, &SecretHash::of(name), 1_000).unwrap().map(|bearer| is_stale(&bearer))
    }

    fn stale_refresh(tx: &Tx, name: &str) -> Option<bool> {
        refresh_bearer(tx, &pair(name).refresh.unwrap()).unwrap().map(|(bearer, _)| is_stale(&bearer))
    }

    fn is_stale(bearer: &Bearer) -> bool {
        bearer.expired || !bearer.presented.is_good()
    }

    /// A refresh with the pair `old`, answered with `new`.
    fn rotate(tx: &Tx, old: &str, new: &str) -> Result<()> {
        let (bearer, generation) = refresh_bearer(tx, &pair(old).refresh.unwrap())?.unwrap();
        assert!(bearer.presented.is_good());
        super::rotate(tx, bearer.user.key, &bearer.device_id, generation, &pair(new))
    }

    /// Alice, logged in with the pair `a` on her phone.
    fn logged_in(test: impl FnOnce(&Tx, UserKey) -> Result<()>) {
        let db = Db::in_memory().unwrap();
        db.blocking_transaction(|tx| {
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
            assert_eq!((found.user.key, found.device_id.as_str(), is_stale(&found)), (alice, "PHONE", false));
            assert_eq!(stale(tx, "b"), None);
            let owner = |name: &str| user(tx, &SecretHash::of(name)).map(|user| user.map(|user| user.key));
            assert_eq!((owner("a")?, owner("b")?), (Some(alice), None));
            devices::remove(tx, alice, "PHONE")?;
            assert_eq!(owner("a")?, None);
            assert_eq!(stale_refresh(tx, "b"), None);
            Ok(())
        });
    }

    #[test]
    fn logging_in_again_on_a_device_ends_its_earlier_tokens() {
        logged_in(|tx, alice| {
            rotate(tx, "a", "b")?;
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
            let at = |now_ms| bearer(tx, &new.access, now_ms).map(|bearer| is_stale(&bearer.unwrap()));
            assert_eq!((at(499)?, at(500)?), (false, true));
            Ok(())
        });
    }

    #[test]
    fn the_old_refresh_token_dies_when_the_new_access_token_is_first_used() {
        logged_in(|tx, _| {
            rotate(tx, "a", "b")?;
            assert_eq!((stale(tx, "a"), stale_refresh(tx, "a")), (Some(false), Some(false)));
            assert_eq!(stale(tx, "b"), Some(false));
            assert_eq!((stale(tx, "a"), stale_refresh(tx, "a")), (Some(true), Some(true)));
            Ok(())
        });
    }

    #[test]
    fn the_old_refresh_token_dies_when_the_new_refresh_token_is_first_used() {
        logged_in(|tx, _| {
            rotate(tx, "a", "b")?;
            assert_eq!(stale_refresh(tx, "b"), Some(false));
            assert_eq!((stale(tx, "a"), stale_refresh(tx, "a")), (Some(true), Some(true)));
            Ok(())
        });
    }

    #[test]
    fn a_refresh_repeated_because_the_answer_was_lost_leaves_one_pair() {
        logged_in(|tx, _| {
            rotate(tx, "a", "forgotten")?;
            for n in 1..Generation::REMEMBERED {
                rotate(tx, "a", &n.to_string())?;
            }
            rotate(tx, "a", "lost")?;
            rotate(tx, "a", "b")?;
            assert_eq!((stale(tx, "forgotten"), stale_refresh(tx, "forgotten")), (None, None));
            assert_eq!((stale(tx, "1"), stale_refresh(tx, "1")), (Some(true), Some(true)));
            assert_eq!((stale(tx, "lost"), stale_refresh(tx, "lost")), (Some(true), Some(true)));
            assert_eq!(stale(tx, "b"), Some(false));
            assert_eq!((stale(tx, "lost"), stale(tx, "a")), (Some(true), Some(true)));
            Ok(())
        });
    }

    #[test]
    fn spent_tokens_are_remembered_but_not_for_ever() {
        logged_in(|tx, _| {
            let mut last = "a".to_owned();
            for n in 0..Generation::REMEMBERED + 1 {
                let next = n.to_string();
                rotate(tx, &last, &next)?;
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
            mark_uia(tx, &SecretHash::of("a"), 42, 7)?;
            assert_eq!(bearer(tx, &SecretHash::of("a"), 43)?.unwrap().uia, Some((42, 7)));
            rotate(tx, "a", "b")?;
            assert_eq!(bearer(tx, &SecretHash::of("b"), 44)?.unwrap().uia, None);
            Ok(())
        });
    }
}
