//! One line for each request.

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use std::time::Instant;

/// The line of a request that is being handled. Of the path it has what was mounted, not what was sent: a path or a
/// query string may hold a session ID, a token, or anything at all.
pub(super) struct Line {
    begun: Instant,
    method: Method,
    path: Option<MatchedPath>,
}

impl Line {
    pub(super) fn begin(request: &Request) -> Self {
        Self {
            begun: Instant::now(),
            method: request.method().clone(),
            path: request.extensions().get().cloned(),
        }
    }

    /// Logs what was asked and how it ended.
    pub(super) fn end(self, status: StatusCode) {
        let Self { begun, method, path } = self;
        let (method, status) = (method.as_str(), status.as_str());
        let path = path.as_ref().map_or("(unknown)", MatchedPath::as_str);
        let took = begun.elapsed().as_micros();
        tracing::info!("{method} {path} {status} in {took} µs");
    }
}
