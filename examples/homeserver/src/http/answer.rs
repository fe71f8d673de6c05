//! Answers in JSON.

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// An answer with a body that is JSON already.
pub fn json(status: StatusCode, body: impl Into<Vec<u8>>) -> Response {
    let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    (status, json, body.into()).into_response()
}

/// A standard error that HTTP itself calls for, before any endpoint is asked. Both texts are ours and
/// need no escape.
pub fn error(status: StatusCode, errcode: &'static str, text: &'static str) -> Response {
    json(status, format!(r#"{{"errcode":"{errcode}","error":"{text}"}}"#))
}
