//! UIA sessions, for `--sessions sqlite`. What a session means is the crate's to know; here it is text
//! under an ID, replaced only by who has read its last revision.

use super::{Result, Tx, UserKey};
use rusqlite::{OptionalExtension as _, Row, named_params};
use std::fmt;

/// A stored session.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// A keyed digest of its ID, which is a capability and kept nowhere.
    pub id: Vec<u8>,
    pub revision: u64,
    /// Whose it is, so that it ends with the account.
    pub user: Option<UserKey>,
    /// Whether a stage has passed: it is evicted for nobody.
    pub passed: bool,
    pub made_at: u64,
    pub ends_at: u64,
    /// The crate's value.
    pub session: String,
    /// What is kept beside it: parameters of the request.
    pub kept: String,
}

impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, revision, user, passed, made_at, ends_at, session: _, kept: _ } = self;
        f.debug_struct("StoredSession")
            .field("revision", revision)
            .field("user", user)
            .field("passed", passed)
            .field("made_at", made_at)
            .field("ends_at", ends_at)
            .finish_non_exhaustive()
    }
}

/// What came of an insert.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a session that wasn't stored can't be continued"]
pub enum Inserted {
    Stored,
    /// There are `limit` sessions, in each of which a stage has passed; the first of them ends then.
    Full {
        until: u64,
    },
}

/// Stores a new session. At the limit the oldest one without a passed stage makes room; take the expired
/// ones first.
pub fn insert(tx: &Tx, new: &StoredSession, limit: usize) -> Result<Inserted> {
    let count: usize =
        tx.prepare_cached("SELECT n FROM uia_session_count")?.query_row([], |row| row.get(0))?;
    if count >= limit {
        let evicted = tx
            .prepare_cached(
                "DELETE FROM uia_sessions WHERE rowid =
                     (SELECT rowid FROM uia_sessions WHERE NOT passed ORDER BY made_at, rowid LIMIT 1)",
            )?
            .execute([])?;
        if evicted == 0 {
            let until = tx
                .prepare_cached("SELECT ifnull(min(ends_at), 0) FROM uia_sessions")?
                .query_row([], |row| row.get(0))?;
            return Ok(Inserted::Full { until });
        }
    }
    tx.prepare_cached(
        "INSERT INTO uia_sessions (id, revision, user, passed, made_at, ends_at, session, kept)
         VALUES (:id, :revision, :user, :passed, :made_at, :ends_at, :session, :kept)",
    )?
    .execute(named_params! {
        ":id": new.id, ":revision": new.revision, ":user": new.user, ":passed": new.passed,
        ":made_at": new.made_at, ":ends_at": new.ends_at, ":session": new.session, ":kept": new.kept,
    })?;
    Ok(Inserted::Stored)
}

/// Puts `next` in the place of the same session's `revision`. `false` if that is no longer the last one. What is
/// kept beside it is replaced only with `keep`.
#[must_use = "the loser must not act on its step"]
pub fn replace(tx: &Tx, next: &StoredSession, revision: u64, keep: bool) -> Result<bool> {
    let replaced = tx
        .prepare_cached(
            "UPDATE uia_sessions
             SET revision = :next, user = :user, passed = :passed, ends_at = :ends_at,
                 session = :session, kept = iif(:keep, :kept, kept)
             WHERE id = :id AND revision = :revision",
        )?
        .execute(named_params! {
            ":id": next.id, ":revision": revision, ":next": next.revision, ":user": next.user,
            ":passed": next.passed, ":ends_at": next.ends_at, ":session": next.session, ":kept": next.kept,
            ":keep": keep,
        })?;
    Ok(replaced == 1)
}

/// Loads a session, expired or not: the crate knows what that means.
pub fn load(tx: &Tx, id: &[u8]) -> Result<Option<StoredSession>> {
    tx.prepare_cached("SELECT * FROM uia_sessions WHERE id = ?1")?
        .query_row([id], StoredSession::from_row)
        .optional()
}

/// Removes a session, if its revision is still `revision`.
#[must_use = "the loser must not act on its step"]
pub fn remove(tx: &Tx, id: &[u8], revision: u64) -> Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM uia_sessions WHERE id = ?1 AND revision = ?2")?
        .execute((id, revision))?;
    Ok(removed == 1)
}

/// Ends the sessions of a user, and returns them.
pub fn remove_by_user(tx: &Tx, user: UserKey) -> Result<Vec<StoredSession>> {
    tx.prepare_cached("DELETE FROM uia_sessions WHERE user = ?1 RETURNING *")?
        .query_map([user], StoredSession::from_row)?
        .collect()
}

/// Removes sessions whose time is over, at most so many, and returns them: what was promised to them is to
/// be given back. Called with every insert, a small number keeps up.
pub fn take_expired(tx: &Tx, now_ms: u64, at_most: usize) -> Result<Vec<StoredSession>> {
    tx.prepare_cached(
        "DELETE FROM uia_sessions WHERE rowid IN
             (SELECT rowid FROM uia_sessions WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2)
         RETURNING *",
    )?
    .query_map((now_ms, at_most), StoredSession::from_row)?
    .collect()
}

impl StoredSession {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            revision: row.get("revision")?,
            user: row.get("user")?,
            passed: row.get("passed")?,
            made_at: row.get("made_at")?,
            ends_at: row.get("ends_at")?,
            session: row.get("session")?,
            kept: row.get("kept")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::users::{NewUser, create};

