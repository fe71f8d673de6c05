//! Where UIA sessions live: in the crate's own store, or in the database beside the accounts.

mod changes;
mod rows;

use crate::args;
use crate::clock::Clock;
use crate::config;
use crate::db::sessions::{self as table, Bounds};
use crate::db::{Result, Tx, UserKey};
use crate::reservations;
use matrix_uia::endpoint::threepid::ValidationRules;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::reference::UserRef;
use matrix_uia::server::session::{Proof, Revision};
use matrix_uia::server::store::{HashedStore, Lifetimes, OwnerKey, Store as _};
use matrix_uia::{BindingKey, CLOCK_TOLERANCE, Rules, Session, SessionId, Timestamp};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many sessions that have run out one request removes. A timer removes the rest.
const EXPIRE_AT_ONCE: usize = 16;

/// A session as it was found.
#[derive(Debug)]
pub struct Found {
    pub session: Session,
    /// What is kept beside it, as JSON; empty if nothing is.
    pub kept: String,
}

/// A claim that a request has made for its call.
#[derive(Debug)]
pub struct Claim {
    pub id: SessionId,
    pub revision: Revision,
    /// The session before; `None` if it was claimed as it was made.
    pub before: Option<Session>,
}

/// A place for sessions. Every method is called under the database's lock.
#[derive(Debug)]
pub struct Sessions {
    place: Place,
    rules: Rules,
    validations: ValidationRules,
    key: BindingKey,
    clock: Clock,
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
        clock: Clock,
    ) -> Self {
        let bounds = Bounds { all: uia.session_limit, per_owner: uia.sessions_per_owner };
        let place = match place {
            args::Sessions::Memory => {
                let store = HashedStore::new(Lifetimes::of(rules), bounds.all);
                Place::Memory(Mutex::new(store.with_sessions_per_owner(bounds.per_owner)))
            }
            args::Sessions::Sqlite => Place::Database(bounds),
        };
        Self { place, rules: rules.clone(), validations: validations.clone(), key, clock }
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
            Place::Database(_) => Ok(table::load(tx, self.digest(id).as_bytes())?.and_then(rows::read)),
        }
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
                let expired = table::take_expired(tx, now.as_millis(), self.latest_end(now), EXPIRE_AT_ONCE)?;
                let any = !expired.is_empty();
                for row in expired {
                    self.give_back_row(tx, row)?;
                }
                Ok(any)
            }
        }
    }

    /// Takes a claim back whose call was not carried out: the session is as it was before, and a request need not wait
    /// until the claim lapses. One in the database is never claimed: its claim is the transaction.
    pub fn unclaim(&self, claim: Claim) {
        let Place::Memory(store) = &self.place else { return };
        let mut store = lock(store);
        match claim.before {
            Some(before) => {
                // Lost only to who has taken the claim over.
                let _taken_over = store.replace(claim.id, claim.revision, &before, None, self.clock.now());
            }
            // Nobody has been told its ID. What it has reserved is given back when it runs out.
            None => {
                let theirs = store.load(&claim.id).is_some_and(|record| {
                    let session = &record.session;
                    session.revision() == claim.revision && !session.proofs().any(Proof::is_reservation)
                });
                if theirs {
                    let _reserved_nothing = store.remove(&claim.id);
                }
            }
        }
    }

    /// No session that is made now ends later, whatever becomes of it.
    fn latest_end(&self, now: Timestamp) -> u64 {
        let rules = &self.rules;
        let lifetimes =
            now.after(CLOCK_TOLERANCE).after(rules.session_lifetime).after(rules.session_lifetime);
        lifetimes.after(rules.replay_for).as_millis()
    }

    fn give_back(&self, tx: &Tx, digest: Digest, session: &Session) -> Result<()> {
        session.proofs().try_for_each(|proof| reservations::give_back(tx, digest, proof, &self.validations))
    }
}

fn lock(store: &Mutex<HashedStore<String>>) -> MutexGuard<'_, HashedStore<String>> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
