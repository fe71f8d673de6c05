//! A store of rows, as a database would have them.

use crate::fault::Fault;
use crate::tables::{Bounds, Row, Table};
use crate::wait::turn;
use matrix_uia::server::commit::{Committed, Put, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::{Revision, Worth};
use matrix_uia::server::store::{Done, Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::testkit::adapter::{Found, TestStore};
use matrix_uia::{BindingKey, Millis, Session, SessionId, Timestamp};
use std::cell::{Cell, RefCell};

pub struct Rows {
    table: RefCell<Table>,
    bounds: Bounds,
    now: Cell<Timestamp>,
    key: BindingKey,
    /// How many bytes still pass.
    passes: Cell<Option<usize>>,
    was_cut: Cell<bool>,
    fault: Fault,
}

const CUT: &str = "the connection was cut";
/// What a step of a commit is taken to send or receive.
const STEP: usize = 100;

impl Rows {
    pub fn new(limits: Limits, lifetimes: Lifetimes, fault: Fault) -> Self {
        Self {
            table: RefCell::default(),
            bounds: Bounds { limits, lifetimes, fault },
            now: Cell::new(Timestamp::from_millis(1_000_000)),
            key: BindingKey::from_entropy([7; 16]),
            passes: Cell::new(None),
            was_cut: Cell::new(false),
            fault,
        }
    }

    /// A step that the connection has to carry.
    async fn step(&self) -> Result<(), &'static str> {
        turn().await;
        if let Some(left) = self.passes.get() {
            self.passes.set(Some(left.saturating_sub(STEP)));
            if left < STEP {
                self.was_cut.set(true);
            }
        }
        let cut = self.passes.get().is_some() || self.fault == Fault::StaysCut;
        if cut && self.was_cut.get() { Err(CUT) } else { Ok(()) }
    }

    fn put(&self, table: &mut Table, put: Put<&Session>, kept: Option<&str>, owner: OwnerKey) -> Done {
        let Put { id, expected, session, keep } = put;
        let kept = kept.filter(|_| keep || self.fault == Fault::KeepsAlways);
        let (now, key) = (self.now.get(), self.key(id));
        let mut evicted = None;
        let over_another = self.fault == Fault::InsertsOverAnother && table.at(key).is_some();
        if expected.is_none() && !over_another {
            match table.room(owner, now, &self.bounds) {
                Ok(gone) => evicted = gone.map(|row| row.gone(self.fault)),
                Err(wait) => return Committed::Full(wait).into(),
            }
            let due = now.after(self.bounds.lifetimes.left(session, now));
            table.0.push(Row {
                key,
                revision: 0,
                owner,
                worth: Worth::Nothing,
                due,
                ends: due,
                session: String::new(),
                kept: String::new(),
            });
        }
        if let Some(row) = table.at(key).and_then(|at| table.0.get_mut(at)) {
            row.set(session, now, &self.bounds);
            match kept {
                Some(kept) => row.kept = kept.to_owned(),
                None if self.fault == Fault::DropsWhatIsKept => row.kept.clear(),
                None => {}
            }
        }
        Done {
            committed: Committed::Stored,
            evicted: evicted.filter(|_| self.fault != Fault::EvictsSilently),
        }
    }

    /// Whether the changes are against what is there.
    fn as_read(&self, table: &Table, changes: SessionChanges<&Session>) -> [bool; 2] {
        let removes = changes.remove.is_none_or(|(id, expected)| {
            let revision = table.revision(self.key(id));
            revision == Some(expected.get())
                || (self.fault == Fault::RemovesAnyRevision && revision.is_some())
        });
        let puts = changes.put.is_none_or(|Put { id, expected, .. }| {
            let revision = table.revision(self.key(id));
            revision == expected.map(Revision::get)
                || (self.fault == Fault::ReplacesAnyRevision && revision.is_some() && expected.is_some())
                || (self.fault == Fault::InsertsOverAnother && expected.is_none())
        });
        [removes, puts]
    }

    fn remove(&self, table: &mut Table, changes: SessionChanges<&Session>) {
        if let Some((id, _)) = changes.remove {
            let key = self.key(id);
            table.0.retain(|row| row.key != key);
        }
    }
}

impl TestStore for Rows {
    type Error = &'static str;

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    async fn pass(&self, time: Millis) {
        self.now.set(self.now.get().after(time));
    }

    fn key(&self, id: SessionId) -> Digest {
        if self.fault == Fault::StoresIds {
            let first = id.as_bytes().first_chunk().copied();
            return Digest::from_bytes(first.unwrap_or_default());
        }
        self.key.claimant(id)
    }

    async fn load(&self, id: SessionId) -> Result<Option<Found>, &'static str> {
        self.step().await?;
        let table = self.table.borrow();
        let row = table.at(self.key(id)).and_then(|at| table.0.get(at));
        Ok(row.and_then(|row| Some(Found { session: row.read(self.fault)?, kept: row.kept.clone() })))
    }

    async fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        _: Timestamp,
    ) -> Result<Done, &'static str> {
        self.step().await?;
        let (as_read, before) = {
            let table = self.table.borrow();
            (self.as_read(&table, changes), table.clone())
        };
        if self.fault == Fault::RemovesBeforeItLoses && as_read == [true, false] {
            self.remove(&mut self.table.borrow_mut(), changes);
        }
        if as_read.contains(&false) {
            return Ok(Committed::Lost.into());
        }
        if self.fault == Fault::ComparesTooSoon {
            turn().await;
        }
        // No other writer comes between: nothing waits here but for the connection.
        self.remove(&mut self.table.borrow_mut(), changes);
        let undo = |_: &&'static str| {
            if self.fault != Fault::StoresHalf {
                *self.table.borrow_mut() = before.clone();
            }
        };
        if self.passes.get().is_some() {
            self.step().await.inspect_err(undo)?;
        }
        let done = match changes.put {
            Some(put) => self.put(&mut self.table.borrow_mut(), put, kept, owner),
            None => Committed::Stored.into(),
        };
        if let Committed::Full(_) = done.committed {
            self.table.replace(before.clone());
        }
        // The answer may be lost after all is stored.
        self.step().await?;
        Ok(done)
    }

    async fn sweep(&self, at_most: usize) -> Result<Vec<Gone>, &'static str> {
        self.step().await?;
        let early = if self.fault == Fault::ExpiresEarly { Millis::new(100) } else { Millis::new(0) };
        let now = self.now.get().after(early);
        let hidden = |row: &Row| self.fault == Fault::HidesTheUnreadable && row.read(self.fault).is_none();
        let over: Vec<Row> = {
            let table = self.table.borrow();
            table.0.iter().filter(|row| row.ends <= now && !hidden(row)).take(at_most).cloned().collect()
        };
        if self.fault == Fault::HandsBackTwice {
            turn().await;
        }
        self.table.borrow_mut().0.retain(|row| !over.iter().any(|gone| gone.key == row.key));
        Ok(over.iter().map(|row| row.gone(self.fault)).collect())
    }

    async fn count(&self) -> Result<usize, &'static str> {
        Ok(self.table.borrow().0.len())
    }

    async fn overwrite(
        &self,
        id: SessionId,
        value: &(impl serde::Serialize + ?Sized),
    ) -> Result<bool, &'static str> {
        let mut table = self.table.borrow_mut();
        let at = table.at(self.key(id)).and_then(|at| table.0.get_mut(at));
        let row = at.ok_or("there is no such session")?;
        row.session = serde_json::to_string(value).map_err(|_| "it has no JSON")?;
        Ok(true)
    }

    async fn contents(&self) -> Result<Vec<u8>, &'static str> {
        let mut all = Vec::new();
        for row in &self.table.borrow().0 {
            all.extend(row.key.as_bytes());
            all.extend(row.session.as_bytes());
        }
        Ok(all)
    }

    fn cut_after(&self, bytes: Option<usize>) -> bool {
        self.passes.set(bytes);
        if self.fault != Fault::StaysCut {
            self.was_cut.set(false);
        }
        true
    }
}
