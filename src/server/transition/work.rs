//! All that one request works with, from its arrival to its answer.

use super::answer::Answer;
use crate::server::call::CallFacts;
use crate::server::flows::Policy;
use crate::server::lost::LostCommits;
use crate::server::question::Question;
use crate::server::reference::{Reference, Subject, UserRef};
use crate::server::rules::Rules;
use crate::server::sealed::{Naming, Tombstone};
use crate::server::session::{Passed, Proof, Revision, SLOTS, Session, SessionId};
use crate::server::verdict::Verdict;
use crate::time::Timestamp;
use crate::wire::error::MatrixError;
use crate::wire::{AuthData, Malformed, StageId};

/// What came in.
#[derive(Clone, Copy)]
pub(crate) enum Input<'r> {
    Absent,
    Poll,
    /// `known`: whether the policy has a stage of that very name.
    Attempt {
        stage: StageId,
        known: bool,
        data: &'r Result<AuthData<'r>, Malformed>,
    },
}

/// Who is at the other end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The client, which is told how the session stands and gets the grant.
    Client,
    /// A page or an identity provider, and the terms it has shown: nothing is bound, no
    /// terms count as shown to the client, and nothing is ever granted.
    Page { shown: Option<u32> },
}

/// What does not change as long as the request lasts.
#[derive(Clone, Copy)]
pub(crate) struct Request<'r> {
    pub(crate) policy: &'r Policy<'r>,
    pub(crate) rules: &'r Rules,
    pub(crate) call: CallFacts,
    pub(crate) naming: Naming<'r>,
    pub(crate) input: Input<'r>,
    pub(crate) side: Side,
    /// The ID of the session that begins, should one begin.
    pub(crate) fresh: SessionId,
    /// When the request came in: tells a race from a repetition.
    pub(crate) arrived: Timestamp,
    /// Whether sessions and accounts are written in one transaction.
    pub(crate) one_transaction: bool,
}

/// A stage that has been looked up.
#[derive(Clone, Copy)]
pub(crate) struct Answered<'r> {
    pub(crate) id: SessionId,
    pub(crate) stage: StageId,
    /// Whether nothing was attempted: what fails then is not counted (rule U9).
    pub(crate) polled: bool,
    pub(crate) verdict: Verdict<'r>,
    /// The account of the token when the question was asked.
    pub(crate) caller: Option<Subject>,
    /// Whether it was found in the transaction of the load, and what it reserved was written
    /// there: if that transaction ends without a commit, the question is asked again.
    pub(crate) in_transaction: bool,
    /// Whether what was proved has been given back, or is held by the session as stored,
    /// whose end gives it back: the stage can't pass by it again.
    pub(crate) settled: bool,
}

impl<'r> Answered<'r> {
    pub(crate) const fn new(
        question: &Question<'r>,
        verdict: Verdict<'r>,
        caller: Option<Subject>,
        in_transaction: bool,
    ) -> Self {
        let Question { id, stage, .. } = *question;
        Self { id, stage, polled: question.is_poll(), verdict, caller, in_transaction, settled: false }
    }
}

/// How the session is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Not at all.
    Keep,
    /// As a new one, whose ID no answer has carried yet.
    Insert,
    /// As a new one, which its ID has held until now: others may name it, too.
    Store,
    /// In the place of this revision.
    Replace(Revision),
}

/// A session that leaves the store, or one that never got there.
#[derive(Clone, Copy)]
pub(crate) struct Leaving {
    pub(crate) id: SessionId,
    /// The revision it is removed at; `None` if it is not in the store.
    pub(crate) stored: Option<Revision>,
    pub(crate) passed: Passed,
}

/// Whether the host has let the call in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    NotAsked,
    Admitted,
    /// Nobody has to authenticate.
    Exempt,
}

/// One request on its way.
// In this order: the flags, and those of the session, are looked at most, and the short
// instructions of a small processor reach them where the value begins.
#[repr(C)]
pub(crate) struct Work<'r> {
    // What is asked now:
    pub(crate) todo: Todo,
    /// Whether the grant has been given out, and its call has not ended.
    pub(crate) granted: bool,

    // Since the last load:
    pub(crate) admission: Admission,
    pub(crate) named_asked: bool,
    /// Whether its ID holds it, and no store does.
    pub(crate) unstored: bool,
    pub(crate) changed: bool,
    /// Whether the request has parameters that the host has to keep.
    pub(crate) keep: bool,
    /// Whether the terms that were last shown are those of today.
    pub(crate) terms_seen: bool,

    // What is to be committed:
    pub(crate) put: bool,
    pub(crate) undo: bool,

    /// How many of its commits have been lost.
    pub(crate) lost: LostCommits,
    pub(crate) session: Option<Session>,
    pub(crate) write: Write,
    pub(crate) id: SessionId,
    pub(crate) now: Timestamp,
    /// The account of the access token as it is now.
    pub(crate) caller: Option<Subject>,
    /// The account that a stage has named, as it is now.
    pub(crate) named: Option<Subject>,
    /// The terms and the bound parameters before this request.
    pub(crate) before: Before,
    pub(crate) spend: Option<Passed>,
    pub(crate) leaving: Option<Leaving>,
    /// What is stored in the place of the one that leaves.
    pub(crate) tombstone: Tombstone,
    pub(crate) unused: Option<Proof>,
    /// What is answered then; `None`: load again.
    pub(crate) answer: Option<Answer<'r>>,

    pub(crate) question: Question<'r>,

    pub(crate) request: Request<'r>,
    pub(crate) answered: Option<Answered<'r>>,
    /// The parameters for which a password has been hashed.
    pub(crate) hashed: Option<[u64; SLOTS]>,
    /// Why its parameters are refused, whatever the session.
    pub(crate) refusal: Option<MatrixError>,
    /// The claim that this request has stored.
    pub(crate) claim: Option<(SessionId, Revision)>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Before {
    pub(crate) terms: u32,
    pub(crate) bound: bool,
    pub(crate) slots: [u64; SLOTS],
}

