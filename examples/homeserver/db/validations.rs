//! Validations of e-mail addresses and phone numbers: asked for by `requestToken`, validated by who reads
//! the message, claimed by the UIA session that they authenticate.
//!
//! The token in the message isn't kept: [`ServerKey::validation_token`] makes it again from the `sid`.
//!
//! [`ServerKey::validation_token`]: crate::secrets::ServerKey::validation_token

use super::{Result, UserKey};
use crate::config::Medium;
use crate::secrets::SecretHash;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params};

/// What a validation is for. One made for one purpose proves nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Register,
    Reset,
    Add,
}

/// A request to validate an address.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub medium: Medium,
    /// In its canonical form.
    pub address: &'a str,
    pub client_secret: SecretHash,
    pub purpose: Purpose,
    /// Who asks, if an access token says so.
    pub user: Option<UserKey>,
    pub send_attempt: u64,
    pub next_link: Option<&'a str>,
    pub ends_at: u64,
}

/// Whether a message is to be sent.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the message isn't sent by itself"]
pub enum Requested {
    Send {
        sid: String,
    },
    /// This attempt was made before.
    AlreadySent {
        sid: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    pub sid: String,
    pub medium: Medium,
    pub address: String,
    pub client_secret: SecretHash,
    pub purpose: Purpose,
    pub user: Option<UserKey>,
    pub next_link: Option<String>,
    pub ends_at: u64,
    pub validated_at: Option<u64>,
    /// The UIA session that it authenticates.
    pub claimed_by: Option<Vec<u8>>,
}

/// Takes up the validation of the same address, secret, purpose and user, or begins one under `fresh_sid`.
/// Another address under the same secret is another validation: else who can read one mailbox could
/// validate another.
pub fn request(
    tx: &Transaction<'_>,
    request: &Request<'_>,
    fresh_sid: &str,
    now_ms: u64,
) -> Result<Requested> {
    tx.prepare_cached("DELETE FROM validations WHERE ends_at <= ?1")?.execute([now_ms])?;
    let known: Option<(String, u64)> = tx
        .prepare_cached(
            "SELECT sid, send_attempt FROM validations
             WHERE medium = ?1 AND address = ?2 AND client_secret = ?3 AND purpose = ?4 AND user IS ?5",
        )?
        .query_row(
            (request.medium, request.address, request.client_secret, request.purpose, request.user),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((sid, sent)) = known {
        if request.send_attempt <= sent {
            return Ok(Requested::AlreadySent { sid });
        }
        tx.prepare_cached("UPDATE validations SET send_attempt = ?2, next_link = ?3 WHERE sid = ?1")?
            .execute((&sid, request.send_attempt, request.next_link))?;
        return Ok(Requested::Send { sid });
    }
    tx.prepare_cached(
        "INSERT INTO validations
             (sid, medium, address, client_secret, purpose, user, send_attempt, next_link, ends_at)
         VALUES (:sid, :medium, :address, :client_secret, :purpose, :user, :send_attempt, :next_link, :ends_at)",
    )?
    .execute(named_params! {
        ":sid": fresh_sid, ":medium": request.medium, ":address": request.address,
        ":client_secret": request.client_secret, ":purpose": request.purpose, ":user": request.user,
        ":send_attempt": request.send_attempt, ":next_link": request.next_link,
        ":ends_at": request.ends_at,
    })?;
    Ok(Requested::Send { sid: fresh_sid.to_owned() })
}

/// Loads a validation, ended or not. Whether the secret is the right one, the caller compares.
pub fn load(tx: &Transaction<'_>, sid: &str) -> Result<Option<Validation>> {
    tx.prepare_cached("SELECT * FROM validations WHERE sid = ?1")?
        .query_row([sid], Validation::from_row)
        .optional()
}

/// The token of the message came back. Only the first time counts.
pub fn mark_validated(tx: &Transaction<'_>, sid: &str, now_ms: u64) -> Result<()> {
    tx.prepare_cached("UPDATE validations SET validated_at = ifnull(validated_at, ?2) WHERE sid = ?1")?
        .execute((sid, now_ms))?;
    Ok(())
}

/// Claims a validation for one UIA session. `false` if it is another's, isn't validated or has ended. A
/// session that asks again has what it has.
pub fn claim(tx: &Transaction<'_>, sid: &str, session: &[u8], now_ms: u64) -> Result<bool> {
    let claimed = tx
        .prepare_cached(
            "UPDATE validations SET claimed_by = ?2
             WHERE sid = ?1 AND validated_at IS NOT NULL AND ends_at > ?3
               AND ifnull(claimed_by, ?2) = ?2",
        )?
        .execute((sid, session, now_ms))?;
    Ok(claimed == 1)
}

/// It has served its purpose.
pub fn remove(tx: &Transaction<'_>, sid: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM validations WHERE sid = ?1")?.execute([sid])?;
    Ok(())
}

/// Ends what a user asked for, and what was asked, with or without a token, for one of their addresses.
/// To be called while they still have them.
pub fn remove_by_user(tx: &Transaction<'_>, user: UserKey) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM validations
         WHERE user = ?1 OR (medium, address) IN (SELECT medium, address FROM threepids WHERE user = ?1)",
    )?
    .execute([user])?;
    Ok(())
}

impl Validation {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            sid: row.get("sid")?,
            medium: row.get("medium")?,
            address: row.get("address")?,
            client_secret: row.get("client_secret")?,
            purpose: row.get("purpose")?,
            user: row.get("user")?,
            next_link: row.get("next_link")?,
            ends_at: row.get("ends_at")?,
            validated_at: row.get("validated_at")?,
            claimed_by: row.get("claimed_by")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::threepids::{self, Threepid};
    use crate::db::users::{NewUser, create};

