//! What an attempt, a poll or a verdict does to a session that goes on.

use super::answer::Answer;
use super::work::{Side, Todo, Work, Write};
use crate::server::check::{AddressBy, AddressCheck, PasswordCheck};
use crate::server::extra::Extra;
use crate::server::operation::Register;
use crate::server::question::{Check, Question};
use crate::server::session::{Phase, Proof};
use crate::server::verdict::{Evidence, StageFailure, Verdict};
use crate::wire::error::fault::Fault;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::{AuthData, Malformed, StageId};

const MISSING: &str = "A key that the stage needs is missing.";
const INVALID: &str = "A key of the auth dict has the wrong type or form.";
const NOT_NEXT: &str = "This stage can't be attempted now.";

impl<'r> Work<'r> {
    pub(crate) fn is_next(&self, stage: StageId) -> bool {
        let order = self.request.rules.stage_order;
        self.session
            .as_ref()
            .is_some_and(|session| self.request.policy.is_next(session.passed.stages(), stage, order))
    }

    pub(crate) fn attempt(
        &mut self,
        stage: StageId,
        known: bool,
        data: &Result<AuthData<'r>, Malformed>,
    ) -> Todo {
        let Some(session) = &self.session else { return self.unknown() };
        if known && session.passed.contains(stage) {
            return self.go_on_or_challenge();
        }
        if !known || !self.is_next(stage) {
            return self.no_attempt(Fault::new(ErrorCode::InvalidParam, NOT_NEXT));
        }
        let (user, by_token) = (session.user(), session.by_token);
        let awaited = session.awaiting().filter(|(waiting, _)| *waiting == stage).map(|(_, it)| it);
        let registers = session.operation == Register::ID;
        let address = |creds| AddressCheck::new(AddressBy::Credentials(creds), user, registers);
        let check = match *data {
            Err(Malformed::Missing(_)) => {
                return self.no_attempt(Fault::new(ErrorCode::MissingParam, MISSING));
            }
            Err(Malformed::Invalid(_)) => {
                return self.no_attempt(Fault::new(ErrorCode::InvalidParam, INVALID));
            }
            Ok(AuthData::Dummy) => return self.pass(stage, Evidence::nothing()),
            // Whoever accepts must have been shown what is accepted.
            Ok(AuthData::Terms) if self.terms_seen => return self.pass(stage, Evidence::nothing()),
            Ok(AuthData::Terms) => return self.challenge(None),
            Ok(AuthData::Sso | AuthData::OAuth) => return self.ask_awaited(),
            Ok(AuthData::Password { identifier, password }) => {
                Check::Password(PasswordCheck::new(identifier, password, user))
            }
            Ok(AuthData::Recaptcha { response }) => Check::Recaptcha { response },
            Ok(AuthData::EmailIdentity(creds)) => Check::Email(address(creds)),
            Ok(AuthData::Msisdn(creds)) => Check::Msisdn(address(creds)),
            Ok(AuthData::RegistrationToken { token }) => Check::RegistrationToken { token },
            Ok(AuthData::Custom(data)) => Check::Custom { data, reference: awaited },
        };
        self.ask(stage, check, by_token)
    }

    /// What can't be an attempt changes nothing (rule U6), so it binds nothing either.
    fn no_attempt(&mut self, fault: Fault) -> Todo {
        if self.is_named() {
            self.unbind();
            self.changed = false;
        }
        self.challenge(Some(fault))
    }

    fn ask(&mut self, stage: StageId, check: Check<'r>, by_token: bool) -> Todo {
        let Some(session) = &self.session else { return self.unknown() };
        let (operation, user) = (session.operation, session.user());
        // The verdict is applied to the session as it is then.
        self.unbind();
        self.question = Question { operation, id: self.id, stage, check, user, by_token };
        Todo::Verify
    }

    /// Nothing to verify in the request itself: the call goes ahead if all has passed,
    /// else the host is asked about what the session waits for.
    pub(super) fn ask_awaited(&mut self) -> Todo {
        let Some(session) = &self.session else { return self.unknown() };
        let (user, by_token) = (session.user(), session.by_token);
        match session.awaiting() {
            Some((stage, reference)) if self.is_next(stage) => {
                let registers = session.operation == Register::ID;
                let address = AddressCheck::new(AddressBy::Awaited(reference), user, registers);
                let check = if stage == StageId::EMAIL_IDENTITY {
                    Check::Email(address)
                } else if stage == StageId::MSISDN {
                    Check::Msisdn(address)
                } else {
                    Check::Awaited { reference }
                };
                self.ask(stage, check, by_token)
            }
            _ => self.go_on_or_challenge(),
        }
    }

