//! What comes to a session by another way than its client's requests: a fallback page
//! that was filled in, a single sign-on that came back. Rules U9, U17, F1, F3.
//!
//! ```text
//!  page's form ─► AuthData ─► attempt ──► Visited::Verify ─► Verdict ─► apply ─┐
//!  provider    ─► Proof    ─► complete ─┐                                      │
//!                                       └────────► the one transition ◄────────┘
//!                                                          │
//!                        Passed: the stage, not the call ◄─┴─► NotPassed: counted, said
//! ```
//!
//! The order of the stages, the user, the count of failures, the lifetime and the epoch
//! hold as they do for a request, because it is the same transition. Two things it never
//! does: it binds no parameters, and it grants nothing. The session stays complete until
//! its client asks.

use core::fmt;

use super::locate::{Current, Located};
use super::step::Change;
use super::transition::{Outcome, Side, Transition, proof_of, unheld};
use super::{
    Check, Completed, Facts, LimitKey, Proof, Question, Rules, Session, SessionError, SessionId,
    StageFailure, Verdict, Write,
};
use crate::server::flows::{Policy, TermsVersion};
use crate::server::operation::{Operation, OperationId, Replayable, Subject};
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::{AuthData, AuthType, Malformed, Raw, StageId};
use crate::{Millis, Timestamp};

/// A policy as it is seen from outside of any request. Made by
/// [`Guard::outside`](super::Guard::outside); which guard, the stored session's
/// [`operation`](Session::operation) says.
#[derive(Clone, Copy)]
pub struct Outside<'p> {
    policy: &'p Policy<'p>,
    rules: &'p Rules,
    operation: OperationId,
    description: &'static str,
}

/// Which stage of which session somebody is at, and whose session the host knows it to be.
#[derive(Clone, Copy, Debug)]
#[must_use = "a visit does nothing by itself"]
pub struct Visit<'v> {
    id: SessionId,
    auth_type: AuthType<'v>,
    account: Option<Subject>,
    shown: Option<TermsVersion>,
}

impl<'v> Visit<'v> {
    /// A visit to the stage `auth_type` of the session `id`.
    ///
    /// `account` is the session's [`subject`](Session::subject) with the epoch of the
    /// account *as it is now*: a session that is older than the account's credentials is
    /// over. Whether the account may go on at all (rule A1) the host asks its
    /// [`status`](crate::endpoint::account::AccountStatus::gate).
    pub const fn new(id: SessionId, auth_type: AuthType<'v>, account: Option<Subject>) -> Self {
        Self { id, auth_type, account, shown: None }
    }

    /// By somebody to whom the page has shown these terms.
    pub const fn shown(mut self, terms: Option<TermsVersion>) -> Self {
        self.shown = terms;
        self
    }

    /// The session.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// The account, as the host found it.
    #[must_use]
    pub const fn account(&self) -> Option<Subject> {
        self.account
    }

    /// The stage.
    #[must_use]
    pub const fn auth_type(&self) -> AuthType<'v> {
        self.auth_type
    }
}

impl<'p> Outside<'p> {
    pub(super) const fn new<Op: Operation>(policy: &'p Policy<'p>, rules: &'p Rules) -> Self {
        Self { policy, rules, operation: Op::ID, description: Op::DESCRIPTION }
    }

    /// The operation that is guarded.
    #[must_use]
    pub const fn operation(&self) -> OperationId {
        self.operation
    }

