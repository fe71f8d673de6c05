//! Where UIA sessions live: in the crate's own store, or in the database beside the accounts.

use crate::args;
use crate::db::sessions::{self as table, Inserted, StoredSession};
use crate::db::{Result, Tx, UserKey, registration_tokens};
use matrix_uia::server::operation::UserRef;
use matrix_uia::server::session::Write;
use matrix_uia::server::store::{HashedStore, Lifetimes, NotStored, Store as _};
use matrix_uia::{Rules, Session, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is kept beside a session because its client may leave it out later: what the crate says is to be
/// kept, and the hash of a password, never the password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub params: Value,
    pub hash: Option<String>,
    /// What the call resulted in, to be found again when it is repeated.
    pub result: Value,
}

/// A session as it was found.
#[derive(Debug)]
pub struct Stored {
    pub session: Session,
    pub kept: Kept,
}

/// A place for sessions. Every method is called under the database's lock.
#[derive(Debug)]
pub struct Sessions {
    place: Place,
    rules: Rules,
}

#[derive(Debug)]
enum Place {
    Memory(Mutex<HashedStore<Kept>>),
    Database { limit: usize },
}

impl Sessions {
    pub fn new(place: args::Sessions, limit: usize, rules: &Rules) -> Self {
        let place = match place {
            args::Sessions::Memory => {
                Place::Memory(Mutex::new(HashedStore::new(Lifetimes::of(rules), limit)))
            }
            args::Sessions::Sqlite => Place::Database { limit },
        };
        Self { place, rules: rules.clone() }
    }

    pub fn load(&self, tx: &Tx, id: &SessionId) -> Result<Option<Stored>> {
        match &self.place {
            Place::Memory(store) => Ok(lock(store)
                .load(id)
                .map(|record| Stored { session: record.session.clone(), kept: record.kept.clone() })),
            Place::Database { .. } => Ok(table::load(tx, id.as_bytes())?.and_then(read)),
        }
    }

    /// Carries out what the crate asks for. `false`: there is no room for a new session.
    pub fn write(&self, tx: &Tx, write: Write<'_>, kept: Kept, now: Timestamp) -> Result<bool> {
        match (&self.place, write) {
            (Place::Memory(store), write) => {
                let stored = lock(store).apply(write, Some(kept), now);
                match stored {
                    Ok(stored) => {
                        if let Some((id, _)) = stored.evicted {
                            registration_tokens::give_back(tx, id.as_bytes())?;
                        }
                        Ok(true)
                    }
                    Err(NotStored::Full { .. }) => Ok(false),
                    Err(_) => Err(lost_race()),
                }
            }
            (Place::Database { limit }, Write::Insert { id, session }) => {
                Ok(table::insert(tx, &self.row(id, session, &kept)?, *limit)? == Inserted::Stored)
            }
            (Place::Database { .. }, Write::Replace { id, expected, session }) => {
                let row = self.row(id, session, &kept)?;
                let replaced = table::replace(tx, &row, u64::from(expected.get()))?;
                if replaced { Ok(true) } else { Err(lost_race()) }
            }
            (Place::Database { .. }, _) => Ok(true),
        }
    }

    /// Ends one session, and gives back what it had reserved.
    pub fn remove(&self, tx: &Tx, id: &SessionId) -> Result<()> {
        match &self.place {
            Place::Memory(store) => drop(lock(store).remove(id)),
            Place::Database { .. } => drop(table::remove(tx, id.as_bytes())?),
        }
        registration_tokens::give_back(tx, id.as_bytes())
    }

    /// Ends the open sessions of a user, whose account is being deactivated, but the one that brought the
    /// deactivation about: how that ends is still to be written.
    pub fn end_of_user(&self, tx: &Tx, user: UserRef, key: UserKey, spared: Option<SessionId>) -> Result<()> {
        match &self.place {
            Place::Memory(store) => {
                let mut store = lock(store);
                let theirs =
                    |id: &SessionId, session: &Session| Some(*id) != spared && session.user() == Some(user);
                for (id, _) in store.end_open(|id, record| theirs(id, &record.session)) {
                    registration_tokens::give_back(tx, id.as_bytes())?;
                }
            }
            Place::Database { limit } => {
                for row in table::remove_by_user(tx, key)? {
                    if spared.is_some_and(|id| id.as_bytes()[..] == row.id) {
                        let _back = table::insert(tx, &row, *limit)?;
                    } else {
                        registration_tokens::give_back(tx, &row.id)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends what has run out.
    pub fn expire(&self, tx: &Tx, now: Timestamp) -> Result<()> {
        match &self.place {
            Place::Memory(store) => {
                while let Some((id, _)) = lock(store).expire(now) {
                    registration_tokens::give_back(tx, id.as_bytes())?;
                }
            }
            Place::Database { .. } => {
                for row in table::take_expired(tx, now.as_millis(), 16)? {
                    registration_tokens::give_back(tx, &row.id)?;
                }
            }
        }
        Ok(())
    }

    fn row(&self, id: SessionId, session: &Session, kept: &Kept) -> Result<StoredSession> {
        let json = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
        let consumed = session.consumed_at().is_some();
        Ok(StoredSession {
            id: id.as_bytes().to_vec(),
            revision: u64::from(session.revision().get()),
            // A consumed session outlives its user's fence: it is what the answer is found by.
            user: session.user().filter(|_| !consumed).map(UserKey::from),
            passed: session.has_passed_stage() || consumed,
            made_at: session.made().as_millis(),
            ends_at: session.ends(&self.rules).as_millis(),
            session: serde_json::to_string(session).map_err(json)?,
            kept: serde_json::to_string(kept).map_err(json)?,
        })
    }
}

/// A row as a session; one that an older program wrote and this one can't read is as good as gone.
fn read(row: StoredSession) -> Option<Stored> {
    let session = serde_json::from_str(&row.session).ok()?;
    let kept = serde_json::from_str(&row.kept).ok()?;
    Some(Stored { session, kept })
}

fn lock(store: &Mutex<HashedStore<Kept>>) -> MutexGuard<'_, HashedStore<Kept>> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Another process on the same data has changed the session: this transaction is undone.
fn lost_race() -> rusqlite::Error {
    rusqlite::Error::StatementChangedRows(0)
}
