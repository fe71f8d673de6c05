//! Sessions as rows of the database.

use super::{Found, Sessions};
use crate::db::sessions::{self as table, RemovedSession, StoredSession};
use crate::db::{Result, Tx, UserKey, registration_tokens};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Worth;
use matrix_uia::server::store::OwnerKey;
use matrix_uia::{Session, SessionId};

impl Sessions {
    /// Gives back what a row that was removed held. What one held that can't be read is known by its ID, or runs out.
    pub(super) fn give_back_row(&self, tx: &Tx, row: &RemovedSession) -> Result<()> {
        let Ok(digest) = row.id.as_slice().try_into().map(Digest::from_bytes) else { return Ok(()) };
        match serde_json::from_str(&row.session) {
            Ok(session) => self.give_back(tx, digest, &session),
            Err(_) => registration_tokens::give_back(tx, digest.as_bytes()),
        }
    }

    pub(super) fn row(
        &self,
        id: &SessionId,
        session: &Session,
        owner: OwnerKey,
        kept: Option<&str>,
    ) -> Result<StoredSession> {
        let json = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
        let over = session.worth() == Worth::Over;
        Ok(StoredSession {
            id: self.digest(id).as_bytes().to_vec(),
            revision: u64::from(session.revision().get()),
            // What is left of a session that is over outlives its user's fence: the answer is found by it.
            user: session.user().filter(|_| !over).map(UserKey::from),
            owner: owner.get().cast_signed(),
            worth: session.worth().rank().min(table::HELD),
            made_at: session.made().as_millis(),
            ends_at: session.ends(&self.rules).as_millis(),
            session: serde_json::to_string(session).map_err(json)?,
            kept: kept.unwrap_or_default().to_owned(),
        })
    }
}

/// A row as a session; one that an older program wrote and this one can't read is as good as gone. So is one whose
/// revision isn't the session's: whoever read it could never replace it.
pub(super) fn read(row: StoredSession) -> Option<Found> {
    let session: Session = serde_json::from_str(&row.session).ok()?;
    let whole = u64::from(session.revision().get()) == row.revision;
    whole.then_some(Found { session, kept: row.kept })
}