    pub(crate) fn has_passed(&self, stage: StageId) -> bool {
        self.session.as_ref().is_some_and(|session| session.passed.contains(stage))
    }

    pub(super) fn go_on_or_challenge(&mut self) -> Todo {
        let order = self.request.rules.stage_order;
        let complete = self
            .session
            .as_ref()
            .is_some_and(|session| self.request.policy.is_complete(session.passed.stages(), order));
        if complete && self.request.side == Side::Client { self.complete() } else { self.challenge(None) }
    }

    pub(crate) fn judge(&mut self, stage: StageId, polled: bool, verdict: Verdict<'r>) -> Todo {
        let (reference, extra) = match verdict {
            Verdict::Passed(evidence) if self.accepts(stage, &evidence) => return self.pass(stage, evidence),
            Verdict::Passed(evidence) => {
                self.unused = Some(evidence.proof).filter(|proof| proof.is_reservation());
                return self.fail(polled, MatrixError::of(StageFailure::OtherUser.fault()));
            }
            Verdict::Failed(failure) => {
                if let Some(error) = failure.refusal() {
                    return self.fail(polled, error);
                }
                self.count(polled);
                return self.challenge(Some(failure.fault()));
            }
            Verdict::Unavailable => return self.refuse(MatrixError::unavailable()),
            Verdict::Limited(wait) => return self.refuse(MatrixError::limited(wait)),
            Verdict::Pending(reference) => (reference, None),
            Verdict::Continue { extra, reference } => (reference, Some(extra)),
        };
        if let Some(session) = &mut self.session
            && session.passed.await_next(stage, reference)
        {
            session.phase = Phase::Awaiting;
        }
        self.changed = true;
        self.challenge_as(true, None, extra)
    }

    /// Asking how things stand is no attempt (rule U9).
    fn count(&mut self, polled: bool) {
        if !polled && let Some(session) = &mut self.session {
            session.failures = session.failures.saturating_add(1);
            self.changed = true;
        }
    }

    pub(super) fn pass(&mut self, stage: StageId, evidence: Evidence) -> Todo {
        let terms = self.request.policy.terms();
        if let Some(session) = &mut self.session {
            session.phase = Phase::Open;
            if stage == StageId::TERMS {
                session.terms = terms;
            }
            if let Some(account) = evidence.account
                && !session.has_user
            {
                session.set_account(account);
            }
            // A stage that is next has not passed, and no flow is longer than the list.
            let pushed = session.passed.push(stage, evidence.proof);
            debug_assert!(pushed, "the next stage has a place");
            self.changed = true;
        }
        self.go_on_or_challenge()
    }

    /// An error in place of the 401, and still a failed attempt.
    ///
    /// Nothing else may change: the host is not told to keep the parameters, so they
    /// aren't bound, and the client has not been shown the terms.
    fn fail(&mut self, polled: bool, error: MatrixError) -> Todo {
        self.unbind();
        self.changed = false;
        self.count(polled);
        self.put = self.changed && self.is_named();
        self.commit(Answer::Error(error))
    }

    pub(super) fn challenge(&mut self, error: Option<Fault>) -> Todo {
        self.challenge_as(true, error, None)
    }

    pub(super) fn challenge_as(
        &mut self,
        show_completed: bool,
        error: Option<Fault>,
        extra: Option<Extra<'r>>,
    ) -> Todo {
        self.put = match self.write {
            Write::Keep => false,
            // As long as its ID says all there is to say.
            Write::Insert | Write::Store if self.is_held_by_id() => false,
            Write::Insert | Write::Store => true,
            Write::Replace(_) => self.changed,
        };
        self.keep &= self.put;
        self.commit(Answer::Challenge { show_completed, error, extra })
    }

    fn is_held_by_id(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_sealed() && !session.is_touched())
    }

    /// Whether the evidence is of the user whom the session is for, and fits the stage.
    fn accepts(&self, stage: StageId, evidence: &Evidence) -> bool {
        let Some(session) = &self.session else { return false };
        let expected = session.user();
        if let (Some(expected), Some(account)) = (&expected, &evidence.account)
            && account.user != *expected
        {
            return false;
        }
        let by_address = stage == StageId::EMAIL_IDENTITY || stage == StageId::MSISDN;
        match evidence.proof {
            Proof::Threepid(_) => by_address,
            _ if by_address => false,
            Proof::User(_) => true,
            // What identifies a user has to say which; but a provider vouches for whoever
            // registers before there is a user to name.
            _ if stage == StageId::SSO => session.operation == Register::ID && expected.is_none(),
            _ => stage != StageId::PASSWORD && stage != StageId::OAUTH,
        }
    }
}
