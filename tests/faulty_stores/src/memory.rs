//! The crate's growing store behind a lock.

use crate::wait::turn;
use matrix_uia::server::commit::{Committed, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::store::{Done, Gone, HashedStore, Lifetimes, Limits, OwnerKey, Record, Store as _};
use matrix_uia::testkit::adapter::{Found, TestStore};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use std::cell::Cell;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub struct Memory {
    store: Mutex<HashedStore<String>>,
    now: Cell<Timestamp>,
    key: BindingKey,
}

impl Memory {
    pub fn new(limits: Limits, lifetimes: Lifetimes) -> Self {
        let store = HashedStore::new(lifetimes, limits.all).with_sessions_per_owner(limits.per_owner);
        Self {
            store: Mutex::new(store),
            now: Cell::new(Timestamp::from_millis(1_000_000)),
            key: BindingKey::from_entropy([7; 16]),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashedStore<String>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self, (id, record): (SessionId, Record<String>)) -> Gone {
        Gone { key: self.key(id), session: Some(record.session) }
    }
}

impl TestStore for Memory {
    type Error = Infallible;

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    async fn pass(&self, time: Millis) {
        self.now.set(self.now.get().after(time));
    }

    fn key(&self, id: SessionId) -> Digest {
        self.key.claimant(id)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Found>, Infallible> {
        turn().await;
        let found =
            self.lock().load(&id).map(|record| Found { session: record.session, kept: record.kept.clone() });
        Ok(found)
    }

    async fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done, Infallible> {
        turn().await;
        let stored = self.lock().commit(changes, kept.map(str::to_owned), owner, now);
        Ok(match stored {
            Ok(stored) => {
                let evicted = stored.evicted.map(|gone| self.gone(gone));
                Done { committed: Committed::Stored, evicted }
            }
            Err(not_stored) => Done { committed: not_stored.into(), evicted: None },
        })
    }

    async fn sweep(&self, at_most: usize) -> Result<Vec<Gone>, Infallible> {
        turn().await;
        let mut store = self.lock();
        let gone = std::iter::from_fn(|| store.expire(self.now.get())).take(at_most);
        Ok(gone.map(|gone| self.gone(gone)).collect())
    }

    async fn count(&self) -> Result<usize, Infallible> {
        Ok(self.lock().len())
    }

    async fn overwrite(
        &self,
        _: SessionId,
        _: &(impl serde::Serialize + ?Sized),
    ) -> Result<bool, Infallible> {
        Ok(false)
    }

    /// What it would look like in a snapshot, whose key is not the ID.
    async fn contents(&self) -> Result<Vec<u8>, Infallible> {
        let rows: Vec<_> = self.lock().iter().map(|(id, it)| (self.key(*id), it.session)).collect();
        Ok(serde_json::to_vec(&rows).unwrap_or_default())
    }
}
