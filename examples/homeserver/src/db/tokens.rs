//! Access and refresh tokens.
//!
//! Which of a device's tokens are alive is the crate's to decide, by their generations: see
//! [`matrix_uia::endpoint::refresh`]. Here they are kept.

use super::users::User;
use super::{Result, Tx, UserKey, devices};
use crate::secrets::SecretHash;
use matrix_uia::endpoint::refresh::{Generation, Presented};
use matrix_uia::{Millis, Timestamp};
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

/// Hands out a device's first tokens. Whatever it had before is replaced, and remembered for a while: who presents it
/// is told softly, as the device lives on (rule L8).
pub fn issue(tx: &Tx, user: UserKey, device_id: &str, new: &NewTokens) -> Result<()> {
    replace(tx, user, device_id)?;
    tx.prepare_cached("UPDATE devices SET generation = ?3 WHERE user = ?1 AND device_id = ?2")?.execute((
        user,
        device_id,
        Generation::FIRST.get(),
    ))?;
    insert(tx, user, device_id, new, Generation::FIRST)
}

/// Ends all tokens of a device, which itself stays.
pub fn replace(tx: &Tx, user: UserKey, device_id: &str) -> Result<()> {
    replace_after(tx, user, device_id, None)
}

/// The same for those of a later generation, if one is given.
fn replace_after(tx: &Tx, user: UserKey, device_id: &str, generation: Option<Generation>) -> Result<()> {
    for table in ["access_tokens", "refresh_tokens"] {
        tx.prepare_cached(&format!(
            "UPDATE {table} SET replaced = replaced + 1
             WHERE user = ?1 AND device_id = ?2 AND (?3 IS NULL OR generation > ?3)"
        ))?
        .execute((user, device_id, generation.map(Generation::get)))?;
        tx.prepare_cached(&format!(
            "DELETE FROM {table} WHERE user = ?1 AND device_id = ?2 AND replaced > ?3"
        ))?
        .execute((user, device_id, Generation::REMEMBERED))?;
    }
    Ok(())
}

/// Who presents this access token; `None` if there is no such token. Counts as its use, if it is good. One that
/// expires does so within `lifetime`, unless the clock was wrong when it was made.
pub fn bearer(
    tx: &Tx,
    access: &SecretHash,
    lifetime: Option<Millis>,
    now: Timestamp,
) -> Result<Option<Bearer>> {
    let found = tx
        .prepare_cached(
            "SELECT u.*, t.device_id, t.generation, t.replaced, d.generation AS newest_used, t.uia_at, t.uia_epoch,
                    t.expires_at
             FROM access_tokens t
             JOIN devices d ON d.user = t.user AND d.device_id = t.device_id
             JOIN users u ON u.id = t.user
             WHERE t.hash = ?1",
        )?
        .query_row([access], |row| {
            let generation = Generation::new(row.get("generation")?);
            let bearer = Bearer {
                user: User::from_row(row)?,
                device_id: row.get("device_id")?,
                presented: presented(row, generation)?,
                expired: row.get::<_, Option<u64>>("expires_at")?.is_some_and(|end| {
                    // Where new ones don't expire any more, nothing is known of how long one may have been given.
                    Timestamp::from_millis(end).has_passed(lifetime.unwrap_or(Millis::new(u64::MAX)), now)
                }),
                uia: row.get::<_, Option<_>>("uia_at")?.zip(row.get("uia_epoch")?),
            };
            Ok((bearer, generation))
        })
        .optional()?;
    let Some((bearer, generation)) = found else { return Ok(None) };
    if !bearer.expired && bearer.presented.is_good() {
        used(tx, &bearer, generation)?;
        devices::seen(tx, bearer.user.key, &bearer.device_id, now.as_millis())?;
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
    replace_after(tx, user, device_id, Some(generation))?;
    insert(tx, user, device_id, new, generation.next())
}

fn presented(row: &Row<'_>, generation: Generation) -> Result<Presented> {
    if row.get::<_, u64>("replaced")? > 0 {
        return Ok(Presented::Spent);
    }
    Ok(generation.presented(Generation::new(row.get("newest_used")?)))
}

/// Whose access token it is, on which device, and whether another was handed out in its place; be it expired. No use
/// of it.
pub fn owner(tx: &Tx, access: &SecretHash) -> Result<Option<(User, String, bool)>> {
    tx.prepare_cached(
        "SELECT u.*, t.device_id, t.replaced FROM access_tokens t JOIN users u ON u.id = t.user
         WHERE t.hash = ?1",
    )?
    .query_row([access], |row| {
        let replaced: u64 = row.get("replaced")?;
        Ok((User::from_row(row)?, row.get("device_id")?, replaced > 0))
    })
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
        at(tx, name, 1_000).map(|bearer| is_stale(&bearer))
    }

    fn at(tx: &Tx, name: &str, now: u64) -> Option<Bearer> {
        bearer(tx, &SecretHash::of(name), Some(Millis::new(500)), Timestamp::from_millis(now)).unwrap()
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
            let found = at(tx, "a", 2).unwrap();
            assert_eq!((found.user.key, found.device_id.as_str(), is_stale(&found)), (alice, "PHONE", false));
            assert_eq!(stale(tx, "b"), None);
            let owner = |name: &str| {
                owner(tx, &SecretHash::of(name))
                    .map(|owner| owner.map(|(user, _, replaced)| (user.key, replaced)))
            };
            assert_eq!((owner("a")?, owner("b")?), (Some((alice, false)), None));
            devices::remove(tx, alice, "PHONE")?;
            assert_eq!(owner("a")?, None);
            assert_eq!(stale_refresh(tx, "b"), None);
            Ok(())
        });
    }

    #[test]
    fn lesson_97_logging_in_again_on_a_device_softly_ends_its_earlier_tokens() {
        logged_in(|tx, alice| {
            rotate(tx, "a", "b")?;
            assert_eq!(stale(tx, "b"), Some(false));
            issue(tx, alice, "PHONE", &pair("c"))?;
            assert_eq!(["a", "b", "c"].map(|name| stale(tx, name)), [Some(true), Some(true), Some(false)]);
            assert_eq!((stale_refresh(tx, "b"), stale_refresh(tx, "c")), (Some(true), Some(false)));
            assert!(owner(tx, &SecretHash::of("b"))?.is_some_and(|(_, _, replaced)| replaced));
            for n in 0..Generation::REMEMBERED {
                issue(tx, alice, "PHONE", &pair(&n.to_string()))?;
            }
            assert_eq!((stale(tx, "b"), stale(tx, "c")), (None, Some(true)), "not for ever");
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
            let at = |now| is_stale(&at(tx, "b", now).unwrap());
            assert_eq!((at(499), at(500)), (false, true));
            Ok(())
        });
    }

    #[test]
    fn lesson_104_a_token_that_expires_in_2099_has_expired() {
        logged_in(|tx, alice| {
            issue(tx, alice, "PHONE", &NewTokens { expires_at: Some(4_070_908_800_000), ..pair("b") })?;
            assert_eq!(stale(tx, "b"), Some(true));
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
            assert_eq!(at(tx, "a", 43).unwrap().uia, Some((42, 7)));
            rotate(tx, "a", "b")?;
            assert_eq!(at(tx, "b", 44).unwrap().uia, None);
            Ok(())
        });
    }
}
