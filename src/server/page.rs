//! What comes to a session by another way than its client's requests: a fallback page that
//! was filled in, a single sign-on that came back, a mailed link. Rules U9, U17, F1, F3.
//!
//! ```text
//!  PageExchange::begin ─► Load ─► Policy ─► Account ─► Verify ─► Load ─► … ─► Commit ─► Respond
//! ```
//!
//! The order of the stages, the user, the count of failures, the lifetime and the epoch
//! hold as they do for a request, because it is the same transition. Two things it never
//! does: it binds no parameters, and it grants nothing. The session stays complete until
//! its client asks.

use core::fmt;

use super::account::{Account, Caller};
use super::call::{CallFacts, Params};
use super::commit::{Change, Committed, SessionChanges, changes, session_changes};
use super::flows::{Flows, Policy, TermsVersion};
use super::lost::LostCommits;
use super::operation::{Operation, OperationFacts, OperationId};
use super::page_outcome::{PageOutcome, PageRefusal};
use super::question::Question;
use super::reference::{Subject, UserRef};
use super::rules::Rules;
use super::sealed::{Naming, SessionName};
use super::session::{Session, SessionId};
use super::transition::answer::Answer;
use super::transition::work::{Answered, Input, Request, Side, Todo, Work};
use super::verdict::{Evidence, StageFailure, Verdict};
use crate::time::Timestamp;
use crate::wire::{AuthData, AuthType, Malformed, Raw};

/// A policy as a page sees it. Which one, the session's
/// [`operation`](Session::operation) says.
#[derive(Clone, Copy)]
pub struct PagePolicy<'p> {
    policy: &'p Policy<'p>,
    rules: &'p Rules,
    operation: &'static OperationFacts,
}

impl<'p> PagePolicy<'p> {
    /// That of `Op`.
    #[must_use]
    pub const fn new<Op: Operation>(flows: &'p Flows<'p, Op>, rules: &'p Rules) -> Self {
        Self { policy: flows.policy(), rules, operation: OperationFacts::of::<Op>() }
    }

    /// The operation that is guarded.
    #[must_use]
    pub const fn operation(&self) -> OperationId {
        self.operation.id
    }

    /// What is about to happen, in words that complete "You are about to …".
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.operation.description
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
}

impl fmt::Debug for PagePolicy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagePolicy").field("operation", &self.operation.id).finish_non_exhaustive()
    }
}

/// Which stage of which session somebody is at, and what they bring.
#[derive(Clone, Copy, Debug)]
#[must_use = "a request does nothing by itself"]
pub struct PageRequest<'v> {
    session: SessionName<'v>,
    auth_type: AuthType<'v>,
    shown: Option<TermsVersion>,
    brings: Brings<'v>,
}

#[derive(Clone, Copy, Debug)]
enum Brings<'v> {
    Nothing,
    Form(Result<AuthData<'v>, Malformed>),
    Approval(Approval),
}

/// Who has approved, as the provider says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "nobody by name, the session's user, or this one")]
pub enum Approval {
    /// It does not say who.
    Anybody,
    /// The user whom the session is for; where it has none, nobody by name.
    SessionUser,
    /// This user.
    User(Subject),
}

impl<'v> PageRequest<'v> {
    /// A look at the page of the stage `auth_type` of a session. It changes nothing.
    pub fn look(session: impl Into<SessionName<'v>>, auth_type: AuthType<'v>) -> Self {
        Self { session: session.into(), auth_type, shown: None, brings: Brings::Nothing }
    }

    /// The page's form, sent by somebody to whom the page has shown these terms.
    pub fn form(
        session: impl Into<SessionName<'v>>,
        auth_type: AuthType<'v>,
        data: Result<AuthData<'v>, Malformed>,
        shown: Option<TermsVersion>,
    ) -> Self {
        Self { session: session.into(), auth_type, shown, brings: Brings::Form(data) }
    }

    /// The stage has passed elsewhere: the single sign-on came back, an administrator
    /// approved.
    ///
    /// # Security
    ///
    /// The host asserts that it did, for this very session.
    pub fn assume_approved(
        session: impl Into<SessionName<'v>>,
        auth_type: AuthType<'v>,
        approval: Approval,
    ) -> Self {
        Self { session: session.into(), auth_type, shown: None, brings: Brings::Approval(approval) }
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionName<'v> {
        self.session
    }