    fn session(id: &str, made_at: u64, passed: bool) -> StoredSession {
        StoredSession {
            id: id.as_bytes().to_vec(),
            revision: 0,
            user: None,
            passed,
            made_at,
            ends_at: made_at.saturating_add(100),
            session: format!("session {id}"),
            kept: "{}".to_owned(),
        }
    }

    fn in_transaction(test: impl FnOnce(&Tx) -> Result<()>) {
        Db::in_memory().unwrap().blocking_transaction(test).unwrap();
    }

    fn stored(tx: &Tx, id: &str) -> bool {
        load(tx, id.as_bytes()).unwrap().is_some()
    }

    #[test]
    fn a_session_is_loaded_as_it_was_stored() {
        in_transaction(|tx| {
            let one = session("one", 1, false);
            assert_eq!(insert(tx, &one, 10)?, Inserted::Stored);
            assert_eq!(load(tx, b"one")?, Some(one.clone()));
            assert!(!remove(tx, b"one", 1)?, "another revision");
            assert!(remove(tx, b"one", 0)?);
            assert!(!remove(tx, b"one", 0)?);
            Ok(())
        });
    }

    #[test]
    fn of_two_writers_one_wins() {
        in_transaction(|tx| {
            let first = session("one", 1, false);
            let _ = insert(tx, &first, 10)?;
            let mine = StoredSession { revision: 1, passed: true, kept: "mine".to_owned(), ..first.clone() };
            let theirs = StoredSession { revision: 1, kept: "theirs".to_owned(), ..first };
            assert!(replace(tx, &mine, 0, true)?);
            assert!(!replace(tx, &theirs, 0, true)?);
            assert_eq!(load(tx, b"one")?, Some(mine.clone()));
            assert!(!replace(tx, &session("two", 1, false), 0, true)?, "what isn't there isn't made");
            let later = StoredSession { revision: 2, kept: "nothing".to_owned(), ..mine.clone() };
            assert!(replace(tx, &later, 1, false)?);
            assert_eq!(load(tx, b"one")?, Some(StoredSession { kept: mine.kept, ..later }));
            Ok(())
        });
    }

    #[test]
    fn at_the_limit_the_oldest_without_a_passed_stage_goes() {
        in_transaction(|tx| {
            for one in [session("passed", 1, true), session("old", 2, false), session("young", 3, false)] {
                assert_eq!(insert(tx, &one, 3)?, Inserted::Stored);
            }
            assert_eq!(insert(tx, &session("new", 4, false), 3)?, Inserted::Stored);
            assert!(stored(tx, "passed") && !stored(tx, "old") && stored(tx, "young") && stored(tx, "new"));
            Ok(())
        });
    }

    #[test]
    fn where_every_session_has_a_passed_stage_there_is_no_room() {
        in_transaction(|tx| {
            for id in ["a", "b"] {
                assert_eq!(insert(tx, &session(id, 1, true), 2)?, Inserted::Stored);
            }
            assert_eq!(insert(tx, &session("c", 2, false), 2)?, Inserted::Full { until: 101 });
            assert!(remove(tx, b"a", 0)?);
            assert_eq!(insert(tx, &session("c", 2, false), 2)?, Inserted::Stored);
            Ok(())
        });
    }

    #[test]
    fn the_expired_are_taken_oldest_first() {
        in_transaction(|tx| {
            for made_at in [1, 2, 3] {
                let _ = insert(tx, &session(&made_at.to_string(), made_at, true), 10)?;
            }
            assert_eq!(take_expired(tx, 100, 10)?, []);
            assert_eq!(take_expired(tx, 102, 1)?, [session("1", 1, true)]);
            assert_eq!(take_expired(tx, 102, 10)?, [session("2", 2, true)]);
            assert!(stored(tx, "3"));
            Ok(())
        });
    }

    #[test]
    fn sessions_end_with_their_user() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let of_alice = StoredSession { user: Some(alice), ..session("a", 1, true) };
            let _ = insert(tx, &of_alice, 10)?;
            let _ = insert(tx, &session("b", 1, true), 10)?;
            assert_eq!(remove_by_user(tx, alice)?, [of_alice]);
            assert!(stored(tx, "b"));
            Ok(())
        });
    }

    #[test]
    fn the_count_follows_every_way_in_and_out() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            for n in 0..6 {
                let user = (n == 0).then_some(alice);
                let _ = insert(tx, &StoredSession { user, ..session(&n.to_string(), n, false) }, 5)?;
            }
            assert!(remove(tx, b"1", 0)?);
            remove_by_user(tx, alice)?;
            take_expired(tx, 102, 10)?;
            let counted: u64 = tx.query_one("SELECT n FROM uia_session_count", [], |row| row.get(0))?;
            let there: u64 = tx.query_one("SELECT count(*) FROM uia_sessions", [], |row| row.get(0))?;
            assert_eq!((counted, there), (3, 3));
            Ok(())
        });
    }

    #[test]
    fn debug_shows_neither_the_id_nor_what_is_in_it() {
        let shown = format!("{:?}", session("marked", 1, false));
        assert!(!shown.contains("marked") && !shown.contains("109"), "{shown}");
    }
}
