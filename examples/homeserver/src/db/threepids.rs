//! Third-party identifiers of accounts.

use super::{Result, Tx, UserKey};
use matrix_uia::endpoint::threepid::{Medium, Threepid};
use rusqlite::types::FromSqlError;
use rusqlite::{OptionalExtension as _, Row, named_params};

/// A 3PID that belongs to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub threepid: Threepid,
    /// Where it is bound, or was.
    pub id_server: Option<String>,
    /// Whether it still is.
    pub bound: bool,
    pub validated_at: u64,
    pub added_at: u64,
}

/// Gives an address to an account. `false` if it is already somebody's, of this account too.
pub fn add(tx: &Tx, user: UserKey, owned: &Owned) -> Result<bool> {
    let added = tx
        .prepare_cached(
            "INSERT INTO threepids (medium, address, user, id_server, bound, validated_at, added_at)
             VALUES (:medium, :address, :user, :id_server, :bound, :validated_at, :added_at)
             ON CONFLICT DO NOTHING",
        )?
        .execute(named_params! {
            ":medium": owned.threepid.medium().name(), ":address": owned.threepid.address(), ":user": user,
            ":id_server": owned.id_server, ":bound": owned.bound,
            ":validated_at": owned.validated_at, ":added_at": owned.added_at,
        })?;
    Ok(added == 1)
}

/// Whose address it is.
pub fn owner(tx: &Tx, threepid: &Threepid) -> Result<Option<UserKey>> {
    tx.prepare_cached("SELECT user FROM threepids WHERE medium = ?1 AND address = ?2")?
        .query_row((threepid.medium().name(), threepid.address()), |row| row.get(0))
        .optional()
}

/// The addresses of an account, in the order they were added.
pub fn list(tx: &Tx, user: UserKey) -> Result<Vec<Owned>> {
    tx.prepare_cached("SELECT * FROM threepids WHERE user = ?1 ORDER BY added_at, medium, address")?
        .query_map([user], Owned::from_row)?
        .collect()
}

/// An identity server has let go of it.
pub fn mark_unbound(tx: &Tx, user: UserKey, threepid: &Threepid) -> Result<()> {
    tx.prepare_cached("UPDATE threepids SET bound = 0 WHERE user = ?1 AND medium = ?2 AND address = ?3")?
        .execute((user, threepid.medium().name(), threepid.address()))?;
    Ok(())
}

/// Frees one address. Whether the account had it: then what was begun while it did is void, as it may have been
/// authenticated by that address.
pub fn remove(tx: &Tx, user: UserKey, threepid: &Threepid) -> Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM threepids WHERE user = ?1 AND medium = ?2 AND address = ?3")?
        .execute((user, threepid.medium().name(), threepid.address()))?;
    if removed == 1 {
        tx.prepare_cached("UPDATE users SET epoch = epoch + 1 WHERE id = ?1")?.execute([user])?;
    }
    Ok(removed == 1)
}

/// Frees every address of an account.
pub fn remove_all(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached("DELETE FROM threepids WHERE user = ?1")?.execute([user])?;
    Ok(())
}

impl Owned {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let (medium, address): (String, String) = (row.get("medium")?, row.get("address")?);
        let medium = Medium::from_name(medium.as_str().into()).ok_or(FromSqlError::InvalidType)?;
        let threepid = Threepid::parse(medium, address.as_str().into());
        Ok(Self {
            threepid: threepid.map_err(|_| FromSqlError::InvalidType)?,
            id_server: row.get("id_server")?,
            bound: row.get("bound")?,
            validated_at: row.get("validated_at")?,
            added_at: row.get("added_at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::users::{NewUser, by_key, create};

    fn email(address: &str) -> Threepid {
        Threepid::parse(Medium::Email, address.into()).unwrap()
    }

    fn owned(address: &str, added_at: u64) -> Owned {
        let id_server = Some("id.example.org".to_owned());
        Owned { threepid: email(address), id_server, bound: true, validated_at: 1, added_at }
    }

    #[test]
    fn an_address_belongs_to_one_account_until_it_is_freed() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let bob = create(tx, &NewUser::named("bob"))?.unwrap();
            assert!(add(tx, alice, &owned("a@b", 2))?);
            assert!(!add(tx, alice, &owned("a@b", 3))?);
            assert!(!add(tx, bob, &owned("A@B", 3))?);
            assert!(!remove(tx, bob, &email("a@b"))?, "not bob's to free");
            assert_eq!(owner(tx, &email("a@b"))?, Some(alice));
            assert_eq!(owner(tx, &email("b@b"))?, None);
            remove_all(tx, alice)?;
            remove_all(tx, alice)?;
            assert_eq!(owner(tx, &email("a@b"))?, None);
            assert!(add(tx, bob, &owned("a@b", 4))?);
            assert!(remove(tx, bob, &email("a@b"))?);
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn a_removed_address_begins_a_new_epoch_of_its_account_alone() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let [alice, bob] =
                ["alice", "bob"].map(|name| create(tx, &NewUser::named(name)).unwrap().unwrap());
            let epoch = |user| by_key(tx, user).map(|user| user.unwrap().epoch);
            add(tx, alice, &owned("a@b", 1))?;
            assert!(!remove(tx, bob, &email("a@b"))?);
            assert_eq!((epoch(alice)?, epoch(bob)?), (0, 0));
            assert!(remove(tx, alice, &email("a@b"))? && !remove(tx, alice, &email("a@b"))?);
            assert_eq!((epoch(alice)?, epoch(bob)?), (1, 0));
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn addresses_are_listed_in_the_order_they_came() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let (first, second) = (owned("z@b", 1), owned("a@b", 2));
            add(tx, alice, &second)?;
            add(tx, alice, &first)?;
            assert_eq!(list(tx, alice)?, [first.clone(), second.clone()]);
            mark_unbound(tx, alice, &email("z@b"))?;
            assert_eq!(list(tx, alice)?, [Owned { bound: false, ..first }, second]);
            Ok(())
        });
        done.unwrap();
    }
}
