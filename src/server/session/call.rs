//! One request as the guard sees it.

use core::fmt;
use core::marker::PhantomData;

use super::SessionId;
use crate::server::digest::{Digest, Target};
use crate::server::operation::{Operation, OperationId, Replayable, Subject};
use crate::wire::Auth;

/// What a request asks for, who asks, and what it brings to prove it.
///
/// The endpoint modules make it from a parsed request; for an operation of its own a
/// host makes it here.
#[must_use = "a call does nothing until a guard receives it"]
pub struct Call<'r, Op> {
    pub(super) facts: Facts,
    pub(super) auth: Auth<'r>,
    operation: PhantomData<fn() -> Op>,
}

/// All of a [`Call`] that a session is compared with. No lifetime: it outlives the
/// request's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) operation: OperationId,
    pub(crate) replay: Replayable,
    pub(crate) target: Target,
    pub(crate) subject: Option<Subject>,
    pub(crate) body: Option<Digest>,
    /// The session the request names; `Some(None)` if no session has that name.
    pub(crate) session: Option<Option<SessionId>>,
    /// Whether the account's credentials were replaced while the request was under way.
    pub(crate) outdated: bool,
}

// Not derived: that would ask the operation to be `Clone`, and a host has to receive a
// call again whenever a write loses its race.
impl<Op> Clone for Call<'_, Op> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op> Copy for Call<'_, Op> {}

impl<'r, Op: Operation> Call<'r, Op> {
    /// A call of `Op` with that auth dict, by the user whose access token came with it.
    pub fn new(auth: Auth<'r>, subject: Option<Subject>) -> Self {
        let facts = Facts {
            operation: Op::ID,
            replay: Op::REPLAY,
            target: Target::default(),
            subject,
            body: None,
            session: auth.session().map(|id| SessionId::parse(id.expose())),
            outdated: false,
        };
        Self { facts, auth, operation: PhantomData }
    }

    /// Binds the request's own parameters; `None` if it has none.
    pub const fn with_params(mut self, params: Option<Digest>) -> Self {
        self.facts.body = params;
        self
    }

    /// Binds the path's parameters.
    pub const fn at(mut self, target: Target) -> Self {
        self.facts.target = target;
        self
    }

    /// The session to look up, if the request names one that can exist.
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

    /// The user whose access token came with the request.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        self.facts.subject
    }
}

impl<Op: Operation> fmt::Debug for Call<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &Op::DESCRIPTION)
            .field("subject", &self.facts.subject)
            .finish_non_exhaustive()
    }
}
