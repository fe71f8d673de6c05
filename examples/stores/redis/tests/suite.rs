//! The suite for stores, over a real server. `REDIS_URL` names it; `.ci/stores` starts one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use matrix_uia::server::commit::SessionChanges;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::store::{Done, Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::testkit::adapter::{Found, TestStore, suite};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use matrix_uia_store_redis::Sessions;
use matrix_uia_store_tests::{Proxy, effort, marked, now, rounds, url};
use redis::aio::MultiplexedConnection;
use redis::{AsyncTypedCommands as _, Client, RedisError, RedisResult};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Store {
    sessions: Sessions,
    /// Past the proxy.
    redis: MultiplexedConnection,
    prefix: String,
    proxy: Proxy,
}

impl Store {
    async fn new(url: &str, limits: Limits, lifetimes: Lifetimes) -> Self {
        static STORES: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("{{test-{}-{}}}", now().as_millis(), STORES.fetch_add(1, Ordering::SeqCst));
        let proxy = Proxy::before(url).await.unwrap();
        let key = BindingKey::from_entropy([7; 16]);
        let sessions = Sessions::connect(proxy.url(), &prefix, key, limits, lifetimes).await.unwrap();
        let redis = Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
        Self { sessions, redis, prefix, proxy }
    }

    fn hash(&self, id: SessionId) -> String {
        let key: String =
            self.sessions.key(&id).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:s:{key}", self.prefix)
    }
}

impl TestStore for Store {
    type Error = RedisError;

    fn now(&self) -> Timestamp {
        now()
    }

    async fn pass(&self, time: Millis) {
        tokio::time::sleep(Duration::from_millis(time.get())).await;
    }

    fn key(&self, id: SessionId) -> Digest {
        self.sessions.key(&id)
    }

    async fn load(&self, id: SessionId) -> RedisResult<Option<Found>> {
        Ok(self.sessions.load(&id).await?.map(|(session, kept)| Found { session, kept }))
    }

    async fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> RedisResult<Done> {
        self.sessions.commit(changes, kept, owner, now).await
    }

    async fn sweep(&self, at_most: usize) -> RedisResult<Vec<Gone>> {
        self.sessions.sweep(at_most).await
    }

    async fn count(&self) -> RedisResult<usize> {
        let (len, pattern) = (self.sessions.count().await?, format!("{}:s:*", self.prefix));
        let keys = self.redis.clone().keys(pattern).await?.len();
        assert_eq!(len, keys, "what is counted and what is there");
        Ok(len)
    }

    async fn overwrite(&self, id: SessionId, value: &(impl serde::Serialize + ?Sized)) -> RedisResult<bool> {
        self.redis
            .clone()
            .hset(self.hash(id), "session", serde_json::to_string(value).map_err(std::io::Error::from)?)
            .await?;
        Ok(true)
    }

    /// Every key and its value, as the server dumps it and as text.
    async fn contents(&self) -> RedisResult<Vec<u8>> {
        let mut all = Vec::new();
        for key in self.redis.clone().keys(format!("{}*", self.prefix)).await? {
            let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut self.redis.clone()).await?;
            all.extend(dump);
            if key.contains(":s:") {
                for (field, value) in self.redis.clone().hgetall(&key).await? {
                    all.extend(format!("{field}={value}\n").bytes());
                }
            }
            all.extend(key.bytes());
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
    let Some(url) = url("REDIS_URL") else { return };
    let ran = suite(async |limits, lifetimes| Store::new(&url, limits, lifetimes).await, effort()).await;
    let report = ran.unwrap_or_else(|broken| panic!("{broken}"));
    println!("{report:?}");
    assert!(report.cuts > 5 && report.versions && report.operations == effort().operations, "{report:?}");
}

#[tokio::test]
async fn no_secret_is_stored() {
    let Some(url) = url("REDIS_URL") else { return };
    let lifetimes = Lifetimes::of(&matrix_uia::Rules::default());
    marked::nothing_in_the_clear(&Store::new(&url, ROOMY, lifetimes).await).await;
}

/// Where nobody sweeps, Redis itself drops a session, after its time is over and not before.
#[tokio::test]
async fn every_session_has_an_end_that_redis_knows() {
    let Some(url) = url("REDIS_URL") else { return };
    let lifetimes = Lifetimes::new(Millis::new(60_000), Millis::new(1_000));
    let store = Store::new(&url, ROOMY, lifetimes).await;
    marked::nothing_in_the_clear(&store).await;
    let keys = store.redis.clone().keys(format!("{}:s:*", store.prefix)).await.unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut store.redis.clone()).await.unwrap();
        assert!((60_000..=240_000).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn a_challenge_is_one_round_trip_at_most_and_a_flow_of_two_requests_four() {
    let Some(url) = url("REDIS_URL") else { return };
    let store = Store::new(&url, ROOMY, Lifetimes::of(&matrix_uia::Rules::default())).await;
    rounds::stay_within_the_bounds(&store, || store.proxy.traffic()).await;
}

/// A server that is away is an error soon, and no hang.
#[tokio::test]
async fn a_server_that_is_away_is_an_error_soon() {
    let Some(url) = url("REDIS_URL") else { return };
    let store = Store::new(&url, ROOMY, Lifetimes::of(&matrix_uia::Rules::default())).await;
    store.cut_after(Some(0));
    let begun = std::time::Instant::now();
    assert!(store.load(SessionId::from_entropy([1; 24])).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}