/// What the host is asked next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Todo {
    Load,
    /// The account of the user who is [asked for](Work::asked_user).
    Account,
    Admit,
    Recall,
    /// The [question](Work::question).
    Verify,
    Hash,
    Perform,
    Repeat,
    Commit,
    /// Nothing: the answer is to be sent.
    Respond,
}

impl<'r> Work<'r> {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn new(request: Request<'r>) -> Self {
        Self {
            request,
            answered: None,
            hashed: None,
            refusal: None,
            claim: None,
            lost: LostCommits::NONE,
            now: request.arrived,
            caller: None,
            named: None,
            named_asked: false,
            admission: Admission::NotAsked,
            id: request.fresh,
            session: None,
            unstored: false,
            write: Write::Keep,
            changed: false,
            keep: false,
            terms_seen: true,
            before: Before::default(),
            put: false,
            spend: None,
            undo: false,
            leaving: None,
            tombstone: Tombstone::NONE,
            unused: None,
            answer: None,
            todo: Todo::Load,
            question: Question::of_nothing(request.call.operation.id, request.fresh),
            granted: false,
        }
    }

    /// Forgets what was loaded and what was to be committed, and a verdict that was found in
    /// the transaction that is over: its reservation is stored with the session or undone.
    /// In place, as it is large.
    pub(crate) fn reset(&mut self) {
        let Self {
            request: _,
            answered,
            hashed: _,
            refusal: _,
            claim: _,
            lost: _,
            now: _,
            caller,
            named,
            named_asked,
            admission,
            // The next load sets it.
            id: _,
            session,
            unstored,
            write,
            changed,
            keep,
            terms_seen,
            before,
            put,
            spend,
            undo,
            leaving,
            tombstone,
            unused,
            answer,
            todo: _,
            question: _,
            granted: _,
        } = self;
        // Nothing is left of what was found in a transaction that has ended without a commit.
        if answered.as_ref().is_some_and(|answered| answered.in_transaction) {
            *answered = None;
        }
        (*caller, *named, *named_asked) = (None, None, false);
        *admission = Admission::NotAsked;
        *session = None;
        (*write, *changed, *keep, *terms_seen) = (Write::Keep, false, false, true);
        *unstored = false;
        *before = Before::default();
        (*put, *undo) = (false, false);
        *spend = None;
        *leaving = None;
        *tombstone = Tombstone::NONE;
        *unused = None;
        *answer = None;
    }

    /// The session under which the record of the call is left, if a claim is stored.
    pub(crate) fn record_under(&self) -> Option<SessionId> {
        let claimed = matches!(self.write, Write::Replace(_))
            && self.admission != Admission::Exempt
            && !self.request.one_transaction;
        self.session.as_ref().filter(|_| claimed).map(|_| self.id)
    }

    /// What the host called the result of the call that has succeeded.
    pub(crate) fn outcome(&self) -> Reference {
        self.session.as_ref().and_then(Session::outcome).unwrap_or_default()
    }

    /// The user of the request's token, or the one the call is about.
    pub(crate) fn user(&self) -> Option<UserRef> {
        self.caller.or(self.named).map(|account| account.user)
    }

    /// The session to load.
    #[inline]
    pub(crate) const fn to_load(&self) -> Option<&SessionId> {
        match &self.request.call.session {
            Some(Some(named)) => Some(named),
            _ => None,
        }
    }

    /// Whether the loaded session is held by its ID, and by no store.
    pub(crate) const fn is_unstored(&self) -> bool {
        cfg!(feature = "sealed") && self.unstored
    }

    /// How the loaded session is written, should it change.
    pub(crate) fn in_place(&self) -> Write {
        match &self.session {
            Some(session) if !self.is_unstored() => Write::Replace(session.revision),
            Some(_) => Write::Store,
            None => Write::Keep,
        }
    }

    /// The loaded session is over: `leaves_trace` if its ID could still begin it again.
    pub(crate) fn end_session(&mut self, leaves_trace: bool) {
        let Some(session) = &self.session else { return };
        let stored = Some(session.revision).filter(|_| !self.is_unstored());
        self.leaving = Some(Leaving { id: self.id, stored, passed: session.passed });
        if leaves_trace {
            self.tombstone = Tombstone::of(session, stored);
        }
    }

    /// Whether others may name the session, too: it is stored, or its ID has been sent.
    pub(crate) const fn is_named(&self) -> bool {
        match self.write {
            Write::Replace(_) => true,
            Write::Store => cfg!(feature = "sealed"),
            Write::Insert | Write::Keep => false,
        }
    }

    pub(crate) fn commit(&mut self, answer: Answer<'r>) -> Todo {
        self.answer = Some(answer);
        Todo::Commit
    }

    /// The reservation that the verdict proved and no commit has settled yet.
    pub(crate) fn proved(&self) -> Option<Proof> {
        let answered = self.answered.as_ref().filter(|answered| !answered.settled)?;
        match answered.verdict {
            Verdict::Passed(evidence) => Some(evidence.proof).filter(|proof| proof.is_reservation()),
            _ => None,
        }
    }

    /// What the verdict proved, unless the loaded session holds it already. A host that
    /// reserves by session gives two requests the same reservation; if one of them has stored
    /// it, giving it back would free what the session holds.
    pub(crate) fn unheld(&self) -> Option<Proof> {
        let session = self.session.as_ref();
        let held = |proof: &Proof| session.is_some_and(|it| it.proofs().any(|held| held == *proof));
        self.proved().filter(|proof| !held(proof))
    }
}
