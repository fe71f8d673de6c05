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
mod names;
pub mod records;
pub mod registration_tokens;
mod schema;
pub mod sessions;
pub mod threepids;
pub mod tokens;
pub mod trouble;
mod tx;
pub mod users;
pub mod validations;
mod values;

pub use tx::Tx;
pub use values::UserKey;

use crate::files;
use names::Names;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::block_in_place;

pub type Result<T> = rusqlite::Result<T>;

/// The database. Clones share it.
#[derive(Debug, Clone)]
pub struct Db {
    connection: Arc<Mutex<Connection>>,
    /// `None` if other processes may write to the same data.
    names: Option<Arc<Names>>,
    /// Where a test has every transaction wait before it begins.
    #[cfg(test)]
    pub waits: Option<matrix_uia::testkit::Outside>,
    /// Whether a test has the next commit of a session lose.
    #[cfg(test)]
    pub loses: Arc<std::sync::atomic::AtomicBool>,
}

/// The database of a data directory.
const NAME: &str = "homeserver.sqlite";

impl Db {
    /// A database that ends with the process.
    ///
    /// # Errors
    ///
    /// Whatever SQLite says.
    pub fn in_memory() -> Result<Self> {
        Self::prepare(Connection::open_in_memory()?, Some(Arc::default()))
    }

    /// The database in `dir`, which is made if need be. Its file and the journals beside it are their owner's alone.
    ///
    /// # Errors
    ///
    /// One line: what is wrong, and what to do.
    pub fn in_dir(dir: &Path) -> std::result::Result<Self, String> {
        let file = dir.join(NAME);
        // Journals get the mode of the file, but those of an older program are there already.
        let private = files::private_dir(dir).and_then(|()| files::create_or_tighten(&file)).and_then(|()| {
            ["-wal", "-shm", "-journal"]
                .iter()
                .try_for_each(|journal| files::tighten(&dir.join(format!("{NAME}{journal}"))))
        });
        private.map_err(|error| format!("{error}; give a directory that this server may write to"))?;
        let open = || {
            let connection = Connection::open(file)?;
            // Other processes may serve the same data: wait for them rather than fail.
            connection.busy_timeout(BEGIN_PATIENCE)?;
            use_wal(&connection)?;
            // In WAL mode the default only promises what was committed to survive the process. What was
            // answered with 200 shall survive a power cut too.
            connection.pragma_update(None, "synchronous", "FULL")?;
            // The journal is emptied when it has so many pages: a small disk has no room for SQLite's default of 4 MB.
            connection.pragma_update(None, "wal_autocheckpoint", JOURNAL_PAGES)?;
            let db = Self::prepare(connection, None)?;
            // What a migration wrote is twice on the disk. It is not waited for who is in the way.
            if let Ok(connection) = db.connection.try_lock() {
                tx::empty_journal(&connection);
            }
            Ok(db)
        };
        open().map_err(|error| format!("{NAME}: {}", trouble::explain(&error)))
    }

    fn prepare(mut connection: Connection, names: Option<Arc<Names>>) -> Result<Self> {
        connection.pragma_update(None, "foreign_keys", true)?;
        // The default of 16 is less than the statements there are.
        connection.set_prepared_statement_cache_capacity(128);
        // Else a statement with a bound LIMIT is prepared again for every value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        schema::migrate(&mut connection)?;
        // From now on `Tx::begin` waits, which blocks no thread.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            names,
            #[cfg(test)]
            waits: None,
            #[cfg(test)]
            loses: Arc::default(),
        })
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
        #[cfg(test)]
        if let Some(outside) = &self.waits {
            outside.pause().await;
        }
        // On the heap: most of the futures that would have room for it never come to it.
        Box::pin(async {
            Tx::begin(Arc::clone(&self.connection).lock_owned().await, self.names.clone()).await
        })
        .await
    }

    /// Whether there may be an account of that name. If not, there is none; otherwise look it up.
    pub fn may_have_user(&self, localpart: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.may_have(localpart))
    }

    /// Looks something up with one statement, which SQLite makes a transaction by itself: to begin one and to end it
    /// would be three statements more. It waits as [`begin`](Self::begin) does.
    ///
    /// # Errors
    ///
    /// Those of SQLite, and that another process is in the way for too long.
    pub async fn look<T>(&self, look: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        #[cfg(test)]
        if let Some(outside) = &self.waits {
            outside.pause().await;
        }
        let connection = self.connection.lock().await;
        tx::patiently(move || look(&connection)).await
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

    /// Has every write from the `nth` on fail, that of a commit included, as on a disk that is full; none with `None`.
    /// How many there have been is counted in what it returns.
    #[cfg(test)]
    pub async fn fail_from(&self, nth: Option<u64>) -> Arc<std::sync::atomic::AtomicU64> {
        use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
        let written = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counter = Arc::clone(&written);
        let connection = self.connection.lock().await;
        // It is asked when a statement is prepared.
        connection.flush_prepared_statement_cache();
        connection.set_prepared_statement_cache_capacity(0);
        let hook = move |context: AuthContext<'_>| {
            let writes = match context.action {
                AuthAction::Insert { .. } | AuthAction::Update { .. } | AuthAction::Delete { .. } => true,
                // SQLite's name for a commit is not among them.
                AuthAction::Transaction { operation } => operation == TransactionOperation::Unknown,
                _ => false,
            };
            let number = if writes {
                counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst).saturating_add(1)
            } else {
                0
            };
            if writes && nth.is_some_and(|nth| number >= nth) {
                Authorization::Deny
            } else {
                Authorization::Allow
            }
        };
        connection.authorizer(Some(hook)).unwrap();
        written
    }

    /// What is committed from now on need not survive a power cut: a test that writes very often takes seconds then.
    #[cfg(test)]
    pub async fn do_not_sync(&self) {
        self.connection.lock().await.pragma_update(None, "synchronous", "OFF").unwrap();
    }

    /// The same as [`transaction`](Self::transaction) for a test that is not async.
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

