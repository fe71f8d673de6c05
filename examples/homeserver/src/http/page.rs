//! Answers in HTML.

use super::answer;
use crate::secrets::entropy;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use matrix_uia::pages::{Document, Nonce, Page};

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
