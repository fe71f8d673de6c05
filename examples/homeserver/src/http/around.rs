//! What every request and answer has in common, around the endpoints.

use super::arrival::Arrival;
use super::body::{self, Patience};
use super::contain::Contained;
use super::routes::Paths;
use super::{cors, log};
use crate::log_writer::Log;
use axum::Router;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use matrix_uia::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use tower_service::Service as _;

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

    /// Answers a request, whose head came in at that moment.
    pub(super) async fn answer(&self, request: Request<Incoming>, from: IpAddr, at: Timestamp) -> Response {
        let Shared { patience, paths, log } = &*self.shared;
        let (head, body) = request.into_parts();
        let line = log::Line::begin(&head, paths);
        let mut response = match cors::preflight(&head.method) {
            Some(response) => response,
            None => match body::read_whole(body, patience).await {
                Ok(body) => {
                    let request = Arrival { from, at, body }.into_request(head);
                    Contained::new(self.endpoints.clone().call(request)).await
                }
                Err(refused) => refused,
            },
        };
        cors::allow_browsers(&mut response);
        line.end(response.status(), paths, log.as_ref());
        response
    }
}
