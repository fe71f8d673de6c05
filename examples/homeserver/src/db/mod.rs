//! What must outlive a request: accounts, devices, tokens, sessions and progress, in SQLite.
//!
//! One connection behind a lock. Whatever belongs together is one transaction: [`Db::begin`] gives one that an
//! async handler may keep, [`Db::transaction`] runs a closure in one. The modules below have the steps that it
//! is made of, each a function on the open transaction. They keep and find, and decide nothing: who may do
//! what is read off the values they return.

pub mod belongings;
pub mod deactivations;
pub mod devices;
pub mod login_tokens;
pub mod records;
pub mod registration_tokens;
mod schema;
pub mod server_key;
pub mod sessions;
pub mod threepids;
pub mod tokens;
mod tx;
pub mod users;
pub mod validations;
mod values;

pub use tx::Tx;
pub use values::UserKey;

use rusqlite::Connection;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::block_in_place;

pub type Result<T> = rusqlite::Result<T>;

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Db {
    connection: Arc<Mutex<Connection>>,
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
        // From now on `Tx::begin` waits, which blocks no thread.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Begins a transaction, as soon as the one before has ended. Waiting blocks no thread.
    ///
    /// Who has one open must not begin another, which would wait for the first for ever: functions that are
    /// parts of something take the open one.
    ///
    /// # Errors
    ///
    /// Those of SQLite, and that another process doesn't stop writing.
    pub async fn begin(&self) -> Result<Tx> {
        Tx::begin(Arc::clone(&self.connection).lock_owned().await).await
    }

    /// Runs `work` as one transaction: committed, and on disk, if it returns `Ok`; undone if it returns
    /// `Err` or panics.
    ///
    /// The work may borrow what the handler holds. It may block its thread, which the runtime is told, so it
    /// needs tokio's multi-threaded one. What holds for [`begin`](Self::begin) holds here.
    ///
    /// # Errors
    ///
    /// The work's own, or that of SQLite.
    pub async fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Tx) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let tx = self.begin().await?;
        block_in_place(move || {
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        })
    }

    /// The same for a test that is not async.
    #[cfg(test)]
    pub fn blocking_transaction<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Tx) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        use std::sync::LazyLock;
        use tokio::runtime::Runtime;
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
        RUNTIME.block_on(self.transaction(work))
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
        db.blocking_transaction(|tx| tx.query_one("SELECT count(*) FROM users", [], |row| row.get(0)))
            .unwrap()
    }

    #[test]
    fn what_was_committed_is_there_after_a_restart() {
        let dir = Scratch::new("restart");
        let db = Db::in_dir(&dir.0).unwrap();
        db.blocking_transaction(|tx| create(tx, &NewUser::named("alice"))).unwrap();
        drop(db);
        assert_eq!(names(&Db::in_dir(&dir.0).unwrap()), 1);
    }

    #[test]
    fn a_file_is_in_wal_mode_and_fully_synchronous() {
        let dir = Scratch::new("modes");
        let db = Db::in_dir(&dir.0).unwrap();
        let connection = db.connection.blocking_lock();
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let level: u64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), level), ("wal", 2));
    }

    #[test]
    fn an_error_or_a_panic_undoes_everything_and_leaves_the_database_usable() {
        let db = Db::in_memory().unwrap();
        let refused: Result<()> = db.blocking_transaction(|tx| {
            create(tx, &NewUser::named("alice"))?;
            Err(rusqlite::Error::QueryReturnedNoRows)
        });
        assert!(refused.is_err());
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            db.blocking_transaction(|tx| -> Result<()> {
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
                    db.blocking_transaction(|tx| create(tx, &NewUser::named(&format!("user{n}")))).unwrap();
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
            db.transaction(|tx| create(tx, &user)).await
        });
        assert!(task.await.unwrap().unwrap().is_some());
    }
}
