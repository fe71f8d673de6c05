//! The one list of what is to be written.

use super::flows::MAX_STAGES;
use super::reference::UserRef;
use super::session::{Passed, Proof, Revision, Session, SessionId};
use super::transition::work::{Work, Write};

pub use super::lost::MAX_LOST_COMMITS;

/// One thing to be written. Every write, every reservation that is spent or given back and
/// every session that ends is one of these.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a change nobody carries out has to break the build")]
pub enum Change<'c> {
    /// Undo what the call has written, before anything else of this list. What a verdict
    /// reserved in this transaction before the call is not undone.
    Undo,
    /// Store the session. A commit has at most one of these.
    Put(Put<&'c Session>),
    /// Remove the session, if its revision is still this one; else the commit has lost. A commit has
    /// at most one of these.
    Remove {
        /// Its ID.
        id: SessionId,
        /// The revision it was read at.
        expected: Revision,
    },
    /// Give back what was reserved for the session: nobody has use for it. If it is not
    /// reserved any more, such as after another request of the session has spent it, there is
    /// nothing to do.
    GiveBack {
        /// The session in whose name it was reserved.
        session: SessionId,
        /// What was reserved.
        proof: Proof,
    },
    /// Spend what was reserved for the session: it belongs to the call that has succeeded.
    /// If it is not reserved any more, the commit has lost (rule U25).
    Spend {
        /// The session in whose name it was reserved.
        session: SessionId,
        /// What was reserved.
        proof: Proof,
    },
}

/// A session to be stored. `S` is a reference to it, or the session itself.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a part that a store leaves out has to break its build")]
pub struct Put<S> {
    /// Under this ID.
    pub id: SessionId,
    /// `None`: there must be none under that ID. Else the revision that is replaced;
    /// if another is stored, the commit has [lost](Committed::Lost).
    pub expected: Option<Revision>,
    /// The session.
    pub session: S,
    /// Whether the parameters of this request are to be kept beside it, together with
    /// those that are kept already; else what is kept stays as it is.
    pub keep: bool,
}

/// The changes of a commit that are about sessions, for a table of them: write both or neither.
/// The others are the accounts' to carry out.
///
/// `S` is a reference to the session, or, where the changes outlive the request, such as in a task
/// of their own, [the session itself](Self::cloned).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a part that a store leaves out has to break its build")]
pub struct SessionChanges<S> {
    /// The one session to be stored.
    pub put: Option<Put<S>>,
    /// The one session to be removed, and the revision it was read at: if another is stored, the
    /// commit has [lost](Committed::Lost).
    pub remove: Option<(SessionId, Revision)>,
}

impl<'c> SessionChanges<&'c Session> {
    /// Those among the changes of one commit.
    #[must_use]
    pub fn of(changes: impl IntoIterator<Item = Change<'c>>) -> Self {
        let mut these = Self { put: None, remove: None };
        for change in changes {
            match change {
                Change::Put(put) => these.put = Some(put),
                Change::Remove { id, expected } => these.remove = Some((id, expected)),
                Change::Undo | Change::GiveBack { .. } | Change::Spend { .. } => {}
            }
        }
        these
    }

    /// The same, with a session of their own.
    #[must_use]
    pub fn cloned(self) -> SessionChanges<Session> {
        SessionChanges { put: self.put.map(|put| put.with(*put.session)), remove: self.remove }
    }
}

impl SessionChanges<Session> {
    /// The same, with a reference to the session.
    #[must_use]
    pub fn as_ref(&self) -> SessionChanges<&Session> {
        SessionChanges { put: self.put.as_ref().map(|put| put.with(&put.session)), remove: self.remove }
    }
}

impl<'c> IntoIterator for SessionChanges<&'c Session> {
    type Item = Change<'c>;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<Change<'c>>, 2>>;

    fn into_iter(self) -> Self::IntoIter {
        let remove = self.remove.map(|(id, expected)| Change::Remove { id, expected });
        [remove, self.put.map(Change::Put)].into_iter().flatten()
    }
}

impl<S> SessionChanges<S> {
    /// Whether no session is written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.put.is_none() && self.remove.is_none()
    }
}

impl<S> Put<S> {
    const fn with<T>(&self, session: T) -> Put<T> {
        let Self { id, expected, session: _, keep } = *self;
        Put { id, expected, session, keep }
    }
}

