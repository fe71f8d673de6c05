//! Keeping sessions: a bounded table of them, with expiry and eviction in constant time.
//!
//! ```text
//!               insert               replace               replace
//!  (not there) ────────► untouched ──────────► passed ─────────────────► consumed
//!                         │      │   a stage     │    the call succeeded     │
//!            at the limit,│      │   passed      │                           │
//!            oldest first ▼      ▼               ▼ session_lifetime over     ▼ replay_for over
//!                      evicted   └──► expired ◄──┘                        expired
//! ```
//!
//! Two kinds have one interface, [`Store`]: [`FixedStore`] lies wherever the host puts
//! it and needs no heap; [`HashedStore`] grows to a limit. A host that keeps its sessions
//! in a database needs neither: all that matters is «replace if the revision is still N».
//!
//! - **Nothing scans.** Sessions live equally long, so they expire in the order they were
//!   made, and consumed ones in the order they were consumed: two queues. A third has
//!   those without a passed stage, which may be evicted. All three run through the
//!   table's own slots.
//! - **What leaves is handed back.** A session that expires or is evicted may have
//!   reserved something, such as one use of a registration token (rule U22). So whatever
//!   is removed is returned, and the host gives back what its
//!   [`proofs`](Session::proofs) refer to. Of two requests that remove one session, one
//!   gets it.
//! - **Time** is the store's own: it goes with the host's clock and waits while that has
//!   stepped back. Nothing expires early, and what was due stays due.
//!
//! ```
//! use matrix_uia::server::operation::ChangePassword;
//! use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
//! use matrix_uia::wire::Auth;
//! use matrix_uia::{Call, Flows, Guard, Rules, SessionId, Step, Timestamp};
//!
//! let rules = Rules::default();
//! let flows = Flows::<ChangePassword>::new([["m.login.password"]], None)?;
//! let mut store = FixedStore::<(), 8>::new(Lifetimes::of(&rules));
//!
//! // A request: load, step, store.
//! let now = Timestamp::from_millis(0);
//! let call = Call::new(Auth::Absent, None);
//! let session = call.session_id().and_then(|id| store.load(&id)).map(|found| found.session.clone());
//! let fresh = SessionId::from_entropy([1; 24]); // from the host's generator
//! let step = Guard::new(&flows, &rules).receive(call, session, fresh, now);
//! let Step::Challenge(challenge) = step else { unreachable!("no auth, no success") };
//! let stored = store.apply(challenge.write(), None, now)?;
//! assert!(stored.evicted.is_none(), "there was room");
//!
//! // Now and then: what has run out.
//! let later = now.after(rules.session_lifetime);
//! while let Some((id, record)) = store.expire(later) {
//!     assert_eq!(id, fresh);
//!     for proof in record.session.proofs() { /* give back what it refers to */ }
//! }
//! assert!(store.is_empty());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! See [User-Interactive Authentication](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api).

mod clock;
mod fixed;
#[cfg(feature = "alloc")]
mod hashed;
mod queue;
mod slab;

pub use clock::Lifetimes;
pub use fixed::FixedStore;
#[cfg(feature = "alloc")]
pub use hashed::HashedStore;

use core::fmt;

use crate::server::commit::Change;
use crate::server::session::Revision;
use crate::{Millis, Session, SessionId, Timestamp};

/// A session and what the host keeps beside it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<K> {
    /// The session.
    pub session: Session,
    /// The host's own: such as the hash of a new password, which later requests of the
    /// session may leave out. It stays as long as the session, its tombstone included,
    /// unless it is replaced.
    pub kept: K,
}

impl<K> fmt::Debug for Record<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, kept: _ } = self;
        f.debug_struct("Record").field("session", session).finish_non_exhaustive()
    }
}

/// A session was stored.
#[derive(PartialEq, Eq)]
#[must_use = "what the evicted session had reserved is lost"]
#[non_exhaustive]
pub struct Stored<K> {
    /// The session that made room for it: one that had expired, else the oldest without
    /// a passed stage. What it had reserved is to be given back.
    pub evicted: Option<(SessionId, Record<K>)>,
}

impl<K> Stored<K> {
    const QUIETLY: Self = Self { evicted: None };
}

impl<K> fmt::Debug for Stored<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("evicted", &self.evicted).finish()
    }
}

/// A session was not stored. Nothing has changed, and what was to be kept beside it
/// comes back.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotStored<K> {
    /// The store is full, and every session in it has a passed stage or is consumed:
    /// answer with [`MatrixError::limited`](crate::MatrixError::limited) (rule U16).
    Full {
        /// Until the next session's time is over.
        wait: Millis,
        /// What was to be kept.
        kept: Option<K>,
    },
    /// The stored session has another revision, or is gone; or, for a new one, its ID is
    /// taken. Read again, and let the guard receive the request (or apply the verdict)
    /// again.
    Conflict {
        /// What was to be kept.
        kept: Option<K>,
    },
}

