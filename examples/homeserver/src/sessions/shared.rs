//! Sessions elsewhere beside accounts here: which of the two changes first, and what is seen to afterwards.
//!
//! ```text
//!  accounts commit (what is reserved, the call and its record) ─► session put ─► what was evicted is given back
//! ```
//!
//! So nothing is spent that was not reserved, and of a call that was carried out there is a record before its session
//! is over: whoever finds the claim without an end asks the record. All of it is a task of its own: a client that
//! hangs up cuts nothing off in the middle.

use super::elsewhere::{Elsewhere, Gone, Order, Trouble};
use super::{Claim, ClaimOf, EXPIRE_AT_ONCE, Sessions};
use crate::db::{Db, Result as DbResult, Tx};
use crate::failure::Failure;
use crate::{fault, reservations};
use matrix_uia::server::commit::Committed;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::reference::Reference;
use matrix_uia::server::session::Proof;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How often taking a claim back is tried, each time after twice the pause. After that it lapses by itself.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

impl Sessions {
    /// Carries out what is ordered; `claim` is what it claims.
    pub(super) async fn write_elsewhere(
        self: &Arc<Self>,
        elsewhere: &Elsewhere,
        db: &Db,
        tx: Option<Tx>,
        order: Option<Order>,
        claim: Option<Box<Claim>>,
    ) -> Result<Committed, Failure> {
        if let Some(tx) = tx {
            tx.commit()?;
            fault::point("between what is reserved and its session");
        }
        let Some(order) = order else { return Ok(Committed::Stored) };
        let (answer, answered) = oneshot::channel();
        // Dropped with the request; told that there is one that goes on.
        let (goes_on, is_alive) = oneshot::channel::<()>();
        let (sessions, elsewhere, db) = (Arc::clone(self), elsewhere.clone(), db.clone());
        tokio::spawn(async move {
            let committed = sessions.put(&elsewhere, &db, Arc::new(order)).await;
            let failed = committed.is_err();
            let lost = matches!(committed, Ok(Committed::Lost | Committed::Full(_)));
            let _ = answer.send(committed);
            let unheard = is_alive.await.is_err();
            // After an error it may be claimed as well.
            if let Some(claim) = claim.filter(|_| !lost && (failed || unheard)) {
                sessions.unclaim_elsewhere(&elsewhere, &db, *claim).await;
            }
        });
        let committed = answered.await.unwrap_or_else(|_| Err("its task is gone".to_owned()));
        let _ = goes_on.send(());
        committed.map_err(Failure::Sessions)
    }

    async fn put(&self, elsewhere: &Elsewhere, db: &Db, order: Arc<Order>) -> Result<Committed, Trouble> {
        let done = elsewhere.commit(Arc::clone(&order)).await;
        let put = order.put();
        let is_over = put.is_some_and(|put| put.session.outcome().is_some());
        // One that nobody has been told of, and nobody will be.
        let unborn = put.filter(|put| put.expected.is_none());
        match done {
            Ok((Committed::Stored, evicted)) => {
                self.give_back_all(db, evicted.as_slice()).await;
                Ok(Committed::Stored)
            }
            // The call was carried out, and its record says so: who asks again is told once the claim has lapsed.
            Err(trouble) if is_over => {
                tracing::error!(reason = trouble, "a session is not marked as over");
                Ok(Committed::Stored)
            }
            not_stored => {
                if let Some(put) = unborn {
                    self.give_back_all(db, &[(self.digest(&put.id), put.session)]).await;
                }
                not_stored.map(|(committed, _)| committed)
            }
        }
    }

    /// Takes a claim back whose call was not carried out.
    pub(super) async fn unclaim_elsewhere(&self, elsewhere: &Elsewhere, db: &Db, claim: Claim) {
        let Claim { id, revision, of } = claim;
        let before = match of {
            ClaimOf::Open { before } => Some(before),
            ClaimOf::New { session } => {
                self.give_back_all(db, &[(self.digest(&id), session)]).await;
                None
            }
        };
        let order = Order::restore(id, revision, before, self.clock.now());
        let order = Arc::new(order);
        let mut pause = FIRST_PAUSE;
        for _ in 0..ATTEMPTS {
            // Lost only to who has taken the claim over.
            if elsewhere.commit(Arc::clone(&order)).await.is_ok() {
                return;
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
    }

    /// Gives back what a session had claimed that was never stored.
    pub(super) async fn give_back_orphan(
        &self,
        elsewhere: &Elsewhere,
        db: &Db,
        validation: Reference,
        claimant: Digest,
    ) {
        // Who can't be asked now is asked when somebody wants it again.
        if elsewhere.holds(claimant).await != Ok(false) {
            return;
        }
        let give_back =
            |tx: &Tx| reservations::give_back(tx, claimant, Proof::Threepid(validation), &self.validations);
        if let Err(error) = db.transaction(give_back).await {
            tracing::error!(%error, "a claim without a session can't be given back");
        }
    }

    /// Ends some of those that have run out; whether there was any.
    pub(super) async fn sweep_elsewhere(&self, elsewhere: &Elsewhere, db: &Db) -> bool {
        match elsewhere.sweep(EXPIRE_AT_ONCE).await {
            Ok(gone) => {
                self.give_back_all(db, &gone).await;
                !gone.is_empty()
            }
            Err(trouble) => {
                tracing::error!(reason = trouble, "sessions that have run out can't be removed");
                false
            }
        }
    }

    /// Where it fails, what is reserved runs out by itself.
    async fn give_back_all(&self, db: &Db, gone: &[Gone]) {
        if gone.is_empty() {
            return;
        }
        let give_back = |tx: &Tx| -> DbResult<()> {
            gone.iter().try_for_each(|(digest, session)| self.give_back(tx, *digest, session))
        };
        if let Err(error) = db.transaction(give_back).await {
            tracing::error!(%error, "what a session had reserved can't be given back");
        }
    }
}
