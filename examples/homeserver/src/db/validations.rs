//! Validations of e-mail addresses and phone numbers: the crate's values, each under its `sid`.
//!
//! The token in the message isn't kept, but its digest, in the value; a message sent again has another token.

use super::{Result, Tx, UserKey};
use matrix_uia::endpoint::threepid::{Validation, ValidationRules};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::reference::Reference;
use matrix_uia::{CLOCK_TOLERANCE, Timestamp};
use rusqlite::{OptionalExtension as _, Row, named_params};

/// A validation as it was found.
#[derive(Debug)]
pub struct Stored {
    /// What a UIA session calls it.
    pub reference: Reference,
    pub sid: String,
    /// `None`: an older program wrote it, and this one can't read it.
    pub validation: Option<Validation>,
    pub next_link: Option<String>,
}

/// Finds what was asked for by the same request.
pub fn by_identity(tx: &Tx, identity: Digest) -> Result<Option<Stored>> {
    tx.prepare_cached("SELECT * FROM validations WHERE identity = ?1")?
        .query_row([identity.as_bytes()], Stored::from_row)
        .optional()
}

pub fn by_sid(tx: &Tx, sid: &str) -> Result<Option<Stored>> {
    tx.prepare_cached("SELECT * FROM validations WHERE sid = ?1")?
        .query_row([sid], Stored::from_row)
        .optional()
}

pub fn by_reference(tx: &Tx, reference: Reference) -> Result<Option<Stored>> {
    tx.prepare_cached("SELECT * FROM validations WHERE id = ?1")?
        .query_row([reference.get().cast_signed()], Stored::from_row)
        .optional()
}

/// Keeps a new validation, in the place of one of the same identity.
pub fn insert(
    tx: &Tx,
    sid: &str,
    identity: Digest,
    validation: &Validation,
    next_link: Option<&str>,
    rules: &ValidationRules,
) -> Result<()> {
    tx.prepare_cached("DELETE FROM validations WHERE identity = ?1")?.execute([identity.as_bytes()])?;
    let threepid = validation.threepid();
    tx.prepare_cached(
        "INSERT INTO validations (sid, identity, value, next_link, forget_at, medium, address, user)
         VALUES (:sid, :identity, :value, :next_link, :forget_at, :medium, :address, :user)",
    )?
    .execute(named_params! {
        ":sid": sid, ":identity": identity.as_bytes(), ":value": json(validation)?, ":next_link": next_link,
        ":forget_at": validation.forget_at(rules).as_millis(), ":medium": threepid.medium().name(),
        ":address": threepid.address(), ":user": validation.requester().map(UserKey::from),
    })?;
    Ok(())
}

/// Keeps what a validation has become.
pub fn replace(
    tx: &Tx,
    reference: Reference,
    validation: &Validation,
    rules: &ValidationRules,
) -> Result<()> {
    tx.prepare_cached("UPDATE validations SET value = ?2, forget_at = ?3 WHERE id = ?1")?.execute((
        reference.get().cast_signed(),
        json(validation)?,
        validation.forget_at(rules).as_millis(),
    ))?;
    Ok(())
}

pub fn set_next_link(tx: &Tx, reference: Reference, next_link: Option<&str>) -> Result<()> {
    tx.prepare_cached("UPDATE validations SET next_link = ?2 WHERE id = ?1")?
        .execute((reference.get().cast_signed(), next_link))?;
    Ok(())
}

/// It has served its purpose.
pub fn remove(tx: &Tx, reference: Reference) -> Result<()> {
    tx.prepare_cached("DELETE FROM validations WHERE id = ?1")?.execute([reference.get().cast_signed()])?;
    Ok(())
}

/// Forgets some of what is long over, or was made while the clock was wrong; whether there was any.
pub fn forget(tx: &Tx, rules: &ValidationRules, now: Timestamp, at_most: usize) -> Result<bool> {
    let latest = now.after(CLOCK_TOLERANCE).after(rules.lifetime).after(rules.lifetime);
    let forgotten = tx
        .prepare_cached(
            "DELETE FROM validations WHERE id IN
                 (SELECT id FROM validations WHERE forget_at <= ?1 OR forget_at > ?2 LIMIT ?3)",
        )?
        .execute((now.as_millis(), latest.as_millis(), at_most))?;
    Ok(forgotten > 0)
}

