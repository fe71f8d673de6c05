//! Sessions in the crate's own store: they end with the process, and no database undoes what becomes of them.

use super::{Claim, ClaimOf, EXPIRE_AT_ONCE, Found, Sessions};
use crate::db::{Db, Result, Tx};
use matrix_uia::server::commit::{Change, Committed, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Proof;
use matrix_uia::server::store::{HashedStore, Lifetimes, OwnerKey, Record, Store as _};
use matrix_uia::{Session, SessionId, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// For how many sessions that are gone the server remembers to give back what was reserved for them. Beyond that, as
/// after a crash, it runs out by itself.
const OWED: usize = 4096;

#[derive(Debug)]
pub(super) struct Memory {
    store: Mutex<HashedStore<Beside>>,
    /// Sessions that are gone, and for which something may be reserved. Locked after the store.
    owed: Mutex<Vec<(SessionId, Session)>>,
    /// Whether there are any: each request asks, and need not lock them for that.
    owes: AtomicBool,
}

/// What is kept beside a session.
#[derive(Debug, Default)]
struct Beside {
    /// Parameters of the request, as [`kept`](crate::kept) writes them; empty if nothing is kept.
    kept: Vec<u8>,
    /// A claim of it was taken back: what the claim had reserved, the session doesn't know of.
    unclaimed: bool,
}

impl Memory {
    pub(super) fn new(lifetimes: Lifetimes, all: usize, per_owner: usize) -> Self {
        let store = HashedStore::new(lifetimes, all).with_sessions_per_owner(per_owner);
        Self { store: Mutex::new(store), owed: Mutex::default(), owes: AtomicBool::new(false) }
    }

    pub(super) fn load(&self, id: &SessionId) -> Option<Found> {
        let store = lock(&self.store);
        store.load(id).map(|record| Found { session: record.session, kept: record.kept.kept.clone() })
    }

    /// Whether there is a session of this digest for which something may be reserved. It looks at every session.
    pub(super) fn holds(&self, digest: Digest, digest_of: impl Fn(&SessionId) -> Digest) -> bool {
        let store = lock(&self.store);
        store
            .iter()
            .any(|(id, record)| may_have_reserved(record.kept, &record.session) && digest_of(id) == digest)
    }

    /// Removes the open sessions of a user.
    pub(super) fn end_of(&self, is_theirs: impl Fn(&Session) -> bool) -> Vec<(SessionId, Session)> {
        let mut store = lock(&self.store);
        let ended = store.end_open(|_, record| is_theirs(&record.session));
        ended.map(|(id, record)| (id, record.session)).collect()
    }

    /// Removes some of those that have run out; whether there was any. It is left to the next request where another
    /// one has the sessions: nobody waits for it.
    pub(super) fn expire(&self, now: Timestamp, at_most: usize) -> bool {
        let mut store = match self.store.try_lock() {
            Ok(store) => store,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let expired = std::iter::from_fn(|| store.expire(now)).take(at_most);
        expired.map(|(id, record)| self.owe(id, record)).count() > 0
    }

    /// Takes a claim back whose call was not carried out: the session is as it was before, and a request need not wait
    /// until the claim lapses.
    pub(super) fn unclaim(&self, claim: Claim, now: Timestamp) {
        let Claim { id, revision, of } = claim;
        let mut store = lock(&self.store);
        // Lost only to who has taken the claim over.
        let found = store.load(&id).filter(|record| record.session.revision() == revision);
        let Some(kept) = found.map(|record| record.kept.kept.clone()) else { return };
        match of {
            ClaimOf::Open { before } => {
                let beside = Beside { kept, unclaimed: true };
                let _as_found = store.replace(id, revision, &before, Some(beside), now);
            }
            ClaimOf::New { .. } => {
                if let Some(record) = store.remove(&id) {
                    self.owe(id, record);
                }
            }
        }
    }

    /// Sessions change when the database has committed, or it is seen to that they are as they were.
    pub(super) fn write<'c>(
        &self,
        tx: Option<Tx>,
        changes: impl Iterator<Item = Change<'c>>,
        kept: Option<Vec<u8>>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Committed> {
        let store = &mut lock(&self.store);
        let changes = SessionChanges::of(changes);
        let replaced = changes.put.and_then(|put| Some((put.id, put.expected?)));
        // A claim of it may have been taken back.
        let unclaimed =
            replaced.is_some_and(|(id, _)| store.load(&id).is_some_and(|record| record.kept.unclaimed));
        let kept = kept.map(|kept| Beside { kept, unclaimed });
        let made = changes.put.filter(|put| put.expected.is_none()).map(|put| put.id);
        let Some(made) = made else {
            let mut read = replaced.into_iter().chain(changes.remove);
            if !read.all(|(id, expected)| store.revision(&id) == Some(expected)) {
                return Ok(Committed::Lost);
            }
            tx.map_or(Ok(()), Tx::commit)?;
            // Every session is as it was read, and nobody else has the lock.
            let _stored = store.commit(changes, kept, owner, now);
            return Ok(Committed::Stored);
        };
        // Whether there is room is known when it is taken.
        let evicted = match store.commit(changes, kept, owner, now) {
            Ok(stored) => stored.evicted,
            Err(not_stored) => return Ok(not_stored.into()),
        };
        if let Err(error) = tx.map_or(Ok(()), Tx::commit) {
            // Nobody has been told of it.
            let _never_was = store.remove(&made);
            if let Some((id, record)) = evicted {
                // Its place is free again.
                let _back = store.insert(id, &record.session, record.kept, record.owner, now);
            }
            return Err(error);
        }
        if let Some((id, record)) = evicted {
            self.owe(id, record);
        }
        Ok(Committed::Stored)
    }

    /// A session is gone: what is reserved for it is to be given back.
    fn owe(&self, id: SessionId, record: Record<Beside>) {
        if may_have_reserved(&record.kept, &record.session) {
            let mut owed = lock(&self.owed);
            if owed.len() < OWED {
                owed.push((id, record.session));
                self.owes.store(true, Ordering::Release);
            }
        }
    }

    /// Whether something may be reserved for a session that is gone.
    pub(super) fn owes(&self) -> bool {
        self.owes.load(Ordering::Acquire)
    }

    fn some_owed(&self) -> Vec<(SessionId, Session)> {
        lock(&self.owed).iter().take(EXPIRE_AT_ONCE).cloned().collect()
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Session> {
        lock(&self.store).iter().map(|(_, record)| record.session).collect()
    }
}

impl Sessions {
    /// Gives back what is reserved for sessions that are gone: some of it.
    ///
    /// # Errors
    ///
    /// Those of the database. It is done later, then.
    pub(super) async fn give_back_owed(&self, memory: &Memory, db: &Db) -> Result<bool> {
        let owed = memory.some_owed();
        if owed.is_empty() {
            return Ok(false);
        }
        db.transaction(|tx| {
            owed.iter().try_for_each(|(id, session)| self.give_back(tx, self.digest(id), session))
        })
        .await?;
        let mut left = lock(&memory.owed);
        left.retain(|(id, _)| !owed.iter().any(|(given_back, _)| given_back == id));
        memory.owes.store(!left.is_empty(), Ordering::Release);
        Ok(true)
    }
}

fn may_have_reserved(beside: &Beside, session: &Session) -> bool {
    beside.unclaimed || session.proofs().any(Proof::is_reservation)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