impl<K> NotStored<K> {
    /// What was to be kept.
    #[must_use]
    pub fn into_kept(self) -> Option<K> {
        match self {
            Self::Full { kept, .. } | Self::Conflict { kept } => kept,
        }
    }
}

impl<K> fmt::Debug for NotStored<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { wait, kept: _ } => {
                f.debug_struct("Full").field("wait", wait).finish_non_exhaustive()
            }
            Self::Conflict { kept: _ } => f.debug_struct("Conflict").finish_non_exhaustive(),
        }
    }
}

impl<K> fmt::Display for NotStored<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full { .. } => "the store is full of sessions that may not be evicted",
            Self::Conflict { .. } => "the stored session is not the one that was read",
        })
    }
}

impl<K> core::error::Error for NotStored<K> {}

/// Where sessions are kept between two requests.
///
/// Every method takes constant time, but for [`end_open`](Self::end_open) and
/// [`iter`](Self::iter). Put the store behind a lock and hold that only for one method:
/// the revision does the rest (rule U15).
///
/// ```
/// use matrix_uia::server::store::{FixedStore, HashedStore, Lifetimes, Store};
/// use matrix_uia::Rules;
/// let lifetimes = Lifetimes::of(&Rules::default());
/// let stores: [Box<dyn Store<Kept = String>>; 2] = [
///     Box::new(FixedStore::<String, 16>::new(lifetimes)),
///     Box::new(HashedStore::new(lifetimes, 100_000)),
/// ];
/// assert_eq!(stores.map(|store| store.capacity()), [16, 100_000]);
/// ```
pub trait Store {
    /// What the host keeps beside a session.
    type Kept;

    /// The session of that ID, expired or not: its guard knows what its age means.
    #[must_use]
    fn load(&self, id: &SessionId) -> Option<&Record<Self::Kept>>;

    /// Stores a new session.
    ///
    /// In a full store it takes the place of one that has expired, else of the oldest
    /// one without a passed stage (rule U16). A claimed session is never evicted, as its
    /// claimant comes back to it; nor a consumed one, as without it the same call would
    /// be carried out again.
    ///
    /// # Errors
    ///
    /// [`NotStored::Full`] if there is nothing to evict; [`NotStored::Conflict`] if there
    /// is a session of that ID, which can't happen with IDs of sound entropy.
    fn insert(
        &mut self,
        id: SessionId,
        session: &Session,
        kept: Self::Kept,
        now: Timestamp,
    ) -> Result<Stored<Self::Kept>, NotStored<Self::Kept>>;

    /// Replaces a session, if its revision is still `expected`; `kept` too, if given.
    ///
    /// # Errors
    ///
    /// [`NotStored::Conflict`] if it is another, or the session is gone: somebody else
    /// was faster.
    fn replace(
        &mut self,
        id: SessionId,
        expected: Revision,
        session: &Session,
        kept: Option<Self::Kept>,
        now: Timestamp,
    ) -> Result<(), NotStored<Self::Kept>>;

    /// Removes a session, whatever its revision: one that a step says has
    /// [ended](crate::server::session::Challenge::ended). `None` if somebody else has removed it,
    /// who gives back what it had reserved.
    #[must_use = "what the session had reserved is lost"]
    fn remove(&mut self, id: &SessionId) -> Option<Record<Self::Kept>>;

    /// Removes one session whose time is over: call it until it returns `None`.
    ///
    /// A session is due [`session_lifetime`](crate::Rules::session_lifetime) after its
    /// making, a consumed one [`replay_for`](crate::Rules::replay_for) after its call
    /// succeeded. One that is claimed when it is due is given another lifetime, once: its
    /// call may be under way, and must not find that what it reserved has been given back
    /// (rule U22). After that its claimant is taken for dead.
    ///
    /// A session stored some time after its making, such as one read from a snapshot, is
    /// due no later for that, but expires no sooner than those stored before it.
    #[must_use = "what the session had reserved is lost"]
    fn expire(&mut self, now: Timestamp) -> Option<(SessionId, Record<Self::Kept>)>;

