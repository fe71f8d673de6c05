//! Answers in HTML, and the forms that come back.

use super::answer;
use crate::secrets::entropy;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use matrix_uia::MatrixError;
use matrix_uia::pages::{Document, Nonce, Page};
use matrix_uia::wire::error::ErrorCode;

/// A page of the crate's, with the headers it is to have.
pub fn page(page: Page<'_>) -> Response {
    let document = Document::new(page, Nonce::from_entropy(entropy()));
    let mut html = String::with_capacity(8 * 1024);
    // A `String` takes whatever is written.
    let _ = document.write(&mut html);
    let mut headers = HeaderMap::new();
    for (name, value) in document.headers() {
        match HeaderValue::try_from(value.to_string()) {
            Ok(value) => drop(headers.insert(HeaderName::from_static(name), value)),
            // A page without its policy is not to be shown.
            Err(_) => return answer::error(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "internal error"),
        }
    }
    let status = StatusCode::from_u16(document.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, headers, html).into_response()
}

/// Refuses a form that another site's page had the browser send: its user has not seen what it confirms.
/// Whoever sends no such header is no browser of today.
///
/// # Errors
///
/// 403 `M_FORBIDDEN`.
pub fn same_origin(headers: &HeaderMap) -> Result<(), MatrixError> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(MatrixError::new(ErrorCode::Forbidden, "This form was not sent from its own page.")),
    }
}
