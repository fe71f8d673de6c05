//! UIA sessions, for `--sessions sqlite`. What a session means is the crate's to know; here it is text
//! under an ID, replaced only by who has read its last revision.

mod room;

pub use room::{HELD, Inserted, insert};

use super::{Result, Tx, UserKey, trouble};
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
    /// Against whose bound it counts; 0: nobody's.
    pub owner: i64,
    /// What is lost when it is evicted: its rank, at most [`HELD`].
    pub worth: u8,
    pub made_at: u64,
    pub ends_at: u64,
    /// The crate's value.
    pub session: String,
    /// What is kept beside it: parameters of the request.
    pub kept: String,
}

impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, revision, user, owner: _, worth, made_at, ends_at, session: _, kept: _ } = self;
        f.debug_struct("StoredSession")
            .field("revision", revision)
            .field("user", user)
            .field("worth", worth)
            .field("made_at", made_at)
            .field("ends_at", ends_at)
            .finish_non_exhaustive()
    }
}

/// What is left of a session that was removed: enough to give back what it held. It is made of any row, also of one that
/// is no [`StoredSession`]: a row that can't be read must not stay for ever, nor keep others from being removed.
#[derive(Clone, PartialEq, Eq)]
pub struct RemovedSession {
    /// As in [`StoredSession`].
    pub id: Vec<u8>,
    /// The crate's value, or whatever else was there.
    pub session: String,
}

impl fmt::Debug for RemovedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemovedSession").finish_non_exhaustive()
    }
}

/// Puts `next` in the place of the same session's `revision`. `false` if that is no longer the last one. What is
/// kept beside it is replaced only with `keep`.
#[must_use = "the loser must not act on its step"]
pub fn replace(tx: &Tx, next: &StoredSession, revision: u64, keep: bool) -> Result<bool> {
    let replaced = tx
        .prepare_cached(
            "UPDATE uia_sessions
             SET revision = :next, user = :user, worth = :worth, ends_at = :ends_at,
                 session = :session, kept = iif(:keep, :kept, kept)
             WHERE id = :id AND revision = :revision",
        )?
        .execute(named_params! {
            ":id": next.id, ":revision": revision, ":next": next.revision, ":user": next.user,
            ":worth": next.worth, ":ends_at": next.ends_at, ":session": next.session, ":kept": next.kept,
            ":keep": keep,
        })?;
    Ok(replaced == 1)
}

/// Loads a session, expired or not: the crate knows what that means. One that can't be read is as good as gone.
pub fn load(tx: &Tx, id: &[u8]) -> Result<Option<StoredSession>> {
    let loaded = tx
        .prepare_cached("SELECT * FROM uia_sessions WHERE id = ?1")?
        .query_row([id], StoredSession::from_row)
        .optional();
    match loaded {
        Err(error) if trouble::is_of_a_row(&error) => {
            tracing::error!(
                reason = trouble::explain(&error),
                "a session can't be read, and is taken for gone"
            );
            Ok(None)
        }
        loaded => loaded,
    }
}

/// Removes a session, if its revision is still `revision`.
#[must_use = "the loser must not act on its step"]
pub fn remove(tx: &Tx, id: &[u8], revision: u64) -> Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM uia_sessions WHERE id = ?1 AND revision = ?2")?
        .execute((id, revision))?;
    Ok(removed == 1)
}

/// How many there are.
#[cfg(test)]
pub fn count(tx: &Tx) -> Result<usize> {
    tx.query_one("SELECT n FROM uia_session_count", [], |row| row.get(0))
}

/// Ends the sessions of a user, and returns them.
pub fn remove_by_user(tx: &Tx, user: UserKey) -> Result<Vec<RemovedSession>> {
    tx.prepare_cached("DELETE FROM uia_sessions WHERE user = ?1 RETURNING id, session")?
        .query_map([user], RemovedSession::from_row)?
        .collect()
}