    /// Removes the open sessions that `which` picks, as the iterator is run: those of a
    /// user whose account is being deactivated (rule D3).
    ///
    /// Claimed and consumed sessions are not asked about: the call on the strength of a
    /// claim is under way, and may be this very deactivation. It looks at every open
    /// session, so it is no part of an ordinary request.
    ///
    /// ```
    /// # use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
    /// # use matrix_uia::{Rules, server::operation::UserRef};
    /// # let mut store = FixedStore::<(), 4>::new(Lifetimes::of(&Rules::default()));
    /// let user = UserRef::new(7);
    /// for (id, record) in store.end_open(|_, record| record.session.user() == Some(user)) {
    ///     for proof in record.session.proofs() { /* give back what it refers to */ }
    /// }
    /// ```
    fn end_open(
        &mut self,
        which: impl FnMut(&SessionId, &Record<Self::Kept>) -> bool,
    ) -> impl Iterator<Item = (SessionId, Record<Self::Kept>)>
    where
        Self: Sized;

    /// Every session, in the order in which they expire: open ones, then consumed ones.
    /// Stored again in this order, say after a restart, they expire as they would have.
    fn iter(&self) -> impl Iterator<Item = (&SessionId, &Record<Self::Kept>)>
    where
        Self: Sized;

    /// How many sessions there are.
    #[must_use]
    fn len(&self) -> usize;

    /// How many there can be.
    #[must_use]
    fn capacity(&self) -> usize;

    /// Whether there is none.
    #[must_use]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Carries out the changes of a commit that are about sessions: stores and removes all
    /// of them or none. `kept` is what is to be kept beside a session that is put, where
    /// the change says so; a new session has the default beside it otherwise.
    ///
    /// What is to be given back or spent is the host's to do, as is what `evicted` had
    /// reserved.
    ///
    /// # Errors
    ///
    /// [`NotStored`]: nothing has changed.
    fn commit<'c>(
        &mut self,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        kept: Option<Self::Kept>,
        now: Timestamp,
    ) -> Result<Stored<Self::Kept>, NotStored<Self::Kept>>
    where
        Self: Sized,
        Self::Kept: Default,
    {
        let as_read = |store: &Self, id: &SessionId, expected: Revision| {
            store.load(id).is_some_and(|record| record.session.revision() == expected)
        };
        let removes_what_was_read = changes.clone().all(|change| match change {
            Change::Remove { id, expected } => as_read(self, &id, expected),
            _ => true,
        });
        if !removes_what_was_read {
            return Err(NotStored::Conflict { kept });
        }
        let mut stored = Stored::QUIETLY;
        let put = changes.clone().find_map(|change| match change {
            Change::Put { id, expected, session, keep } => Some((id, expected, session, keep)),
            _ => None,
        });
        if let Some((id, expected, session, keep)) = put {
            let kept = kept.filter(|_| keep);
            match expected {
                None => stored = self.insert(id, session, kept.unwrap_or_default(), now)?,
                Some(expected) => self.replace(id, expected, session, kept, now)?,
            }
        }
        for change in changes {
            if let Change::Remove { id, .. } = change {
                // The commit itself says what of it is given back.
                let _given_back = self.remove(&id);
            }
        }
        Ok(stored)
    }
}

/// Implements [`Store`] for a type whose only field is a [`Slab`](slab::Slab).
macro_rules! store_of_a_slab {
    ([$($generics:tt)*] $store:ty, $name:literal) => {
        impl<$($generics)*> $crate::server::store::Store for $store {
            type Kept = K;

            fn load(&self, id: &SessionId) -> Option<&Record<K>> {
                self.0.load(id)
            }

            fn insert(
                &mut self,
                id: SessionId,
                session: &Session,
                kept: K,
                now: Timestamp,
            ) -> Result<Stored<K>, NotStored<K>> {
                self.0.insert(id, session, kept, now)
            }

            fn replace(
                &mut self,
                id: SessionId,
                expected: Revision,
                session: &Session,
                kept: Option<K>,
                now: Timestamp,
            ) -> Result<(), NotStored<K>> {
                self.0.replace(id, expected, session, kept, now)
            }

            fn remove(&mut self, id: &SessionId) -> Option<Record<K>> {
                self.0.remove(id)
            }

            fn expire(&mut self, now: Timestamp) -> Option<(SessionId, Record<K>)> {
                self.0.expire(now)
            }

            fn end_open(
                &mut self,
                which: impl FnMut(&SessionId, &Record<K>) -> bool,
            ) -> impl Iterator<Item = (SessionId, Record<K>)> {
                self.0.end_open(which)
            }

            fn iter(&self) -> impl Iterator<Item = (&SessionId, &Record<K>)> {
                self.0.iter()
            }

            fn len(&self) -> usize {
                self.0.len()
            }

            fn capacity(&self) -> usize {
                self.0.capacity()
            }
        }

        impl<$($generics)*> fmt::Debug for $store {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("len", &self.0.len())
                    .field("capacity", &self.0.capacity())
                    .finish_non_exhaustive()
            }
        }
    };
}
use store_of_a_slab;
