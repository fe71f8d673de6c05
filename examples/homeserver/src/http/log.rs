//! One line for each request.

use super::routes::Paths;
use crate::log_line;
use crate::log_writer::Log;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

/// More bytes than most lines have.
const ROOM: usize = 128;

/// The line of a request that is being handled. Of the path it has what was mounted, not what was sent: a path or a
/// query string may hold a session ID, a token, or anything at all.
pub(super) struct Line {
    begun: Instant,
    method: Method,
    path: Option<usize>,
}

impl Line {
    pub(super) fn begin(head: &Parts, paths: &Paths) -> Self {
        Self { begun: Instant::now(), method: head.method.clone(), path: paths.number(head.uri.path()) }
    }

    /// Logs what was asked and how it ended. Not as an event: every request has a line, and nobody but the log reads it.
    pub(super) fn end(self, status: StatusCode, paths: &Paths, log: Option<&Log>) {
        let Some(mut log) = log.map(Arc::as_ref) else { return };
        let Self { begun, method, path } = self;
        let (method, status) = (method.as_str(), status.as_str());
        let path = paths.mounted(path).unwrap_or("(unknown)");
        let took = begun.elapsed().as_micros();
        let mut line = String::with_capacity(ROOM);
        // A `String` takes whatever is written.
        let _ = log_line::begin(&mut line);
        for part in ["  INFO ", method, " ", path, " ", status, " in "] {
            line.push_str(part);
        }
        let _ = writeln!(line, "{took} µs");
        // There is nowhere to say that nobody reads the log.
        let _ = log.write_all(line.as_bytes());
    }
}
