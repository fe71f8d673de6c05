//! When a request came in.

use super::listener::Caller;
use crate::clock;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use matrix_uia::Timestamp;

/// When the head of the request was read. What came in before a call succeeded raced it; what came in
/// afterwards repeats it.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Timestamp);

/// Stamps the request. The outermost layer: reading the body and waiting for a worker take their time.
pub(super) async fn stamp(mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(caller)) = request.extensions().get::<ConnectInfo<Caller>>() {
        caller.head_is_whole();
    }
    request.extensions_mut().insert(Arrived(clock::now()));
    next.run(request).await
}
