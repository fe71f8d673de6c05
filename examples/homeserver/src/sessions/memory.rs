//! Sessions in the crate's own store: they end with the process, and no database undoes what becomes of them.

use super::{Claim, EXPIRE_AT_ONCE, Found, Sessions};
use crate::db::{Db, Result, Tx};
use matrix_uia::server::commit::{Change, Committed};
use matrix_uia::server::session::Proof;
use matrix_uia::server::store::{HashedStore, Lifetimes, OwnerKey, Store as _};
use matrix_uia::{Session, SessionId, Timestamp};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Memory {
    store: Mutex<HashedStore<String>>,
    /// Sessions of calls that failed before anybody was told an ID: what is reserved for them is to be given back.
    /// Each is in the store until it is, so the store's limit bounds them.
    abandoned: Mutex<Vec<SessionId>>,
}

impl Memory {
    pub(super) fn new(lifetimes: Lifetimes, all: usize, per_owner: usize) -> Self {
        let store = HashedStore::new(lifetimes, all).with_sessions_per_owner(per_owner);
        Self { store: Mutex::new(store), abandoned: Mutex::default() }
    }

    pub(super) fn load(&self, id: &SessionId) -> Option<Found> {
        let store = lock(&self.store);
        store.load(id).map(|record| Found { session: record.session, kept: record.kept.clone() })
    }

    /// Removes the open sessions of a user.
    pub(super) fn end_of(&self, is_theirs: impl Fn(&Session) -> bool) -> Vec<(SessionId, Session)> {
        let mut store = lock(&self.store);
        let ended = store.end_open(|_, record| is_theirs(&record.session));
        ended.map(|(id, record)| (id, record.session)).collect()
    }

    /// Removes some of those that have run out.
    pub(super) fn take_expired(&self, now: Timestamp, at_most: usize) -> Vec<(SessionId, Session)> {
        let mut store = lock(&self.store);
        let expired = std::iter::from_fn(|| store.expire(now)).take(at_most);
        expired.map(|(id, record)| (id, record.session)).collect()
    }

    /// Takes a claim back whose call was not carried out: the session is as it was before, and a request need not wait
    /// until the claim lapses.
    pub(super) fn unclaim(&self, claim: Claim, now: Timestamp) {
        let mut store = lock(&self.store);
        match claim.before {
            Some(before) => {
                // Lost only to who has taken the claim over.
                let _taken_over = store.replace(claim.id, claim.revision, &before, None, now);
            }
            // Nobody has been told its ID.
            None => {
                let found = store.load(&claim.id).map(|record| record.session);
                let Some(session) = found.filter(|session| session.revision() == claim.revision) else {
                    return;
                };
                if session.proofs().any(Proof::is_reservation) {
                    lock(&self.abandoned).push(claim.id);
                } else {
                    let _reserved_nothing = store.remove(&claim.id);
                }
            }
        }
    }

    fn some_abandoned(&self) -> Vec<(SessionId, Session)> {
        let store = lock(&self.store);
        let mut abandoned = lock(&self.abandoned);
        abandoned.retain(|id| store.load(id).is_some());
        let session_of = |id: &SessionId| store.load(id).map(|record| (*id, record.session));
        abandoned.iter().filter_map(session_of).take(EXPIRE_AT_ONCE).collect()
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Session> {
        lock(&self.store).iter().map(|(_, record)| record.session).collect()
    }
}

impl Sessions {
    /// Gives back what is reserved for calls that failed, and that no later request can give back: some of it.
    ///
    /// # Errors
    ///
    /// Those of the database. It is done later, then.
    pub(super) async fn give_back_abandoned(&self, memory: &Memory, db: &Db) -> Result<bool> {
        let abandoned = memory.some_abandoned();
        if abandoned.is_empty() {
            return Ok(false);
        }
        db.transaction(|tx| {
            abandoned.iter().try_for_each(|(id, session)| self.give_back(tx, self.digest(id), session))
        })
        .await?;
        let mut store = lock(&memory.store);
        for (id, _) in &abandoned {
            let _given_back = store.remove(id);
        }
        Ok(true)
    }

    /// Sessions change when the database has committed, or it is seen to that they are as they were.
    pub(super) fn write_memory<'c>(
        &self,
        tx: Tx,
        memory: &Memory,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        kept: Option<String>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Committed> {
        let store = &mut lock(&memory.store);
        let made = changes.clone().find_map(|change| match change {
            Change::Put { id, expected: None, .. } => Some(id),
            _ => None,
        });
        let Some(made) = made else {
            if !changes.clone().all(|change| as_read(store, &change)) {
                return Ok(Committed::Lost);
            }
            tx.commit()?;
            // Every session is as it was read, and nobody else has the lock.
            let _stored = store.commit(changes, kept, owner, now);
            return Ok(Committed::Stored);
        };
        // Whether there is room is known when it is taken.
        let evicted = match store.commit(changes, kept, owner, now) {
            Ok(stored) => stored.evicted,
            Err(not_stored) => return Ok(not_stored.into()),
        };
        let given_back = match &evicted {
            Some((id, record)) => self.give_back(&tx, self.digest(id), &record.session),
            None => Ok(()),
        };
        if let Err(error) = given_back.and_then(|()| tx.commit()) {
            // Nobody has been told of it.
            let _never_was = store.remove(&made);
            if let Some((id, record)) = evicted {
                // Its place is free again.
                let _back = store.insert(id, &record.session, record.kept, record.owner, now);
            }
            return Err(error);
        }
        Ok(Committed::Stored)
    }
}

/// Whether the session that a change is about is the one that was read.
fn as_read(store: &HashedStore<String>, change: &Change<'_>) -> bool {
    let (Change::Put { id, expected: Some(expected), .. } | Change::Remove { id, expected }) = change else {
        return true;
    };
    store.load(id).is_some_and(|record| record.session.revision() == *expected)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
