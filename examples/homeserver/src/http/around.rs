//! What every request and answer has in common, around the endpoints.

use super::body::{self, Patience};
use super::contain::Contained;
use super::routes::Paths;
use super::{arrival, cors, log};
use crate::log_writer::Log;
use axum::extract::Request;
use axum::response::Response;
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// What all requests have in common.
pub(super) struct Shared {
    pub(super) patience: Patience,
    pub(super) paths: Paths,
    pub(super) log: Option<Log>,
}

/// The endpoints, and what is around them all. It is no layer of the router: that is one around each endpoint, with a
/// future of its own on the heap, and one more copy of the request.
#[derive(Clone)]
pub struct Around<S> {
    endpoint: S,
    shared: Arc<Shared>,
}

impl<S> Around<S> {
    pub(super) const fn new(endpoint: S, shared: Arc<Shared>) -> Self {
        Self { endpoint, shared }
    }
}

impl<S> Service<Request> for Around<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + Unpin + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.endpoint.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        arrival::stamp(&request);
        let line = log::Line::begin(&request, &self.shared.paths);
        // The one that is ready.
        let next = self.endpoint.clone();
        let mut endpoint = mem::replace(&mut self.endpoint, next);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let mut response = match cors::preflight(request.method()) {
                Some(response) => response,
                None => match body::read_whole(&mut request, &shared.patience).await {
                    Ok(()) => Contained::new(endpoint.call(request)).await,
                    Err(refused) => refused,
                },
            };
            cors::allow_browsers(&mut response);
            line.end(response.status(), &shared.paths, shared.log.as_ref());
            Ok(response)
        })
    }
}
