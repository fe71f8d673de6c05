//! A request of ruma's, read as this crate's.

use core::fmt;

use super::Encoded;
use crate::wire::error::MatrixError;

/// A request of ruma's that has a counterpart here.
///
/// The requests of every endpoint that reads a body have it; a host implements it for a
/// request of its own.
pub trait Convert {
    /// The request here. It borrows ruma's.
    type Ours<'a>
    where
        Self: 'a;

    /// What can only be read as JSON: of a guarded endpoint's request the body with the
    /// auth dict alone.
    fn encode(&self) -> Encoded;

    /// The request, with what [`encode`](Self::encode) made of it.
    ///
    /// # Errors
    ///
    /// Those of the parser of the body.
    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<Self::Ours<'a>, MatrixError>;
}

/// A request of ruma's as a body of this crate's. It keeps what a request borrows, and
/// wipes it when it is dropped.
///
/// ```
/// use matrix_uia::endpoint::password::PasswordStrength;
/// use matrix_uia::ruma::Body;
/// use ruma_client_api::account::change_password::v3;
///
/// let theirs = v3::Request::new("through-the-looking-glass".to_owned());
/// let body = Body::of(&theirs);
/// let request = body.read()?.check(&PasswordStrength::default(), true)?;
/// # let _ = request;
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
pub struct Body<'r, R> {
    request: &'r R,
    encoded: Encoded,
}

impl<'r, R: Convert> Body<'r, R> {
    /// The body of `request`.
    #[must_use]
    pub fn of(request: &'r R) -> Self {
        Self { request, encoded: request.encode() }
    }

    /// The request as this crate has it. It is as checked as one that was parsed, and no
    /// more: its `check` comes next.
    ///
    /// # Errors
    ///
    /// Those of the request's parser. Ruma's values are not checked by themselves.
    pub fn read(&self) -> Result<R::Ours<'_>, MatrixError> {
        self.request.convert(&self.encoded)
    }
}

impl<R> fmt::Debug for Body<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body([redacted])")
    }
}
