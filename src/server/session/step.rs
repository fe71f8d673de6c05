//! What a transition returns: an answer to send, a question to look up, or a claim.

use core::fmt;

use super::{Claim, Pending, Proof, Replay, Revision, Session, SessionError, SessionId};
use crate::server::flows::Policy;
use crate::server::operation::Operation;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, Raw};

/// What a request came to.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "a dropped step loses the client's progress"]
pub enum Step<'r, Op: Operation> {
    /// Store [`Challenge::write`], then send the 401.
    Challenge(Challenge<'r>),
    /// Look [`Pending::check`] up, then [`resolve`](Pending::resolve) it.
    Verify(Pending<'r, Op>),
    /// Authentication is complete: store [`Claim::write`], then use the grant.
    Grant(Claim<Op>),
    /// The call succeeded before: answer with its result.
    Replay(Replay<Op>),
    /// Store [`Refused::write`], then send the error.
    Reject(Refused),
}

/// What the host has to do to its store before it answers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "an unstored step never happened"]
pub enum Write<'s> {
    /// Nothing.
    Keep,
    /// Store a new session.
    Insert {
        /// Under this ID.
        id: SessionId,
        /// The session.
        session: &'s Session,
    },
    /// Replace a session, if its revision is still `expected`.
    Replace {
        /// Under this ID.
        id: SessionId,
        /// The revision it was read at.
        expected: Revision,
        /// What it becomes.
        session: &'s Session,
    },
}

/// A session and how it is to be stored.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) id: SessionId,
    pub(super) session: Session,
    pub(super) kind: ChangeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    None,
    Insert,
    Replace(Revision),
}

impl Change {
    pub(super) const fn write(&self) -> Write<'_> {
        match self.kind {
            ChangeKind::None => Write::Keep,
            ChangeKind::Insert => Write::Insert { id: self.id, session: &self.session },
            ChangeKind::Replace(expected) => Write::Replace { id: self.id, expected, session: &self.session },
        }
    }
}

/// A 401 with the state of the session, ready to be written.
#[must_use = "store its write, then send its body"]
pub struct Challenge<'r> {
    pub(super) change: Change,
    pub(super) policy: &'r Policy<'r>,
    pub(super) show_completed: bool,
    pub(super) error: Option<SessionError>,
    pub(super) extra: Option<Raw<'r>>,
    pub(super) ended: Option<SessionId>,
    pub(super) unused: Option<Proof>,
    pub(super) keep: bool,
}

impl Challenge<'_> {
    /// The HTTP status: 401.
    pub const STATUS: u16 = 401;

    /// What to store before answering.
    pub const fn write(&self) -> Write<'_> {
        self.change.write()
    }

    /// The session this is about.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.change.session
    }

    /// Its ID.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.change.id
    }

    /// Whether this request's parameters have just been bound. The client may leave them
    /// out from now on, so the host keeps what it will need of them with the session:
    /// never a password, but the hash it made.
    #[must_use]
    pub const fn keep_params(&self) -> bool {
        self.keep
    }

    /// A session that was found but is over: it is to be removed, and what its stages had
    /// reserved given back.
    #[must_use]
    pub const fn ended(&self) -> Option<SessionId> {
        self.ended
    }

    /// What the verdict proved, if the session had no use for it any more: the host
    /// gives it back.
    #[must_use]
    pub const fn unused_proof(&self) -> Option<Proof> {
        self.unused
    }

    /// Why the stage didn't pass, if it was attempted.
    #[must_use]
    pub const fn error_code(&self) -> Option<ErrorCode> {
        match self.error {
            Some(SessionError(code, _)) => Some(code),
            None => None,
        }
    }

    /// Writes the [401 body]: flows and params from the policy, the session, and what the
    /// rules ask for beside them.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    ///
    /// [401 body]: https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
    pub fn write_body(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_char('{')?;
        out.write_str(self.policy.encoded())?;
        out.write_str(",\"session\":\"")?;
        out.write_str(&self.change.id.expose())?;
        out.write_char('"')?;
        if self.show_completed {
            out.write_str(",\"completed\":[")?;
            for (index, stage) in self.change.session.passed.stages().iter().enumerate() {
                if index > 0 {
                    out.write_char(',')?;
                }
                out.write_str(self.policy.quoted(*stage).unwrap_or("\"\""))?;
            }
            out.write_char(']')?;
        }
        if let Some(SessionError(code, message)) = self.error {
            out.write_str(",\"errcode\":\"")?;
            out.write_str(code.name())?;
            // A sentence of ours: none needs an escape, which a test looks after.
            out.write_str("\",\"error\":\"")?;
            out.write_str(message)?;
            out.write_char('"')?;
        }
        if let Some(extra) = self.extra {
            // The stage's own keys, but none of those that say how the session stands.
            let ours = ["flows", "params", "session", "completed", "errcode", "error"];
            json::write_others(out, extra, &ours)?;
        }
        out.write_char('}')
    }
}

impl fmt::Debug for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("session", &self.change.session)
            .field("error", &self.error_code())
            .finish_non_exhaustive()
    }
}

/// An error that ends the request, and what it changed: at most the count of failures.
#[derive(Clone, Debug)]
#[must_use = "store its write, then send its error"]
pub struct Refused {
    pub(super) reject: MatrixError,
    pub(super) change: Option<Change>,
    pub(super) unused: Option<Proof>,
}

impl Refused {
    pub(super) const fn plain(reject: MatrixError) -> Self {
        Self { reject, change: None, unused: None }
    }

    /// The error to send.
    pub const fn reject(&self) -> MatrixError {
        self.reject
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
