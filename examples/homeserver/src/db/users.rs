//! Accounts.

use super::{Result, Tx, UserKey};
use crate::password::PasswordHash;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

/// An account as it stands. The password is asked for apart, by who verifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub key: UserKey,
    pub localpart: String,
    pub locked: bool,
    pub suspended: bool,
    pub phase: Phase,
    pub erased: bool,
    pub admin: bool,
    pub guest: bool,
    /// Whether any password is right.
    pub has_password: bool,
    /// Differs from what it was when something was begun: then that is void.
    pub epoch: u64,
}

/// How far an account is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Active,
    /// Fenced: nothing gets in, and what is left of it is being removed.
    Deactivating,
    Deactivated,
}

/// An account to be made.
#[derive(Debug)]
pub struct NewUser<'a> {
    pub localpart: &'a str,
    pub password: Option<&'a PasswordHash>,
    pub phase: Phase,
    pub locked: bool,
    pub suspended: bool,
    pub admin: bool,
    pub guest: bool,
}

impl<'a> NewUser<'a> {
    /// An ordinary account, without a password.
    pub const fn named(localpart: &'a str) -> Self {
        Self {
            localpart,
            password: None,
            phase: Phase::Active,
            locked: false,
            suspended: false,
            admin: false,
            guest: false,
        }
    }
}

/// Makes an account. `None` if the name is taken, by whatever account and in whatever state.
pub fn create(tx: &Tx, new: &NewUser<'_>) -> Result<Option<UserKey>> {
    tx.add_name(new.localpart);
    tx.prepare_cached(
        "INSERT INTO users (localpart, password_hash, phase, locked, suspended, admin, guest)
         VALUES (:localpart, :password, :phase, :locked, :suspended, :admin, :guest)
         ON CONFLICT (localpart) DO NOTHING RETURNING id",
    )?
    .query_row(
        named_params! {
            ":localpart": new.localpart, ":password": new.password, ":phase": new.phase,
            ":locked": new.locked, ":suspended": new.suspended, ":admin": new.admin, ":guest": new.guest,
        },
        |row| row.get(0),
    )
    .optional()
}

pub fn by_key(tx: &Tx, user: UserKey) -> Result<Option<User>> {
    tx.prepare_cached("SELECT * FROM users WHERE id = ?1")?.query_row([user], User::from_row).optional()
}

pub fn by_localpart(db: &Connection, localpart: &str) -> Result<Option<User>> {
    db.prepare_cached("SELECT * FROM users WHERE localpart = ?1")?
        .query_row([localpart], User::from_row)
        .optional()
}

/// Whether there is such an account, whatever else its row says: also one that can't be read.
pub fn exists(db: &Connection, localpart: &str) -> Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM users WHERE localpart = ?1)")?
        .query_row([localpart], |row| row.get(0))
}

