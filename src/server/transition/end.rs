//! How a call begins once every stage has passed, and how its session ends.

use super::answer::Answer;
use super::work::{Admission, Leaving, Todo, Work, Write};
use crate::server::grant::{Outcome, Refusal};
use crate::server::session::Phase;
use crate::time::{Millis, Timestamp};
use crate::wire::StageId;
use crate::wire::error::MatrixError;

impl<'r> Work<'r> {
    /// Every stage has passed.
    pub(super) fn complete(&mut self) -> Todo {
        if self.request.call.operation.needs_hash && self.hashed != Some(self.effective()) {
            return Todo::Hash;
        }
        // A claim that lapsed may have been ended by another request: then it is made anew, and
        // counts as a commit that was lost.
        let ours = self.claim.zip(self.session.as_ref()).is_some_and(|((_, claimed), session)| {
            // One that its ID has begun again counts from any number.
            session.revision == claimed || (!session.is_sealed() && session.revision.get() < claimed.get())
        });
        // Nobody else can name a session that begins with this request: it needs no claim.
        let claims = self.is_named() && !ours && self.admission != Admission::Exempt;
        if self.request.one_transaction || !claims {
            return Todo::Perform;
        }
        if self.claim.is_some() {
            self.lost = self.lost.and_one();
        }
        self.claim_session();
        Todo::Commit
    }

    fn claim_session(&mut self) {
        let now = self.now;
        if let Some(session) = &mut self.session {
            session.enter(Phase::Claimed, now);
        }
        self.put = true;
        self.answer = None;
    }

    /// The call succeeded.
    pub(crate) fn succeeded(&mut self, outcome: Outcome, now: Timestamp) -> Todo {
        let exempt = self.admission == Admission::Exempt;
        if let Some(session) = &mut self.session
            && !exempt
        {
            self.spend = Some(session.passed);
            session.consume(outcome.reference, outcome.account, now);
            // A session whose ID no answer has carried is never stored.
            self.put = self.is_named();
        }
        self.commit(Answer::Performed)
    }

    /// The call was refused for a reason that is not authentication.
    pub(crate) fn refused(&mut self, refusal: Refusal) -> Todo {
        self.undo = true;
        let Refusal { error, params } = refusal;
        let worth_keeping = self.is_worth_keeping();
        let Some(session) = &mut self.session else { return self.commit(Answer::Error(error)) };
        session.reopen();
        if params {
            session.unbind();
            self.keep = false;
        }
        match self.write {
            Write::Replace(_) | Write::Store => {
                self.put = true;
                self.commit(Answer::Error(error))
            }
            Write::Insert if worth_keeping => self.challenge(Some(error.fault())),
            Write::Insert | Write::Keep => {
                self.give_up();
                self.commit(Answer::Error(error))
            }
        }
    }

    /// The session is not stored: what it had reserved is given back.
    fn give_up(&mut self) {
        let passed = self.session.as_ref().map(|session| session.passed);
        if let (Write::Insert | Write::Store, Some(passed)) = (self.write, passed) {
            self.leaving = Some(Leaving { id: self.id, stored: None, passed });
        }
        self.put_nothing();
    }

    const fn put_nothing(&mut self) {
        (self.put, self.keep) = (false, false);
        self.write = Write::Keep;
    }

    /// Whether a stage has passed that the client can't simply pass again: a captcha is
    /// spent, a token or an address is used (rule U16).
    fn is_worth_keeping(&self) -> bool {
        let again = [StageId::DUMMY, StageId::TERMS, StageId::PASSWORD];
        self.session
            .as_ref()
            .is_some_and(|session| session.passed.stages().iter().any(|stage| !again.contains(stage)))
    }

    /// A registration was refused for its parameters before the flow was complete: other
    /// parameters may be sent, and are bound anew (rule U14).
    pub(crate) fn not_admitted(&mut self, error: MatrixError) -> Todo {
        let lifetime = self.request.rules.session_lifetime;
        let same = self.session.as_ref().is_some_and(|session| {
            session.by_token == self.caller.is_some()
                && session.operation == self.request.call.operation.id
                && session.target == self.request.call.target
                && self.is_account_unchanged(session)
                && matches!(session.phase, Phase::Open | Phase::Awaiting)
                && session.bound
                && self.now.since(session.made) < lifetime
        });
        if same {
            self.write = self.in_place();
            self.put = true;
            if let Some(session) = &mut self.session {
                session.unbind();
            }
        }
        self.commit(Answer::Error(error))
    }

    /// Whether the call of a lapsed claim was carried out.
    pub(crate) fn recalled(&mut self, recalled: Recalled) -> Todo {
        let arrived = self.request.arrived;
        let Some(session) = &mut self.session else { return self.unknown() };
        let stored = session.revision;
        self.answer = None;
        match recalled {
            Recalled::CarriedOut(outcome) => {
                self.spend = None;
                session.consume(outcome.reference, outcome.account, arrived);
            }
            Recalled::NotCarriedOut => session.reopen(),
            Recalled::Unknown => {
                self.end_session(true);
                return Todo::Commit;
            }
        }
        self.write = Write::Replace(stored);
        self.put = true;
        Todo::Commit
    }

    /// The store is full. `false` if there is nothing more to write.
    pub(crate) fn full(&mut self, wait: Millis) -> bool {
        let ended = self.leaving.is_some();
        // A new session in the place of one that is over has passed no stage yet.
        if ended {
            self.put_nothing()
        } else {
            self.give_up()
        }
        if self.answered.as_ref().is_some_and(|answered| answered.in_transaction) {
            // What it had reserved was undone with the transaction.
            (self.unused, self.answered) = (None, None);
            if !ended {
                self.leaving = None;
            }
        }
        (self.spend, self.undo) = (None, false);
        self.answer = Some(Answer::Error(MatrixError::limited(wait)));
        self.unused.is_some() || self.leaving.is_some()
    }

    /// The changes are about to be handed out.
    pub(crate) fn seal_changes(&mut self) {
        if self.put
            && matches!(self.write, Write::Replace(_))
            && let Some(session) = &mut self.session
        {
            session.touch();
        }
    }

    /// The commit is stored: its verdict is settled, and a claim in it is this request's.
    pub(super) fn stored(&mut self) {
        let settled =
            self.unused.is_some() || (self.put && self.proved().is_some() && self.unheld().is_none());
        if let Some(answered) = &mut self.answered {
            answered.in_transaction = false;
            answered.settled |= settled;
        }
        if let Some(session) = &self.session
            && session.is_claimed()
            && self.put
        {
            self.claim = Some((self.id, session.revision));
        }
    }
}

/// What the record of a call says, whose claim has lapsed.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "yes, no, or nobody knows: there is no fourth case")]
pub enum Recalled {
    /// The call was carried out, with this outcome.
    CarriedOut(Outcome),
    /// It was not.
    NotCarriedOut,
    /// Nobody can tell.
    Unknown,
}