    /// The stage.
    #[must_use]
    pub const fn auth_type(&self) -> AuthType<'v> {
        self.auth_type
    }
}

/// What to do next about a page.
#[must_use = "a dropped exchange answers nobody"]
#[allow(clippy::exhaustive_enums, reason = "a duty nobody carries out has to break the build")]
pub enum PageExchange<'r> {
    /// Begin a transaction; read the session.
    Load(PageLoad<'r>),
    /// In the transaction: which policy the session's operation is guarded by.
    Policy(PageGuard<'r>),
    /// In the transaction: read the account of the session's user.
    Account(PageAccount<'r>),
    /// Has the stage passed?
    Verify(PageVerify<'r>),
    /// Carry out every change, and end the transaction.
    Commit(PageCommit<'r>),
    /// Send the page that says how it went.
    Respond(PageOutcome),
}

impl<'r> PageExchange<'r> {
    /// Begins the exchange. `arrived` is when the request came in.
    pub const fn begin(visit: PageRequest<'r>, arrived: Timestamp) -> Self {
        Self::Load(PageLoad { visit, arrived, answered: None, lost: LostCommits::NONE })
    }
}

/// Begin a transaction, and read the session.
#[derive(Clone, Copy)]
#[must_use = "the exchange goes on only when it is answered"]
pub struct PageLoad<'r> {
    visit: PageRequest<'r>,
    arrived: Timestamp,
    answered: Option<Answered<'r>>,
    lost: LostCommits,
}

impl<'r> PageLoad<'r> {
    /// The session to read.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.visit.session.id()
    }

    /// The session that was found, if one is stored under that ID.
    pub fn found(self, session: Option<Session>, now: Timestamp) -> PageExchange<'r> {
        let unstored = session.is_none();
        match session.or_else(|| self.visit.session.as_it_began()).filter(|session| !session.has_ended()) {
            Some(session) => PageExchange::Policy(PageGuard { at: self, session, unstored, now }),
            None => self.gone(),
        }
    }

    /// There is no such session.
    fn gone(self) -> PageExchange<'r> {
        match self.answered.map(|answered| answered.verdict) {
            Some(Verdict::Passed(evidence)) if evidence.proof.is_reservation() => {
                let kind = Ends::Gone(self.session_id(), evidence);
                PageExchange::Commit(PageCommit { at: self, kind })
            }
            _ => PageExchange::Respond(PageOutcome::Refused(PageRefusal::Unknown)),
        }
    }
}

/// Find the policy that the session's operation is guarded by.
#[must_use = "the exchange goes on only when it is answered"]
pub struct PageGuard<'r> {
    at: PageLoad<'r>,
    session: Session,
    /// Whether no store has it, but its name.
    unstored: bool,
    now: Timestamp,
}

impl<'r> PageGuard<'r> {
    /// The session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The policy of the session's operation; `None`: it has no pages.
    pub fn found(self, policy: Option<PagePolicy<'r>>) -> PageExchange<'r> {
        let Self { at, session, unstored, now } = self;
        let PageLoad { visit, arrived, answered, lost: _ } = at;
        let Some(policy) = policy.filter(|policy| session.operation == policy.operation.id) else {
            return at.gone();
        };
        let id = visit.session.id();
        let call = CallFacts {
            operation: policy.operation,
            target: session.target,
            params: Params::NONE,
            session: Some(Some(id)),
        };
        let request = Request {
            policy: policy.policy,
            rules: policy.rules,
            call,
            naming: Naming::of_page(&visit.session),
            input: Input::Poll,
            side: Side::Page { shown: visit.shown.map(|shown| shown.0) },
            // No session begins here.
            fresh: id,
            arrived,
            one_transaction: true,
        };
        let mut work = Work::new(request);
        work.answered = answered;
        // Nobody's token has to be looked at.
        work.session = Some(session).filter(|_| !unstored);
        let _ = work.arrive(Caller::Nobody, now);
        Here { at, work }.with_account()
    }
}

/// A visit to a session that was found.
struct Here<'r> {
    at: PageLoad<'r>,
    work: Work<'r>,
}

