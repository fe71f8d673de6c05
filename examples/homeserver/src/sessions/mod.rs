//! Where UIA sessions live: in the crate's own store, in the database beside the accounts, or in one that many
//! processes share.

mod changes;
mod elsewhere;
mod known;
mod memory;
mod rows;
mod shared;
#[cfg(test)]
mod suite;

pub use changes::Keep;
pub use elsewhere::Trouble;
pub use known::Known;

use elsewhere::Elsewhere;
use memory::Memory;
use rows::Rows;

use crate::args;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, Result, Tx, UserKey, registration_tokens};
use crate::{kept, reservations};
use matrix_uia::endpoint::threepid::ValidationRules;
use matrix_uia::server::commit::Change;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::reference::{Reference, UserRef};
use matrix_uia::server::sealed::IdKeys;
use matrix_uia::server::session::Revision;
use matrix_uia::server::store::{Gone, Lifetimes, Limits, OwnerKey};
use matrix_uia::{BindingKey, Rules, Session, SessionId, Timestamp};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::runtime::Handle;

/// How many sessions that have run out one request removes. A timer removes the rest.
const EXPIRE_AT_ONCE: usize = 16;

/// A session as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub session: Session,
    /// What is kept beside it, as [`kept`] writes it; empty if nothing is.
    pub kept: Vec<u8>,
}

impl Found {
    /// A session of a database, and the text beside it.
    fn of_row((session, text): (Session, String)) -> Self {
        Self { session, kept: kept::of_text(&text) }
    }
}

/// A claim that a request has made for its call.
#[derive(Debug, Clone)]
pub struct Claim {
    pub id: SessionId,
    pub revision: Revision,
    pub of: ClaimOf,
}

/// What a claim was made of.
#[derive(Debug, Clone)]
pub enum ClaimOf {
    /// Of a session that was open, as it was before.
    Open { before: Session },
    /// Of one that was claimed as it was made: nobody has been told its ID.
    New { session: Session },
}

/// What is known of a session before a transaction begins.
#[derive(Debug)]
pub enum Ahead {
    /// It was looked for. What has become of it meanwhile, the commit finds out.
    Found(Option<Found>),
    /// It is in the database of the accounts: it is to be loaded in the transaction.
    InDatabase,
}

/// A place for sessions. Every method that is given a transaction is called in it.
#[derive(Debug)]
pub struct Sessions {
    place: Place,
    rules: Rules,
    validations: ValidationRules,
    key: BindingKey,
    /// What session IDs are sealed with, if the config says so.
    ids: Option<IdKeys>,
    clock: Clock,
}

#[derive(Debug)]
enum Place {
    Memory(Memory),
    Database(Rows),
    Elsewhere(Elsewhere),
}

impl Sessions {
    /// `keys` makes the same key again and again; `ids` is what session IDs are sealed with, if the config says so.
    ///
    /// # Errors
    ///
    /// One line: what is wrong with the place, and the mend.
    pub async fn new(
        place: &args::Sessions,
        config: &Config,
        rules: &Rules,
        validations: &ValidationRules,
        keys: impl Fn() -> BindingKey,
        ids: IdKeys,
        clock: Clock,
    ) -> std::result::Result<Arc<Self>, String> {
        let bounds = Limits { all: config.uia.session_limit, per_owner: config.uia.sessions_per_owner };
        let lifetimes = Lifetimes::of(rules);
        let elsewhere = Elsewhere::connect(place, &config.server_name, keys(), bounds, lifetimes).await?;
        let place = match (elsewhere, place) {
            (Some(elsewhere), _) => Place::Elsewhere(elsewhere),
            (None, args::Sessions::Memory) => {
                Place::Memory(Memory::new(lifetimes, bounds.all, bounds.per_owner))
            }
            (None, _) => Place::Database(Rows::new(keys(), bounds, lifetimes)),
        };
        Ok(Arc::new(Self {
            place,
            rules: rules.clone(),
            validations: validations.clone(),
            key: keys(),
            ids: Some(ids).filter(|_| config.uia.sealed),
            clock,
        }))
    }