/// Whether there is any. To ask costs a twentieth of the statement below, which most requests need not run.
const ANY_EXPIRED: &str = "SELECT ifnull((SELECT min(ends_at) FROM uia_sessions) <= ?1, FALSE)
        OR ifnull((SELECT max(ends_at) FROM uia_sessions) > ?2, FALSE)";

/// Two questions, each a look at one end of an index: in one, the whole index would be read.
const TAKE_EXPIRED: &str = "DELETE FROM uia_sessions WHERE rowid IN (
         SELECT * FROM (SELECT rowid FROM uia_sessions WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?3)
         UNION ALL
         SELECT * FROM (SELECT rowid FROM uia_sessions WHERE ends_at > ?2 LIMIT ?3)
         LIMIT ?3)
     RETURNING id, session";

/// Removes sessions whose time is over, or that were made while the clock was wrong: none ends later than `latest_ms`.
/// At most so many, and returns them: what was promised to them is to be given back. Called with every insert,
/// a small number keeps up.
pub fn take_expired(tx: &Tx, now_ms: u64, latest_ms: u64, at_most: usize) -> Result<Vec<RemovedSession>> {
    if !tx.prepare_cached(ANY_EXPIRED)?.query_row((now_ms, latest_ms), |row| row.get(0))? {
        return Ok(Vec::new());
    }
    tx.prepare_cached(TAKE_EXPIRED)?
        .query_map((now_ms, latest_ms, at_most), RemovedSession::from_row)?
        .collect()
}

impl RemovedSession {
    /// It never fails: what isn't there in its right form is left empty.
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let text = row.get_ref("session")?.as_bytes().unwrap_or_default();
        Ok(Self {
            id: row.get_ref("id")?.as_bytes().unwrap_or_default().to_vec(),
            session: String::from_utf8_lossy(text).into_owned(),
        })
    }
}