impl<'r> Here<'r> {
    /// Goes on once it is known whom the session is for.
    fn with_account(self) -> PageExchange<'r> {
        match self.work.account_to_ask() {
            Some(user) => PageExchange::Account(PageAccount { here: self, user }),
            None => self.visit(),
        }
    }

    fn visit(mut self) -> PageExchange<'r> {
        match self.step() {
            Ok(Todo::Verify) => PageExchange::Verify(PageVerify { here: self }),
            Ok(_) => {
                self.work.seal_changes();
                let at = self.at;
                PageExchange::Commit(PageCommit { at, kind: Ends::Here(self.work) })
            }
            Err(outcome) => self.say(outcome),
        }
    }

    /// Ends with this answer.
    fn say(mut self, outcome: PageOutcome) -> PageExchange<'r> {
        if let PageOutcome::Refused(refusal) = outcome {
            let _ = self.work.refuse(refusal.error());
        }
        PageExchange::Commit(PageCommit { at: self.at, kind: Ends::Said(self.work, outcome) })
    }

    fn step(&mut self) -> Result<Todo, PageOutcome> {
        let refused = |refusal| Err(PageOutcome::Refused(refusal));
        let visit = self.at.visit;
        let stage = visit.auth_type.id();
        if let Err(error) = self.work.locate_page() {
            return refused(match error.and_then(|error| error.retry_after()) {
                Some(wait) => PageRefusal::Closed(wait),
                None => PageRefusal::Unknown,
            });
        }
        if self.at.lost.are_too_many() {
            return refused(PageRefusal::Unavailable);
        }
        if self.work.has_passed(stage) {
            return refused(PageRefusal::Already);
        }
        // A name that a page shows is the policy's, not one that hashes alike.
        if !self.work.is_next(stage) || !self.work.request.policy.offers_by_name(visit.auth_type, stage) {
            return refused(PageRefusal::OutOfOrder);
        }
        if let Some(answered) = self.at.answered {
            if self.work.is_outdated(&answered) {
                return refused(PageRefusal::Unknown);
            }
            return Ok(self.work.judge(stage, answered.polled, answered.verdict));
        }
        match visit.brings {
            Brings::Nothing => Err(PageOutcome::Open),
            Brings::Approval(approval) => {
                let evidence = match (approval, self.work.named) {
                    (Approval::User(subject), _) | (Approval::SessionUser, Some(subject)) => {
                        Evidence::user(subject)
                    }
                    (Approval::Anybody, _) | (Approval::SessionUser, None) => Evidence::nothing(),
                };
                Ok(self.work.judge(stage, true, Verdict::Passed(evidence)))
            }
            // Nothing in a form proves these: they are approved, or they are not.
            Brings::Form(Ok(AuthData::Sso | AuthData::OAuth)) => refused(PageRefusal::Pending),
            Brings::Form(Ok(AuthData::Terms)) if !self.work.terms_seen => refused(PageRefusal::TermsChanged),
            Brings::Form(Err(malformed)) => refused(PageRefusal::Malformed(malformed)),
            Brings::Form(data) => Ok(self.work.attempt(stage, true, &data)),
        }
    }
}

/// Read the account of the session's user.
#[must_use = "the exchange goes on only when it is answered"]
pub struct PageAccount<'r> {
    here: Here<'r>,
    user: UserRef,
}

impl<'r> PageAccount<'r> {
    /// Whose account.
    #[must_use]
    pub const fn user(&self) -> UserRef {
        self.user
    }

    /// The account as it is now; `None` if there is none.
    pub fn found(mut self, account: Option<Account>) -> PageExchange<'r> {
        match self.here.work.name_account(account) {
            Ok(()) => self.here.visit(),
            Err(error) => self.here.say(PageOutcome::Refused(PageRefusal::Account(error))),
        }
    }
}

/// A stage to be verified.
#[must_use = "the exchange goes on only when it is answered"]
pub struct PageVerify<'r> {
    here: Here<'r>,
}

impl<'r> PageVerify<'r> {
    /// What to look up.
    #[must_use]
    pub const fn question(&self) -> &Question<'r> {
        &self.here.work.question
    }

    /// The verdict, found outside of the transaction, which is to be ended first: nothing
    /// has been written in it.
    pub const fn verdict(self, verdict: Verdict<'r>) -> PageExchange<'r> {
        let answered = Some(Answered::new(&self.here.work.question, verdict, None, false));
        PageExchange::Load(PageLoad { answered, ..self.here.at })
    }

    /// The verdict, found in the transaction that began with the load: what it reserves is
    /// committed with the session that holds it.
    pub fn verdict_in_transaction(mut self, verdict: Verdict<'r>) -> PageExchange<'r> {
        let answered = Some(Answered::new(&self.here.work.question, verdict, None, true));
        self.here.at.answered = answered;
        self.here.work.answered = answered;
        self.here.with_account()
    }
}

/// What is to be written.
#[must_use = "the exchange goes on only when it is answered"]
pub struct PageCommit<'r> {
    at: PageLoad<'r>,
    kind: Ends<'r>,
}

