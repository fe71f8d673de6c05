//! The rows, and what is asked about them.

use crate::fault::Fault;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Worth;
use matrix_uia::server::store::{Gone, Limits};
use matrix_uia::server::store::{Lifetimes, OwnerKey};
use matrix_uia::{Millis, Session, Timestamp};

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) key: Digest,
    pub(crate) revision: u32,
    pub(crate) owner: OwnerKey,
    pub(crate) worth: Worth,
    /// When it is over unless it is claimed or consumed.
    pub(crate) due: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) session: String,
    pub(crate) kept: String,
}

#[derive(Clone, Default)]
pub(crate) struct Table(pub(crate) Vec<Row>);

/// What the rows are written by.
pub(crate) struct Bounds {
    pub(crate) limits: Limits,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) fault: Fault,
}

impl Row {
    /// Puts a session into the row.
    pub(crate) fn set(&mut self, session: &Session, now: Timestamp, bounds: &Bounds) {
        let (life, fault) = (bounds.lifetimes, bounds.fault);
        if session.consumed_at().is_none() || fault == Fault::TombstonesDieYoung {
            self.ends = self.due;
        } else {
            self.ends = now.after(life.left(session, now));
        }
        if session.is_claimed() && fault != Fault::ClaimsDieYoung {
            self.ends = self.due.after(life.session());
        }
        if session.consumed_at().is_some() {
            match fault {
                Fault::TombstonesStay => self.ends = Timestamp::from_millis(u64::MAX),
                Fault::TombstonesDieYoung => self.ends = session.made(),
                _ => {}
            }
        }
        self.revision = session.revision().get();
        self.worth = session.worth();
        if fault != Fault::ReplacesNothing || self.session.is_empty() {
            self.session = serde_json::to_string(session).unwrap_or_default();
        }
    }

    pub(crate) fn read(&self, fault: Fault) -> Option<Session> {
        if fault == Fault::ReadsAnyVersion {
            let mut value: serde_json::Value = serde_json::from_str(&self.session).ok()?;
            // Said to be of whichever version is read today.
            return (0..=u8::MAX).find_map(|version| {
                *value.get_mut("version")? = version.into();
                serde_json::from_value(value.clone()).ok()
            });
        }
        serde_json::from_str(&self.session).ok()
    }

    pub(crate) fn gone(&self, fault: Fault) -> Gone {
        Gone { key: self.key, session: self.read(fault) }
    }
}

impl Table {
    pub(crate) fn at(&self, key: Digest) -> Option<usize> {
        self.0.iter().position(|row| row.key == key)
    }

    pub(crate) fn revision(&self, key: Digest) -> Option<u32> {
        Some(self.0.get(self.at(key)?)?.revision)
    }

    fn take(&mut self, which: impl Fn(&Row) -> bool, newest: bool) -> Option<Row> {
        let may = self.0.iter().enumerate().filter(|(_, row)| which(row));
        let (at, _) = if newest { may.last()? } else { may.min_by_key(|(_, row)| row.worth)? };
        Some(self.0.remove(at))
    }

    /// Makes room for one of the owner's; how long it takes where there is none.
    pub(crate) fn room(
        &mut self,
        owner: OwnerKey,
        now: Timestamp,
        bounds: &Bounds,
    ) -> Result<Option<Row>, Millis> {
        let fault = bounds.fault;
        let named = owner != OwnerKey::NOBODY || fault == Fault::NobodyIsAnOwner;
        let theirs = |row: &Row| named && row.owner == owner;
        let over = |row: &Row| row.ends <= now && fault != Fault::KeepsWhatHasRunOut;
        let may = |row: &Row| !row.worth.is_held() || fault == Fault::EvictsTheHeld;
        let any = |row: &Row| {
            row.worth == Worth::Nothing || (row.worth == Worth::Proved && fault == Fault::EvictsForAnybody)
        };
        let newest = fault == Fault::EvictsTheNewest;
        let owned = self.0.iter().filter(|row| theirs(row)).count();
        let at_bound = owned >= bounds.limits.per_owner && fault != Fault::OwnersUnbounded;
        let (gone, first) = if at_bound {
            let over = self.take(|row| theirs(row) && over(row), false);
            let gone = over.or_else(|| self.take(|row| theirs(row) && may(row), newest));
            (gone, self.0.iter().filter(|row| theirs(row)).map(|row| row.ends).min())
        } else if self.0.len() >= bounds.limits.all && fault != Fault::Unbounded {
            let over = self.take(over, false).or_else(|| self.take(any, newest));
            let gone = over.or_else(|| self.take(|row| theirs(row) && may(row), newest));
            (gone, self.0.iter().map(|row| row.ends).min())
        } else {
            return Ok(None);
        };
        let wait = first.map_or(Millis::new(0), |ends| ends.since(now));
        gone.map(Some).ok_or(if fault == Fault::SaysNoTime { Millis::new(0) } else { wait })
    }
}
