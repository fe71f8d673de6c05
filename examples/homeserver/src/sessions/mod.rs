//! Where UIA sessions live: in the crate's own store, or in the database beside the accounts.

mod changes;
mod memory;
mod rows;

use memory::Memory;

use crate::args;
use crate::clock::Clock;
use crate::config;
use crate::db::sessions::{self as table, Bounds};
use crate::db::{Db, Result, Tx, UserKey, registration_tokens};
use crate::reservations;
use matrix_uia::endpoint::threepid::ValidationRules;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::reference::UserRef;
use matrix_uia::server::session::Revision;
use matrix_uia::server::store::{Lifetimes, OwnerKey};
use matrix_uia::{BindingKey, CLOCK_TOLERANCE, Rules, Session, SessionId, Timestamp};
use std::net::IpAddr;

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
    Memory(Memory),
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
                Place::Memory(Memory::new(Lifetimes::of(rules), bounds.all, bounds.per_owner))
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
            Place::Memory(memory) => Ok(memory.load(id)),
            Place::Database(_) => Ok(table::load(tx, self.digest(id).as_bytes())?.and_then(rows::read)),
        }
    }

    /// Ends the open sessions of a user, whose account is being deactivated.
    pub fn end_of_user(&self, tx: &Tx, user: UserKey) -> Result<()> {
        match &self.place {
            Place::Memory(memory) => {
                for (id, session) in memory.end_of(|session| session.user() == Some(user.into())) {
                    self.give_back(tx, self.digest(&id), &session)?;
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
            Place::Memory(memory) => {
                let expired = memory.take_expired(now, EXPIRE_AT_ONCE);
                for (id, session) in &expired {
                    self.give_back(tx, self.digest(id), session)?;
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

    /// Takes a claim back whose call was not carried out. One in the database is never claimed: its claim is the
    /// transaction.
    pub fn unclaim(&self, claim: Claim) {
        if let Place::Memory(memory) = &self.place {
            memory.unclaim(claim, self.clock.now());
        }
    }

    /// Gives back some of what calls that failed had reserved; whether there was any.
    ///
    /// # Errors
    ///
    /// Those of the database. It is done later, then.
    pub async fn settle(&self, db: &Db) -> Result<bool> {
        match &self.place {
            Place::Memory(memory) => self.give_back_abandoned(memory, db).await,
            Place::Database(_) => Ok(false),
        }
    }

    /// How many there are in memory, if they live there.
    #[cfg(test)]
    pub fn in_memory(&self) -> Option<usize> {
        match &self.place {
            Place::Memory(memory) => Some(memory.len()),
            Place::Database(_) => None,
        }
    }

    /// No session that is made now ends later, whatever becomes of it.
    fn latest_end(&self, now: Timestamp) -> u64 {
        let rules = &self.rules;
        let lifetimes =
            now.after(CLOCK_TOLERANCE).after(rules.session_lifetime).after(rules.session_lifetime);
        lifetimes.after(rules.replay_for).as_millis()
    }

    /// Gives back what is reserved for a session that has ended, and what a verdict reserved for it whose commit
    /// failed.
    fn give_back(&self, tx: &Tx, digest: Digest, session: &Session) -> Result<()> {
        registration_tokens::give_back(tx, digest.as_bytes())?;
        session.proofs().try_for_each(|proof| reservations::give_back(tx, digest, proof, &self.validations))
    }
}
