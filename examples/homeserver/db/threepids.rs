//! Third-party identifiers of accounts. Addresses come in their canonical form.

use super::{Result, UserKey};
use crate::config::Medium;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params};

/// An address that belongs to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threepid {
    pub medium: Medium,
    pub address: String,
    /// Where it is bound, or was.
    pub id_server: Option<String>,
    /// Whether it still is.
    pub bound: bool,
    pub validated_at: u64,
    pub added_at: u64,
}

/// Gives an address to an account. `false` if it is already somebody's, of this account too.
pub fn add(tx: &Transaction<'_>, user: UserKey, threepid: &Threepid) -> Result<bool> {
    let added = tx
        .prepare_cached(
            "INSERT INTO threepids (medium, address, user, id_server, bound, validated_at, added_at)
             VALUES (:medium, :address, :user, :id_server, :bound, :validated_at, :added_at)
             ON CONFLICT DO NOTHING",
        )?
        .execute(named_params! {
            ":medium": threepid.medium, ":address": threepid.address, ":user": user,
            ":id_server": threepid.id_server, ":bound": threepid.bound,
            ":validated_at": threepid.validated_at, ":added_at": threepid.added_at,
        })?;
    Ok(added == 1)
}

/// Whose address it is.
pub fn owner(tx: &Transaction<'_>, medium: Medium, address: &str) -> Result<Option<UserKey>> {
    tx.prepare_cached("SELECT user FROM threepids WHERE medium = ?1 AND address = ?2")?
        .query_row((medium, address), |row| row.get(0))
        .optional()
}

/// The addresses of an account, in the order they were added.
pub fn list(tx: &Transaction<'_>, user: UserKey) -> Result<Vec<Threepid>> {
    tx.prepare_cached("SELECT * FROM threepids WHERE user = ?1 ORDER BY added_at, medium, address")?
        .query_map([user], Threepid::from_row)?
        .collect()
}

/// An identity server has let go of it.
pub fn mark_unbound(tx: &Transaction<'_>, user: UserKey, medium: Medium, address: &str) -> Result<()> {
    tx.prepare_cached("UPDATE threepids SET bound = 0 WHERE user = ?1 AND medium = ?2 AND address = ?3")?
        .execute((user, medium, address))?;
    Ok(())
}

/// Frees one address. Whether the account had it.
pub fn remove(tx: &Transaction<'_>, user: UserKey, medium: Medium, address: &str) -> Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM threepids WHERE user = ?1 AND medium = ?2 AND address = ?3")?
        .execute((user, medium, address))?;
    Ok(removed == 1)
}

/// Frees every address of an account.
pub fn remove_all(tx: &Transaction<'_>, user: UserKey) -> Result<()> {
    tx.prepare_cached("DELETE FROM threepids WHERE user = ?1")?.execute([user])?;
    Ok(())
}

impl Threepid {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            medium: row.get("medium")?,
            address: row.get("address")?,
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
    use crate::db::users::{NewUser, create};

    fn threepid(address: &str, added_at: u64) -> Threepid {
        let id_server = Some("id.example.org".to_owned());
        let address = address.to_owned();
        Threepid { medium: Medium::Email, address, id_server, bound: true, validated_at: 1, added_at }
    }

    #[test]
    fn an_address_belongs_to_one_account_until_it_is_freed() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let bob = create(tx, &NewUser::named("bob"))?.unwrap();
            assert!(add(tx, alice, &threepid("a@b", 2))?);
            assert!(!add(tx, alice, &threepid("a@b", 3))?);
            assert!(!add(tx, bob, &threepid("a@b", 3))?);
            assert!(!remove(tx, bob, Medium::Email, "a@b")?, "not bob's to free");
            assert_eq!(owner(tx, Medium::Email, "a@b")?, Some(alice));
            assert_eq!(owner(tx, Medium::Msisdn, "a@b")?, None);
            remove_all(tx, alice)?;
            remove_all(tx, alice)?;
            assert_eq!(owner(tx, Medium::Email, "a@b")?, None);
            assert!(add(tx, bob, &threepid("a@b", 4))?);
            assert!(remove(tx, bob, Medium::Email, "a@b")?);
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn addresses_are_listed_in_the_order_they_came() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let (first, second) = (threepid("z@b", 1), threepid("a@b", 2));
            add(tx, alice, &second)?;
            add(tx, alice, &first)?;
            assert_eq!(list(tx, alice)?, [first.clone(), second.clone()]);
            mark_unbound(tx, alice, Medium::Email, "z@b")?;
            assert_eq!(list(tx, alice)?, [Threepid { bound: false, ..first }, second]);
            Ok(())
        });
        done.unwrap();
    }
}
