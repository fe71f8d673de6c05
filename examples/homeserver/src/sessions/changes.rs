//! Carrying out what the exchange says is to change.

use super::elsewhere::Order;
use super::{Claim, Place, Sessions};
use crate::db::records::{self, Record};
use crate::db::sessions::{self as table, Inserted};
use crate::db::{Db, Result, Tx, registration_tokens};
use crate::failure::Failure;
use crate::reservations;
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::store::{Limits, OwnerKey};
use matrix_uia::{Millis, Timestamp};
use std::sync::Arc;

/// The shortest wait that a full store announces.
const SOON: Millis = Millis::from_secs(1);

/// What is kept beside the changes.
#[derive(Debug)]
pub struct Keep<'k> {
    /// For beside the session that is put.
    pub kept: Option<String>,
    /// For the record of a call that succeeded.
    pub result: &'k str,
    /// Against whose bound a new session counts.
    pub owner: OwnerKey,
    /// What the changes claim.
    pub claim: Option<Claim>,
}

impl Sessions {
    /// Carries out every change and ends the transaction; if there is none yet, it begins if something is to be written
    /// about accounts.
    ///
    /// # Errors
    ///
    /// Those of the databases, a full disk at the commit included. Nothing has changed then, wherever sessions live; or,
    /// where they live elsewhere, nothing but reservations, which are given back.
    pub async fn commit<'c>(
        self: &Arc<Self>,
        db: &Db,
        tx: Option<Tx>,
        changes: impl Iterator<Item = Change<'c>> + Clone + Send,
        keep: Keep<'_>,
    ) -> std::result::Result<Committed, Failure> {
        #[cfg(test)]
        if db.loses.swap(false, std::sync::atomic::Ordering::SeqCst) {
            return Ok(Committed::Lost);
        }
        let now = self.clock.now();
        let Keep { kept, result, owner, claim } = keep;
        let tx = match tx {
            None if changes.clone().any(|change| self.needs_transaction(&change)) => Some(db.begin().await?),
            tx => tx,
        };
        if let Some(tx) = &tx
            && !self.write_accounts(tx, changes.clone(), result, now)?
        {
            return Ok(Committed::Lost);
        }
        match &self.place {
            Place::Database(bounds) => {
                let Some(tx) = tx else { return Ok(Committed::Stored) };
                let committed = self.write_rows(&tx, changes, kept.as_deref(), owner, *bounds, now)?;
                if committed == Committed::Stored {
                    tx.commit()?;
                }
                Ok(committed)
            }
            Place::Memory(memory) => Ok(memory.write(tx, changes, kept, owner, now)?),
            Place::Elsewhere(elsewhere) => {
                let order = Order::of(changes, kept, owner, now);
                self.write_elsewhere(elsewhere, db, tx, order, claim).await
            }
        }
    }

    /// Whether a change is written to the database of the accounts.
    fn needs_transaction(&self, change: &Change<'_>) -> bool {
        match change {
            // Without a transaction there is nothing to undo.
            Change::Undo => false,
            Change::GiveBack { .. } | Change::Spend { .. } | Change::Remove { .. } => true,
            Change::Put(Put { session, .. }) => session.outcome().is_some() || self.are_in_the_database(),
        }
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
                Change::Put(Put { id, session, expected: _, keep: _ }) => {
                    if let Some(outcome) = session.outcome() {
                        let record =
                            Record { outcome, account: session.account(), result: result.to_owned() };
                        records::insert(tx, self.digest(&id), &record, &self.rules, now)?;
                    }
                }
                // A verdict whose commit failed may have reserved what the session does not know of.
                Change::Remove { id, expected: _ } => {
                    registration_tokens::give_back(tx, self.digest(&id).as_bytes())?;
                }
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
        bounds: Limits,
        now: Timestamp,
    ) -> Result<Committed> {
        for change in changes {
            let done = match change {
                Change::Put(Put { id, expected: None, session, keep }) => {
                    let row = self.row(&id, session, owner, kept.filter(|_| keep))?;
                    match table::insert(tx, &row, bounds)? {
                        Inserted::Stored(evicted) => {
                            if let Some(evicted) = evicted {
                                self.give_back_row(tx, &evicted)?;
                            }
                            true
                        }
                        Inserted::Full { until } => {
                            return Ok(Committed::Full(Timestamp::from_millis(until).since(now).max(SOON)));
                        }
                    }
                }
                Change::Put(Put { id, expected: Some(expected), session, keep }) => {
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
