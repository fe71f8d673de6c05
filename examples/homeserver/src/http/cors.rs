//! Browsers: <https://spec.matrix.org/v1.19/client-server-api/#web-browser-clients>.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderName,
    HeaderValue,
};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

const HEADERS: [(HeaderName, &str); 3] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
    (ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type, Authorization"),
];

/// The answer to a preflight, which asks about the headers alone and reaches no endpoint; `None` if the request is
/// none.
pub(super) fn preflight(method: &Method) -> Option<Response> {
    (method == Method::OPTIONS).then(|| StatusCode::NO_CONTENT.into_response())
}

/// Lets pages of any origin read every answer, errors included: a browser hides an error without these
/// headers, and the client could not tell a wrong password from a dead server.
pub(super) fn allow_browsers(response: &mut Response) {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}
