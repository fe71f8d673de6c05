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
mod server;
mod signals;
mod token;

pub use body::JsonBody;
pub use forwarded::client_address;
pub use listener::{BoundedListener, Caller};
pub use origin::same_origin;
pub use page::page;
pub use path::Named;
pub use server::{Ended, serve};
pub use signals::{Stopping, signals};
pub use token::bearer_token;

use around::{AroundLayer, Shared};
use body::Patience;

use crate::config::Edges;
use crate::log_writer::Log;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::MethodRouter;
use std::sync::Arc;
use std::time::Duration;

/// Mounts paths such as `/account/password` under `/_matrix/client/v3`, and under `r0`, which old clients
/// still say and mean the same by.
///
/// Each stands in the router whole: in a nested one, the path of every request would be made anew.
pub fn client_paths<S: Clone + Send + Sync + 'static>(
    paths: impl IntoIterator<Item = (impl AsRef<str>, MethodRouter<S>)>,
) -> Router<S> {
    paths.into_iter().fold(Router::new(), |router, (path, methods)| {
        let [v3, r0] = ["v3", "r0"].map(|version| format!("/_matrix/client/{version}{}", path.as_ref()));
        router.route(&v3, methods.clone()).route(&r0, methods)
    })
}

/// Puts around the endpoints what every answer has in common. Nothing may be mounted afterwards. Each request has a line
/// in the `log`, if there is one.
pub fn finish(endpoints: Router, edges: &Edges, stopping: &Stopping, log: Option<Log>) -> Router {
    let patience = Patience { ms: Duration::from_millis(edges.body_timeout_ms), stopping: stopping.clone() };
    endpoints
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(AroundLayer(Arc::new(Shared { patience, log })))
}

async fn unknown_path() -> Response {
    answer::error(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "unknown path")
}

async fn wrong_method() -> Response {
    answer::error(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "unknown method for this path")
}

#[cfg(test)]
mod tests;
