//! One scenario's store, and the ways to use it.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use super::promise::{Breach, Promise, Report};
use super::sessions::id;
use super::store::{Effort, Found, TestStore};
use crate::server::commit::{Change, Committed, Put, SessionChanges};
use crate::server::session::{Revision, Session};
use crate::server::store::{Done, Gone, Lifetimes, OwnerKey};
use crate::time::{Millis, Timestamp};

/// What a scenario comes to.
pub(super) type Ran = Result<(), Breach>;

pub(super) struct Bench<'k, S> {
    pub(super) store: S,
    pub(super) scenario: &'static str,
    pub(super) lifetimes: Lifetimes,
    pub(super) effort: Effort,
    pub(super) report: &'k Cell<Report>,
}

/// A new session, or one in the place of another, beside which nothing new is kept.
pub(super) fn put(number: u64, expected: Option<Revision>, session: &Session) -> Change<'_> {
    Change::Put(Put { id: id(number), expected, session, keep: false })
}

pub(super) fn remove<'c>(number: u64, session: &Session) -> Change<'c> {
    Change::Remove { id: id(number), expected: session.revision() }
}

impl<S: TestStore> Bench<'_, S> {
    pub(super) fn must(&self, holds: bool, promise: Promise, seen: impl fmt::Display) -> Ran {
        if holds { Ok(()) } else { Err(self.breach(promise, seen)) }
    }

    pub(super) fn breach(&self, promise: Promise, seen: impl fmt::Display) -> Breach {
        Breach { promise, scenario: self.scenario, seen: seen.to_string() }
    }

    pub(super) fn answered<T>(&self, answer: Result<T, S::Error>) -> Result<T, Breach> {
        answer.map_err(|error| self.breach(Promise::Answer, format!("the store failed: {error}")))
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Report)) {
        let mut report = self.report.get();
        count(&mut report);
        self.report.set(report);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store.now()
    }

    pub(super) async fn commit_as(
        &self,
        changes: &[Change<'_>],
        kept: Option<&str>,
        owner: u64,
    ) -> Result<Done, Breach> {
        let (these, owner) = (SessionChanges::of(changes.iter().copied()), OwnerKey::from_u64(owner));
        let done = self.answered(self.store.commit(these, kept, owner, self.now()).await)?;
        self.count(|report| report.commits = report.commits.saturating_add(1));
        let quiet = done.committed == Committed::Stored || done.evicted.is_none();
        self.must(quiet, Promise::AllOrNothing, "a session is evicted although nothing is stored")?;
        Ok(done)
    }

    pub(super) async fn commit(&self, changes: &[Change<'_>]) -> Result<Committed, Breach> {
        Ok(self.commit_as(changes, None, 0).await?.committed)
    }

    /// A commit that has to be stored, and evicts nothing.
    pub(super) async fn stored(&self, changes: &[Change<'_>], owner: u64) -> Ran {
        let done = self.commit_as(changes, None, owner).await?;
        let as_told = done == Done { committed: Committed::Stored, evicted: None };
        self.must(as_told, Promise::CompareRevisions, format!("a commit is not simply stored: {done:?}"))
    }

    /// Stores a new session.
    pub(super) async fn insert(&self, number: u64, session: &Session, owner: u64) -> Ran {
        self.stored(&[put(number, None, session)], owner).await
    }

    pub(super) async fn replace(&self, number: u64, before: &Session, after: &Session) -> Ran {
        self.stored(&[put(number, Some(before.revision()), after)], 0).await
    }

    pub(super) async fn found(&self, number: u64) -> Result<Option<Found>, Breach> {
        self.answered(self.store.load(id(number)).await)
    }

    pub(super) async fn session(&self, number: u64) -> Result<Option<Session>, Breach> {
        Ok(self.found(number).await?.map(|found| found.session))
    }

    pub(super) async fn must_be(&self, number: u64, session: Option<&Session>, promise: Promise) -> Ran {
        let found = self.session(number).await?;
        let seen = || format!("session {number} is {found:?} and not {session:?}");
        self.must(found.as_ref() == session, promise, seen())
    }

    pub(super) async fn sweep(&self, at_most: usize) -> Result<Vec<Gone>, Breach> {
        let gone = self.answered(self.store.sweep(at_most).await)?;
        self.must(
            gone.len() <= at_most,
            Promise::HandBackOnce,
            "more sessions are removed than were asked for",
        )?;
        Ok(gone)
    }

    pub(super) async fn len(&self) -> Result<usize, Breach> {
        self.answered(self.store.count().await)
    }

    /// Lets a lifetime pass, and a little more.
    pub(super) async fn outlive(&self, lifetime: Millis) {
        self.store.pass(Millis::new(lifetime.get().saturating_add(20))).await;
    }

    /// Session `number` as it is handed back.
    pub(super) fn gone(&self, number: u64, session: &Session) -> Gone {
        Gone { key: self.store.key(id(number)), session: Some(*session) }
    }

    pub(super) fn name(&self, seen: &str, number: u64) -> String {
        format!("{seen} (session {number})")
    }
}
