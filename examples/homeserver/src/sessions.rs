//! Where UIA sessions live: in the crate's own store, or in the database beside the accounts.

use crate::args;
use crate::clock;
use crate::config;
use crate::db::records::{self, Record};
use crate::db::sessions::{self as table, Bounds, Inserted, StoredSession};
use crate::db::{Result, Tx, UserKey};
use crate::reservations;
use matrix_uia::endpoint::threepid::ValidationRules;
use matrix_uia::server::commit::{Change, Committed};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::reference::UserRef;
use matrix_uia::server::session::Worth;
use matrix_uia::server::store::{HashedStore, Lifetimes, NotStored, OwnerKey, Store as _};
use matrix_uia::{BindingKey, Millis, Rules, Session, SessionId, Timestamp};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many sessions that have run out one request removes.
const EXPIRE_AT_ONCE: usize = 16;

/// A session as it was found.
#[derive(Debug)]
pub struct Found {
    pub session: Session,
    /// What is kept beside it, as JSON; empty if nothing is.
    pub kept: String,
}

/// A place for sessions. Every method is called under the database's lock.
#[derive(Debug)]
pub struct Sessions {
    place: Place,
    rules: Rules,
    validations: ValidationRules,
    key: BindingKey,
}

#[derive(Debug)]
enum Place {
    Memory(Mutex<HashedStore<String>>),
    Database(Bounds),
}

impl Sessions {
    pub fn new(
        place: args::Sessions,
        uia: &config::Uia,
        rules: &Rules,
        validations: &ValidationRules,
        key: BindingKey,
    ) -> Self {
        let bounds = Bounds { all: uia.session_limit, per_owner: uia.sessions_per_owner };
        let place = match place {
            args::Sessions::Memory => {
                let store = HashedStore::new(Lifetimes::of(rules), bounds.all);
                Place::Memory(Mutex::new(store.with_sessions_per_owner(bounds.per_owner)))
            }
            args::Sessions::Sqlite => Place::Database(bounds),
        };
        Self { place, rules: rules.clone(), validations: validations.clone(), key }
    }

    /// Only sessions beside the accounts are written in one transaction with them: one in memory would be
    /// consumed by a call whose commit fails.
    pub const fn kind(&self) -> HostKind {
        match self.place {
            Place::Memory(_) => HostKind::CLAIMS,
            Place::Database(_) => HostKind::assume_one_transaction(),
        }
    }

    /// Against whose bound a session counts that a request begins: its user's or, without a token, its peer's.
    pub fn owner(&self, user: Option<UserRef>, peer: IpAddr) -> OwnerKey {
        match (user, peer) {
            (Some(user), _) => OwnerKey::of_user(&self.key, user),
            (None, IpAddr::V4(address)) => OwnerKey::of_address(&self.key, &address.octets()),
            (None, IpAddr::V6(address)) => OwnerKey::of_address(&self.key, &address.octets()),
        }
    }

    /// What the database knows a session by.
    pub fn digest(&self, id: &SessionId) -> Digest {
        self.key.claimant(*id)
    }

    pub fn load(&self, tx: &Tx, id: &SessionId) -> Result<Option<Found>> {
        match &self.place {
            Place::Memory(store) => Ok(lock(store)
                .load(id)
                .map(|record| Found { session: record.session.clone(), kept: record.kept.clone() })),
            Place::Database(_) => Ok(table::load(tx, self.digest(id).as_bytes())?.and_then(read)),
        }
    }