#[allow(clippy::large_enum_variant, reason = "it is one value of one request")]
enum Ends<'r> {
    /// The transition's own answer.
    Here(Work<'r>),
    /// This answer.
    Said(Work<'r>, PageOutcome),
    /// The session is gone; what was reserved for it goes back.
    Gone(SessionId, Evidence),
}

impl PageCommit<'_> {
    /// Those of the changes that are about sessions.
    #[must_use]
    pub fn session_changes(&self) -> SessionChanges<&Session> {
        match &self.kind {
            Ends::Here(work) | Ends::Said(work, _) => session_changes(work),
            Ends::Gone(..) => SessionChanges { put: None, remove: None },
        }
    }

    /// Everything that is to be written, all of it or nothing, in this order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> + Clone {
        let (work, gone) = match &self.kind {
            Ends::Here(work) | Ends::Said(work, _) => (Some(work), None),
            Ends::Gone(session, evidence) => {
                (None, Some(Change::GiveBack { session: *session, proof: evidence.proof }))
            }
        };
        work.into_iter().flat_map(|work| changes(work)).chain(gone)
    }
}

impl<'r> PageCommit<'r> {
    /// What came of it.
    pub fn committed(self, committed: Committed) -> PageExchange<'r> {
        match (committed, self.kind) {
            // What is left to be written then, nobody else has to do with.
            (Committed::Lost, _) if self.at.lost.are_too_many() => {
                PageExchange::Respond(PageOutcome::Refused(PageRefusal::Unavailable))
            }
            (Committed::Lost, _) => {
                let answered = self.at.answered.filter(|answered| !answered.in_transaction);
                let lost = self.at.lost.and_one();
                PageExchange::Load(PageLoad { answered, lost, ..self.at })
            }
            // A session that its name alone has held would be stored now. What was reserved for
            // it goes back.
            (Committed::Full(wait), Ends::Here(mut work)) => {
                let outcome = PageOutcome::Refused(PageRefusal::Unavailable);
                if work.full(wait) {
                    PageExchange::Commit(PageCommit { at: self.at, kind: Ends::Said(work, outcome) })
                } else {
                    PageExchange::Respond(outcome)
                }
            }
            (Committed::Full(_), _) => PageExchange::Respond(PageOutcome::Refused(PageRefusal::Unavailable)),
            (Committed::Stored, Ends::Gone(..)) => {
                PageExchange::Respond(PageOutcome::Refused(PageRefusal::Unknown))
            }
            (Committed::Stored, Ends::Said(_, outcome)) => PageExchange::Respond(outcome),
            (Committed::Stored, Ends::Here(work)) => PageExchange::Respond(conclude(&work, self.at)),
        }
    }
}

fn conclude(work: &Work<'_>, at: PageLoad<'_>) -> PageOutcome {
    if work.has_passed(at.visit.auth_type.id()) {
        return PageOutcome::Passed;
    }
    let verdict = at.answered.map(|answered| answered.verdict);
    PageOutcome::Refused(match (verdict, work.answer) {
        (Some(Verdict::Failed(StageFailure::OtherUser)), _) => PageRefusal::WrongUser,
        (Some(Verdict::Failed(failure)), _) => PageRefusal::Failed(failure),
        (Some(Verdict::Limited(wait)), _) => PageRefusal::Limited(wait),
        (Some(Verdict::Unavailable), _) => PageRefusal::Unavailable,
        (Some(Verdict::Passed(_)), _) | (None, Some(Answer::Error(_))) => PageRefusal::WrongUser,
        (Some(Verdict::Pending(_) | Verdict::Continue { .. }) | None, _) => PageRefusal::Pending,
    })
}

macro_rules! opaque_debug {
    ($($name:ident),+) => {
        $(impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), " { .. }"))
            }
        })+
    };
}

opaque_debug!(PageExchange, PageLoad, PageGuard, PageAccount, PageVerify, PageCommit);
