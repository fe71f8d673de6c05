//! One request as the engine sees it.

use core::fmt;
use core::marker::PhantomData;

use super::digest::{ParamDigest, Target};
use super::operation::{Operation, OperationFacts};
use super::session::{SLOTS, SessionId};
use crate::secret::Secret;
use crate::wire::Auth;
use crate::wire::error::MatrixError;

/// What a request asks for, and what it brings to prove who asks. Who that is, the
/// exchange asks the host.
///
/// The endpoints make it from a checked request; for an operation of its own a host makes
/// it here.
#[must_use = "a call does nothing until an exchange begins with it"]
pub struct Call<'r, Op> {
    pub(super) facts: CallFacts,
    pub(super) auth: &'r Auth<'r>,
    operation: PhantomData<fn() -> Op>,
}

/// All of a [`Call`] that a session is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallFacts {
    pub(crate) operation: &'static OperationFacts,
    pub(crate) target: Target,
    pub(crate) params: Params,
    /// The session the request names; `Some(None)` if no session has that name.
    pub(crate) session: Option<Option<SessionId>>,
}

impl CallFacts {
    #[inline]
    fn of<Op: Operation>(auth: &Auth<'_>) -> Self {
        Self {
            operation: OperationFacts::of::<Op>(),
            target: Target::default(),
            params: Params::NONE,
            session: auth.session().map(|id| SessionId::parse(id.expose())),
        }
    }
}

// Not derived: that would ask the operation to be `Clone`.
impl<Op> Clone for Call<'_, Op> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op> Copy for Call<'_, Op> {}

impl<'r, Op: Operation> Call<'r, Op> {
    /// A call of `Op` with that auth dict, which stays where it is: it is large.
    pub fn new(auth: &'r Auth<'r>) -> Self {
        Self { facts: CallFacts::of::<Op>(auth), auth, operation: PhantomData }
    }

    /// The same with the request's own parameters.
    pub const fn with_params(mut self, params: Params) -> Self {
        self.facts.params = params;
        self
    }

    /// The same with the path's parameters.
    pub const fn at(mut self, target: Target) -> Self {
        self.facts.target = target;
        self
    }

    /// The session that the request names, if it is one that can exist.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.facts.session.flatten()
    }

    /// Whether the request names a session at all, be it one that can't exist. Naming one
    /// that is unknown is not the same as naming none (rule U12).
    #[must_use]
    pub const fn names_session(&self) -> bool {
        self.facts.session.is_some()
    }
}

impl<Op: Operation> fmt::Debug for Call<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("operation", &Op::NAME).finish_non_exhaustive()
    }
}

/// A request whose parameters are refused before it can be checked.
///
/// It may belong to a session, where other parameters may be sent (rule U14). So it is no error that a
/// host could answer with: only the exchange makes an answer of it, and [`drive::checked`] takes it there.
///
/// [`drive::checked`]: super::drive::checked
#[must_use = "end the request with it, by `drive::checked`, `drive::refuse` or `Incoming::refused`"]
pub struct RefusedCall<'r, Op> {
    pub(super) facts: CallFacts,
    /// What the request calls its session.
    pub(super) session: Option<Secret<'r>>,
    pub(super) error: MatrixError,
    operation: PhantomData<fn() -> Op>,
}

impl<'r, Op: Operation> RefusedCall<'r, Op> {
    /// A call of `Op` with that auth dict, and why its parameters are refused.
    pub fn new(auth: &Auth<'r>, error: MatrixError) -> Self {
        Self { facts: CallFacts::of::<Op>(auth), session: auth.session(), error, operation: PhantomData }
    }

    /// The same with the path's parameters.
    pub const fn at(mut self, target: Target) -> Self {
        self.facts.target = target;
        self
    }
}

impl<Op: Operation> fmt::Debug for RefusedCall<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusedCall")
            .field("operation", &Op::NAME)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// The parameters of a request, each as its [digest](super::digest): which bind the
/// session, and which may change (rule U13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "parameters bind nothing until they are part of a call"]
pub struct Params {
    pub(crate) slots: [Param; SLOTS],
}

impl Params {
    /// No parameters.
    pub const NONE: Self = Self { slots: [Param::UNUSED; SLOTS] };
    /// How many there can be.
    pub const MAX: usize = SLOTS;

    /// The parameters of a call, always in the same order, present or not. More than
    /// [`MAX`](Self::MAX) don't compile: make one digest of several.
    pub fn new<const N: usize>(params: [Param; N]) -> Self {
        const { assert!(N <= SLOTS, "a session binds at most three parameters") };
        let mut slots = [Param::UNUSED; SLOTS];
        if let Some(first) = slots.first_chunk_mut() {
            *first = params;
        }
        Self { slots }
    }
}

/// One parameter of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// 0: left out.
    pub(crate) given: u64,
    /// What leaving it out means; 0: nothing, it may follow later.
    pub(crate) default: u64,
    pub(crate) free: bool,
}

impl Param {
    const UNUSED: Self = Self { given: 0, default: 0, free: true };

    /// A parameter that binds, and that the call can't do without: one that was left out
    /// may follow later.
    #[must_use]
    pub fn required(given: Option<ParamDigest>) -> Self {
        Self { given: given.map_or(0, |digest| digest.0), default: 0, free: false }
    }

    /// A parameter that binds, and that has a default: left out where parameters are
    /// bound, it is bound as that.
    #[must_use]
    pub fn optional(given: Option<ParamDigest>, default: ParamDigest) -> Self {
        Self { given: given.map_or(0, |digest| digest.0), default: default.0, free: false }
    }

    /// A parameter that makes no difference to what was authenticated: it may change. Left
    /// out, the kept one holds.
    #[must_use]
    pub fn free(given: Option<ParamDigest>) -> Self {
        Self { given: given.map_or(0, |digest| digest.0), default: 0, free: true }
    }
}
