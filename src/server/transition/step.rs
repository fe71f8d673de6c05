//! The order in which a request is looked at once its session is loaded.

use super::answer::Answer;
use super::locate::Located;
use super::work::{Admission, Answered, Input, Side, Todo, Work, Write};
use crate::server::account::{Account, Caller};
use crate::server::operation::Replayable;
use crate::server::reference::{Subject, UserRef};
use crate::server::rules::UnknownSession;
use crate::server::session::{Phase, Revision, Session};
use crate::server::verdict::Verdict;
use crate::time::Timestamp;
use crate::wire::error::fault::Fault;
use crate::wire::error::{ErrorCode, MatrixError};

const UNKNOWN_SESSION: &str = "Unknown or expired session.";

impl<'r> Work<'r> {
    /// The session has been put in its place; this is the account of the access token, as it
    /// is now.
    pub(crate) fn loaded(&mut self, caller: Caller, now: Timestamp) -> Todo {
        if let Err(error) = self.arrive(caller, now) {
            return self.refuse(error);
        }
        if self.lost.are_too_many() {
            return self.refuse(MatrixError::unavailable());
        }
        self.with_account()
    }

    /// Goes on once it is known whom a stage has named.
    pub(super) fn with_account(&mut self) -> Todo {
        match self.account_to_ask() {
            Some(_) => Todo::Account,
            None => self.go_on_with_account(),
        }
    }

    pub(crate) fn arrive(&mut self, caller: Caller, now: Timestamp) -> Result<(), MatrixError> {
        self.now = now;
        match &self.session {
            Some(session) if session.has_ended() => self.session = None,
            Some(_) => {}
            // What is stored wins over what the ID holds.
            None => {
                let lifetime = self.request.rules.session_lifetime;
                let began = self.request.naming.session();
                self.session = began.filter(|session| !session.made.has_run_out(lifetime, now));
                self.unstored = self.session.is_some();
                if let Some(session) = &mut self.session {
                    session.revision = Revision::anew(&self.request.fresh, now);
                }
            }
        }
        self.id = *self.to_load().unwrap_or(&self.request.fresh);
        match caller {
            Caller::Nobody => Ok(()),
            Caller::Ended(error) => Err(error),
            Caller::User(account) => {
                self.caller = Some(account.subject);
                if self.is_consumed() {
                    return Ok(());
                }
                account.status.gate(self.request.call.operation.action)
            }
        }
    }

