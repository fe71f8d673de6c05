//! Sessions in PostgreSQL: load, commit, sweep. To be copied and changed.
//!
//! A commit is one statement, the function `uia_commit` of `schema.sql`: all or nothing, whoever hangs up. The clock
//! is the server's. Where the accounts lie in the same database, give [`Sessions::commit_in`] the transaction that
//! the call is carried out in; else the host is of the kind
//! [`HostKind::CLAIMS`](matrix_uia::server::exchange::HostKind).

use deadpool_postgres::{GenericClient, Manager, Object, Pool, PoolError, Runtime};
use matrix_uia::server::commit::{Committed, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Revision;
use matrix_uia::server::store::{Done, Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use std::time::Duration;
use tokio_postgres::{Config, NoTls, Row, error::SqlState, types::ToSql};

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

    /// The rows of one statement.
    async fn rows(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.ask(async |db| db.query(&db.prepare_cached(sql).await?, values).await).await
    }

    /// The session, and what is kept beside it. One of another version is as good as gone: that costs its user
    /// one round trip.
    pub async fn load(&self, id: &SessionId) -> Result<Option<(Session, String)>, Error> {
        let load = "SELECT session, kept FROM uia_sessions WHERE id = $1";
        let rows = self.rows(load, &[&bytes(self.key(id))]).await?;
        Ok(rows.first().and_then(|row| Some((serde_json::from_str(row.get(0)).ok()?, row.get(1)))))
    }

    /// Whether there is a session under this key: one of another program's version, too.
    pub async fn holds(&self, key: Digest) -> Result<bool, Error> {
        Ok(!self.rows("SELECT 1 FROM uia_sessions WHERE id = $1", &[&bytes(key)]).await?.is_empty())
    }

    /// Carries out the changes, both or neither. An error says nothing about which: load again.
    pub async fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done, Error> {
        self.ask(async |db| self.commit_in(db, changes, kept, owner, now).await).await
    }

    /// The same in a transaction of the host's, who undoes it unless the answer is [`Committed::Stored`].
    pub async fn commit_in(
        &self,
        db: &impl GenericClient,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done, tokio_postgres::Error> {
        if changes.is_empty() {
            return Ok(Committed::Stored.into()); // the rest of them is the host's, in its transaction
        }
        let SessionChanges { put, remove } = changes;
        let commit = "SELECT * FROM uia_commit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)";
        let revision = |revision: Revision| i64::from(revision.get());
        let answer = db
            .query_one(
                &db.prepare_cached(commit).await?,
                &[
                    &remove.map(|(id, _)| bytes(self.key(&id))),
                    &remove.map(|(_, read)| revision(read)),
                    &put.map(|put| bytes(self.key(&put.id))),
                    &put.and_then(|put| put.expected).map(revision),
                    &put.map(|put| revision(put.session.revision())),
                    &put.map(|put| i32::from(put.session.worth().rank())),
                    &put.map(|put| number(self.lifetimes.left(put.session, now).get())),
                    &number(self.lifetimes.session().get()),
                    &put.and_then(|put| serde_json::to_string(put.session).ok()),
                    &kept.filter(|_| put.is_some_and(|put| put.keep)),
                    &owner.get().cast_signed(),
                    &number(self.limits.all),
                    &number(self.limits.per_owner),
                ],
            )
            .await;
        // Two that want each other's session: one of them has lost.
        let lost = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
        let row = match answer {
            Err(error) if error.code().is_some_and(|code| lost.contains(code)) => {
                return Ok(Committed::Lost.into());
            }
            answer => answer?,
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
        let sweep = "DELETE FROM uia_sessions WHERE id IN (SELECT id FROM uia_sessions WHERE ends <= clock_timestamp()
            ORDER BY ends LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id, session";
        let rows = self.rows(sweep, &[&number(at_most)]).await?;
        Ok(rows.iter().filter_map(|row| gone(row.get(0), row.get(1))).collect())
    }

    /// How many there are.
    pub async fn count(&self) -> Result<usize, Error> {
        let rows = self.rows("SELECT sum(n)::bigint FROM uia_count", &[]).await?;
        Ok(rows.first().map_or(Ok(0), |row| usize::try_from(row.get::<_, i64>(0)))?)
    }
}

fn bytes(key: Digest) -> Vec<u8> {
    key.as_bytes().to_vec()
}

fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn gone(key: Option<&[u8]>, session: Option<&str>) -> Option<Gone> {
    let key = Digest::from_bytes(key?.try_into().ok()?);
    Some(Gone { key, session: serde_json::from_str(session?).ok() })
}
