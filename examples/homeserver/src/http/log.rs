//! One line for each request.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;

/// Logs what was asked and how it ended. The path as it was mounted, not as it was sent: a path or a query
/// string may hold a session ID, a token, or anything at all.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let path = path.as_ref().map_or("(unknown)", MatchedPath::as_str);
    tracing::info!(%method, path, status = response.status().as_u16(), took = ?begun.elapsed());
    response
}
