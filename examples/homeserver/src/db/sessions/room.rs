//! Room for a session: the bounds, and which other one makes way at them.

use super::{RemovedSession, StoredSession};
use crate::db::{Result, Tx};
use matrix_uia::server::store::Limits;
use rusqlite::{OptionalExtension as _, named_params};

/// The [rank](matrix_uia::server::session::Worth::rank) of a session that makes room for none. Rows have no higher.
pub const HELD: u8 = 2;

/// What came of an insert.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a session that wasn't stored can't be continued"]
pub enum Inserted {
    /// It was stored; that one made room for it.
    Stored(Option<RemovedSession>),
    /// Another one has its ID.
    Taken,
    /// None of those that are there may be evicted for it; the first of them ends then.
    Full { until: u64 },
}

/// Any, or one of the owner's own, that has run out. It is looked for among all that have, which are few: the timer and
/// most requests take some.
const RUN_OUT: &str = "ends_at <= ?2 AND ?1 IS NOT NULL ORDER BY ends_at";
const OWN_RUN_OUT: &str = "ends_at <= ?2 AND +owner = ?1 AND ?1 <> 0 ORDER BY ends_at";
const UNTOUCHED: &str = "worth = 0 AND ?1 IS NOT NULL AND ?2 IS NOT NULL ORDER BY made_at";
const OWN: &str = "owner = ?1 AND ?1 <> 0 AND worth < 2 AND ?2 IS NOT NULL ORDER BY worth, made_at";

/// Stores a new session. At a bound another one makes room: one that has run out, else by worth, oldest first. At the
/// owner's bound it is one of the owner's own; else one that has proved nothing, else one of the owner's own.
pub fn insert(tx: &Tx, new: &StoredSession, bounds: Limits, now_ms: u64) -> Result<Inserted> {
    let (count, owned): (usize, usize) = tx
        .prepare_cached(
            "SELECT n, ifnull((SELECT n FROM uia_session_owners WHERE owner = ?1), 0) FROM uia_session_count",
        )?
        .query_row([new.owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let at_theirs = owned >= bounds.per_owner;
    let mut evicted = None;
    if at_theirs || count >= bounds.all {
        // It must not make room for itself.
        if tx.prepare_cached("SELECT 1 FROM uia_sessions WHERE id = ?1")?.exists([&new.id])? {
            return Ok(Inserted::Taken);
        }
        let ways: &[_] = if at_theirs { &[OWN_RUN_OUT, OWN] } else { &[RUN_OUT, UNTOUCHED, OWN] };
        for which in ways {
            evicted = evict(tx, which, new.owner, now_ms)?;
            if evicted.is_some() {
                break;
            }
        }
        if evicted.is_none() {
            let until = tx
                .prepare_cached(
                    "SELECT ifnull(max(min(ends_at), 0), 0) FROM uia_sessions WHERE owner = ?1 OR NOT ?2",
                )?
                .query_row((new.owner, at_theirs), |row| row.get(0))?;
            return Ok(Inserted::Full { until });
        }
    }
    let inserted = tx.prepare_cached(
        "INSERT INTO uia_sessions (id, revision, user, owner, worth, made_at, ends_at, session, kept)
         VALUES (:id, :revision, :user, :owner, :worth, :made_at, :ends_at, :session, :kept)
         ON CONFLICT DO NOTHING",
    )?
    .execute(named_params! {
        ":id": new.id, ":revision": new.revision, ":user": new.user, ":owner": new.owner,
        ":worth": new.worth, ":made_at": new.made_at, ":ends_at": new.ends_at, ":session": new.session, ":kept": new.kept,
    })?;
    Ok(if inserted == 1 { Inserted::Stored(evicted) } else { Inserted::Taken })
}

/// Removes the first session of `which`, which is about the owner `?1` at the time `?2`.
fn evict(tx: &Tx, which: &str, owner: i64, now_ms: u64) -> Result<Option<RemovedSession>> {
    tx.prepare_cached(&format!(
        "DELETE FROM uia_sessions WHERE rowid =
             (SELECT rowid FROM uia_sessions WHERE {which}, rowid LIMIT 1)
         RETURNING id, session"
    ))?
    .query_row((owner, now_ms), RemovedSession::from_row)
    .optional()
}

#[cfg(test)]
mod tests {
    use super::super::remove;
    use super::super::testing::{NOW, in_transaction, session, stored};
    use super::*;

    fn evicted(tx: &Tx, new: &StoredSession, bounds: Limits) -> Option<String> {
        let Inserted::Stored(evicted) = insert(tx, new, bounds, NOW).unwrap() else { return None };
        Some(evicted.map_or_else(String::new, |row| String::from_utf8(row.id).unwrap()))
    }

    #[test]
    fn at_the_limit_the_oldest_that_has_proved_nothing_goes() {
        in_transaction(|tx| {
            let three = Limits { all: 3, per_owner: 3 };
            for one in [session("proved", 1, true), session("old", 2, false), session("young", 3, false)] {
                assert_eq!(insert(tx, &one, three, NOW)?, Inserted::Stored(None));
            }
            assert_eq!(evicted(tx, &session("new", 4, false), three).as_deref(), Some("old"));
            assert!(stored(tx, "proved") && !stored(tx, "old") && stored(tx, "young") && stored(tx, "new"));
            Ok(())
        });
    }

    #[test]
    fn what_has_proved_something_makes_room_for_its_owner_only() {
        in_transaction(|tx| {
            let two = Limits { all: 2, per_owner: 2 };
            let of = |owner, id, made_at| StoredSession { owner, ..session(id, made_at, true) };
            for one in [of(1, "a", 1), of(2, "b", 2)] {
                assert_eq!(insert(tx, &one, two, NOW)?, Inserted::Stored(None));
            }
            assert_eq!(insert(tx, &of(3, "c", 3), two, NOW)?, Inserted::Full { until: 101 });
            assert_eq!(insert(tx, &of(0, "c", 3), two, NOW)?, Inserted::Full { until: 101 });
            assert_eq!(evicted(tx, &of(2, "c", 3), two).as_deref(), Some("b"));
            Ok(())
        });
    }

    #[test]
    fn at_an_owner_s_bound_one_of_the_owner_s_goes_and_none_that_is_held() {
        in_transaction(|tx| {
            let two = Limits { all: 10, per_owner: 2 };
            let of =
                |owner, id, made_at, worth| StoredSession { owner, worth, ..session(id, made_at, false) };
            let _ = insert(tx, &of(1, "held", 1, HELD), two, NOW)?;
            let _ = insert(tx, &of(1, "proved", 2, 1), two, NOW)?;
            let _ = insert(tx, &of(2, "other's", 1, 0), two, NOW)?;
            assert_eq!(evicted(tx, &of(1, "new", 3, HELD), two).as_deref(), Some("proved"));
            assert_eq!(insert(tx, &of(1, "newer", 4, 0), two, NOW)?, Inserted::Full { until: 101 });
            assert!(stored(tx, "other's"));
            assert!(remove(tx, b"held", 0)?);
            assert_eq!(evicted(tx, &of(1, "newer", 4, 0), two).as_deref(), Some(""));
            Ok(())
        });
    }
}
