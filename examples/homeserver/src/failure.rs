//! Why a request ends without what it asked for.

use crate::db::trouble;
use crate::http::answer;
use crate::sessions::Trouble;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use matrix_uia::MatrixError;
use matrix_uia::server::grant::Refusal;
use matrix_uia::server::respond::Respond;
use matrix_uia::wire::ParseError;

/// When to try again what a database that is down has kept from succeeding.
const SOON_SECS: u64 = 2;

/// An error to answer with, or one that nobody but the log may see.
#[derive(Debug)]
pub enum Failure {
    /// The crate's word.
    Reject(MatrixError),
    /// A call that can't be carried out, although its user has authenticated.
    Refused(Refusal),
    /// Authentication has to go on: the body of a 401.
    Challenge(String),
    /// The database's.
    Db(rusqlite::Error),
    /// That of the sessions, where they live elsewhere.
    Sessions(Trouble),
}

impl Failure {
    /// The answer of an exchange that didn't get to its call's.
    pub fn of(respond: &Respond<'_>) -> Self {
        match respond {
            Respond::Error(error) => Self::Reject(*error),
            Respond::Challenge(challenge) => {
                let mut body = String::with_capacity(512);
                // A `String` takes whatever is written.
                let _ = challenge.write_body(&mut body);
                Self::Challenge(body)
            }
            Respond::Performed => Self::Reject(MatrixError::unavailable()),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
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
            Self::Refused(refusal) => refusal.error(),
            Self::Challenge(body) => return answer::json(StatusCode::UNAUTHORIZED, body),
            Self::Db(error) => {
                tracing::error!(reason = trouble::explain(&error), "the database failed");
                MatrixError::unavailable()
            }
            Self::Sessions(reason) => {
                tracing::error!(reason, "the database of sessions failed");
                MatrixError::unavailable()
            }
        };
        let mut body = String::new();
        // A `String` takes whatever is written.
        let _ = reject.write(&mut body);
        let status = StatusCode::from_u16(reject.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = answer::json(status, body);
        let is_down = status == StatusCode::SERVICE_UNAVAILABLE;
        if let Some(secs) = reject.retry_after_secs().or(is_down.then_some(SOON_SECS)) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}
