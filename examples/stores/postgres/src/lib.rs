//! Sessions in PostgreSQL: load, commit, sweep. To be copied and changed.
//!
//! A commit is one statement, the function `uia_commit` of `schema.sql`: all or nothing, whoever hangs up. The clock
//! is the server's. Where the accounts lie in the same database, give [`Sessions::commit_in`] the transaction that
//! the call is carried out in; else the host is of the kind
//! [`HostKind::CLAIMS`](matrix_uia::server::exchange::HostKind).

mod answer;

pub use answer::{Done, Gone, Limits};

use deadpool_postgres::{GenericClient, Manager, Object, Pool, PoolError, Runtime};
use matrix_uia::server::commit::{Change, Committed};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Worth;
use matrix_uia::server::store::{Lifetimes, OwnerKey};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use std::time::Duration;
use tokio_postgres::{Config, NoTls, error::SqlState};

/// How long a request waits for a connection, and then for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub type Error = Box<dyn std::error::Error + Send + Sync>;

pub struct Sessions {
    pub pool: Pool,
    key: BindingKey,
    limits: Limits,
    lifetimes: Lifetimes,
}

impl Sessions {
    /// A pool of that many connections, and the tables. Every process of a cluster has the same `key`.
    pub async fn connect(
        config: Config,
        connections: usize,
        key: BindingKey,
        limits: Limits,
        lifetimes: Lifetimes,
    ) -> Result<Self, Error> {
        let pool = Pool::builder(Manager::new(config, NoTls)).max_size(connections).runtime(Runtime::Tokio1);
        let pool = pool.wait_timeout(Some(PATIENCE)).create_timeout(Some(PATIENCE)).build()?;
        let sessions = Self { pool, key, limits, lifetimes };
        sessions.ask(async |db| db.batch_execute(include_str!("schema.sql")).await).await?;
        Ok(sessions)
    }

    /// What a session is stored under. Its ID is a capability, and stored nowhere.
    pub fn key(&self, id: &SessionId) -> Digest {
        self.key.claimant(*id)
    }

    /// Asks in a connection of the pool. One that does not answer in time is closed, not used again.
    async fn ask<T>(
        &self,
        asks: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let db = self.pool.get().await.map_err(|error: PoolError| error.to_string())?;
        match tokio::time::timeout(PATIENCE, asks(&db)).await {
            Ok(answer) => Ok(answer?),
            Err(elapsed) => {
                drop(Object::take(db));
                Err(elapsed.into())
            }
        }
    }

    /// The session, and what is kept beside it. One of another version is as good as gone: that costs its user
    /// one round trip.
    pub async fn load(&self, id: &SessionId) -> Result<Option<(Session, String)>, Error> {
        self.ask(async |db| self.load_in(db, id).await).await
    }

    /// The same in a transaction of the host's.
    pub async fn load_in(
        &self,
        db: &impl GenericClient,
        id: &SessionId,
    ) -> Result<Option<(Session, String)>, tokio_postgres::Error> {
        let load = db.prepare_cached("SELECT session, kept FROM uia_sessions WHERE id = $1").await?;
        let row = db.query_opt(&load, &[&self.key(id).as_bytes().as_slice()]).await?;
        Ok(row.and_then(|row| Some((serde_json::from_str(row.get(0)).ok()?, row.get(1)))))
    }

    /// Whether there is a session under this key: one of another program's version, too.
    pub async fn holds(&self, key: Digest) -> Result<bool, Error> {
        let rows = self.ask(async |db| {
            let found = db.prepare_cached("SELECT 1 FROM uia_sessions WHERE id = $1").await?;
            db.query(&found, &[&key.as_bytes().as_slice()]).await
        });
        Ok(!rows.await?.is_empty())
    }

