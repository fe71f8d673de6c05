//! The connection is cut in the middle of a commit, at one point after the other.

use alloc::format;

use super::bench::{Bench, Ran, put, remove};
use super::promise::{Breach, Promise};
use super::sessions::{failed, id, new, proved};
use super::store::{Found, TestStore};
use crate::server::commit::{Change, Committed, SessionChanges};
use crate::server::store::OwnerKey;
use crate::time::Millis;

/// How often an answer is asked for after a cut, and how long is waited in between.
const MOST_TRIES: usize = 100;
const BETWEEN: Millis = Millis::new(20);
/// More bytes than a commit and its answer take.
const MOST_BYTES: usize = 100_000;

impl<S: TestStore> Bench<'_, S> {
    /// Loads as soon as the database can be reached again.
    async fn found_again(&self, number: u64) -> Result<Option<Found>, Breach> {
        for _ in 0..MOST_TRIES {
            if let Ok(found) = self.store.load(id(number)).await {
                return Ok(found);
            }
            self.store.pass(BETWEEN).await;
        }
        Err(self.breach(Promise::Answer, "the store does not answer after its connection was cut"))
    }

    /// Commits while the connection is cut after so many bytes. `None`: the store says that it failed.
    async fn commit_cut(&self, changes: &[Change<'_>], bytes: usize) -> Result<Option<Committed>, Breach> {
        self.store.cut_after(Some(bytes));
        let these = SessionChanges::of(changes.iter().copied());
        let answer = self.store.commit(these, Some("{}"), OwnerKey::from_u64(1), self.now()).await;
        self.store.cut_after(None);
        self.count(|report| report.commits = report.commits.saturating_add(1));
        if answer.is_err() {
            self.count(|report| report.cuts = report.cuts.saturating_add(1));
        }
        Ok(answer.ok().map(|done| done.committed))
    }
}

/// One session leaves and another is put: whatever the connection does, both or neither; and a
/// commit that is sent again after that never happens twice.
pub(super) async fn both_or_neither<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    if !bench.store.cut_after(None) {
        return Ok(());
    }
    let step = bench.effort.cut_step.max(1);
    let first = new(2, bench.now());
    bench.insert(2, &first, 1).await?;
    let mut before = first;
    for bytes in (0..MOST_BYTES).step_by(step) {
        let leaving = new(1, bench.now());
        bench.insert(1, &leaving, 1).await?;
        let next = failed(&before, before.failures.wrapping_add(1));
        let changes = [remove(1, &leaving), put(2, Some(before.revision()), &next)];
        let answer = bench.commit_cut(&changes, bytes).await?;
        let left = bench.found_again(1).await?.is_none();
        let found = bench.found_again(2).await?.map(|found| found.session);
        let changed = found.as_ref() == Some(&next);
        bench.must(
            changed || found.as_ref() == Some(&before),
            Promise::AllOrNothing,
            format!("after a cut at {bytes} the session is neither the old one nor the new"),
        )?;
        bench.must(
            left == changed,
            Promise::AllOrNothing,
            format!("after a cut at {bytes} half of a commit is stored"),
        )?;
        match answer {
            Some(Committed::Stored) => {
                bench.must(changed, Promise::AllOrNothing, "a commit is not stored that was said to be")?
            }
            Some(_) => {
                bench.must(!changed, Promise::AllOrNothing, "a commit is stored that was said to be lost")?
            }
            None => {}
        }
        let again = bench.commit(&changes).await?;
        let right = if changed { Committed::Lost } else { Committed::Stored };
        bench.must(
            again == right,
            Promise::CompareRevisions,
            format!("a commit that is sent again is {again:?}"),
        )?;
        before = next;
        if answer.is_some() {
            return bench.must(bytes > 0, Promise::Answer, "the connection was not cut");
        }
    }
    Err(bench.breach(Promise::Answer, "a commit never comes through"))
}

/// A new session and the one that makes room for it. The owner's bound is 1.
pub(super) async fn eviction<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    if !bench.store.cut_after(None) {
        return Ok(());
    }
    let step = bench.effort.cut_step.max(1);
    let first = new(1, bench.now());
    bench.insert(1, &first, 1).await?;
    bench.replace(1, &first, &proved(&first, 1)).await?;
    let mut oldest = 1_u64;
    for bytes in (0..MOST_BYTES).step_by(step) {
        let number = oldest.saturating_add(1);
        let session = new(number, bench.now());
        let answer = bench.commit_cut(&[put(number, None, &session)], bytes).await?;
        let evicted = bench.found_again(oldest).await?.is_none();
        let stored = bench.found_again(number).await?.is_some();
        bench.must(
            evicted == stored,
            Promise::AllOrNothing,
            format!("after a cut at {bytes} half of an eviction is stored"),
        )?;
        bench.must(
            bench.len().await? == 1,
            Promise::AllOrNothing,
            format!("after a cut at {bytes} the count is wrong"),
        )?;
        if stored {
            oldest = number;
        }
        match answer {
            Some(answer) => {
                return bench.must(
                    (answer == Committed::Stored) == stored,
                    Promise::AllOrNothing,
                    "a new session is otherwise than told",
                );
            }
            None => bench.store.pass(Millis::new(1)).await,
        }
    }
    Err(bench.breach(Promise::Answer, "a commit never comes through"))
}
