//! Sessions in Redis or Valkey: load, commit, sweep. To be copied and changed.
//!
//! A commit is one run of `sessions.lua`: all or nothing, whoever hangs up. The clock is the server's. Sessions
//! lie where accounts do not, so the host is of the kind [`HostKind::CLAIMS`](matrix_uia::server::exchange::HostKind).

use matrix_uia::server::commit::{Committed, Put, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::store::{Done, Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncTypedCommands as _, Client, RedisResult, Script};
use std::io;
use std::time::Duration;

/// How long a request waits for the server: for one answer, or for one attempt to connect.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Sessions {
    redis: ConnectionManager,
    script: Script,
    prefix: String,
    key: BindingKey,
    limits: Limits,
    lifetimes: Lifetimes,
}

impl Sessions {
    /// Connects. Every process of a cluster has the same `prefix`, such as `{uia}`, and the same `key`.
    pub async fn connect(
        url: &str,
        prefix: &str,
        key: BindingKey,
        limits: Limits,
        lifetimes: Lifetimes,
    ) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        let redis = ConnectionManager::new_with_config(Client::open(url)?, config).await?;
        let script = Script::new(include_str!("sessions.lua"));
        Ok(Self { redis, script, prefix: prefix.to_owned(), key, limits, lifetimes })
    }

    /// What a session is stored under. Its ID is a capability, and stored nowhere.
    pub fn key(&self, id: &SessionId) -> Digest {
        self.key.claimant(*id)
    }

    /// The session, and what is kept beside it. One of another version is as good as gone: that costs its user
    /// one round trip.
    pub async fn load(&self, id: &SessionId) -> RedisResult<Option<(Session, String)>> {
        let at = format!("{}:s:{}", self.prefix, hex(self.key(id)));
        let (session, kept): (Option<String>, Option<String>) = redis::cmd("HMGET")
            .arg(at)
            .arg(&["session", "kept"])
            .query_async(&mut self.redis.clone())
            .await?;
        let session = session.and_then(|json| serde_json::from_str(&json).ok());
        Ok(session.map(|session| (session, kept.unwrap_or_default())))
    }

    /// Whether there is a session under this key: one of another program's version, too.
    pub async fn holds(&self, key: Digest) -> RedisResult<bool> {
        self.redis.clone().exists(format!("{}:s:{}", self.prefix, hex(key))).await
    }

    /// Carries out the changes, both or neither. An error says nothing about which: load again.
    pub async fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> RedisResult<Done> {
        if changes.is_empty() {
            return Ok(Committed::Stored.into()); // the rest of them is the accounts' database's
        }
        let mut run = self.script.key(&self.prefix);
        run.arg("commit");
        run.arg(changes.remove.map_or(String::new(), |(id, _)| hex(self.key(&id))));
        run.arg(changes.remove.map_or(String::new(), |(_, read)| read.get().to_string()));
        if let Some(Put { id, expected, session, keep }) = changes.put {
            run.arg(hex(self.key(&id))).arg(expected.map_or(String::new(), |read| read.get().to_string()));
            run.arg(session.revision().get()).arg(session.worth().rank());
            run.arg(self.lifetimes.left(session, now).get()).arg(self.lifetimes.session().get());
            run.arg(serde_json::to_string(session).map_err(io::Error::from)?);
            run.arg(u8::from(keep && kept.is_some())).arg(kept.filter(|_| keep).unwrap_or_default());
            run.arg(owner.get().to_string()).arg(self.limits.all).arg(self.limits.per_owner);
        } else {
            run.arg("");
        }
        let answer: Vec<String> = run.invoke_async(&mut self.redis.clone()).await?;
        Ok(match answer.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["stored", key, session] => Done { committed: Committed::Stored, evicted: gone(key, session) },
            ["stored"] => Committed::Stored.into(),
            ["full", wait] => Committed::Full(Millis::new(wait.parse().unwrap_or(1_000))).into(),
            _ => Committed::Lost.into(),
        })
    }

    /// Removes at most so many sessions whose time is over, each for one caller. A timer of every process calls
    /// it again and again. Without it Redis itself drops them two lifetimes later, and nobody gives back.
    pub async fn sweep(&self, at_most: usize) -> RedisResult<Vec<Gone>> {
        let mut run = self.script.key(&self.prefix);
        let answer: Vec<String> = run.arg("sweep").arg(at_most).invoke_async(&mut self.redis.clone()).await?;
        let (pairs, _) = answer.as_chunks::<2>();
        Ok(pairs.iter().filter_map(|[key, session]| gone(key, session)).collect())
    }

    /// How many there are.
    pub async fn count(&self) -> RedisResult<usize> {
        self.redis.clone().zcard(format!("{}:ends", self.prefix)).await
    }
}

fn hex(key: Digest) -> String {
    key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gone(key: &str, session: &str) -> Option<Gone> {
    let key = Digest::from_bytes(u128::from_str_radix(key, 16).ok()?.to_be_bytes());
    Some(Gone { key, session: serde_json::from_str(session).ok() })
}