    /// Carries out the changes that are about sessions, all or none. An error says nothing about which: load again.
    pub async fn commit<'c>(
        &self,
        changes: impl Iterator<Item = Change<'c>>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done, Error> {
        self.ask(async |db| self.commit_in(db, changes, kept, owner, now).await).await
    }

    /// The same in a transaction of the host's, who undoes it unless the answer is [`Committed::Stored`].
    pub async fn commit_in<'c>(
        &self,
        db: &impl GenericClient,
        changes: impl Iterator<Item = Change<'c>>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done, tokio_postgres::Error> {
        let (mut put, mut leaving) = (None, None);
        for change in changes {
            match change {
                Change::Put { id, expected, session, keep } => {
                    put = Some((self.key(&id), expected, session, keep))
                }
                Change::Remove { id, expected } => leaving = Some((self.key(&id), i64::from(expected.get()))),
                // The host does these, in its transaction.
                Change::Undo | Change::GiveBack { .. } | Change::Spend { .. } => {}
            }
        }
        if put.is_none() && leaving.is_none() {
            return Ok(Done { committed: Committed::Stored, evicted: None });
        }
        let commit =
            db.prepare_cached("SELECT * FROM uia_commit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)").await?;
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let millis = |time: Millis| i64::try_from(time.get()).unwrap_or(i64::MAX);
        let rank = put.map(|(_, _, session, _)| match session.worth() {
            Worth::Nothing => 0,
            Worth::Proved => 1,
            Worth::Held if session.is_claimed() => 2,
            Worth::Held => 3,
        });
        let answer = db
            .query_one(
                &commit,
                &[
                    &leaving.as_ref().map(|(key, _)| key.as_bytes().as_slice()),
                    &leaving.as_ref().map(|(_, at)| *at),
                    &put.as_ref().map(|(key, ..)| key.as_bytes().as_slice()),
                    &put.and_then(|(_, expected, ..)| Some(i64::from(expected?.get()))),
                    &put.map(|(_, _, session, _)| i64::from(session.revision().get())),
                    &rank,
                    &put.map(|(_, _, session, _)| millis(self.lifetimes.left(session, now))),
                    &millis(self.lifetimes.session()),
                    &put.and_then(|(_, _, session, _)| serde_json::to_string(session).ok()),
                    &kept.filter(|_| put.is_some_and(|(.., keep)| keep)),
                    &owner.get().cast_signed(),
                    &number(self.limits.all),
                    &number(self.limits.per_owner),
                ],
            )
            .await;
        let row = match answer {
            Ok(row) => row,
            Err(error) => match error.code() {
                // Two that want each other's session: one of them has lost.
                Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE) => {
                    return Ok(Done { committed: Committed::Lost, evicted: None });
                }
                _ => return Err(error),
            },
        };
        let committed = match row.get("outcome") {
            "stored" => Committed::Stored,
            "full" => Committed::Full(Millis::new(row.get::<_, i64>("wait_ms").unsigned_abs())),
            _ => Committed::Lost,
        };
        Ok(Done { committed, evicted: gone(row.get("gone"), row.get("gone_session")) })
    }

    /// Removes at most so many sessions whose time is over, each for one caller. A timer of every process calls
    /// it again and again.
    pub async fn sweep(&self, at_most: usize) -> Result<Vec<Gone>, Error> {
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        let rows = self.ask(async |db| {
            let sweep = "DELETE FROM uia_sessions WHERE id IN (SELECT id FROM uia_sessions WHERE ends <= clock_timestamp()
                ORDER BY ends LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id, session";
            db.query(&db.prepare_cached(sweep).await?, &[&at_most]).await
        });
        Ok(rows.await?.iter().filter_map(|row| gone(row.get(0), row.get(1))).collect())
    }

    /// How many there are.
    pub async fn count(&self) -> Result<usize, Error> {
        let count = "SELECT sum(n)::bigint FROM uia_count";
        let row = self.ask(async |db| db.query_one(&db.prepare_cached(count).await?, &[]).await).await?;
        Ok(usize::try_from(row.get::<_, i64>(0))?)
    }
}

fn gone(key: Option<&[u8]>, session: Option<&str>) -> Option<Gone> {
    let key = Digest::from_bytes(key?.try_into().ok()?);
    Some(Gone { key, session: serde_json::from_str(session?).ok() })
}
