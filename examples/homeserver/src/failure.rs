//! Why a request ends without what it asked for.

use crate::http::answer;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use matrix_uia::MatrixError;
use matrix_uia::wire::ParseError;

/// An error to answer with, or one that nobody but the log may see.
#[derive(Debug)]
pub enum Failure {
    /// The crate's word.
    Reject(MatrixError),
    /// The database's.
    Db(rusqlite::Error),
    /// The transaction needs a password hashed, which takes too long to be done inside: it is undone, the
    /// hash is made, and it is tried again.
    NeedsHash,
}

impl From<MatrixError> for Failure {
    fn from(reject: MatrixError) -> Self {
        Self::Reject(reject)
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::Reject(error.into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Db(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let reject = match self {
            Self::Reject(reject) => reject,
            Self::Db(error) => {
                tracing::error!(%error, "the database failed");
                MatrixError::unavailable()
            }
            Self::NeedsHash => MatrixError::unavailable(),
        };
        let mut body = String::new();
        // A `String` takes whatever is written.
        let _ = reject.write(&mut body);
        let status = StatusCode::from_u16(reject.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = answer::json(status, body);
        if let Some(secs) = reject.retry_after_secs() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}