    /// What is about to happen, in words that complete «You are about to …».
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// The params of a stage, as the 401 shows them: what its page is made of.
    #[must_use]
    pub fn params(&self, auth_type: AuthType<'_>) -> Option<Raw<'p>> {
        self.policy.params(auth_type.id())
    }

    /// The terms as they are today, for the page that shows them.
    #[must_use]
    pub const fn terms(&self) -> TermsVersion {
        TermsVersion(self.policy.terms())
    }

    /// Whether the stage's page may be shown. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`NotCompleted`] says why not.
    pub fn look(
        &self,
        visit: Visit<'_>,
        mut stored: Option<Session>,
        now: Timestamp,
    ) -> Result<(), NotCompleted> {
        self.with(visit, &mut stored, now, |_, _, _| Ok(()))
    }

    /// Attempts the stage with what the page's form says.
    pub fn attempt<'r>(
        &self,
        visit: Visit<'r>,
        data: Result<AuthData<'r>, Malformed>,
        mut stored: Option<Session>,
        now: Timestamp,
    ) -> Visited<'r>
    where
        'p: 'r,
    {
        let stage = visit.auth_type.id();
        let outcome = self.with(visit, &mut stored, now, |transition, session, current| match data {
            // Nothing in a form proves these: they are completed, or they are not.
            Ok(AuthData::Sso | AuthData::OAuth) => Err(NotCompleted::Pending),
            _ => Ok(transition.attempt(session, current, stage, data)),
        });
        let reason = match data {
            Err(malformed) => NotCompleted::Malformed(malformed),
            Ok(AuthData::Terms) => NotCompleted::TermsChanged,
            Ok(_) => NotCompleted::Pending,
        };
        match outcome {
            Ok(Outcome::Verify(question)) => Visited::Verify(Inquiry { outside: *self, visit, question }),
            Ok(outcome) => visited(outcome, stage, reason),
            Err(reason) => NotPassed::plain(reason, None),
        }
    }

    /// The stage has passed elsewhere: the single sign-on came back, an administrator
    /// approved. The stage's user has to be proved as by an attempt. Rules U9, F3.
    ///
    /// Store [`Completed::write`]; if that loses a race, read and complete again.
    ///
    /// # Errors
    ///
    /// [`NotCompleted`] says why the stage can't be completed; nothing has changed.
    pub fn complete(
        &self,
        visit: Visit<'_>,
        proof: Proof,
        stored: Option<Session>,
        now: Timestamp,
    ) -> Result<Completed, NotCompleted> {
        match self.judge(visit, true, Verdict::Passed(proof), stored, now) {
            Visited::Passed(completed) => Ok(completed),
            Visited::Not(not) => Err(not.reason),
            Visited::Verify(_) => Err(NotCompleted::Unavailable),
        }
    }

    fn judge<'r>(
        &self,
        visit: Visit<'_>,
        polled: bool,
        verdict: Verdict<'r>,
        mut stored: Option<Session>,
        now: Timestamp,
    ) -> Visited<'r>
    where
        'p: 'r,
    {
        let stage = visit.auth_type.id();
        let unused = unheld(proof_of(verdict), stored.as_ref());
        let outcome = self.with(visit, &mut stored, now, |transition, session, current| {
            Ok(transition.judge(session, current, stage, polled, verdict))
        });
        let reason = match verdict {
            Verdict::Passed(_) => NotCompleted::WrongUser,
            Verdict::Failed(failure) => NotCompleted::Failed(failure),
            Verdict::Pending(_) | Verdict::Continue { .. } => NotCompleted::Pending,
            Verdict::Unavailable => NotCompleted::Unavailable,
            Verdict::Limited(wait) => NotCompleted::Limited(wait),
        };
        match outcome {
            Ok(outcome) => visited(outcome, stage, reason),
            Err(reason) => NotPassed::plain(reason, unused),
        }
    }

    /// Acts on the session, if the stage may be attempted in it now.
    fn with<T>(
        &self,
        visit: Visit<'_>,
        stored: &mut Option<Session>,
        now: Timestamp,
        act: impl FnOnce(&Transition<'p, '_>, &mut Session, Current) -> Result<T, NotCompleted>,
    ) -> Result<T, NotCompleted> {
        let stage = visit.auth_type.id();
        let facts = Facts {
            operation: self.operation,
            replay: Replayable::Never,
            target: stored.as_ref().ok_or(NotCompleted::Unknown)?.target,
            subject: visit.account,
            body: None,
            session: Some(Some(visit.id)),
            outdated: false,
        };
        let side = Side::Outside(visit.shown.map(|shown| shown.0));
        let (policy, rules) = (self.policy, self.rules);
        // No session begins here, so no new one's ID is of use.
        let transition = Transition { policy, rules, facts: &facts, fresh: visit.id, now, side };
        let (session, current) = transition.locate(stored, visit.id).map_err(|located| match located {
            Located::Refused(reject) => {
                reject.retry_after().map_or(NotCompleted::Unknown, NotCompleted::Closed)
            }
            _ => NotCompleted::Unknown,
        })?;
        if session.passed.contains(stage) {
            return Err(NotCompleted::Already);
        }
        // A name that a page shows is the policy's, not one that hashes alike.
        if !transition.is_next(session, stage) || !policy.offers_by_name(visit.auth_type) {
            return Err(NotCompleted::OutOfOrder);
        }
        act(&transition, session, current)
    }
}

