//! What became of the calls that UIA guards, by the digest of their session.

use super::{Result, Tx, UserKey};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::reference::{Reference, Subject};
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

/// Leaves a record; one that is there already stays as it is. Forgets some that are of no use any more.
pub fn insert(tx: &Tx, session: Digest, record: &Record, forget_at: u64, now_ms: u64) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM uia_records WHERE session IN
             (SELECT session FROM uia_records WHERE forget_at <= ?1 ORDER BY forget_at LIMIT 16)",
    )?
    .execute([now_ms])?;
    let (user, epoch) = record.account.map(|account| (UserKey::from(account.user), account.epoch)).unzip();
    tx.prepare_cached(
        "INSERT INTO uia_records (session, outcome, user, epoch, result, forget_at)
         VALUES (:session, :outcome, :user, :epoch, :result, :forget_at)
         ON CONFLICT DO NOTHING",
    )?
    .execute(named_params! {
        ":session": session.as_bytes(), ":outcome": record.outcome.get().cast_signed(), ":user": user,
        ":epoch": epoch, ":result": record.result, ":forget_at": forget_at,
    })?;
    Ok(())
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
            insert(tx, one, &record, 100, 0)?;
            insert(tx, one, &Record { account: None, ..record.clone() }, 100, 0)?;
            assert_eq!(load(tx, one)?.as_ref(), Some(&record));
            assert_eq!(load(tx, other)?, None);
            insert(tx, other, &record, 200, 99)?;
            assert!(load(tx, one)?.is_some());
            insert(tx, other, &record, 200, 100)?;
            assert_eq!(load(tx, one)?, None);
            Ok(())
        });
        done.unwrap();
    }
}
