//! What both kinds of store can do.

use super::outcome::{NotStored, Stored};
use super::owner::OwnerKey;
use super::record::Record;
use crate::server::commit::{Put, SessionChanges};
use crate::server::session::{Proof, Revision, Session, SessionId};
use crate::time::Timestamp;

/// Where sessions are kept between two requests.
///
/// Finding a session takes constant time, and so does expiry. What concerns an owner takes
/// time by the logarithm of how many sessions that owner has; in a
/// [`FixedStore`](super::FixedStore), which is small, by how many there are. Only
/// [`end_open`](Self::end_open) and [`iter`](Self::iter) look at every session. Put the
/// store behind a lock and hold that only for one method: the revision does the rest
/// (rule U15).
///
/// `now` is the time by the host's clock, whenever the host read it. It may be wall time
/// or monotonic; times may come in any order, and the clock may be set: see
/// [the module](super) for what the store makes of it.
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
    fn load(&self, id: &SessionId) -> Option<Record<&Self::Kept>>;

    /// The revision of the session of that ID. The stores of this crate look it up without making the session's
    /// value anew.
    #[must_use]
    fn revision(&self, id: &SessionId) -> Option<Revision> {
        self.load(id).map(|record| record.session.revision())
    }

    /// Stores a new session, which counts against the bound of `owner`.
    ///
    /// Where the owner has as many sessions as one owner may have, one of the owner's own
    /// makes room: one that has run out, else the oldest of those of least
    /// [worth](Session::worth). Else, where the store is full: a session that has run out,
    /// else the oldest whose stages have proved nothing, else the oldest of the same owner
    /// that has proved something. At most one session is evicted. Rule U16.
    ///
    /// A session that has proved something is never evicted for another owner's, and a
    /// claimed or consumed one for none.
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
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Stored<Self::Kept>, NotStored<Self::Kept>>;

    /// Replaces a session, if its revision is still `expected`; `kept` too, if given. Its
    /// owner stays the same.
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

    /// Removes a session, whatever its revision: one whose user's account is fenced. `None` if somebody else has removed it,
    /// who gives back what it had reserved.
    #[must_use = "what the session had reserved is lost"]
    fn remove(&mut self, id: &SessionId) -> Option<Record<Self::Kept>>;

    /// Removes one session whose time is over; `None` if there is none.
    ///
    /// A session is due [`session_lifetime`](crate::Rules::session_lifetime) after its
    /// making, a consumed one [`replay_for`](crate::Rules::replay_for) after its call
    /// succeeded. One that is claimed when it is due is given another lifetime, once: its
    /// call may be under way, and must not find that what it reserved has been given back
    /// (rules U22, U26). After that its claimant is taken for dead.
    ///
    /// A request takes at most 16, and a timer takes the rest: a hundred thousand sessions
    /// that run out together must not keep one request waiting, nor everybody else behind
    /// the lock that it holds. The timer drops the lock now and then, for the same reason.
    ///
    /// ```
    /// # use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
    /// # use matrix_uia::{Rules, Timestamp};
    /// # let (mut store, now) = (FixedStore::<(), 4>::new(Lifetimes::of(&Rules::default())), Timestamp::default());
    /// for (id, record) in core::iter::from_fn(|| store.expire(now)).take(16) {
    ///     for proof in record.session.proofs() { /* give back what it refers to */ }
    /// }
    /// ```
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
    /// # use matrix_uia::{Rules, server::reference::UserRef};
    /// # let mut store = FixedStore::<(), 4>::new(Lifetimes::of(&Rules::default()));
    /// let user = UserRef::new(7);
    /// for (id, record) in store.end_open(|_, record| record.session.user() == Some(user)) {
    ///     for proof in record.session.proofs() { /* give back what it refers to */ }
    /// }
    /// ```
    fn end_open(
        &mut self,
        which: impl FnMut(&SessionId, &Record<&Self::Kept>) -> bool,
    ) -> impl Iterator<Item = (SessionId, Record<Self::Kept>)>
    where
        Self: Sized;

    /// Every session, in the order in which they expire: open ones, then consumed ones.
    /// Stored again in this order and with their owners, say after a restart, they expire
    /// as they would have.
    fn iter(&self) -> impl Iterator<Item = (&SessionId, Record<&Self::Kept>)>
    where
        Self: Sized;

    /// How many sessions hold this proof, and may still have use for it: of a host that
    /// keeps no list of what is reserved beside its sessions. It looks at every session.
    ///
    /// What such a session has reserved is free again once it is removed: there is nothing to
    /// give back.
    #[must_use]
    fn holding(&self, proof: Proof) -> usize
    where
        Self: Sized,
    {
        let holds = |session: &Session| session.proofs().any(|held| held == proof);
        let sessions = self.iter().map(|(_, record)| record.session);
        sessions.filter(|session| session.consumed_at().is_none() && holds(session)).count()
    }

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

    /// Carries out the changes of a commit that are about sessions, both or neither. `kept` is what is to be kept beside a session that is put, where
    /// the change says so; a new session has the default beside it otherwise. A new
    /// session counts against the bound of `owner`.
    ///
    /// What is to be given back or spent is the host's to do, as is what the evicted
    /// session had reserved.
    ///
    /// # Errors
    ///
    /// [`NotStored`]: nothing has changed.
    fn commit(
        &mut self,
        changes: SessionChanges<&Session>,
        kept: Option<Self::Kept>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> Result<Stored<Self::Kept>, NotStored<Self::Kept>>
    where
        Self: Sized,
        Self::Kept: Default,
    {
        let SessionChanges { put, remove } = changes;
        if remove.is_some_and(|(id, expected)| self.revision(&id) != Some(expected)) {
            return Err(NotStored::Conflict { kept });
        }
        let mut stored = Stored::QUIETLY;
        if let Some(Put { id, expected, session, keep }) = put {
            let kept = kept.filter(|_| keep);
            match expected {
                None => stored = self.insert(id, session, kept.unwrap_or_default(), owner, now)?,
                Some(expected) => self.replace(id, expected, session, kept, now)?,
            }
        }
        if let Some((id, _)) = remove {
            // The commit itself says what of it is given back.
            let _given_back = self.remove(&id);
        }
        Ok(stored)
    }
}
