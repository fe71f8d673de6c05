//! An open transaction, as a value that an async handler may keep across an `await`.

use super::names::Names;
use super::{Result, trouble};
use matrix_uia::server::exchange::OneTransaction;
use rusqlite::{Connection, ErrorCode};
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;
use tokio::task::block_in_place;
use tokio::time::sleep;

/// How long another process that writes to the same file is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between two looks whether it is done.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// An open transaction. It has the database's one connection to itself until it ends, so keep it short: hash
/// no password and wait for no other server while it is open.
///
/// It is `IMMEDIATE`: what was read is still true when something is written, and it never fails halfway
/// because another process wrote first. Dropping it undoes it, whether by an error, by a panic, or because a
/// client hung up and its handler's future was dropped.
///
/// It is `Send` but not `Sync`: keep it by value or as `&mut Tx` across an `await`, never as `&Tx`.
#[derive(Debug)]
#[must_use = "a transaction that is not committed is undone"]
pub struct Tx {
    connection: OwnedMutexGuard<Connection>,
    names: Option<Arc<Names>>,
    /// How many rows the connection had written before.
    written_before: u64,
    /// It has been committed.
    committed: bool,
}

/// Sessions, if they are in this database, are rows beside the accounts.
impl OneTransaction for Tx {}

impl Tx {
    /// Begins, as soon as no other process writes.
    pub(super) async fn begin(
        connection: OwnedMutexGuard<Connection>,
        names: Option<Arc<Names>>,
    ) -> Result<Self> {
        let written_before = connection.total_changes();
        let mut tx = Self { connection, names, written_before, committed: false };
        let beginning = &mut tx;
        patiently(move || beginning.run("BEGIN IMMEDIATE")).await?;
        tx.run("SAVEPOINT mark")?;
        Ok(tx)
    }

    /// Ends it: what was written is on disk.
    ///
    /// # Errors
    ///
    /// Those of SQLite. Everything is undone then.
    pub fn commit(mut self) -> Result<()> {
        // What was only read needs no room on the disk.
        let is_read = self.connection.total_changes() == self.written_before;
        if is_read {
            self.run("ROLLBACK")?;
        } else if let Err(error) = block_in_place(|| self.run("COMMIT")) {
            self.end();
            if trouble::is_full(&error) {
                // The journal has what room there was. Whatever of it fits into the database gives that back.
                empty_journal(&self.connection);
            }
            return Err(error);
        }
        self.committed = true;
        Ok(())
    }

    /// Undoes it, unless SQLite has done so by itself: a disk that is full.
    fn end(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::error!(%error, "a transaction can't be undone");
        }
    }

    /// Marks the point that [`undo_to_mark`](Self::undo_to_mark) goes back to. Until the first mark, that is
    /// the beginning.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn mark(&self) -> Result<()> {
        self.run("RELEASE mark")?;
        self.run("SAVEPOINT mark")
    }

    /// Undoes what was written since the last mark. The transaction stays open, and nobody else has written
    /// meanwhile: what was read before the mark is still true.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn undo_to_mark(&self) -> Result<()> {
        self.run("ROLLBACK TO mark")
    }

    /// An account of that name is being made.
    pub(super) fn add_name(&self, localpart: &str) {
        if let Some(names) = &self.names {
            names.add(localpart);
        }
    }

    fn run(&self, statement: &str) -> Result<()> {
        self.connection.prepare_cached(statement)?.execute([]).map(drop)
    }
}

/// Does what another process may be in the way of, as often as it takes. A writer there is waited for by the clock:
/// SQLite's own way to wait would block the thread.
pub(super) async fn patiently<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => sleep(pause).await,
            done => return done,
        }
        pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
    }
}

impl Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.committed {
            self.end();
        }
    }
}

/// Writes what the journal has into the database, and cuts it off, if nobody is in the way: it is tried again after
/// some more pages, and at the next start.
pub(super) fn empty_journal(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(reason = trouble::explain(&error), "the journal can't be emptied");
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

#[cfg(test)]
mod tests {
    use crate::db::users::{NewUser, create};
    use crate::db::{Db, Tx};
    use crate::files::scratch::Scratch;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    const SOON: Duration = Duration::from_millis(20);

    fn put(tx: &Tx, name: &str) {
        assert!(create(tx, &NewUser::named(name)).unwrap().is_some());
    }

    fn names(tx: &Tx) -> Vec<String> {
        let mut names = tx.prepare("SELECT localpart FROM users ORDER BY 1").unwrap();
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_lives_across_an_await_of_a_task() {
        let db = Db::in_memory().unwrap();
        let tx = db.begin().await.unwrap();
        let task = tokio::spawn(async move {
            put(&tx, "alice");
            sleep(SOON).await;
            put(&tx, "bob");
            tx.commit()
        });
        task.await.unwrap().unwrap();
        assert_eq!(names(&db.begin().await.unwrap()), ["alice", "bob"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_that_is_dropped_is_undone() {
        let db = Db::in_memory().unwrap();
        put(&db.begin().await.unwrap(), "alice");
        let dropped = timeout(SOON, async {
            let tx = db.begin().await.unwrap();
            put(&tx, "bob");
            std::future::pending::<()>().await;
            drop(tx);
        });
        assert!(dropped.await.is_err());
        assert!(names(&db.begin().await.unwrap()).is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wait_that_is_given_up_takes_nothing_along() {
        let db = Db::in_memory().unwrap();
        let open = db.begin().await.unwrap();
        assert!(timeout(SOON, db.begin()).await.is_err(), "there is one at a time");
        put(&open, "alice");
        open.commit().unwrap();
        assert_eq!(names(&db.begin().await.unwrap()), ["alice"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn undoing_goes_back_to_the_last_mark_and_to_the_beginning_without_one() {
        let db = Db::in_memory().unwrap();
        let tx = db.begin().await.unwrap();
        put(&tx, "alice");
        tx.undo_to_mark().unwrap();
        assert!(names(&tx).is_empty());
        put(&tx, "bob");
        tx.mark().unwrap();
        for name in ["carol", "dave"] {
            put(&tx, name);
            tx.undo_to_mark().unwrap();
            assert_eq!(names(&tx), ["bob"], "as often as one likes");
        }
        put(&tx, "erin");
        tx.commit().unwrap();
        assert_eq!(names(&db.begin().await.unwrap()), ["bob", "erin"]);
    }

    /// With one thread, whoever blocked it would wait for ever.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn waiting_for_a_transaction_blocks_no_thread() {
        let dir = Scratch::new();
        let (here, another_process) = (Db::in_dir(dir.path()).unwrap(), Db::in_dir(dir.path()).unwrap());
        let tasks = tokio::spawn(async move {
            let open = here.begin().await.unwrap();
            let waiting = [here.clone(), another_process].map(|db| {
                tokio::spawn(async move {
                    let tx = db.begin().await.unwrap();
                    assert_eq!(names(&tx), ["alice"]);
                })
            });
            sleep(SOON).await;
            put(&open, "alice");
            open.commit().unwrap();
            for task in waiting {
                task.await.unwrap();
            }
        });
        tasks.await.unwrap();
    }
}