impl fmt::Debug for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// What an attempt or its verdict came to; `reason`, if the stage has not passed.
fn visited<'r>(outcome: Outcome<'r>, stage: StageId, reason: NotCompleted) -> Visited<'r> {
    match outcome {
        Outcome::Challenge(challenge) if challenge.session().passed.contains(stage) => {
            Visited::Passed(Completed { change: challenge.change })
        }
        Outcome::Challenge(challenge) => {
            Visited::Not(NotPassed { reason, change: Some(challenge.change), unused: challenge.unused })
        }
        Outcome::Refused(refused) => {
            Visited::Not(NotPassed { reason, change: refused.change, unused: refused.unused })
        }
        Outcome::Claim { .. } | Outcome::Replay { .. } | Outcome::Verify(_) => {
            NotPassed::plain(NotCompleted::Unavailable, None)
        }
    }
}

/// What a visit came to.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "an unstored visit never happened"]
pub enum Visited<'r> {
    /// Look [`Inquiry::question`] up, then [`resolve`](Inquiry::resolve) it.
    Verify(Inquiry<'r>),
    /// The stage has passed: store its write, then send the page that says so.
    Passed(Completed),
    /// It has not: store its write, then send the page that says why.
    Not(NotPassed),
}

/// Why a stage has not passed, and what that changed: at most the count of failures.
#[derive(Debug)]
#[must_use = "an unstored failure isn't counted"]
pub struct NotPassed {
    reason: NotCompleted,
    change: Option<Change>,
    unused: Option<Proof>,
}

impl NotPassed {
    fn plain<'r>(reason: NotCompleted, unused: Option<Proof>) -> Visited<'r> {
        Visited::Not(Self { reason, change: None, unused })
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> NotCompleted {
        self.reason
    }

    /// What to store before answering.
    pub const fn write(&self) -> Write<'_> {
        match &self.change {
            Some(change) => change.write(),
            None => Write::Keep,
        }
    }

    /// What the verdict proved, to be given back.
    #[must_use]
    pub const fn unused_proof(&self) -> Option<Proof> {
        self.unused
    }
}

/// A question to the host, which a page's form raised.
#[derive(Clone, Copy, Debug)]
#[must_use = "the stage stays open until `resolve` is called"]
pub struct Inquiry<'r> {
    outside: Outside<'r>,
    visit: Visit<'r>,
    question: Question<'r>,
}

impl<'r> Inquiry<'r> {
    /// What to look up, for whom, and which counter a failure counts against.
    #[must_use]
    pub const fn question(&self) -> &Question<'r> {
        &self.question
    }

    /// As [`Question::check`].
    #[must_use]
    pub const fn check(&self) -> Check<'r> {
        self.question.check()
    }

    /// As [`Question::limit_key`].
    #[must_use]
    pub const fn limit_key(&self) -> LimitKey<'r> {
        self.question.limit_key()
    }

    /// Answers the question.
    pub const fn resolve(self, verdict: Verdict<'r>) -> Answered<'r> {
        Answered { outside: self.outside, visit: self.visit, polled: self.question.is_poll(), verdict }
    }
}

