//! Sessions in a database of their own, which any number of processes share: the adapters for Redis and PostgreSQL.

use super::Found;
use crate::args;
use crate::kept;
use crate::store_url::StoreUrl;
use matrix_uia::server::commit::{Change, Committed, Put, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Revision;
use matrix_uia::server::store::{self, Lifetimes, Limits, OwnerKey};
use matrix_uia::{BindingKey, Session, SessionId, Timestamp};
use matrix_uia_store_postgres as postgres;
use matrix_uia_store_redis as redis;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a request waits for the database. The adapters wait for 2 seconds at each step.
const PATIENCE: Duration = Duration::from_secs(4);
/// For one process. What waits for one of them waits no longer than [`PATIENCE`].
const CONNECTIONS: usize = 8;

/// A database of sessions.
#[derive(Clone)]
pub(super) struct Elsewhere(Arc<Database>);

enum Database {
    Redis(redis::Sessions),
    Postgres(postgres::Sessions),
}

/// What went wrong, for the log: no part of a request or of a session.
pub type Trouble = String;

/// What a request wants written, as a value that outlives it.
#[derive(Debug)]
pub(super) struct Order {
    changes: SessionChanges<Session>,
    /// As text.
    kept: Option<String>,
    owner: OwnerKey,
    now: Timestamp,
}

/// A session that left the database: what is reserved under this key is to be given back.
pub(super) type Gone = (Digest, Session);

impl Order {
    /// `None` if there is nothing about sessions.
    pub(super) fn of<'c>(
        changes: impl Iterator<Item = Change<'c>>,
        kept: Option<&[u8]>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Option<Self> {
        let changes = SessionChanges::of(changes);
        let kept = kept.map(kept::to_text);
        (!changes.is_empty()).then(|| Self { changes: changes.cloned(), kept, owner, now })
    }

    /// The same session in the place of what is stored at that revision; `None` removes it.
    pub(super) fn restore(id: SessionId, at: Revision, before: Option<Session>, now: Timestamp) -> Self {
        let remove = before.is_none().then_some((id, at));
        let put = before.map(|session| Put { id, expected: Some(at), session, keep: false });
        Self { changes: SessionChanges { put, remove }, kept: None, owner: OwnerKey::NOBODY, now }
    }

    pub(super) const fn put(&self) -> Option<&Put<Session>> {
        self.changes.put.as_ref()
    }
}

impl Elsewhere {
    /// Connects. `None`: sessions don't live elsewhere.
    ///
    /// # Errors
    ///
    /// One line: what is wrong, and the mend.
    pub(super) async fn connect(
        place: &args::Sessions,
        server_name: &str,
        key: BindingKey,
        limits: Limits,
        lifetimes: Lifetimes,
    ) -> Result<Option<Self>, String> {
        let unreachable = |url: &StoreUrl, trouble: &dyn fmt::Display| {
            let trouble = trouble.to_string().replace('\n', " ");
            format!("--sessions: {url}: can't be used ({trouble}); start it, or give another address")
        };
        let too_late = "no answer";
        let database = match place {
            args::Sessions::Memory | args::Sessions::Sqlite => return Ok(None),
            args::Sessions::Redis(url) => {
                // Each server has sessions of its own there; the braces keep them in one slot of a cluster.
                let prefix = format!("{{uia:{server_name}}}");
                let connected = redis::Sessions::connect(url.expose(), &prefix, key, limits, lifetimes);
                let connected =
                    timeout(PATIENCE, connected).await.map_err(|_| unreachable(url, &too_late))?;
                Database::Redis(connected.map_err(|error| unreachable(url, &error))?)
            }
            args::Sessions::Postgres(url) => {
                let config = url.expose().parse().map_err(|error| unreachable(url, &error))?;
                let connected = postgres::Sessions::connect(config, CONNECTIONS, key, limits, lifetimes);
                let connected =
                    timeout(PATIENCE, connected).await.map_err(|_| unreachable(url, &too_late))?;
                Database::Postgres(connected.map_err(|error| unreachable(url, &error))?)
            }
        };
        Ok(Some(Self(Arc::new(database))))
    }

    pub(super) async fn load(&self, id: SessionId) -> Result<Option<Found>, Trouble> {
        let found = self.ask(move |database| async move {
            match &*database {
                Database::Redis(sessions) => sessions.load(&id).await.map_err(trouble),
                Database::Postgres(sessions) => sessions.load(&id).await.map_err(trouble),
            }
        });
        Ok(found.await?.map(Found::of_row))
    }

    /// Whether there is a session of this digest.
    pub(super) async fn holds(&self, digest: Digest) -> Result<bool, Trouble> {
        self.ask(move |database| async move {
            match &*database {
                Database::Redis(sessions) => sessions.holds(digest).await.map_err(trouble),
                Database::Postgres(sessions) => sessions.holds(digest).await.map_err(trouble),
            }
        })
        .await
    }

    /// All of it or nothing; and the session that made room. After an error, either may be.
    pub(super) async fn commit(&self, order: Arc<Order>) -> Result<(Committed, Option<Gone>), Trouble> {
        self.ask(move |database| async move {
            let Order { changes, kept, owner, now } = &*order;
            let (changes, kept) = (changes.as_ref(), kept.as_deref());
            let done = match &*database {
                Database::Redis(sessions) => {
                    sessions.commit(changes, kept, *owner, *now).await.map_err(trouble)?
                }
                Database::Postgres(sessions) => {
                    sessions.commit(changes, kept, *owner, *now).await.map_err(trouble)?
                }
            };
            Ok((done.committed, done.evicted.and_then(readable)))
        })
        .await
    }

    /// Removes some of those whose time is over; each is one process's to give back.
    pub(super) async fn sweep(&self, at_most: usize) -> Result<Vec<Gone>, Trouble> {
        self.ask(move |database| async move {
            let gone = match &*database {
                Database::Redis(sessions) => sessions.sweep(at_most).await.map_err(trouble)?,
                Database::Postgres(sessions) => sessions.sweep(at_most).await.map_err(trouble)?,
            };
            Ok(gone.into_iter().filter_map(readable).collect())
        })
        .await
    }

    /// In a task of its own: a connection is used to the end of what it is asked, whoever gives up waiting.
    async fn ask<T: Send + 'static, F>(&self, asks: impl FnOnce(Arc<Database>) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        match timeout(PATIENCE, tokio::spawn(asks(Arc::clone(&self.0)))).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(trouble(error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// What there is to give back for; nothing is known of a session of another version.
fn readable(gone: store::Gone) -> Option<Gone> {
    Some((gone.key, gone.session?))
}

fn trouble(error: impl fmt::Display) -> Trouble {
    error.to_string().replace('\n', " ")
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Database::Redis(_) => "Redis",
            Database::Postgres(_) => "PostgreSQL",
        })
    }
}