    fn reset<'a>(address: &'a str, secret: &str, send_attempt: u64) -> Request<'a> {
        Request {
            medium: Medium::Email,
            address,
            client_secret: SecretHash::of(secret),
            purpose: Purpose::Reset,
            user: None,
            send_attempt,
            next_link: None,
            ends_at: 1_000,
        }
    }

    fn send(sid: &str) -> Requested {
        Requested::Send { sid: sid.to_owned() }
    }

    fn in_transaction(test: impl FnOnce(&Transaction<'_>) -> Result<()>) {
        Db::in_memory().unwrap().transaction(test).unwrap();
    }

    #[test]
    fn only_a_higher_attempt_is_sent_again_and_under_the_same_sid() {
        in_transaction(|tx| {
            assert_eq!(request(tx, &reset("a@b", "s", 1), "one", 0)?, send("one"));
            let again = Requested::AlreadySent { sid: "one".to_owned() };
            assert_eq!(request(tx, &reset("a@b", "s", 1), "two", 0)?, again);
            assert_eq!(request(tx, &reset("a@b", "s", 2), "two", 0)?, send("one"));
            assert_eq!(request(tx, &reset("a@b", "s", 1), "two", 0)?, again);
            Ok(())
        });
    }

    #[test]
    fn another_address_secret_purpose_or_user_is_another_validation() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let first = reset("a@b", "s", 1);
            for (n, other) in [
                first,
                Request { address: "evil@b", ..first },
                Request { client_secret: SecretHash::of("t"), ..first },
                Request { purpose: Purpose::Add, ..first },
                Request { user: Some(alice), ..first },
                Request { medium: Medium::Msisdn, ..first },
            ]
            .iter()
            .enumerate()
            {
                let sid = n.to_string();
                assert_eq!(request(tx, other, &sid, 0)?, send(&sid));
            }
            Ok(())
        });
    }

    #[test]
    fn one_that_has_ended_is_begun_anew() {
        in_transaction(|tx| {
            let _ = request(tx, &reset("a@b", "s", 1), "one", 0)?;
            mark_validated(tx, "one", 5)?;
            assert!(!claim(tx, "one", b"session", 1_000)?);
            assert_eq!(request(tx, &reset("a@b", "s", 1), "two", 1_000)?, send("two"));
            assert_eq!(load(tx, "one")?, None);
            Ok(())
        });
    }

    #[test]
    fn a_proof_is_claimed_by_one_session_and_kept_there() {
        in_transaction(|tx| {
            let _ = request(tx, &reset("a@b", "s", 1), "one", 0)?;
            assert!(!claim(tx, "one", b"mine", 5)?, "not validated yet");
            mark_validated(tx, "one", 5)?;
            mark_validated(tx, "one", 9)?;
            assert!(claim(tx, "one", b"mine", 10)?);
            assert!(claim(tx, "one", b"mine", 11)?);
            assert!(!claim(tx, "one", b"theirs", 11)?);
            let validation = load(tx, "one")?.unwrap();
            assert_eq!(validation.validated_at, Some(5));
            assert_eq!(validation.claimed_by.as_deref(), Some(&b"mine"[..]));
            remove(tx, "one")?;
            assert!(!claim(tx, "one", b"mine", 11)?);
            Ok(())
        });
    }

    #[test]
    fn a_user_takes_every_pending_validation_along() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            threepids::add(
                tx,
                alice,
                &Threepid {
                    medium: Medium::Email,
                    address: "a@b".to_owned(),
                    id_server: None,
                    bound: false,
                    validated_at: 0,
                    added_at: 0,
                },
            )?;
            let _ = request(tx, &reset("a@b", "s", 1), "reset", 0)?;
            let _ = request(tx, &Request { user: Some(alice), ..reset("new@b", "s", 1) }, "add", 0)?;
            let _ = request(tx, &reset("bob@b", "s", 1), "bob", 0)?;
            remove_by_user(tx, alice)?;
            assert_eq!((load(tx, "reset")?, load(tx, "add")?), (None, None));
            assert!(load(tx, "bob")?.is_some());
            Ok(())
        });
    }
}
