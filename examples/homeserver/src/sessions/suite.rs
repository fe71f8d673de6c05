//! The suite for stores, over the sessions that are rows.
//!
//! `STORE_OPERATIONS`, `STORE_SEED`: how many random operations (default 5,000; 100,000 in release), and which.

use super::rows::Rows;
use crate::db::{Db, Result, Tx};
use crate::files::scratch::Scratch;
use matrix_uia::server::commit::{Committed, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::store::{Done, Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::testkit::adapter::{Effort, Found, TestStore, suite};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use std::cell::{Cell, RefCell};
use std::fs;

struct Store {
    rows: Rows,
    dir: RefCell<Scratch>,
    db: RefCell<Db>,
    now: Cell<Timestamp>,
    /// How many writes to the file still succeed. It has no connection whose bytes could be counted.
    left: Cell<Option<usize>>,
}

impl Store {
    async fn new(limits: Limits, lifetimes: Lifetimes) -> Self {
        let dir = Scratch::new();
        let db = Db::in_dir(dir.path()).unwrap();
        // Their sessions belong to users.
        let users =
            "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
             INSERT INTO users (id, localpart) SELECT n, 'user' || n FROM numbers";
        db.do_not_sync().await;
        db.transaction(|tx| tx.execute(users, [])).await.unwrap();
        Self {
            rows: Rows::new(BindingKey::from_entropy([7; 16]), limits, lifetimes),
            dir: RefCell::new(dir),
            db: RefCell::new(db),
            now: Cell::new(Timestamp::from_millis(1_000_000)),
            left: Cell::new(None),
        }
    }

    async fn begin(&self) -> Result<Tx> {
        let db = self.db.borrow().clone();
        db.begin().await
    }

    /// As after the process was killed: from a copy of the files as they are while the transaction is open.
    fn reopen(&self) {
        let copy = Scratch::new();
        fs::create_dir(copy.path()).unwrap();
        for name in self.dir.borrow().names() {
            // The index of the journal is made anew.
            if !name.ends_with("-shm") {
                fs::copy(self.dir.borrow().path().join(&name), copy.path().join(&name)).unwrap();
            }
        }
        let db = Db::in_dir(copy.path()).unwrap();
        drop((self.db.replace(db), self.dir.replace(copy)));
    }

    async fn write(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done> {
        let tx = self.begin().await?;
        let done = self.rows.commit(&tx, changes, kept, owner, now);
        if done.is_err() {
            self.reopen();
        }
        let done = done?;
        if done.committed == Committed::Stored {
            tx.commit()?;
        }
        Ok(done)
    }
}

impl TestStore for Store {
    type Error = rusqlite::Error;

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    async fn pass(&self, time: Millis) {
        self.now.set(self.now.get().after(time));
    }

    fn key(&self, id: SessionId) -> Digest {
        self.rows.key(&id)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Found>> {
        let tx = self.begin().await?;
        Ok(self.rows.load(&tx, &id)?.map(|(session, kept)| Found { session, kept }))
    }

    async fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done> {
        let Some(left) = self.left.get() else { return self.write(changes, kept, owner, now).await };
        let db = self.db.borrow().clone();
        let fails = u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1);
        db.fail_from(Some(fails)).await;
        let done = self.write(changes, kept, owner, now).await;
        // Nothing fails any more, whether the commit did or not.
        self.reopen();
        done
    }

    async fn sweep(&self, at_most: usize) -> Result<Vec<Gone>> {
        let tx = self.begin().await?;
        let gone = self.rows.sweep(&tx, at_most, self.now())?;
        tx.commit()?;
        Ok(gone)
    }

    async fn count(&self) -> Result<usize> {
        let tx = self.begin().await?;
        let count = self.rows.count(&tx)?;
        let there: usize = tx.query_one("SELECT count(*) FROM uia_sessions", [], |row| row.get(0))?;
        assert_eq!(count, there, "what is counted and what is there");
        Ok(count)
    }

    async fn overwrite(&self, id: SessionId, value: &(impl serde::Serialize + ?Sized)) -> Result<bool> {
        let tx = self.begin().await?;
        let json = serde_json::to_string(value).unwrap();
        let key = self.rows.key(&id);
        tx.execute("UPDATE uia_sessions SET session = ?2 WHERE id = ?1", (key.as_bytes(), json))?;
        tx.commit()?;
        Ok(true)
    }

    /// The bytes of every file.
    async fn contents(&self) -> Result<Vec<u8>> {
        let dir = self.dir.borrow();
        Ok(dir.names().iter().flat_map(|name| fs::read(dir.path().join(name)).unwrap()).collect())
    }

    fn cut_after(&self, bytes: Option<usize>) -> bool {
        self.left.set(bytes);
        true
    }
}

fn number<T: std::str::FromStr>(variable: &str, default: T) -> T {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// Issue 11, item 2.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_rows_pass_the_suite_for_stores() {
    // Every write of a commit is one where it may be cut.
    let effort = Effort {
        operations: number("STORE_OPERATIONS", if cfg!(debug_assertions) { 5_000 } else { 100_000 }),
        seed: number("STORE_SEED", 1),
        cut_step: 1,
    };
    let report = suite(async |limits, lifetimes| Store::new(limits, lifetimes).await, effort).await;
    let report = report.unwrap_or_else(|broken| panic!("{broken}"));
    println!("{report:?}");
    assert_eq!((report.operations, report.versions), (effort.operations, true));
    assert!(report.cuts >= 4, "a removal, a replacement, their triggers and the commit: {report:?}");
}