/// `None` if the account has no password (or doesn't exist): then no password is right.
pub fn password_hash(tx: &Tx, user: UserKey) -> Result<Option<PasswordHash>> {
    let hash = tx
        .prepare_cached("SELECT password_hash FROM users WHERE id = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()?;
    Ok(hash.flatten())
}

/// Replaces the password, or removes it. What was begun under the old one is void.
pub fn set_password(tx: &Tx, user: UserKey, hash: Option<&PasswordHash>) -> Result<()> {
    tx.prepare_cached(
        "UPDATE users SET password_hash = ?2, epoch = epoch + 1
         WHERE id = ?1 AND password_hash IS NOT ?2",
    )?
    .execute((user, hash))?;
    Ok(())
}

/// Makes a guest a full user.
pub fn set_full(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached("UPDATE users SET guest = 0 WHERE id = ?1")?.execute([user])?;
    Ok(())
}

pub fn set_locked(tx: &Tx, user: UserKey, locked: bool) -> Result<()> {
    tx.prepare_cached("UPDATE users SET locked = ?2 WHERE id = ?1")?.execute((user, locked))?;
    Ok(())
}

pub fn set_suspended(tx: &Tx, user: UserKey, suspended: bool) -> Result<()> {
    tx.prepare_cached("UPDATE users SET suspended = ?2 WHERE id = ?1")?.execute((user, suspended))?;
    Ok(())
}

/// The first effect of a deactivation. Whether it was this call that raised the fence.
pub fn fence(tx: &Tx, user: UserKey) -> Result<bool> {
    let raised = tx
        .prepare_cached(
            "UPDATE users SET phase = 'deactivating', epoch = epoch + 1 WHERE id = ?1 AND phase = 'active'",
        )?
        .execute([user])?;
    Ok(raised == 1)
}

pub fn mark_erased(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached("UPDATE users SET erased = 1 WHERE id = ?1")?.execute([user])?;
    Ok(())
}

/// The last effect of a deactivation.
pub fn mark_deactivated(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached("UPDATE users SET phase = 'deactivated' WHERE id = ?1")?.execute([user])?;
    Ok(())
}

impl User {
    /// One that has no row.
    pub fn unregistered(localpart: &str) -> Self {
        Self {
            key: UserKey::NOBODY,
            localpart: localpart.to_owned(),
            locked: false,
            suspended: false,
            phase: Phase::Active,
            erased: false,
            admin: false,
            guest: false,
            has_password: false,
            epoch: 0,
        }
    }

    /// From a row with the columns of `users`.
    pub(super) fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            key: row.get("id")?,
            localpart: row.get("localpart")?,
            locked: row.get("locked")?,
            suspended: row.get("suspended")?,
            phase: row.get("phase")?,
            erased: row.get("erased")?,
            admin: row.get("admin")?,
            guest: row.get("guest")?,
            has_password: row.get::<_, Option<PasswordHash>>("password_hash")?.is_some(),
            epoch: row.get("epoch")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    fn in_transaction(test: impl FnOnce(&Tx) -> Result<()>) {
        Db::in_memory().unwrap().blocking_transaction(test).unwrap();
    }

    #[test]
    fn a_name_is_taken_once_and_for_all() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            fence(tx, alice)?;
            mark_deactivated(tx, alice)?;
            assert_eq!(create(tx, &NewUser::named("alice"))?, None);
            Ok(())
        });
    }

    #[test]
    fn an_account_is_found_as_it_was_made() {
        in_transaction(|tx| {
            let new = NewUser { admin: true, suspended: true, ..NewUser::named("bob") };
            let bob = create(tx, &new)?.unwrap();
            let user = by_key(tx, bob)?.unwrap();
            assert_eq!(by_localpart(tx, "bob")?.unwrap(), user);
            assert!(user.admin && user.suspended && !user.locked && !user.guest && !user.erased);
            assert_eq!((user.phase, user.epoch), (Phase::Active, 0));
            assert_eq!(by_localpart(tx, "Bob")?, None);
            Ok(())
        });
    }

    #[test]
    fn a_new_password_begins_a_new_epoch_and_the_same_one_does_not() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let epoch = || by_key(tx, alice).map(|user| user.unwrap().epoch);
            assert_eq!(password_hash(tx, alice)?, None);
            let hash = PasswordHash::from_stored("$argon2id$".to_owned());
            set_password(tx, alice, Some(&hash))?;
            assert_eq!((password_hash(tx, alice)?, epoch()?), (Some(hash.clone()), 1));
            set_password(tx, alice, Some(&hash))?;
            assert_eq!(epoch()?, 1, "carried out twice without harm");
            set_password(tx, alice, None)?;
            assert_eq!((password_hash(tx, alice)?, epoch()?), (None, 2));
            Ok(())
        });
    }

    #[test]
    fn lock_and_suspension_survive_each_other() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            set_locked(tx, alice, true)?;
            set_suspended(tx, alice, true)?;
            set_locked(tx, alice, false)?;
            let user = by_key(tx, alice)?.unwrap();
            assert!(user.suspended && !user.locked);
            Ok(())
        });
    }

    #[test]
    fn the_fence_is_raised_once_and_never_lowered() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            assert!(fence(tx, alice)?);
            assert!(!fence(tx, alice)?);
            mark_erased(tx, alice)?;
            mark_deactivated(tx, alice)?;
            assert!(!fence(tx, alice)?);
            let user = by_key(tx, alice)?.unwrap();
            assert_eq!((user.phase, user.erased, user.epoch), (Phase::Deactivated, true, 1));
            Ok(())
        });
    }
}