/// Ends what a user asked for, and what was asked, with or without a token, for one of their addresses.
/// To be called while they still have them.
pub fn remove_by_user(tx: &Tx, user: UserKey) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM validations
         WHERE user = ?1 OR (medium, address) IN (SELECT medium, address FROM threepids WHERE user = ?1)",
    )?
    .execute([user])?;
    Ok(())
}

fn json(validation: &Validation) -> Result<String> {
    serde_json::to_string(validation).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

impl Stored {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let value: String = row.get("value")?;
        Ok(Self {
            reference: Reference::new(row.get("id")?),
            sid: row.get("sid")?,
            validation: serde_json::from_str(&value).ok(),
            next_link: row.get("next_link")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::threepids::{self, Owned};
    use crate::db::users::{NewUser, create};
    use matrix_uia::endpoint::threepid::{
        AddressAuthority, Delivery, Medium, Purpose, Requested, Threepid, TokenRequestKey,
    };
    use matrix_uia::server::reference::UserRef;
    use matrix_uia::{BindingKey, Secret};

    const KEY: BindingKey = BindingKey::from_entropy([7; 16]);

    fn email(address: &str) -> Threepid {
        Threepid::parse(Medium::Email, address.into()).unwrap()
    }

    /// Keeps a new validation under a `sid` that is its address.
    fn put(tx: &Tx, address: &str, user: Option<UserRef>) -> Result<Digest> {
        let rules = ValidationRules::default();
        let secret = Secret::new("secret");
        let asked = TokenRequestKey::new(&KEY, Purpose::Reset, user, email(address), secret, 1);
        let token = KEY.validation_token(Secret::new("token"));
        let now = Timestamp::from_millis(1_000);
        let policies = AddressAuthority::new();
        let Requested::New(new) =
            Validation::request(None, &asked, Delivery::Token, token, &policies, &rules, now)
        else {
            panic!("it is not new")
        };
        insert(tx, address, asked.identity(), &new, Some("https://example.org/"), &rules)?;
        Ok(asked.identity())
    }

    fn in_transaction(test: impl FnOnce(&Tx) -> Result<()>) {
        Db::in_memory().unwrap().blocking_transaction(test).unwrap();
    }

    #[test]
    fn a_validation_is_found_by_each_of_its_names() {
        in_transaction(|tx| {
            let identity = put(tx, "a@b", None)?;
            let found = by_identity(tx, identity)?.unwrap();
            assert_eq!(found.next_link.as_deref(), Some("https://example.org/"));
            for same in [by_sid(tx, "a@b")?.unwrap(), by_reference(tx, found.reference)?.unwrap()] {
                assert_eq!((&same.sid, &same.validation), (&found.sid, &found.validation));
            }
            put(tx, "a@b", None)?;
            assert!(by_reference(tx, found.reference)?.is_none(), "a row is never another's");
            Ok(())
        });
    }

    #[test]
    fn what_is_long_over_is_forgotten() {
        in_transaction(|tx| {
            put(tx, "a@b", None)?;
            let rules = ValidationRules::default();
            let forget_at = by_sid(tx, "a@b")?.unwrap().validation.unwrap().forget_at(&rules);
            assert!(!forget(tx, &rules, Timestamp::from_millis(forget_at.as_millis() - 1), 9)?);
            assert!(by_sid(tx, "a@b")?.is_some());
            assert!(forget(tx, &rules, forget_at, 9)?);
            assert!(by_sid(tx, "a@b")?.is_none());
            Ok(())
        });
    }

    #[test]
    fn lesson_104_validation_from_the_future_is_forgotten() {
        in_transaction(|tx| {
            put(tx, "a@b", None)?;
            let rules = ValidationRules::default();
            tx.execute("UPDATE validations SET forget_at = forget_at + 1000000000", ())?;
            assert!(forget(tx, &rules, Timestamp::from_millis(1_000), 9)?);
            assert!(by_sid(tx, "a@b")?.is_none());
            Ok(())
        });
    }

    #[test]
    fn a_user_takes_every_pending_validation_along() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let owned =
                Owned { threepid: email("a@b"), id_server: None, bound: false, validated_at: 0, added_at: 0 };
            threepids::add(tx, alice, &owned)?;
            put(tx, "a@b", None)?;
            put(tx, "new@b", Some(alice.into()))?;
            put(tx, "bob@b", None)?;
            remove_by_user(tx, alice)?;
            assert!(by_sid(tx, "a@b")?.is_none() && by_sid(tx, "new@b")?.is_none());
            assert!(by_sid(tx, "bob@b")?.is_some());
            Ok(())
        });
    }
}