    /// Carries out every change and ends the transaction. `kept` is for beside the session that is put, `result`
    /// for the record of a call that succeeded.
    ///
    /// A session in memory is put first, so that a lost race leaves the database as it was; but after the
    /// database where a call was carried out: should the put fail then, its record says what became of it.
    pub fn commit<'c>(
        &self,
        tx: Tx,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        kept: Option<String>,
        owner: OwnerKey,
        result: &str,
    ) -> Result<Committed> {
        let now = clock::now();
        if !self.write_accounts(&tx, changes.clone(), result, now)? {
            return Ok(Committed::Lost);
        }
        let store = match &self.place {
            Place::Database(bounds) => {
                let committed = self.write_rows(&tx, changes, kept.as_deref(), owner, *bounds, now)?;
                if committed == Committed::Stored {
                    tx.commit()?;
                }
                return Ok(committed);
            }
            Place::Memory(store) => store,
        };
        if changes.clone().any(|change| is_success(&change)) {
            tx.commit()?;
            // Nobody has to be told that it failed: the claim lapses.
            let _recalled_otherwise = lock(store).commit(changes, kept, owner, now);
            return Ok(Committed::Stored);
        }
        let stored = lock(store).commit(changes, kept, owner, now);
        match stored {
            Ok(stored) => {
                if let Some((id, record)) = stored.evicted {
                    self.give_back(&tx, self.digest(&id), &record.session)?;
                }
                tx.commit()?;
                Ok(Committed::Stored)
            }
            Err(NotStored::Full { wait, .. }) => Ok(Committed::Full(wait)),
            Err(_) => Ok(Committed::Lost),
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
                Change::Put { id, session, expected: _, keep: _ } => {
                    if let Some(outcome) = session.outcome() {
                        let record =
                            Record { outcome, account: session.account(), result: result.to_owned() };
                        let forget_at = now.after(self.rules.session_lifetime).after(self.rules.replay_for);
                        records::insert(
                            tx,
                            self.digest(&id),
                            &record,
                            forget_at.as_millis(),
                            now.as_millis(),
                        )?;
                    }
                }
                Change::Remove { id: _, expected: _ } => {}
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
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<Committed> {
        for change in changes {
            let done = match change {
                Change::Put { id, expected: None, session, keep } => {
                    let row = self.row(&id, session, owner, kept.filter(|_| keep))?;
                    match table::insert(tx, &row, bounds)? {
                        Inserted::Stored(evicted) => {
                            if let Some(evicted) = evicted {
                                self.give_back_row(tx, evicted)?;
                            }
                            true
                        }
                        Inserted::Full { until } => {
                            return Ok(Committed::Full(Timestamp::from_millis(until).since(now).max(SOON)));
                        }
                    }
                }
                Change::Put { id, expected: Some(expected), session, keep } => {
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

    /// Ends the open sessions of a user, whose account is being deactivated.
    pub fn end_of_user(&self, tx: &Tx, user: UserKey) -> Result<()> {
        match &self.place {
            Place::Memory(store) => {
                let theirs = |session: &Session| session.user() == Some(user.into());
                let ended: Vec<_> = lock(store).end_open(|_, record| theirs(&record.session)).collect();
                for (id, record) in ended {
                    self.give_back(tx, self.digest(&id), &record.session)?;
                }
            }
            Place::Database(_) => {
                for row in table::remove_by_user(tx, user)? {
                    self.give_back_row(tx, row)?;
                }
            }
        }
        Ok(())
    }

    /// Ends some of what has run out; whether there was anything.
    pub fn expire(&self, tx: &Tx, now: Timestamp) -> Result<bool> {
        match &self.place {
            Place::Memory(store) => {
                let expired: Vec<_> = {
                    let mut store = lock(store);
                    std::iter::from_fn(|| store.expire(now)).take(EXPIRE_AT_ONCE).collect()
                };
                for (id, record) in &expired {
                    self.give_back(tx, self.digest(id), &record.session)?;
                }
                Ok(!expired.is_empty())
            }
            Place::Database(_) => {
                let expired = table::take_expired(tx, now.as_millis(), EXPIRE_AT_ONCE)?;
                let any = !expired.is_empty();
                for row in expired {
                    self.give_back_row(tx, row)?;
                }
                Ok(any)
            }
        }
    }

    fn give_back(&self, tx: &Tx, digest: Digest, session: &Session) -> Result<()> {
        session.proofs().try_for_each(|proof| reservations::give_back(tx, digest, proof, &self.validations))
    }

    fn give_back_row(&self, tx: &Tx, row: StoredSession) -> Result<()> {
        let Ok(digest) = row.id.as_slice().try_into().map(Digest::from_bytes) else { return Ok(()) };
        match read(row) {
            Some(found) => self.give_back(tx, digest, &found.session),
            None => Ok(()),
        }
    }

    fn row(
        &self,
        id: &SessionId,
        session: &Session,
        owner: OwnerKey,
        kept: Option<&str>,
    ) -> Result<StoredSession> {
        let json = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
        let consumed = session.consumed_at().is_some();
        Ok(StoredSession {
            id: self.digest(id).as_bytes().to_vec(),
            revision: u64::from(session.revision().get()),
            // A consumed session outlives its user's fence: it is what the answer is found by.
            user: session.user().filter(|_| !consumed).map(UserKey::from),
            owner: owner.get().cast_signed(),
            worth: match session.worth() {
                Worth::Nothing => table::NOTHING,
                Worth::Proved => table::PROVED,
                Worth::Held => table::HELD,
            },
            made_at: session.made().as_millis(),
            ends_at: session.ends(&self.rules).as_millis(),
            session: serde_json::to_string(session).map_err(json)?,
            kept: kept.unwrap_or_default().to_owned(),
        })
    }
}

/// The shortest wait that a full store announces.
const SOON: Millis = Millis::from_secs(1);

fn is_success(change: &Change<'_>) -> bool {
    matches!(change, Change::Put { session, .. } if session.outcome().is_some())
}

/// A row as a session; one that an older program wrote and this one can't read is as good as gone.
fn read(row: StoredSession) -> Option<Found> {
    Some(Found { session: serde_json::from_str(&row.session).ok()?, kept: row.kept })
}

fn lock(store: &Mutex<HashedStore<String>>) -> MutexGuard<'_, HashedStore<String>> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
