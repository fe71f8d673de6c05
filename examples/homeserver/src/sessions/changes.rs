//! Carrying out what the exchange says is to change.

use super::elsewhere::Order;
use super::rows::Rows;
use super::{Claim, Place, Sessions};
use crate::db::records::{self, Record};
use crate::db::{Db, Result, Tx, registration_tokens};
use crate::failure::Failure;
use crate::kept;
use crate::reservations;
use matrix_uia::server::commit::{Change, Committed, Put, SessionChanges};
use matrix_uia::server::store::{Done, OwnerKey};
use matrix_uia::{Session, Timestamp};
use std::sync::Arc;

/// What is kept beside the changes.
#[derive(Debug)]
pub struct Keep<'k> {
    /// For beside the session that is put.
    pub kept: Option<Vec<u8>>,
    /// For the record of a call that succeeded.
    pub result: &'k str,
    /// Against whose bound a new session counts.
    pub owner: OwnerKey,
    /// What the changes claim.
    pub claim: Option<Box<Claim>>,
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
            Place::Database(rows) => {
                let Some(tx) = tx else { return Ok(Committed::Stored) };
                let changes = SessionChanges::of(changes);
                let kept = kept.as_deref().map(kept::to_text);
                let committed = self.write_rows(rows, &tx, changes, kept.as_deref(), owner, now)?;
                if committed == Committed::Stored {
                    tx.commit()?;
                }
                Ok(committed)
            }
            Place::Memory(memory) => Ok(memory.write(tx, changes, kept, owner, now)?),
            Place::Elsewhere(elsewhere) => {
                let order = Order::of(changes, kept.as_deref(), owner, now);
                Box::pin(self.write_elsewhere(elsewhere, db, tx, order, claim)).await
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
    fn write_rows(
        &self,
        rows: &Rows,
        tx: &Tx,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Committed> {
        let Done { committed, evicted } = rows.commit(tx, changes, kept, owner, now)?;
        if let Some(evicted) = evicted {
            self.give_back_gone(tx, evicted)?;
        }
        Ok(committed)
    }
}
