//! How the host's answers are taken in, and what is asked next. The exchange gives every
//! question a type of its own; the driver goes through the same functions.

use super::answer::Answer;
use super::end::Recalled;
use super::work::{Admission, Answered, Todo, Work};
use crate::server::commit::{Committed, MAX_LOST_COMMITS};
use crate::server::grant::Outcome;
use crate::server::question::Question;
use crate::server::verdict::Verdict;

impl<'r> Work<'r> {
    /// Prepares the next question: a load forgets the last one, a commit counts the revision up.
    pub(crate) fn prepare(&mut self, todo: &Todo<'r>) {
        match todo {
            Todo::Load => self.reset(),
            Todo::Commit => self.seal_changes(),
            _ => {}
        }
    }

    /// The host has looked the stage up, in the transaction of the load or outside of it.
    pub(crate) fn verified(
        &mut self,
        question: &Question<'r>,
        verdict: Verdict<'r>,
        in_transaction: bool,
    ) -> Todo<'r> {
        self.answered = Some(Answered::new(question, verdict, self.caller, in_transaction));
        if in_transaction { self.with_account() } else { Todo::Load }
    }

    /// The call is let in.
    pub(crate) fn admitted(&mut self) -> Todo<'r> {
        self.admission = Admission::Admitted;
        self.go_on()
    }

    /// The password has been hashed.
    pub(crate) fn hashed(&mut self) -> Todo<'r> {
        self.hashed = Some(self.effective());
        Todo::Load
    }

    /// The record of the call was there already: another request has carried it out.
    pub(crate) fn carried_out_before(&mut self, outcome: Outcome) -> Todo<'r> {
        self.undo = true;
        self.recalled(Recalled::CarriedOut(outcome))
    }

    /// The answer of a call that has succeeded before was made again.
    pub(crate) fn repeated(&mut self) -> Todo<'r> {
        self.commit(Answer::Performed)
    }

    /// Whether so many commits were lost that no further one is tried. The session is loaded
    /// once more, since only what it does not hold is given back.
    pub(super) const fn is_lost_for_good(&self) -> bool {
        self.lost >= MAX_LOST_COMMITS
    }

    /// What came of a commit.
    pub(crate) fn committed(&mut self, committed: Committed) -> Todo<'r> {
        match committed {
            Committed::Stored => {
                self.stored();
                if self.answer.is_some() { Todo::Respond } else { Todo::Load }
            }
            // What is left to be written then, nobody else has to do with.
            Committed::Lost if self.is_lost_for_good() => Todo::Respond,
            Committed::Lost => {
                self.lost = self.lost.saturating_add(1);
                Todo::Load
            }
            Committed::Full(wait) => {
                if self.full(wait) {
                    Todo::Commit
                } else {
                    Todo::Respond
                }
            }
        }
    }
}
