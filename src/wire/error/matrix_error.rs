//! What is answered: one error, complete.

use core::fmt::{self, Write};

use super::ErrorCode;
use super::code::CodeFacts;
use super::fault::Fault;
use crate::time::Millis;
use crate::wire::ParseError;
use crate::wire::json::ObjectWriter;

/// An answer that says no: data for the peer, complete with its HTTP status.
///
/// It holds no word of the request, so it can be logged.
///
/// ```
/// use matrix_uia::Millis;
/// use matrix_uia::wire::error::{ErrorCode, MatrixError};
/// let limited = MatrixError::limited(Millis::new(1_500));
/// assert_eq!(limited.status(), 429);
/// assert_eq!(limited.retry_after_secs(), Some(2));
/// let mut body = String::new();
/// limited.write(&mut body).unwrap();
/// assert_eq!(body, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests.","retry_after_ms":1500}"#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a rejection has to be sent"]
pub struct MatrixError {
    fault: Fault,
    status: u16,
    soft_logout: Option<bool>,
    wait: Wait,
}

/// How long to wait, if that is told. Not an `Option`: its tag would have as many bits as the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Wait {
    NotTold,
    For(Millis),
}

impl MatrixError {
    /// An error with its usual status. `message` is for people.
    #[inline(always)]
    pub const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self::of(Fault::new(code, message))
    }

    #[inline(always)]
    pub(crate) const fn of(fault: Fault) -> Self {
        let Fault { facts, message } = fault;
        Self::made(facts, message)
    }

    // An error is large, and made in many places: a microcontroller has one copy of it.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    const fn made(facts: &'static CodeFacts, message: &'static str) -> Self {
        let fault = Fault { facts, message };
        Self { fault, status: fault.status(), soft_logout: None, wait: Wait::NotTold }
    }

    pub(crate) const fn fault(&self) -> Fault {
        self.fault
    }

    /// The same with another status, where an endpoint's section says so.
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with the `soft_logout` key.
    pub const fn with_soft_logout(mut self, soft_logout: bool) -> Self {
        self.soft_logout = Some(soft_logout);
        self
    }

    /// 429 `M_LIMIT_EXCEEDED`: try again after `wait`.
    ///
    /// See [rate limiting](https://spec.matrix.org/v1.19/client-server-api/#rate-limiting).
    pub const fn limited(wait: Millis) -> Self {
        let mut reject = Self::new(ErrorCode::LimitExceeded, "Too many requests.");
        reject.wait = Wait::For(wait);
        reject
    }

    /// 401 `M_MISSING_TOKEN`.
    pub const fn missing_token() -> Self {
        Self::new(ErrorCode::MissingToken, "Missing access token.")
    }

    /// 401 `M_UNKNOWN_TOKEN`; with [`soft_logout`] if the client may keep its session.
    ///
    /// [`soft_logout`]: https://spec.matrix.org/v1.19/client-server-api/#soft-logout
    pub const fn unknown_token(soft_logout: bool) -> Self {
        let reject = Self::new(ErrorCode::UnknownToken, "Unknown access token.");
        if soft_logout { reject.with_soft_logout(true) } else { reject }
    }

    /// 404 `M_UNRECOGNIZED`: no such endpoint here.
    pub const fn unrecognized() -> Self {
        Self::new(ErrorCode::Unrecognized, "Unrecognized request.")
    }

    /// The host could not do its part: 503 `M_UNKNOWN`. Nothing has changed.
    #[cold]
    #[inline(never)]
    pub const fn unavailable() -> Self {
        Self::new(ErrorCode::Unknown, "The server cannot answer this now, try again later.").with_status(503)
    }

    /// The error code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.fault.code()
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The sentence for people.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.fault.message
    }

    /// The `soft_logout` key, if the answer has it.
    #[must_use]
    pub const fn soft_logout(&self) -> Option<bool> {
        self.soft_logout
    }

    /// How long the client has to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Millis> {
        match self.wait {
            Wait::NotTold => None,
            Wait::For(wait) => Some(wait),
        }
    }

    /// The value of the `Retry-After` header: whole seconds, rounded up.
    #[must_use]
    pub const fn retry_after_secs(&self) -> Option<u64> {
        match self.retry_after() {
            Some(wait) => Some(wait.as_secs_ceil()),
            None => None,
        }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.plain("errcode", self.fault.name())?;
        object.plain("error", self.fault.message)?;
        if let Some(soft_logout) = self.soft_logout {
            object.boolean("soft_logout", soft_logout)?;
        }
        if let Some(wait) = self.retry_after() {
            object.integer("retry_after_ms", wait.get())?;
        }
        object.end()
    }
}

/// The code, the status and the sentence, for a host's log.
impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.fault.name(), self.fault.message)
    }
}

impl core::error::Error for MatrixError {}

impl From<ParseError> for MatrixError {
    fn from(error: ParseError) -> Self {
        let facts = match error {
            ParseError::NotJson => ErrorCode::NotJson.facts(),
            _ => ErrorCode::BadJson.facts(),
        };
        Self::made(facts, error.message())
    }
}
