//! When a request came in.

use super::listener::Caller;
use crate::clock;
use axum::extract::{ConnectInfo, Request};
use matrix_uia::Timestamp;

/// When the head of the request was read. What came in before a call succeeded raced it; what came in
/// afterwards repeats it.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Timestamp);

/// Stamps the request, before anything else: reading the body and waiting for a worker take their time.
pub(super) fn stamp(request: &mut Request) {
    let extensions = request.extensions_mut();
    if let Some(ConnectInfo(caller)) = extensions.get::<ConnectInfo<Caller>>() {
        caller.head_is_whole();
    }
    extensions.insert(Arrived(clock::now()));
}
