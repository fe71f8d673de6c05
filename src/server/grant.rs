//! The proof that authentication is complete. Nothing else is in this file, so that it can
//! be audited alone: a [`Grant`] is made where the call is to be performed, by
//! [`Perform::grant`](super::exchange::Perform::grant) and by the
//! [driver](super::drive::Run) that asks the same question, and nowhere else.

use core::fmt;
use core::marker::PhantomData;

use super::operation::Operation;
use super::reference::{Reference, Subject, UserRef};
use super::session::{Passed, Proof, SessionId};
use super::transition::work::{Admission, Work};
use crate::wire::error::MatrixError;

/// Proof that every stage of one flow has passed, in one session, for the operation `Op`
/// and one user. It can't be cloned, forged or used for another operation:
///
/// ```compile_fail,E0451
/// use matrix_uia::{Grant, server::operation::ChangePassword};
/// let forged: Grant<ChangePassword> = Grant { facts: todo!(), operation: todo!() };
/// ```
///
/// ```compile_fail,E0599
/// use matrix_uia::{Grant, server::operation::ChangePassword};
/// fn twice(grant: Grant<ChangePassword>) -> (Grant<ChangePassword>, Grant<ChangePassword>) {
///     (grant.clone(), grant)
/// }
/// ```
///
/// ```compile_fail,E0308
/// use matrix_uia::{Grant, server::operation::{ChangePassword, Deactivate}};
/// fn elsewhere(grant: Grant<ChangePassword>) -> Grant<Deactivate> { grant }
/// ```
#[must_use = "pass the grant to the operation it is for"]
pub struct Grant<Op: Operation> {
    facts: Granted,
    operation: PhantomData<fn() -> Op>,
}

/// What a grant proves.
#[derive(Clone, Copy)]
struct Granted {
    account: Option<Subject>,
    by_token: bool,
    session: Option<SessionId>,
    claimed: bool,
    needs_stored: bool,
    passed: Passed,
}

impl<Op: Operation> Grant<Op> {
    pub(super) fn new(work: &Work<'_>) -> Self {
        let exempt = work.admission == Admission::Exempt;
        let session = work.session.as_ref().filter(|_| !exempt);
        let facts = Granted {
            account: work.caller.or_else(|| session.and_then(|session| session.account())),
            by_token: work.caller.is_some(),
            session: session.map(|_| work.id),
            claimed: work.record_under().is_some(),
            needs_stored: !exempt && work.needs_stored(),
            passed: session.map_or(Passed::new(), |session| session.passed),
        };
        Self { facts, operation: PhantomData }
    }

    /// Who is acted on: the user of the access token, else the one a stage proved. Never
    /// anything the request says.
    #[must_use]
    pub fn user(&self) -> Option<UserRef> {
        self.facts.account.map(|account| account.user)
    }

    /// Whether the request carried an access token.
    #[must_use]
    pub const fn has_token(&self) -> bool {
        self.facts.by_token
    }

    /// What the stages proved, in their order. What of it was reserved is spent by the
    /// commit.
    pub fn proofs(&self) -> impl Iterator<Item = Proof> + '_ {
        let user = self.user().unwrap_or(UserRef::new(0));
        self.facts.passed.proofs(user)
    }

    /// The session of the call; `None` if nobody had to authenticate.
    #[must_use]
    pub const fn session_id(&self) -> Option<SessionId> {
        self.facts.session
    }

    /// The session under which a host that claims first leaves the record of the call's
    /// outcome, in the same act as its effects: what
    /// [`Recall`](super::exchange::Recall) asks for. `None` if no claim is stored.
    #[must_use]
    pub fn record_under(&self) -> Option<SessionId> {
        self.facts.session.filter(|_| self.facts.claimed)
    }

    /// Whether a parameter is bound that this request left out: the call needs what was
    /// stored beside the session.
    #[must_use]
    pub const fn needs_stored(&self) -> bool {
        self.facts.needs_stored
    }
}

impl<Op: Operation> fmt::Debug for Grant<Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("operation", &Op::NAME).finish_non_exhaustive()
    }
}

/// How a call succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "report it to the exchange"]
pub struct Outcome {
    pub(super) reference: Reference,
    pub(super) account: Option<Subject>,
}

impl Outcome {
    /// Nothing that has to be found again: the answer is always the same.
    pub const NOTHING: Self = Self { reference: Reference::new(0), account: None };

    /// The result that the host finds again by this reference.
    pub const fn new(reference: Reference) -> Self {
        Self { reference, account: None }
    }

    /// The same, for a call that made or logged into this account: its answer holds a
    /// token, and is repeated only as long as the account is as the call left it.
    pub const fn of_account(mut self, account: Subject) -> Self {
        self.account = Some(account);
        self
    }

    /// The reference.
    #[must_use]
    pub const fn reference(&self) -> Reference {
        self.reference
    }
}

/// A call that can't be carried out, for a reason that is not authentication. The session
/// stays complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "report it to the exchange"]
pub struct Refusal {
    pub(super) error: MatrixError,
    pub(super) params: bool,
}

impl Refusal {
    /// Refused for a reason of the host's: the same request may come again.
    pub const fn new(error: MatrixError) -> Self {
        Self { error, params: false }
    }

    /// Refused for its parameters: the client may send others, which are bound anew.
    pub const fn for_params(error: MatrixError) -> Self {
        Self { error, params: true }
    }

    /// The error to send.
    pub const fn error(&self) -> MatrixError {
        self.error
    }
}

impl From<MatrixError> for Refusal {
    fn from(error: MatrixError) -> Self {
        Self::new(error)
    }
}

/// Why a call needs no authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "each exemption is one of the spec's")]
pub enum Exempt {
    /// An application service acts for one of its own users (rules D7, R5).
    ApplicationService,
    /// The first upload of cross-signing keys, or the same again.
    SigningKeys,
}
