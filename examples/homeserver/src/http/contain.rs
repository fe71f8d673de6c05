//! A handler that panics, and a client that hangs up.

use super::answer;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

/// Runs the handler as a task of its own.
///
/// A panic in it is answered 500 instead of a dropped connection. And it runs to its end: without this, a
/// client that hangs up would drop the handler at whatever `await` it stands, between a step of
/// authentication and what follows from it.
pub(super) async fn contain(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        // What happened is on standard error already, from the panic hook.
        Err(_) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "internal error"),
    }
}
