//! When a request came in.

use super::listener::Caller;
use crate::clock;
use axum::extract::{ConnectInfo, Request};

/// Stamps the request, before anything else: reading the body and waiting for a worker take their time.
pub(super) fn stamp(request: &Request) {
    if let Some(ConnectInfo(caller)) = request.extensions().get::<ConnectInfo<Caller>>() {
        caller.head_is_whole(clock::now());
    }
}