/// A [`Change`] that is about something else than sessions: what is left to a host whose
/// sessions are in a [`Store`](super::store::Store).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a change nobody carries out has to break the build")]
pub enum HostChange {
    /// As [`Change::Undo`].
    Undo,
    /// As [`Change::GiveBack`].
    GiveBack {
        /// The session in whose name it was reserved.
        session: SessionId,
        /// What was reserved.
        proof: Proof,
    },
    /// As [`Change::Spend`]. A host that may find that it is not reserved any more carries the
    /// changes out itself: the commit has lost then (rule U25).
    Spend {
        /// The session in whose name it was reserved.
        session: SessionId,
        /// What was reserved.
        proof: Proof,
    },
}

/// Walks through the changes that a request has come to.
pub(super) const fn changes<'c>(work: &'c Work<'c>) -> Changes<'c> {
    let none = !work.undo && work.spend.is_none() && work.unused.is_none() && work.leaving.is_none();
    // Most requests write their session and nothing else.
    Changes { work, position: if none { PUT } else { UNDO } }
}

/// Every kind of change has a fixed position, and a position without a change is skipped. The
/// iterator is written by hand because the compiler copies a chain of adapters into every
/// place that uses it.
#[derive(Clone)]
pub(super) struct Changes<'c> {
    work: &'c Work<'c>,
    position: usize,
}

const UNDO: usize = 0;
const SPEND: usize = UNDO + 1;
const UNUSED: usize = SPEND + MAX_STAGES;
const BACK: usize = UNUSED + 1;
const REMOVE: usize = BACK + MAX_STAGES;
const PUT: usize = REMOVE + 1;

impl<'c> Iterator for Changes<'c> {
    type Item = Change<'c>;

    #[inline(never)]
    fn next(&mut self) -> Option<Change<'c>> {
        while self.position <= PUT {
            let position = self.position;
            // Where there is nothing to list, its places are not looked at one by one.
            self.position = match position {
                SPEND if self.work.spend.is_none() => UNUSED,
                BACK if self.work.leaving.is_none() => PUT,
                _ => position.wrapping_add(1),
            };
            let change = change_at(self.work, position);
            if change.is_some() {
                return change;
            }
        }
        None
    }
}

fn change_at<'c>(work: &'c Work<'c>, position: usize) -> Option<Change<'c>> {
    let reserved = |passed: &Passed, first: usize| {
        let proof = passed.proof(position.saturating_sub(first), UserRef::new(0));
        proof.filter(|proof| proof.is_reservation())
    };
    match position {
        UNDO => work.undo.then_some(Change::Undo),
        SPEND..UNUSED => {
            let proof = reserved(work.spend.as_ref()?, SPEND)?;
            Some(Change::Spend { session: work.id, proof })
        }
        UNUSED => {
            let session = work.answered.as_ref().map_or(work.id, |answered| answered.id);
            Some(Change::GiveBack { session, proof: work.unused? })
        }
        BACK..REMOVE => {
            let leaving = work.leaving.as_ref()?;
            Some(Change::GiveBack { session: leaving.id, proof: reserved(&leaving.passed, BACK)? })
        }
        REMOVE => {
            let (id, expected) = session_changes(work).remove?;
            Some(Change::Remove { id, expected })
        }
        _ => session_changes(work).put.map(Change::Put),
    }
}

/// The part of them that is about sessions.
pub(super) fn session_changes<'c>(work: &'c Work<'_>) -> SessionChanges<&'c Session> {
    let mut these = SessionChanges { put: None, remove: None };
    if let Some(session) = work.session.as_ref().filter(|_| work.put) {
        let expected = match work.write {
            Write::Replace(expected) => Some(expected),
            Write::Insert | Write::Store | Write::Keep => None,
        };
        these.put = Some(Put { id: work.id, expected, session, keep: work.keep });
    }
    if let Some(leaving) = &work.leaving {
        match work.tombstone.session() {
            Some(session) => {
                these.put = Some(Put { id: leaving.id, expected: leaving.stored, session, keep: false });
            }
            None => these.remove = leaving.stored.map(|expected| (leaving.id, expected)),
        }
    }
    these
}

/// What came of carrying out the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "answer the commit with it"]
#[allow(clippy::exhaustive_enums, reason = "stored, lost or full: there is no fourth case")]
pub enum Committed {
    /// All of them are stored.
    Stored,
    /// None of them is stored, and the transaction is undone, with what a verdict reserved in
    /// it: somebody else was faster.
    Lost,
    /// None of them is stored, and the transaction is undone, with what a verdict reserved in
    /// it: there is no room for the session until so much later.
    Full(crate::time::Millis),
}
