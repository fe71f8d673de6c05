//! HTTP itself: what holds for every request and answer, whatever the endpoint.

pub mod answer;
mod arrival;
mod body;
mod contain;
mod cors;
mod forwarded;
mod listener;
mod log;
mod origin;
mod page;
mod path;
pub mod query;
mod server;
mod signals;
mod token;

pub use arrival::Arrived;
pub use body::JsonBody;
pub use forwarded::client_address;
pub use listener::{BoundedListener, Caller};
pub use origin::same_origin;
pub use page::page;
pub use path::Named;
pub use server::{Ended, serve};
pub use signals::{Stopping, signals};
pub use token::bearer_token;

use crate::config::Edges;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use std::time::Duration;

/// Mounts paths such as `/account/password` under `/_matrix/client/v3`, and under `r0`, which old clients
/// still say and mean the same by.
pub fn client_paths<S: Clone + Send + Sync + 'static>(paths: Router<S>) -> Router<S> {
    Router::new().nest("/_matrix/client/v3", paths.clone()).nest("/_matrix/client/r0", paths)
}

/// Puts around the endpoints what every answer has in common. Nothing may be mounted afterwards.
pub fn finish(endpoints: Router, edges: &Edges, stopping: &Stopping) -> Router {
    let patience =
        body::Patience { ms: Duration::from_millis(edges.body_timeout_ms), stopping: stopping.clone() };
    endpoints
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        // From the inside out: each layer sees what the one below it answers.
        .layer(from_fn_with_state(patience, body::read_whole))
        .layer(from_fn(contain::contain))
        .layer(from_fn(cors::allow_browsers))
        .layer(from_fn(log::log))
        .layer(from_fn(arrival::stamp))
}

async fn unknown_path() -> Response {
    answer::error(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "unknown path")
}

async fn wrong_method() -> Response {
    answer::error(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "unknown method for this path")
}

#[cfg(test)]
mod tests;
