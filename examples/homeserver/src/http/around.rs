//! What every request and answer has in common, around the endpoints.

use super::body::{self, Patience};
use super::contain::Contained;
use super::routes::Paths;
use super::{arrival, cors, log};
use crate::log_writer::Log;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use std::convert::Infallible;
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

/// All that is served: the endpoints, and what is around them. It is no layer of the router: that is one around each
/// endpoint, with a future of its own on the heap, and one more copy of the request.
#[derive(Clone)]
pub struct Served {
    endpoints: Router,
    shared: Arc<Shared>,
}

impl Served {
    pub(super) const fn new(endpoints: Router, shared: Arc<Shared>) -> Self {
        Self { endpoints, shared }
    }
}

impl Service<Request> for Served {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    /// As a router is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        arrival::stamp(&request);
        let line = log::Line::begin(&request, &self.shared.paths);
        let mut endpoints = self.endpoints.clone();
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let mut response = match cors::preflight(request.method()) {
                Some(response) => response,
                None => match body::read_whole(&mut request, &shared.patience).await {
                    Ok(()) => Contained::new(endpoints.call(request)).await,
                    Err(refused) => refused,
                },
            };
            cors::allow_browsers(&mut response);
            line.end(response.status(), &shared.paths, shared.log.as_ref());
            Ok(response)
        })
    }
}
