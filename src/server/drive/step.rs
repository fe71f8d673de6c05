//! What a handler is asked to do, and what it answers.

use core::fmt;
use core::marker::PhantomData;

use crate::server::endpoint::Endpoint;
use crate::server::grant::{Exempt, Refusal};
use crate::server::operation::Operation;
use crate::server::reference::{Reference, Subject, UserRef};
use crate::server::session::SessionId;
use crate::server::transition::asked::Decision;
use crate::time::Timestamp;

/// What a handler is asked to do.
#[must_use = "the request goes on only when it is done"]
#[allow(clippy::exhaustive_enums, reason = "a duty nobody carries out has to break the build")]
pub enum Step<'r, E: Endpoint, H: Send> {
    /// Is the call let in, by facts that only the host has? The checked request has a method for
    /// it where that is so: a registration's [`available`], the `admit` and `exempt` of an upload
    /// of signing keys. Answer by a method of [`Admit`], and hand what it returns to
    /// [`Run::go_on`](super::Run::go_on).
    ///
    /// [`available`]: crate::endpoint::register::Registration::available
    Admit(Admit<E::Op>),
    /// Carry the plan out, then report with [`Run::done`](super::Run::done).
    Perform(Granted<'r, E, H>),
    /// The call has succeeded before: make its answer again, then hand what
    /// [`Repeat::repeated`] or [`Repeat::gone`] returns to [`Run::go_on`](super::Run::go_on).
    Repeat(Repeat<E::Op>),
}

/// Whether the call is let in, by facts that only the host has: a name that is in use, an
/// exclusive namespace, a capability that is switched off.
#[must_use = "the request goes on only when it is answered"]
#[derive(Debug)]
pub struct Admit<Op>(pub(super) PhantomData<fn() -> Op>);

impl<Op> Admit<Op> {
    /// The call is let in.
    pub fn admitted(self) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Admitted))
    }

    /// The call is not let in. If it is [refused for its parameters](Refusal::for_params), its
    /// session stays open for others (rule U14).
    pub fn refused(self, refusal: Refusal) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Refused(refusal)))
    }

    /// [Let in](Self::admitted) or [refused](Self::refused), as the host has decided.
    pub fn decided(self, decision: Result<(), Refusal>) -> Answer<Op> {
        match decision {
            Ok(()) => self.admitted(),
            Err(refusal) => self.refused(refusal),
        }
    }

    /// Nobody has to authenticate for this call.
    ///
    /// # Security
    ///
    /// The host asserts what it asserts to an exchange:
    /// [`Admit::assume_exempt`](crate::server::exchange::Admit::assume_exempt).
    pub fn assume_exempt(self, exempt: Exempt) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Exempt(exempt)))
    }

    /// The request's token completed authentication at `at`: rule U18.
    ///
    /// # Security
    ///
    /// The host asserts what it asserts to an exchange:
    /// [`Admit::assume_recent`](crate::server::exchange::Admit::assume_recent).
    pub fn assume_recent(self, account: Subject, at: Timestamp) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Recent(account, at)))
    }
}

/// The call has succeeded before: its answer is to be made again.
#[must_use = "the request goes on only when it is answered"]
#[derive(Debug)]
pub struct Repeat<Op> {
    pub(super) outcome: Reference,
    pub(super) session: SessionId,
    pub(super) user: Option<UserRef>,
    pub(super) operation: PhantomData<fn() -> Op>,
}

impl<Op> Repeat<Op> {
    /// What the host called the result.
    #[must_use]
    pub const fn outcome(&self) -> Reference {
        self.outcome
    }

    /// The consumed session.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.session
    }

    /// The user of the request's token, or the one the call was about.
    #[must_use]
    pub const fn user(&self) -> Option<UserRef> {
        self.user
    }

    /// The answer is made again.
    pub fn repeated(self) -> Answer<Op> {
        Answer::of(Reply::Repeated)
    }

    /// There is no such answer any more: the device that the call made was logged out.
    pub fn gone(self) -> Answer<Op> {
        Answer::of(Reply::Gone)
    }
}

/// What a handler has answered: for [`Run::go_on`](super::Run::go_on).
#[must_use = "the request goes on only with it"]
pub struct Answer<Op> {
    pub(super) reply: Reply,
    operation: PhantomData<fn() -> Op>,
}

pub(super) enum Reply {
    Admission(Decision),
    Repeated,
    Gone,
}

impl<Op> Answer<Op> {
    const fn of(reply: Reply) -> Self {
        Self { reply, operation: PhantomData }
    }
}

impl<Op: Operation> fmt::Debug for Answer<Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("operation", &Op::NAME).finish_non_exhaustive()
    }
}

/// A granted call: what is to be carried out in the host's transaction.
#[must_use = "report how it ended"]
pub struct Granted<'r, E: Endpoint, H: Send> {
    /// What is to be done.
    pub plan: E::Plan<H>,
    /// The session under which a host that claims first leaves the record of the outcome.
    pub record_under: Option<SessionId>,
    pub(super) performing: Performing<'r, E::Op>,
}

/// A call that is being carried out: how it ended is to be reported with [`Run::done`](super::Run::done).
#[must_use = "report how it ended"]
pub struct Performing<'r, Op> {
    pub(super) session: Option<SessionId>,
    pub(super) operation: PhantomData<fn(&'r ()) -> Op>,
}

impl<Op> Performing<'_, Op> {
    /// The session of the call; `None` if nobody had to authenticate.
    #[must_use]
    pub const fn session_id(&self) -> Option<SessionId> {
        self.session
    }
}

impl<Op: Operation> fmt::Debug for Performing<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Performing").field("operation", &Op::NAME).finish_non_exhaustive()
    }
}

impl<'r, E: Endpoint, H: Send> Granted<'r, E, H> {
    /// The plan, and what takes its end.
    pub fn into_parts(self) -> (E::Plan<H>, Performing<'r, E::Op>) {
        (self.plan, self.performing)
    }
}

impl<E: Endpoint, H: Send> fmt::Debug for Step<'_, E, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admit(_) => "Admit",
            Self::Perform(_) => "Perform",
            Self::Repeat(_) => "Repeat",
        })
    }
}

impl<E: Endpoint, H: Send> fmt::Debug for Granted<'_, E, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Granted { .. }")
    }
}