    fn is_consumed(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.phase == Phase::Consumed)
    }

    /// The user whose account has to be looked at, beside that of the token.
    pub(crate) fn account_to_ask(&self) -> Option<UserRef> {
        if self.caller.is_some() || self.named_asked {
            return None;
        }
        let replays = self.request.call.operation.replay == Replayable::WithParams;
        // Whoever has no token learns nothing about the account of one.
        let page = self.request.side != Side::Client;
        let of_session = self
            .session
            .as_ref()
            .filter(|session| (page || !session.by_token) && (session.consumed_at().is_none() || replays));
        let proved = self.answered.as_ref().and_then(|answered| match answered.verdict {
            Verdict::Passed(evidence) => evidence.account.map(|account| account.user),
            _ => None,
        });
        of_session.and_then(Session::user).or(proved)
    }

    /// Whose account is asked for.
    pub(crate) fn asked_user(&self) -> UserRef {
        self.account_to_ask().unwrap_or(UserRef::new(0))
    }

    /// The account that a stage has named, as it is now.
    pub(crate) fn account(&mut self, account: Option<Account>) -> Todo {
        match self.name_account(account) {
            Ok(()) => self.go_on_with_account(),
            Err(error) => self.refuse(error),
        }
    }

    pub(crate) fn name_account(&mut self, account: Option<Account>) -> Result<(), MatrixError> {
        self.named_asked = true;
        self.named = account.map(|account| account.subject);
        let operation = self.request.call.operation;
        let by_token = self.session.as_ref().is_some_and(|session| session.by_token);
        let action = if by_token { operation.action } else { operation.action_without_token };
        match account.map_or(Ok(()), |account| account.status.gate(action)) {
            Err(error) if !self.is_consumed() => Err(error),
            // What a finished call has made is gone: as an unknown session.
            Err(_) => {
                self.named = None;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn go_on_with_account(&mut self) -> Todo {
        if let Some(error) = self.refusal {
            return self.not_admitted(error);
        }
        if self.request.side == Side::Client
            && self.admission == Admission::NotAsked
            && self.answered.is_none()
            && self.claim.is_none()
            && !self.is_over()
        {
            return Todo::Admit;
        }
        self.go_on()
    }

    /// Whether the call has begun, has succeeded, or names a session that is not there or is
    /// another's. The host is not asked to admit it then: a name that the call itself has taken
    /// is no reason to refuse the call.
    fn is_over(&self) -> bool {
        match &self.session {
            Some(session) => {
                self.is_consumed() || session.is_claimed() || !session.is_for_token_of(self.caller.as_ref())
            }
            None => self.request.call.session.is_some(),
        }
    }

    pub(crate) fn go_on(&mut self) -> Todo {
        if self.admission == Admission::Exempt {
            return self.complete();
        }
        if self.answered.is_some() { self.apply() } else { self.receive() }
    }

    fn receive(&mut self) -> Todo {
        let attempts = matches!(self.request.input, Input::Attempt { .. });
        let begins = matches!(self.request.input, Input::Absent)
            || (attempts && self.request.call.session.is_none() && !self.request.rules.one_shot);
        if begins {
            self.begin();
            return self.challenge_as(attempts, None, None);
        }
        match self.locate() {
            Ok(()) => match self.request.input {
                Input::Attempt { stage, known, data } => self.attempt(stage, known, data),
                Input::Absent | Input::Poll => self.ask_awaited(),
            },
            Err(located) => self.elsewhere(located),
        }
    }

    fn apply(&mut self) -> Todo {
        let Some(answered) = &self.answered else { return self.receive() };
        let outdated = self.is_outdated(answered);
        let Answered { stage, polled, settled, verdict, .. } = *answered;
        let located = self.locate();
        let is_next = located.is_ok() && !outdated && self.is_next(stage);
        if is_next && !settled {
            return self.judge(stage, polled, verdict);
        }
        self.unused = self.unheld();
        match located {
            Ok(()) if is_next => self.challenge(None),
            // What was verified may be the old credentials: as if the request had come in now.
            Ok(()) if outdated && self.request.call.session.is_none() => self.unknown(),
            // Another request was faster.
            Ok(()) => self.go_on_or_challenge(),
            Err(located) => self.elsewhere(located),
        }
    }

    /// Whether the account has changed since the question was asked.
    pub(crate) fn is_outdated(&self, answered: &Answered<'r>) -> bool {
        let proved = match &answered.verdict {
            Verdict::Passed(evidence) => evidence.account.as_ref(),
            _ => None,
        };
        let changed = |then: &Subject| match self.caller.as_ref().or(self.named.as_ref()) {
            Some(now) => now.user == then.user && now.epoch != then.epoch,
            None => true,
        };
        answered.caller != self.caller || proved.is_some_and(changed)
    }

    /// The answer where no session goes on.
    fn elsewhere(&mut self, located: Located) -> Todo {
        match located {
            Located::Lapsed if self.request.side == Side::Client => Todo::Recall,
            Located::Claimed | Located::Lapsed => {
                self.write = Write::Keep;
                self.challenge(None)
            }
            Located::Consumed => Todo::Repeat,
            Located::Refused(error) => self.commit(Answer::Error(error)),
            Located::Unknown => self.unknown(),
        }
    }

    /// Rule U12.
    pub(crate) fn unknown(&mut self) -> Todo {
        let error = Fault::new(ErrorCode::Unknown, UNKNOWN_SESSION);
        let page = self.request.side != Side::Client;
        if page || self.request.rules.unknown_session == UnknownSession::Reject {
            return self.commit(Answer::Error(MatrixError::of(error)));
        }
        self.begin();
        self.challenge_as(true, Some(error), None)
    }

    /// The request ends here, for a reason that is not the session's: what its verdict
    /// proved is given back.
    pub(crate) fn refuse(&mut self, error: MatrixError) -> Todo {
        if self.answered.is_some() {
            self.unused = self.unheld();
        }
        self.write = Write::Keep;
        self.commit(Answer::Error(error))
    }
}