impl StoredSession {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            revision: row.get("revision")?,
            user: row.get("user")?,
            owner: row.get("owner")?,
            worth: row.get("worth")?,
            made_at: row.get("made_at")?,
            ends_at: row.get("ends_at")?,
            session: row.get("session")?,
            kept: row.get("kept")?,
        })
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::db::Db;
    use matrix_uia::server::store::Limits;

    pub const NOW: u64 = 0;
    pub const ROOM: Limits = Limits { all: 10, per_owner: 10 };

    pub fn session(id: &str, made_at: u64, proved: bool) -> StoredSession {
        StoredSession {
            id: id.as_bytes().to_vec(),
            revision: 0,
            user: None,
            owner: 0,
            worth: u8::from(proved),
            made_at,
            ends_at: made_at.saturating_add(100),
            session: format!("session {id}"),
            kept: "{}".to_owned(),
        }
    }

    /// What is left of it once it is removed.
    pub fn removed(session: StoredSession) -> RemovedSession {
        let StoredSession { id, session, .. } = session;
        RemovedSession { id, session }
    }

    pub fn in_transaction(test: impl FnOnce(&Tx) -> Result<()>) {
        Db::in_memory().unwrap().blocking_transaction(test).unwrap();
    }

    pub fn stored(tx: &Tx, id: &str) -> bool {
        load(tx, id.as_bytes()).unwrap().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{NOW, ROOM, in_transaction, removed, session, stored};
    use super::*;
    use crate::db::users::{NewUser, create};
    use matrix_uia::server::store::Limits;

    #[test]
    fn a_session_is_loaded_as_it_was_stored() {
        in_transaction(|tx| {
            let one = session("one", 1, false);
            assert_eq!(insert(tx, &one, ROOM, NOW)?, Inserted::Stored(None));
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
            let _ = insert(tx, &first, ROOM, NOW)?;
            let mine = StoredSession { revision: 1, worth: 1, kept: "mine".to_owned(), ..first.clone() };
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
    fn the_expired_are_taken_oldest_first() {
        in_transaction(|tx| {
            for made_at in [1, 2, 3] {
                let _ = insert(tx, &session(&made_at.to_string(), made_at, true), ROOM, NOW)?;
            }
            assert_eq!(take_expired(tx, 100, 1_000, 10)?, []);
            let gone = |id, made_at| removed(session(id, made_at, true));
            assert_eq!(take_expired(tx, 102, 1_000, 1)?, [gone("1", 1)]);
            assert_eq!(take_expired(tx, 102, 1_000, 10)?, [gone("2", 2)]);
            assert!(stored(tx, "3"));
            assert_eq!(take_expired(tx, 3, 102, 10)?, [gone("3", 3)], "lesson 104: from the future");
            Ok(())
        });
    }

    #[test]
    fn looking_for_the_expired_reads_none_of_the_others() {
        use rusqlite::StatementStatus::VmStep;
        in_transaction(|tx| {
            let steps = || -> Result<i32> {
                let mut any = tx.prepare(ANY_EXPIRED)?;
                assert!(!any.query_row((100, 1_000), |row| row.get::<_, bool>(0))?);
                let mut take = tx.prepare(TAKE_EXPIRED)?;
                assert!(take.query_map((100, 1_000, 16), RemovedSession::from_row)?.next().is_none());
                Ok(any.get_status(VmStep) + take.get_status(VmStep))
            };
            let few = steps()?;
            for made_at in 100..600 {
                let room = Limits { all: 1_000, per_owner: 1_000 };
                let _ = insert(tx, &session(&made_at.to_string(), made_at, false), room, NOW)?;
            }
            assert!(steps()? < few + 20, "{} and {few}", steps()?);
            Ok(())
        });
    }

    #[test]
    fn sessions_end_with_their_user() {
        in_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            let of_alice = StoredSession { user: Some(alice), ..session("a", 1, true) };
            let _ = insert(tx, &of_alice, ROOM, NOW)?;
            let _ = insert(tx, &session("b", 1, true), ROOM, NOW)?;
            assert_eq!(remove_by_user(tx, alice)?, [removed(of_alice)]);
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
                let _ = insert(
                    tx,
                    &StoredSession { user, ..session(&n.to_string(), n, false) },
                    Limits { all: 5, per_owner: 5 },
                    NOW,
                )?;
            }
            assert!(remove(tx, b"1", 0)?);
            remove_by_user(tx, alice)?;
            take_expired(tx, 102, 1_000, 10)?;
            let counted: u64 = tx.query_one("SELECT n FROM uia_session_count", [], |row| row.get(0))?;
            let there: u64 = tx.query_one("SELECT count(*) FROM uia_sessions", [], |row| row.get(0))?;
            assert_eq!((counted, there), (3, 3));
            Ok(())
        });
    }

    #[test]
    fn the_count_of_each_owner_follows_too_and_ends_with_its_last_session() {
        in_transaction(|tx| {
            let count = |owner: i64| -> Result<Option<u64>> {
                tx.prepare("SELECT n FROM uia_session_owners WHERE owner = ?1")?
                    .query_row([owner], |row| row.get(0))
                    .optional()
            };
            for (id, owner, made_at) in [("a", 1, 1), ("b", 1, 2), ("c", 2, 3), ("nobody's", 0, 4)] {
                let _ = insert(tx, &StoredSession { owner, ..session(id, made_at, false) }, ROOM, NOW)?;
            }
            assert_eq!((count(0)?, count(1)?, count(2)?), (None, Some(2), Some(1)));
            assert!(remove(tx, b"a", 0)?);
            take_expired(tx, 103, 1_000, 10)?;
            assert_eq!((count(1)?, count(2)?), (None, None));
            Ok(())
        });
    }

    #[test]
    fn debug_shows_neither_the_id_nor_what_is_in_it() {
        let marked = session("marked", 1, false);
        for shown in [format!("{marked:?}"), format!("{:?}", removed(marked))] {
            assert!(!shown.contains("marked") && !shown.contains("109"), "{shown}");
        }
    }
}
