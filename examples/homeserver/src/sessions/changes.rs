//! Carrying out what the exchange says is to change.

use super::{Place, Sessions, lock};
use crate::db::records::{self, Record};
use crate::db::sessions::{self as table, Bounds, Inserted};
use crate::db::{Result, Tx};
use crate::reservations;
use matrix_uia::server::commit::{Change, Committed};
use matrix_uia::server::store::{HashedStore, OwnerKey, Store as _};
use matrix_uia::{Millis, Timestamp};

/// The shortest wait that a full store announces.
const SOON: Millis = Millis::from_secs(1);

impl Sessions {
    /// Carries out every change and ends the transaction. `kept` is for beside the session that is put, `result`
    /// for the record of a call that succeeded.
    ///
    /// # Errors
    ///
    /// Those of the database, a full disk at the commit included. Nothing has changed then, wherever sessions live.
    pub fn commit<'c>(
        &self,
        tx: Tx,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        kept: Option<String>,
        owner: OwnerKey,
        result: &str,
    ) -> Result<Committed> {
        let now = self.clock.now();
        if !self.write_accounts(&tx, changes.clone(), result, now)? {
            return Ok(Committed::Lost);
        }
        match &self.place {
            Place::Database(bounds) => {
                let committed = self.write_rows(&tx, changes, kept.as_deref(), owner, *bounds, now)?;
                if committed == Committed::Stored {
                    tx.commit()?;
                }
                Ok(committed)
            }
            Place::Memory(store) => self.write_memory(tx, &mut lock(store), changes, kept, owner, now),
        }
    }

    /// Sessions in memory, which no database undoes: they change when it has committed, or it is seen to that they
    /// are as they were.
    fn write_memory<'c>(
        &self,
        tx: Tx,
        store: &mut HashedStore<String>,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        kept: Option<String>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Committed> {
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

    /// The part of the changes that is about accounts and what belongs to them. `false`: something to be spent is
    /// not reserved any more.
    fn write_accounts<'c>(
        &self,
        tx: &Tx,
        changes: impl Iterator<Item = Change<'c>>,
        result: &str,
        now: Timestamp,
    ) -> Result<bool> {
        for change in changes {
            match change {
                Change::Undo => tx.undo_to_mark()?,
                Change::GiveBack { session, proof } => {
                    reservations::give_back(tx, self.digest(&session), proof, &self.validations)?;
                }
                Change::Spend { session, proof } => {
                    if !reservations::spend(tx, self.digest(&session), proof)? {
                        return Ok(false);
                    }
                }
                Change::Put { id, session, expected: _, keep: _ } => {
                    if let Some(outcome) = session.outcome() {
                        let record =
                            Record { outcome, account: session.account(), result: result.to_owned() };
                        records::insert(tx, self.digest(&id), &record, &self.rules, now)?;
                    }
                }
                Change::Remove { id: _, expected: _ } => {}
            }
        }
        Ok(true)
    }

    /// The part that is about sessions, where they are rows.
    fn write_rows<'c>(
        &self,
        tx: &Tx,
        changes: impl Iterator<Item = Change<'c>>,
        kept: Option<&str>,
        owner: OwnerKey,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<Committed> {
        for change in changes {
            let done = match change {
                Change::Put { id, expected: None, session, keep } => {
                    let row = self.row(&id, session, owner, kept.filter(|_| keep))?;
                    match table::insert(tx, &row, bounds)? {
                        Inserted::Stored(evicted) => {
                            if let Some(evicted) = evicted {
                                self.give_back_row(tx, evicted)?;
                            }
                            true
                        }
                        Inserted::Full { until } => {
                            return Ok(Committed::Full(Timestamp::from_millis(until).since(now).max(SOON)));
                        }
                    }
                }
                Change::Put { id, expected: Some(expected), session, keep } => {
                    let row = self.row(&id, session, owner, kept.filter(|_| keep))?;
                    table::replace(tx, &row, u64::from(expected.get()), keep)?
                }
                Change::Remove { id, expected } => {
                    table::remove(tx, self.digest(&id).as_bytes(), u64::from(expected.get()))?
                }
                Change::Undo | Change::GiveBack { .. } | Change::Spend { .. } => true,
            };
            if !done {
                return Ok(Committed::Lost);
            }
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
