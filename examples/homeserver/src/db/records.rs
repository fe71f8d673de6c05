//! What became of the calls that UIA guards, by the digest of their session.

use super::{Result, Tx, UserKey};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::reference::{Reference, Subject};
use matrix_uia::{CLOCK_TOLERANCE, Rules, Timestamp};
use rusqlite::{OptionalExtension as _, Row, named_params};

/// A call that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub outcome: Reference,
    /// The account it was about, as it was then.
    pub account: Option<Subject>,
    /// What its answer is made of again.
    pub result: String,
}

/// When the record of a call that is carried out now is of no use any more.
fn forget_at(rules: &Rules, now: Timestamp) -> Timestamp {
    now.after(rules.session_lifetime).after(rules.replay_for)
}

/// Leaves a record; one that is there already stays as it is.
pub fn insert(tx: &Tx, session: Digest, record: &Record, rules: &Rules, now: Timestamp) -> Result<()> {
    let (user, epoch) = record.account.map(|account| (UserKey::from(account.user), account.epoch)).unzip();
    tx.prepare_cached(
        "INSERT INTO uia_records (session, outcome, user, epoch, result, forget_at)
         VALUES (:session, :outcome, :user, :epoch, :result, :forget_at)
         ON CONFLICT DO NOTHING",
    )?
    .execute(named_params! {
        ":session": session.as_bytes(), ":outcome": record.outcome.get().cast_signed(), ":user": user,
        ":epoch": epoch, ":result": record.result, ":forget_at": forget_at(rules, now).as_millis(),
    })?;
    Ok(())
}

/// Forgets some that are of no use any more, or were made while the clock was wrong; whether there was any.
pub fn forget(tx: &Tx, rules: &Rules, now: Timestamp, at_most: usize) -> Result<bool> {
    let latest = forget_at(rules, now.after(CLOCK_TOLERANCE));
    let forgotten = tx
        .prepare_cached(
            "DELETE FROM uia_records WHERE session IN
                 (SELECT session FROM uia_records WHERE forget_at <= ?1 OR forget_at > ?2 LIMIT ?3)",
        )?
        .execute((now.as_millis(), latest.as_millis(), at_most))?;
    Ok(forgotten > 0)
}

pub fn load(tx: &Tx, session: Digest) -> Result<Option<Record>> {
    tx.prepare_cached("SELECT * FROM uia_records WHERE session = ?1")?
        .query_row([session.as_bytes()], Record::from_row)
        .optional()
}

impl Record {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let (user, epoch): (Option<UserKey>, Option<u32>) = (row.get("user")?, row.get("epoch")?);
        let outcome: i64 = row.get("outcome")?;
        Ok(Self {
            outcome: Reference::new(outcome.cast_unsigned()),
            account: user.zip(epoch).map(|(user, epoch)| Subject::new(user.into(), epoch)),
            result: row.get("result")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use matrix_uia::server::reference::UserRef;

    #[test]
    fn a_record_is_left_once_and_forgotten_in_time() {
        let db = Db::in_memory().unwrap();
        let done: Result<()> = db.blocking_transaction(|tx| {
            let [one, other] = [1, 2].map(|byte| Digest::from_bytes([byte; 16]));
            let account = Some(Subject::new(UserRef::new(3), 4));
            let record = Record { outcome: Reference::new(u64::MAX), account, result: "{}".to_owned() };
            let (rules, now) = (Rules::default(), Timestamp::from_millis(1_000_000));
            insert(tx, one, &record, &rules, now)?;
            insert(tx, one, &Record { account: None, ..record.clone() }, &rules, now)?;
            assert_eq!(load(tx, one)?.as_ref(), Some(&record));
            assert_eq!(load(tx, other)?, None);
            let end = forget_at(&rules, now);
            assert!(!forget(tx, &rules, Timestamp::from_millis(end.as_millis() - 1), 9)?);
            assert!(forget(tx, &rules, end, 9)?);
            assert_eq!(load(tx, one)?, None);
            insert(tx, one, &record, &rules, Timestamp::from_millis(4_070_908_800_000))?;
            assert!(forget(tx, &rules, now, 9)?, "lesson 104: from 2099");
            Ok(())
        });
        done.unwrap();
    }
}
