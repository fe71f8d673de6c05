//! HTTP itself: what holds for every request and answer, whatever the endpoint.

pub mod answer;
mod around;
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
mod requests;
mod routes;
mod server;
mod signals;
mod token;

pub use around::Served;
pub use arrival::Arrival;
pub use body::{JsonBody, RawBody};
pub use forwarded::client_address;
pub use listener::BoundedListener;
pub use origin::same_origin;
pub use page::page;
pub use path::Named;
pub use routes::Routes;
pub use server::{Ended, serve};
pub use signals::{Stopping, signals};
pub use token::bearer_token;

use around::Shared;
use body::Patience;

use crate::config::Edges;
use crate::log_writer::Log;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;

/// Puts around the endpoints what every answer has in common. Nothing may be mounted afterwards. Each request has a line
/// in the `log`, if there is one.
pub fn finish(endpoints: Routes<()>, edges: &Edges, stopping: &Stopping, log: Option<Log>) -> Served {
    let patience = Patience { ms: Duration::from_millis(edges.body_timeout_ms), stopping: stopping.clone() };
    let (router, paths) = endpoints.into_parts();
    let router = router.fallback(unknown_path).method_not_allowed_fallback(wrong_method);
    Served::new(router, Arc::new(Shared { patience, paths, log }))
}

async fn unknown_path() -> Response {
    answer::error(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "unknown path")
}

async fn wrong_method() -> Response {
    answer::error(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "unknown method for this path")
}

#[cfg(test)]
mod tests;
