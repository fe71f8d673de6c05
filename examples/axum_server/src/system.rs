//! What is around the server: HTTP's own shapes, and the clock and the random numbers, which a test replaces.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use matrix_uia::server::drive::Stop;
use matrix_uia::server::respond::Respond;
use matrix_uia::wire::ParseError;
use matrix_uia::{MatrixError, Timestamp};
use std::fmt;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock and the random numbers.
pub trait Outside: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Fills `bytes` from a cryptographic generator.
    fn entropy(&self, bytes: &mut [u8]) -> Result<(), MatrixError>;
    /// A wait before each use of the database, as a server has whose database is elsewhere.
    fn wait(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// Those of the operating system.
#[derive(Debug)]
pub struct System;

impl Outside for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn entropy(&self, bytes: &mut [u8]) -> Result<(), MatrixError> {
        getrandom::fill(bytes).map_err(|_| MatrixError::unavailable())
    }
}

/// An answer, or why there is none.
pub(crate) type Answer = Result<Response, Failure>;

/// 200 with the body that `write` writes.
pub(crate) fn answer(write: impl FnOnce(&mut String) -> fmt::Result) -> Answer {
    let mut body = String::new();
    write(&mut body).map_err(|fmt::Error| MatrixError::unavailable())?;
    Ok(json(200, None, body))
}

fn json(status: u16, retry_after: Option<u64>, body: String) -> Response {
    let builder = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    let builder = match retry_after {
        Some(seconds) => builder.header(header::RETRY_AFTER, seconds),
        None => builder,
    };
    builder.body(Body::from(body)).unwrap_or_default()
}

/// The access token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// A challenge or an error to send.
#[derive(Debug)]
pub(crate) struct Failure(Response);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0
    }
}

impl From<Stop<'_, MatrixError>> for Failure {
    fn from(stop: Stop<'_, MatrixError>) -> Self {
        let respond = Respond::from(stop);
        let mut body = String::new();
        // A `String` takes whatever is written.
        let status = respond.write_body(&mut body).ok().flatten();
        Self(json(status.unwrap_or(500), respond.retry_after_secs(), body))
    }
}

impl From<MatrixError> for Failure {
    fn from(error: MatrixError) -> Self {
        Stop::Host(error).into()
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        MatrixError::from(error).into()
    }
}