/// A verdict on a visit that has yet to be applied: as [`Resolved`](super::Resolved).
#[derive(Clone, Copy, Debug)]
#[must_use = "an unapplied verdict never happened"]
pub struct Answered<'r> {
    outside: Outside<'r>,
    visit: Visit<'r>,
    polled: bool,
    verdict: Verdict<'r>,
}

impl<'r> Answered<'r> {
    /// The session to read again.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.visit.id
    }

    /// Applies the verdict to the session as it is now, and to the account as it is now.
    pub fn apply(&self, account: Option<Subject>, current: Option<Session>, now: Timestamp) -> Visited<'r> {
        let visit = Visit { account, ..self.visit };
        self.outside.judge(visit, self.polled, self.verdict, current, now)
    }
}

/// Why a stage has not been completed from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotCompleted {
    /// There is no such session (any more), or not for this operation and account.
    Unknown,
    /// Too many attempts have failed; what is left of the session's lifetime.
    Closed(Millis),
    /// The stage is not the next one of any flow.
    OutOfOrder,
    /// The stage has passed before.
    Already,
    /// Somebody else authenticated than the session is for.
    WrongUser,
    /// The form lacks something.
    Malformed(Malformed),
    /// What was given is not right.
    Failed(StageFailure),
    /// Nothing is wrong, and what the stage waits for hasn't happened.
    Pending,
    /// Other terms hold than the page has shown.
    TermsChanged,
    /// The host can't tell now.
    Unavailable,
    /// Too many failures before this one: nothing was verified.
    Limited(Millis),
}

impl NotCompleted {
    /// The same as an error of the API: a code, a status, and a sentence for the page.
    pub const fn reject(self) -> MatrixError {
        match self {
            Self::Unknown => MatrixError::new(ErrorCode::NotFound, "The session is unknown, or has expired."),
            Self::Closed(wait) | Self::Limited(wait) => MatrixError::limited(wait),
            Self::OutOfOrder => MatrixError::new(
                ErrorCode::InvalidParam,
                "This stage is not one that the session can take now.",
            ),
            Self::Already => {
                MatrixError::new(ErrorCode::InvalidParam, "This stage has been completed before.")
            }
            Self::WrongUser => {
                MatrixError::new(ErrorCode::Forbidden, "These are not the credentials of the right account.")
            }
            Self::Malformed(Malformed::Missing(_)) => {
                MatrixError::new(ErrorCode::MissingParam, "Please fill in every field.")
            }
            Self::Malformed(Malformed::Invalid(_)) => {
                MatrixError::new(ErrorCode::InvalidParam, "What you entered can't be right. Please check it.")
            }
            Self::Failed(failure) => {
                let SessionError(code, message) = failure.error();
                MatrixError::new(code, message).with_status(403)
            }
            Self::Pending => MatrixError::new(ErrorCode::SessionNotValidated, "This has not happened yet."),
            Self::TermsChanged => MatrixError::new(
                ErrorCode::TermsNotSigned,
                "The terms have changed since you opened this page. Please read them again.",
            )
            .with_status(409),
            Self::Unavailable => MatrixError::unavailable(),
        }
    }
}

impl fmt::Display for NotCompleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such session",
            Self::Closed(_) => "too many failed attempts in this session",
            Self::OutOfOrder => "the stage is not the next of any flow",
            Self::Already => "the stage has passed already",
            Self::WrongUser => "the session belongs to another user",
            Self::Malformed(_) => "the form lacks something",
            Self::Failed(_) => "what was given is not right",
            Self::Pending => "what the stage waits for hasn't happened",
            Self::TermsChanged => "the terms have changed",
            Self::Unavailable => "the host can't tell now",
            Self::Limited(_) => "too many failed attempts",
        })
    }
}

impl core::error::Error for NotCompleted {}
