//! Answers in JSON.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::Response;

/// An answer with a body that is JSON already.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A standard error that HTTP itself calls for, before any endpoint is asked. Both texts are ours and
/// need no escape.
pub fn error(status: StatusCode, errcode: &'static str, text: &'static str) -> Response {
    json(status, format!(r#"{{"errcode":"{errcode}","error":"{text}"}}"#))
}
