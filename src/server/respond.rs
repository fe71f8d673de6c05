//! What is answered in the end.

use core::fmt;

use super::extra::Extra;
use super::flows::Policy;
use super::sealed::Spelling;
use super::session::{SessionId, StageList};
use super::transition::answer::Answer;
use super::transition::work::{Request, Work};
use crate::wire::ParseError;
use crate::wire::error::fault::Fault;
use crate::wire::error::{ErrorCode, MatrixError};

/// The answer to the request: the end of the exchange.
#[derive(Debug)]
#[must_use = "send it"]
#[allow(clippy::exhaustive_enums, reason = "every answer there is")]
pub enum Respond<'r> {
    /// The call succeeded, now or before: send what was made of it when it was performed
    /// or repeated.
    Performed,
    /// 401 with the state of the session.
    Challenge(Challenge<'r>),
    /// An error.
    Error(MatrixError),
}

impl<'r> Respond<'r> {
    #[inline(never)]
    pub(super) fn of(work: &Work<'r>) -> Self {
        let policy = work.request.policy;
        match (work.answer, &work.session) {
            (Some(Answer::Performed), _) => Self::Performed,
            (Some(Answer::Challenge { show_completed, error, extra }), Some(session)) => {
                let (id, passed) = (work.id, session.passed.stage_list());
                let Request { naming, call, .. } = &work.request;
                let named = work.to_load() == Some(&work.id);
                match naming.spelling(&work.id, session, named, &call.params) {
                    Some(name) => {
                        Self::Challenge(Challenge { policy, id, name, passed, show_completed, error, extra })
                    }
                    // The host's clock is out of range.
                    None => Self::Error(MatrixError::unavailable()),
                }
            }
            (Some(Answer::Error(error)), _) => Self::Error(error),
            // No challenge is made without a session.
            (Some(Answer::Challenge { .. }) | None, _) => Self::Error(MatrixError::unavailable()),
        }
    }

    /// The status and, if this is an error or a challenge, its body; `None`: the host has
    /// made the answer.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write_body(&self, out: &mut impl fmt::Write) -> Result<Option<u16>, fmt::Error> {
        match self {
            Self::Performed => Ok(None),
            Self::Challenge(challenge) => challenge.write_body(out).map(|()| Some(Challenge::STATUS)),
            Self::Error(error) => error.write(out).map(|()| Some(error.status())),
        }
    }

    /// The status; `None`: the host has made the answer.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Performed => None,
            Self::Challenge(_) => Some(Challenge::STATUS),
            Self::Error(error) => Some(error.status()),
        }
    }

    /// What [`write_body`](Self::write_body) writes, as something to be formatted.
    ///
    /// ```
    /// use matrix_uia::{MatrixError, server::respond::Respond};
    /// let respond = Respond::from(MatrixError::missing_token());
    /// assert_eq!(respond.status(), Some(401));
    /// assert!(respond.body().to_string().starts_with(r#"{"errcode":"M_MISSING_TOKEN""#));
    /// ```
    #[must_use]
    pub fn body(&self) -> impl fmt::Display + '_ {
        struct Body<'b>(&'b Respond<'b>);
        impl fmt::Display for Body<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write_body(f).map(|_| ())
            }
        }
        Body(self)
    }

    /// The value of the `Retry-After` header, if there is one.
    #[must_use]
    pub const fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Self::Error(error) => error.retry_after_secs(),
            Self::Performed | Self::Challenge(_) => None,
        }
    }
}

/// The answer to a request that never came to an exchange.
impl From<MatrixError> for Respond<'_> {
    fn from(error: MatrixError) -> Self {
        Self::Error(error)
    }
}

/// The answer to a request that can't be read.
impl From<ParseError> for Respond<'_> {
    fn from(error: ParseError) -> Self {
        Self::Error(error.into())
    }
}

/// A 401 with the state of the session, ready to be written.
#[must_use = "send its body"]
pub struct Challenge<'r> {
    policy: &'r Policy<'r>,
    id: SessionId,
    name: Spelling<'r>,
    passed: StageList,
    show_completed: bool,
    error: Option<Fault>,
    extra: Option<Extra<'r>>,
}

impl Challenge<'_> {
    /// The HTTP status: 401.
    pub const STATUS: u16 = 401;

    /// How many stages have passed.
    #[must_use]
    pub const fn completed(&self) -> usize {
        self.passed.len()
    }

    /// The ID of the session this is about.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// Why the stage didn't pass, if it was attempted.
    #[must_use]
    pub const fn error_code(&self) -> Option<ErrorCode> {
        match self.error {
            Some(fault) => Some(fault.code()),
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
        out.write_str(self.policy.head())?;
        self.name.write(&self.id, out)?;
        if self.show_completed {
            out.write_str("\",\"completed\":[")?;
            // A claimed session may be of an older policy, which had other stages.
            let names = self.passed.as_slice().iter().filter_map(|stage| self.policy.quoted(*stage));
            for (index, name) in names.enumerate() {
                if index > 0 {
                    out.write_char(',')?;
                }
                out.write_str(name)?;
            }
        }
        if let Some(fault) = self.error {
            out.write_str(if self.show_completed { "],\"errcode\":\"" } else { "\",\"errcode\":\"" })?;
            out.write_str(fault.name())?;
            // A sentence of ours: none needs an escape, which a test looks after.
            out.write_str("\",\"error\":\"")?;
            out.write_str(fault.message)?;
        }
        let in_list = self.show_completed && self.error.is_none();
        let Some(extra) = self.extra else { return out.write_str(if in_list { "]}" } else { "\"}" }) };
        out.write_char(if in_list { ']' } else { '"' })?;
        extra.write(&mut |piece| out.write_str(piece))?;
        out.write_char('}')
    }
}

impl fmt::Debug for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("completed", &self.completed())
            .field("error", &self.error_code())
            .finish_non_exhaustive()
    }
}