    /// Only sessions beside the accounts are written in one transaction with them: one in memory would be
    /// consumed by a call whose commit fails.
    pub const fn kind(&self) -> HostKind<'_> {
        let kind = match self.place {
            Place::Memory(_) | Place::Elsewhere(_) => HostKind::CLAIMS,
            Place::Database(_) => HostKind::assume_one_transaction::<Tx>(),
        };
        match &self.ids {
            Some(keys) => kind.with_sealed_ids(keys),
            None => kind,
        }
    }

    /// Whether they are rows beside the accounts, loaded and stored in the transaction of their request.
    pub const fn are_in_the_database(&self) -> bool {
        matches!(self.place, Place::Database(_))
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

    /// Looks for a session where that needs no transaction: no account waits for another database, nor for a request
    /// that asks about no account. In memory, some of what has run out ends. What has become of one elsewhere
    /// meanwhile, the commit finds out; `known` is what the request knows of it already.
    ///
    /// # Errors
    ///
    /// The database of the sessions is down.
    pub async fn load_ahead(
        &self,
        id: Option<SessionId>,
        known: &mut Known,
    ) -> std::result::Result<Ahead, Trouble> {
        Ok(match (&self.place, id) {
            (Place::Database(_), _) => Ahead::InDatabase,
            (Place::Elsewhere(_), None) => Ahead::Found(None),
            (Place::Elsewhere(elsewhere), Some(id)) => {
                if let Some(found) = known.get(id) {
                    return Ok(Ahead::Found(found));
                }
                let found = Box::pin(elsewhere.load(id)).await?;
                known.loaded(id, found.clone());
                Ahead::Found(found)
            }
            (Place::Memory(memory), id) => {
                memory.expire(self.clock.now(), EXPIRE_AT_ONCE);
                Ahead::Found(id.and_then(|id| memory.load(&id)))
            }
        })
    }

    /// What a request knows once these changes are stored. Until then it knows nothing.
    pub fn known_after<'c>(
        &self,
        known: &mut Known,
        changes: impl Iterator<Item = Change<'c>>,
        kept: Option<&[u8]>,
    ) -> Known {
        match &self.place {
            Place::Elsewhere(_) => known.take_after(changes, kept),
            Place::Memory(_) | Place::Database(_) => Known::default(),
        }
    }

    pub fn load(&self, tx: &Tx, id: &SessionId) -> Result<Option<Found>> {
        match &self.place {
            // Loaded ahead.
            Place::Elsewhere(_) => Ok(None),
            Place::Memory(memory) => Ok(memory.load(id)),
            Place::Database(rows) => Ok(rows.load(tx, id)?.map(Found::of_row)),
        }
    }

    /// Whether there is a session of this digest that may have reserved something. `None`: only another database knows.
    pub fn holds(&self, tx: &Tx, digest: Digest) -> Result<Option<bool>> {
        Ok(match &self.place {
            Place::Memory(memory) => Some(memory.holds(digest, |id| self.digest(id))),
            Place::Database(rows) => Some(rows.holds(tx, digest)?),
            Place::Elsewhere(_) => None,
        })
    }

    /// Takes a claim of a validation back, if there is no session of this digest, which had claimed it: a crash came
    /// between the two. In a task: no request waits for another database with a transaction open.
    pub fn give_back_if_gone(self: &Arc<Self>, db: &Db, validation: Reference, claimant: Digest) {
        if let Place::Elsewhere(elsewhere) = &self.place {
            let (sessions, elsewhere, db) = (Arc::clone(self), elsewhere.clone(), db.clone());
            tokio::spawn(
                async move { sessions.give_back_orphan(&elsewhere, &db, validation, claimant).await },
            );
        }
    }

    /// Ends the open sessions of a user, whose account is being deactivated.
    pub fn end_of_user(&self, tx: &Tx, user: UserKey) -> Result<()> {
        match &self.place {
            // The fence has made them void; they run out.
            Place::Elsewhere(_) => {}
            Place::Memory(memory) => {
                for (id, session) in memory.end_of(|session| session.user() == Some(user.into())) {
                    self.give_back(tx, self.digest(&id), &session)?;
                }
            }
            Place::Database(rows) => {
                for gone in rows.end_of_user(tx, user)? {
                    self.give_back_gone(tx, gone)?;
                }
            }
        }
        Ok(())
    }

    /// Ends some of what has run out; whether there was anything.
    pub fn expire(&self, tx: &Tx, now: Timestamp) -> Result<bool> {
        match &self.place {
            // The timer's to do.
            Place::Elsewhere(_) => Ok(false),
            // What was reserved for them is given back when it is settled.
            Place::Memory(memory) => Ok(memory.expire(now, EXPIRE_AT_ONCE)),
            Place::Database(rows) => {
                let expired = rows.sweep(tx, EXPIRE_AT_ONCE, now)?;
                let any = !expired.is_empty();
                for gone in expired {
                    self.give_back_gone(tx, gone)?;
                }
                Ok(any)
            }
        }
    }

    /// Takes a claim back whose call was not carried out. One in the database is never claimed: its claim is the
    /// transaction.
    pub fn unclaim(self: &Arc<Self>, db: &Db, claim: Claim) {
        match &self.place {
            Place::Memory(memory) => memory.unclaim(claim, self.clock.now()),
            Place::Database(_) => {}
            Place::Elsewhere(elsewhere) => {
                let (sessions, elsewhere, db) = (Arc::clone(self), elsewhere.clone(), db.clone());
                // Outside of a runtime the process ends, and the claim lapses.
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(async move { sessions.unclaim_elsewhere(&elsewhere, &db, claim).await });
                }
            }
        }
    }

    /// Gives back some of what was reserved for sessions that are gone from memory; whether there was any.
    ///
    /// # Errors
    ///
    /// Those of the database. It is done later, then.
    pub async fn settle(&self, db: &Db) -> Result<bool> {
        match &self.place {
            Place::Memory(memory) if memory.owes() => Box::pin(self.give_back_owed(memory, db)).await,
            Place::Memory(_) | Place::Database(_) | Place::Elsewhere(_) => Ok(false),
        }
    }

    /// Ends some of those that have run out elsewhere; whether there was any.
    pub async fn sweep(&self, db: &Db) -> bool {
        match &self.place {
            Place::Elsewhere(elsewhere) => self.sweep_elsewhere(elsewhere, db).await,
            Place::Memory(_) | Place::Database(_) => false,
        }
    }

    /// Those in memory, if they live there.
    #[cfg(test)]
    pub fn in_memory(&self) -> Option<Vec<Session>> {
        match &self.place {
            Place::Memory(memory) => Some(memory.all()),
            Place::Database(_) | Place::Elsewhere(_) => None,
        }
    }

    /// Gives back what is reserved for a session that has ended, and what a verdict reserved for it whose commit
    /// failed.
    fn give_back(&self, tx: &Tx, digest: Digest, session: &Session) -> Result<()> {
        registration_tokens::give_back(tx, digest.as_bytes())?;
        session.proofs().try_for_each(|proof| reservations::give_back(tx, digest, proof, &self.validations))
    }

    /// The same for one that has left a database. Of one that can't be read no more than its key is known.
    fn give_back_gone(&self, tx: &Tx, gone: Gone) -> Result<()> {
        match gone.session {
            Some(session) => self.give_back(tx, gone.key, &session),
            None => registration_tokens::give_back(tx, gone.key.as_bytes()),
        }
    }
}
