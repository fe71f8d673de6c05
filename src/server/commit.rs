//! The one list of what is to be written.

use super::session::{Passed, Proof, Revision, Session, SessionId};
use super::transition::work::{Work, Write};

/// One thing to be written. Every write, every reservation that is spent or given back and
/// every session that ends is one of these.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a change nobody carries out has to break the build")]
pub enum Change<'c> {
    /// Undo what the call has written, before anything else of this list. What a verdict
    /// reserved in this transaction before the call is not undone.
    Undo,
    /// Store the session.
    Put {
        /// Under this ID.
        id: SessionId,
        /// `None`: there must be none under that ID. Else the revision that is replaced;
        /// if another is stored, the commit has [lost](super::exchange::Commit::lost).
        expected: Option<Revision>,
        /// The session.
        session: &'c Session,
        /// Whether the parameters of this request are to be kept beside it, together with
        /// those that are kept already; else what is kept stays as it is.
        keep: bool,
    },
    /// Remove the session, if its revision is still this one; else the commit has lost.
    Remove {
        /// Its ID.
        id: SessionId,
        /// The revision it was read at.
        expected: Revision,
    },
    /// Give back what was reserved for the session: nobody has use for it.
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

pub(super) fn changes<'c>(work: &'c Work<'_>) -> impl Iterator<Item = Change<'c>> + Clone + 'c {
    let put = work.session.as_ref().filter(|_| work.put).map(|session| Change::Put {
        id: work.id,
        expected: match work.write {
            Write::Replace(expected) => Some(expected),
            Write::Insert | Write::Keep => None,
        },
        session,
        keep: work.keep,
    });
    let leaving = work.leaving.as_ref();
    let remove = leaving.and_then(|it| it.stored.map(|expected| Change::Remove { id: it.id, expected }));
    let over = leaving.into_iter().flat_map(|it| reserved(&it.passed, it.id));
    let back = over.map(|(session, proof)| Change::GiveBack { session, proof });
    let unused = work.unused.map(|proof| Change::GiveBack {
        session: work.answered.as_ref().map_or(work.id, |answered| answered.id),
        proof,
    });
    let spent = work.spend.as_ref().into_iter().flat_map(|passed| reserved(passed, work.id));
    let spend = spent.map(|(session, proof)| Change::Spend { session, proof });
    let undo = work.undo.then_some(Change::Undo);
    undo.into_iter().chain(spend).chain(unused).chain(back).chain(remove).chain(put)
}

fn reserved(passed: &Passed, session: SessionId) -> impl Iterator<Item = (SessionId, Proof)> + Clone + '_ {
    passed.reservations().map(move |proof| (session, proof))
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
    Full(crate::Millis),
}
