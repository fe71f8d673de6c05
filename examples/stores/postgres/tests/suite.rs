//! The suite for stores, over a real server. `POSTGRES_URL` names it; `.ci/stores` starts one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use matrix_uia::server::commit::SessionChanges;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::store::{Done, Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::testkit::adapter::{Found, TestStore, suite};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use matrix_uia_store_postgres::{Error, Sessions};
use matrix_uia_store_tests::{Proxy, effort, marked, now, rounds, url};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_postgres::{Client, Config, NoTls};

struct Store {
    sessions: Sessions,
    /// Past the proxy.
    db: Client,
    schema: String,
    proxy: Proxy,
}

impl Store {
    /// A store in a schema of its own.
    async fn new(url: &str, limits: Limits, lifetimes: Lifetimes) -> Self {
        static STORES: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("test_{}_{}", now().as_millis(), STORES.fetch_add(1, Ordering::SeqCst));
        let (db, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        db.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
        let proxy = Proxy::before(url).await.unwrap();
        let mut config: Config = proxy.url().parse().unwrap();
        config.options(format!("-c search_path={schema}"));
        let key = BindingKey::from_entropy([7; 16]);
        let sessions = Sessions::connect(config, 8, key, limits, lifetimes).await.unwrap();
        Self { sessions, db, schema, proxy }
    }
}

impl TestStore for Store {
    type Error = Error;

    fn now(&self) -> Timestamp {
        now()
    }

    async fn pass(&self, time: Millis) {
        tokio::time::sleep(Duration::from_millis(time.get())).await;
    }

    fn key(&self, id: SessionId) -> Digest {
        self.sessions.key(&id)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Found>, Error> {
        Ok(self.sessions.load(&id).await?.map(|(session, kept)| Found { session, kept }))
    }

    async fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done, Error> {
        self.sessions.commit(changes, kept, owner, now).await
    }

    async fn sweep(&self, at_most: usize) -> Result<Vec<Gone>, Error> {
        self.sessions.sweep(at_most).await
    }

    async fn count(&self) -> Result<usize, Error> {
        let counted = self.sessions.count().await?;
        let count = format!("SELECT count(*) FROM {}.uia_sessions", self.schema);
        let there: i64 = self.db.query_one(&count, &[]).await?.get(0);
        assert_eq!(i64::try_from(counted)?, there, "what is counted and what is there");
        Ok(counted)
    }

    async fn overwrite(
        &self,
        id: SessionId,
        value: &(impl serde::Serialize + ?Sized),
    ) -> Result<bool, Error> {
        let update = format!("UPDATE {}.uia_sessions SET session = $1 WHERE id = $2", self.schema);
        let key = self.sessions.key(&id);
        self.db.execute(&update, &[&serde_json::to_string(value)?, &key.as_bytes().as_slice()]).await?;
        Ok(true)
    }

    /// Every row as text; bytes in it are hexadecimal.
    async fn contents(&self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        for table in ["uia_sessions", "uia_count"] {
            let select = format!("SELECT t::text FROM {}.{table} t", self.schema);
            for row in self.db.query(&select, &[]).await? {
                all.extend(row.get::<_, String>(0).bytes());
            }
        }
        Ok(all)
    }

    fn cut_after(&self, bytes: Option<usize>) -> bool {
        self.proxy.cut_after(bytes);
        true
    }
}

const ROOMY: Limits = Limits { all: 100, per_owner: 100 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_every_promise() {
    let Some(url) = url("POSTGRES_URL") else { return };
    let ran = suite(async |limits, lifetimes| Store::new(&url, limits, lifetimes).await, effort()).await;
    let report = ran.unwrap_or_else(|broken| panic!("{broken}"));
    println!("{report:?}");
    assert!(report.cuts > 5 && report.versions && report.operations == effort().operations, "{report:?}");
}

#[tokio::test]
async fn no_secret_is_stored() {
    let Some(url) = url("POSTGRES_URL") else { return };
    let lifetimes = Lifetimes::of(&matrix_uia::Rules::default());
    marked::nothing_in_the_clear(&Store::new(&url, ROOMY, lifetimes).await).await;
}

/// In a transaction of the host's, a commit is undone with it.
#[tokio::test]
async fn a_commit_in_the_host_s_transaction_ends_with_it() {
    let Some(url) = url("POSTGRES_URL") else { return };
    let store = Store::new(&url, ROOMY, Lifetimes::of(&matrix_uia::Rules::default())).await;
    marked::nothing_in_the_clear(&store).await;
    let id = SessionId::from_entropy(*b"marked-id-of-the-session");
    let (session, _) = store.sessions.load(&id).await.unwrap().unwrap();
    for ends in [false, true] {
        let mut db = store.sessions.pool.get().await.unwrap();
        let transaction = db.transaction().await.unwrap();
        let removal = SessionChanges { put: None, remove: Some((id, session.revision())) };
        let done = store.sessions.commit_in(&transaction, removal, None, OwnerKey::NOBODY, now());
        assert_eq!(done.await.unwrap().committed, matrix_uia::server::commit::Committed::Stored);
        if ends {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        assert_eq!(store.sessions.load(&id).await.unwrap().is_none(), ends);
    }
}

#[tokio::test]
async fn a_challenge_is_one_round_trip_at_most_and_a_flow_of_two_requests_four() {
    let Some(url) = url("POSTGRES_URL") else { return };
    let store = Store::new(&url, ROOMY, Lifetimes::of(&matrix_uia::Rules::default())).await;
    rounds::stay_within_the_bounds(&store, || store.proxy.traffic()).await;
}

/// A server that is away is an error soon, and no hang.
#[tokio::test]
async fn a_server_that_is_away_is_an_error_soon() {
    let Some(url) = url("POSTGRES_URL") else { return };
    let store = Store::new(&url, ROOMY, Lifetimes::of(&matrix_uia::Rules::default())).await;
    store.cut_after(Some(0));
    let begun = std::time::Instant::now();
    assert!(store.load(SessionId::from_entropy([1; 24])).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}
