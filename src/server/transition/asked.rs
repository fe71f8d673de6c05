//! How the host's answers are taken in, and what is asked next. The exchange gives every
//! question a type of its own; the driver goes through the same functions.

use super::answer::Answer;
use super::end::Recalled;
use super::work::{Admission, Answered, Todo, Work};
use crate::server::commit::Committed;
use crate::server::grant::{Exempt, Outcome, Refusal};
use crate::server::operation::UploadSigningKeys;
use crate::server::reference::Subject;
use crate::server::verdict::Verdict;
use crate::time::Timestamp;

/// Whether a call is let in.
#[derive(Clone, Copy)]
pub(crate) enum Decision {
    Admitted,
    Refused(Refusal),
    /// Nobody has to authenticate.
    Exempt(Exempt),
    /// The token of this account completed authentication then.
    Recent(Subject, Timestamp),
}

impl<'r> Work<'r> {
    /// Prepares the next question: a load forgets the last one, a commit counts the revision up.
    pub(crate) fn goes_on_to(&mut self, todo: Todo) {
        (self.todo, self.granted) = (todo, false);
        match todo {
            Todo::Load => self.reset(),
            Todo::Commit => self.seal_changes(),
            _ => {}
        }
    }

    /// The host has looked the stage up, in the transaction of the load or outside of it.
    pub(crate) fn verified(&mut self, verdict: Verdict<'r>, in_transaction: bool) -> Todo {
        self.answered = Some(Answered::new(&self.question, verdict, self.caller, in_transaction));
        if in_transaction { self.with_account() } else { Todo::Load }
    }

    /// Whether the call is let in.
    pub(crate) fn admit(&mut self, decision: Decision) -> Todo {
        self.admission = match decision {
            Decision::Admitted => Admission::Admitted,
            // Its session stays open for other parameters (rule U14).
            Decision::Refused(Refusal { error, params: true }) => return self.not_admitted(error),
            Decision::Refused(Refusal { error, params: false }) => return self.refuse(error),
            Decision::Exempt(exempt) if self.exempts(exempt) => Admission::Exempt,
            Decision::Recent(account, at) if self.is_recent(account, at) => Admission::Exempt,
            Decision::Exempt(_) | Decision::Recent(..) => Admission::Admitted,
        };
        self.go_on()
    }

    fn exempts(&self, exempt: Exempt) -> bool {
        let fits = match exempt {
            Exempt::ApplicationService => true,
            Exempt::SigningKeys => self.request.call.operation.id == UploadSigningKeys::ID,
        };
        fits && self.caller.is_some()
    }

    /// Rule U18.
    fn is_recent(&self, account: Subject, at: Timestamp) -> bool {
        let recently = self.now >= at && self.now.since(at) < self.request.rules.recent_auth;
        self.request.call.operation.recent && recently && self.caller == Some(account)
    }

    /// The password has been hashed.
    pub(crate) fn hashed(&mut self) -> Todo {
        self.hashed = Some(self.effective());
        Todo::Load
    }

    /// The record of the call was there already: another request has carried it out.
    pub(crate) fn carried_out_before(&mut self, outcome: Outcome) -> Todo {
        self.undo = true;
        self.recalled(Recalled::CarriedOut(outcome))
    }

    /// The answer of a call that has succeeded before was made again.
    pub(crate) fn repeated(&mut self) -> Todo {
        self.commit(Answer::Performed)
    }

    /// What came of a commit.
    pub(crate) fn committed(&mut self, committed: Committed) -> Todo {
        match committed {
            Committed::Stored => {
                self.stored();
                if self.answer.is_some() { Todo::Respond } else { Todo::Load }
            }
            // What is left to be written then, nobody else has to do with.
            Committed::Lost if self.lost.are_too_many() => Todo::Respond,
            Committed::Lost => {
                self.lost = self.lost.and_one();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::account::{Account, AccountStatus, Caller};
    use crate::server::call::Call;
    use crate::server::commit::MAX_LOST_COMMITS;
    use crate::server::exchange::{Exchange, HostKind, Incoming};
    use crate::server::operation::ChangePassword;
    use crate::server::reference::{Subject, UserRef};
    use crate::server::respond::Respond;
    use crate::server::rules::Rules;
    use crate::server::session::SessionId;
    use crate::time::Timestamp;
    use crate::wire::Auth;

    /// Rule U25: the call fails. Every commit is lost, as with an ID that is taken each time.
    #[test]
    fn u25_a_request_whose_every_commit_is_lost_is_answered_503() {
        let flows = crate::flows!(ChangePassword: [["m.login.password"]]);
        let (rules, now) = (Rules::default(), Timestamp::from_millis(1));
        let alice = Account::new(Subject::new(UserRef::new(1), 0), AccountStatus::default());
        let fresh = SessionId::from_entropy([9; SessionId::ENTROPY]);
        let call = Call::new(&Auth::Absent);
        let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, call, fresh, now);
        let mut exchange = incoming.exchange();
        let (mut lost, mut written) = (0_u8, 0_usize);
        let answer = loop {
            exchange = match exchange {
                Exchange::Load(load) => load.found(None, Caller::User(alice), now),
                Exchange::Admit(admit) => admit.admitted(),
                Exchange::Commit(commit) => {
                    written = written.saturating_add(commit.changes().count());
                    lost = lost.saturating_add(1);
                    commit.committed(Committed::Lost)
                }
                Exchange::Respond(respond) => break respond,
                other => panic!("{other:?} is not asked for a first request"),
            };
        };
        // The last commit has nothing left to write.
        assert_eq!((lost, written), (MAX_LOST_COMMITS + 1, usize::from(MAX_LOST_COMMITS)));
        assert!(matches!(answer, Respond::Error(error) if error.status() == 503), "{answer:?}");
    }
}