/// An eighth of SQLite's default, so that it is emptied eight times as often: 512 KiB.
const JOURNAL_PAGES: u32 = 128;

/// How long a start waits for other processes that use the same file.
const BEGIN_PATIENCE: Duration = Duration::from_secs(10);

/// Switches to WAL mode. SQLite doesn't wait by itself where two processes do so at once.
fn use_wal(connection: &Connection) -> Result<()> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if tx::is_busy(&error) && begun.elapsed() < BEGIN_PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::users::{NewUser, create};
    use crate::files::scratch::Scratch;

    fn names(db: &Db) -> u64 {
        db.blocking_transaction(|tx| tx.query_one("SELECT count(*) FROM users", [], |row| row.get(0)))
            .unwrap()
    }

    #[test]
    fn what_was_committed_is_there_after_a_restart() {
        let dir = Scratch::new();
        let db = Db::in_dir(dir.path()).unwrap();
        db.blocking_transaction(|tx| create(tx, &NewUser::named("alice"))).unwrap();
        drop(db);
        assert_eq!(names(&Db::in_dir(dir.path()).unwrap()), 1);
    }

    #[test]
    fn a_file_is_in_wal_mode_and_fully_synchronous() {
        let dir = Scratch::new();
        let db = Db::in_dir(dir.path()).unwrap();
        let connection = db.connection.blocking_lock();
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let level: u64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), level), ("wal", 2));
    }

    #[test]
    fn the_journal_is_emptied_at_the_start_and_stays_small() {
        let dir = Scratch::new();
        let db = Db::in_dir(dir.path()).unwrap();
        let journal = || dir.path().join("homeserver.sqlite-wal").metadata().unwrap().len();
        assert_eq!(journal(), 0, "what the migrations wrote is in the database");
        for n in 0..200 {
            db.blocking_transaction(|tx| create(tx, &NewUser::named(&format!("user{n}")))).unwrap();
        }
        // That of the last transaction before it is emptied comes on top.
        assert!(journal() < 2 * 4096 * u64::from(JOURNAL_PAGES), "{}", journal());
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
        let dir = Scratch::new();
        std::thread::scope(|scope| {
            for n in 0..4 {
                let dir = dir.path();
                scope.spawn(move || {
                    let db = Db::in_dir(dir).unwrap();
                    db.blocking_transaction(|tx| create(tx, &NewUser::named(&format!("user{n}")))).unwrap();
                });
            }
        });
        assert_eq!(names(&Db::in_dir(dir.path()).unwrap()), 4);
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let dir = Scratch::new();
        files::private_dir(dir.path()).unwrap();
        std::fs::write(dir.path().join("homeserver.sqlite"), "not a database, but long enough to be one")
            .unwrap();
        let line = Db::in_dir(dir.path()).unwrap_err();
        assert!(line.starts_with("homeserver.sqlite: it is no database ("), "{line}");
    }

    #[cfg(unix)]
    #[test]
    fn lesson_78_the_database_and_its_journals_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = Scratch::new();
        std::fs::create_dir(dir.path()).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let db = Db::in_dir(dir.path()).unwrap();
        db.blocking_transaction(|tx| create(tx, &NewUser::named("alice"))).unwrap();
        let modes = || {
            dir.names().into_iter().map(|name| {
                let mode = dir.path().join(&name).metadata().unwrap().permissions().mode() & 0o777;
                (name, mode)
            })
        };
        assert!(dir.names().len() >= 2, "there is a journal: {:?}", dir.names());
        for (name, mode) in modes() {
            assert_eq!(mode, 0o600, "{name}");
            // As an older program has left it.
            let open = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(dir.path().join(name), open).unwrap();
        }
        let _again = Db::in_dir(dir.path()).unwrap();
        assert!(modes().all(|(_, mode)| mode == 0o600), "{:?}", modes().collect::<Vec<_>>());
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
