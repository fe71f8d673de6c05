//! Sessions as rows of the database of the accounts: load, commit, sweep.
//!
//! A commit is a part of the transaction of its request, which writes about accounts as well: whoever hangs up, all
//! of it happens or nothing.

use crate::db::sessions::{self as table, Inserted, RemovedSession, StoredSession};
use crate::db::{Result, Tx, UserKey};
use matrix_uia::server::commit::{Committed, Put, SessionChanges};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Worth;
use matrix_uia::server::store::{Done, Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::{BindingKey, CLOCK_TOLERANCE, Millis, Session, SessionId, Timestamp};

/// The shortest wait that a full store announces.
const SOON: Millis = Millis::from_secs(1);

#[derive(Debug)]
pub(super) struct Rows {
    key: BindingKey,
    limits: Limits,
    lifetimes: Lifetimes,
}

impl Rows {
    pub(super) const fn new(key: BindingKey, limits: Limits, lifetimes: Lifetimes) -> Self {
        Self { key, limits, lifetimes }
    }

    /// What a session is stored under. Its ID is a capability, and stored nowhere.
    pub(super) fn key(&self, id: &SessionId) -> Digest {
        self.key.claimant(*id)
    }

    /// The session, and what is kept beside it. One that an older program wrote and this one can't read is as
    /// good as gone. So is one whose revision isn't the session's: whoever read it could never replace it.
    pub(super) fn load(&self, tx: &Tx, id: &SessionId) -> Result<Option<(Session, String)>> {
        let row = table::load(tx, self.key(id).as_bytes())?;
        Ok(row.and_then(|row| {
            let session: Session = serde_json::from_str(&row.session).ok()?;
            (u64::from(session.revision().get()) == row.revision).then_some((session, row.kept))
        }))
    }

    /// Whether there is a session under this key: one of another program's version, too.
    pub(super) fn holds(&self, tx: &Tx, key: Digest) -> Result<bool> {
        Ok(table::load(tx, key.as_bytes())?.is_some())
    }

    /// Carries out the changes. Undo the transaction unless the answer is [`Committed::Stored`].
    pub(super) fn commit(
        &self,
        tx: &Tx,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Done> {
        let SessionChanges { put, remove } = changes;
        if let Some((id, read)) = remove
            && !table::remove(tx, self.key(&id).as_bytes(), u64::from(read.get()))?
        {
            return Ok(Committed::Lost.into());
        }
        let Some(Put { id, expected, session, keep }) = put else { return Ok(Committed::Stored.into()) };
        let kept = kept.filter(|_| keep);
        let row = self.row(&id, session, kept, owner, now)?;
        if let Some(read) = expected {
            let replaced = table::replace(tx, &row, u64::from(read.get()), kept.is_some())?;
            return Ok(if replaced { Committed::Stored } else { Committed::Lost }.into());
        }
        Ok(match table::insert(tx, &row, self.limits, now.as_millis())? {
            Inserted::Stored(evicted) => {
                Done { committed: Committed::Stored, evicted: evicted.and_then(gone) }
            }
            Inserted::Taken => Committed::Lost.into(),
            Inserted::Full { until } => {
                Committed::Full(Timestamp::from_millis(until).since(now).max(SOON)).into()
            }
        })
    }

    /// Removes at most so many sessions whose time is over, or that were made while the clock was wrong.
    pub(super) fn sweep(&self, tx: &Tx, at_most: usize, now: Timestamp) -> Result<Vec<Gone>> {
        let expired = table::take_expired(tx, now.as_millis(), self.latest_end(now).as_millis(), at_most)?;
        Ok(expired.into_iter().filter_map(gone).collect())
    }

    /// Removes the open sessions of a user.
    pub(super) fn end_of_user(&self, tx: &Tx, user: UserKey) -> Result<Vec<Gone>> {
        Ok(table::remove_by_user(tx, user)?.into_iter().filter_map(gone).collect())
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self, tx: &Tx) -> Result<usize> {
        table::count(tx)
    }

    fn row(
        &self,
        id: &SessionId,
        session: &Session,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<StoredSession> {
        let json = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
        let (worth, lifetimes) = (session.worth(), &self.lifetimes);
        // The clock may have been set back since it was made.
        let now = now.max(session.made());
        let ends = now.after(lifetimes.left(session, now));
        Ok(StoredSession {
            id: self.key(id).as_bytes().to_vec(),
            revision: u64::from(session.revision().get()),
            // What is left of a session that is over outlives its user's fence: the answer is found by it.
            user: session.user().filter(|_| worth != Worth::Over).map(UserKey::from),
            owner: owner.get().cast_signed(),
            worth: worth.rank().min(table::HELD),
            made_at: session.made().as_millis(),
            // Its call may be under way.
            ends_at: if worth == Worth::Claimed { ends.after(lifetimes.session()) } else { ends }.as_millis(),
            session: serde_json::to_string(session).map_err(json)?,
            kept: kept.unwrap_or_default().to_owned(),
        })
    }

    /// No session that is made now ends later, whatever becomes of it.
    fn latest_end(&self, now: Timestamp) -> Timestamp {
        let Self { lifetimes, .. } = self;
        now.after(CLOCK_TOLERANCE)
            .after(lifetimes.session())
            .after(lifetimes.session())
            .after(lifetimes.replay())
    }
}

/// A session that has left the table; its value may be one that this program can't read.
fn gone(row: RemovedSession) -> Option<Gone> {
    let key = Digest::from_bytes(row.id.as_slice().try_into().ok()?);
    Some(Gone { key, session: serde_json::from_str(&row.session).ok() })
}
