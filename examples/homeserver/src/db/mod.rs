//! What must outlive a request: accounts, devices, tokens, sessions and progress, in SQLite.
//!
//! One connection behind a lock. Whatever belongs together is one [`Db::transaction`]; the modules below
//! have the steps that it is made of, each a function on the open transaction. They keep and find, and
//! decide nothing: who may do what is read off the values they return.

pub mod belongings;
pub mod deactivations;
pub mod devices;
pub mod login_tokens;
pub mod registration_tokens;
mod schema;
pub mod server_key;
pub mod sessions;
pub mod threepids;
pub mod tokens;
pub mod users;
pub mod validations;
mod values;

pub use values::UserKey;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::task::block_in_place;

pub type Result<T> = rusqlite::Result<T>;

/// The database.
#[derive(Debug)]
pub struct Db {
    connection: Mutex<Connection>,
}

impl Db {
    /// A database that ends with the process.
    ///
    /// # Errors
    ///
    /// Whatever SQLite says.
    pub fn in_memory() -> Result<Self> {
        Self::prepare(Connection::open_in_memory()?)
    }

    /// The database in `dir`, which is made if need be.
    ///
    /// # Errors
    ///
    /// If the directory can't be made, or the file is no database of this program.
    pub fn in_dir(dir: &Path) -> io::Result<Self> {
        private_dir(dir)?;
        let open = || {
            let connection = Connection::open(dir.join("homeserver.sqlite"))?;
            // Other processes may serve the same data: wait for them rather than fail.
            connection.busy_timeout(Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // In WAL mode the default only promises what was committed to survive the process. What was
            // answered with 200 shall survive a power cut too.
            connection.pragma_update(None, "synchronous", "FULL")?;
            Self::prepare(connection)
        };
        open().map_err(io::Error::other)
    }

    fn prepare(mut connection: Connection) -> Result<Self> {
        connection.pragma_update(None, "foreign_keys", true)?;
        // The default of 16 is less than the statements there are.
        connection.set_prepared_statement_cache_capacity(128);
        schema::migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Runs `work` as one transaction: committed, and on disk, if it returns `Ok`; undone if it returns
    /// `Err` or panics.
    ///
    /// It is `IMMEDIATE`, so what was read is still true when it is written, and it never fails halfway
    /// because another process wrote first. The work may borrow what the handler holds. It blocks, which
    /// the runtime is told, so it needs tokio's multi-threaded one (or none). It must not begin another
    /// transaction, which would wait for this one for ever: steps to be combined take the open one.
    ///
    /// # Errors
    ///
    /// The work's own, or that of SQLite.
    pub fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        block_in_place(|| {
            // A panic while the lock was held has rolled its transaction back: the connection is sound.
            let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }
}

/// Makes a directory that only its owner may look into: it will hold password hashes, or messages with tokens.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::users::{NewUser, create};

    /// A directory that is gone after the test.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let id = crate::secrets::opaque_id();
            Self(std::env::temp_dir().join(format!("matrix-uia-{name}-{id}")))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn names(db: &Db) -> u64 {
        db.transaction(|tx| tx.query_one("SELECT count(*) FROM users", [], |row| row.get(0))).unwrap()
    }

    #[test]
    fn what_was_committed_is_there_after_a_restart() {
        let dir = Scratch::new("restart");
        let db = Db::in_dir(&dir.0).unwrap();
        db.transaction(|tx| create(tx, &NewUser::named("alice"))).unwrap();
        drop(db);
        assert_eq!(names(&Db::in_dir(&dir.0).unwrap()), 1);
    }

    #[test]
    fn a_file_is_in_wal_mode_and_fully_synchronous() {
        let dir = Scratch::new("modes");
        let db = Db::in_dir(&dir.0).unwrap();
        let connection = db.connection.lock().unwrap();
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let level: u64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), level), ("wal", 2));
    }

    #[test]
    fn an_error_or_a_panic_undoes_everything_and_leaves_the_database_usable() {
        let db = Db::in_memory().unwrap();
        let refused: Result<()> = db.transaction(|tx| {
            create(tx, &NewUser::named("alice"))?;
            Err(rusqlite::Error::QueryReturnedNoRows)
        });
        assert!(refused.is_err());
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            db.transaction(|tx| -> Result<()> {
                create(tx, &NewUser::named("bob"))?;
                panic!("in the middle");
            })
        }));
        assert!(panic.is_err());
        assert_eq!(names(&db), 0);
    }

    #[test]
    fn several_processes_may_open_one_directory_at_once() {
        let dir = Scratch::new("shared");
        std::thread::scope(|scope| {
            for n in 0..4 {
                let dir = &dir.0;
                scope.spawn(move || {
                    let db = Db::in_dir(dir).unwrap();
                    db.transaction(|tx| create(tx, &NewUser::named(&format!("user{n}")))).unwrap();
                });
            }
        });
        assert_eq!(names(&Db::in_dir(&dir.0).unwrap()), 4);
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let dir = Scratch::new("garbage");
        private_dir(&dir.0).unwrap();
        std::fs::write(dir.0.join("homeserver.sqlite"), "not a database, but long enough to be one").unwrap();
        assert!(Db::in_dir(&dir.0).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_in_a_task_may_borrow_from_it() {
        let db = Db::in_memory().unwrap();
        let name = String::from("alice");
        let task = tokio::spawn(async move {
            let user = NewUser::named(&name);
            db.transaction(|tx| create(tx, &user))
        });
        assert!(task.await.unwrap().unwrap().is_some());
    }
}
