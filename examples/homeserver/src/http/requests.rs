//! The requests of one connection.

use super::Served;
use super::listener::{Caller, Connection};
use super::signals::Stopping;
use crate::clock;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Answers the requests of a connection until its client leaves or, once the server is told to stop, until the one in
/// hand has its answer.
pub(super) async fn answer_all(connection: Connection, caller: Caller, served: Served, stopping: Stopping) {
    let (caller, served) = (&caller, &served);
    let service = service_fn(async |request| {
        let now = clock::now();
        caller.head_is_whole();
        Ok::<_, Infallible>(served.answer(request, caller.address, now).await)
    });
    let mut requests = pin!(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
    let mut told = pin!(async { stopping.clone().told().await });
    let mut has_asked = false;
    let told = poll_fn(|cx| {
        // Asked at first, it wakes this task when there is something to be told: to ask it at each of a request's steps
        // is a lock that all connections share.
        if has_asked && !stopping.has_changed() {
            return Poll::Pending;
        }
        has_asked = true;
        told.as_mut().poll(cx).map(drop)
    });
    // Whoever was at the other end knows what went wrong.
    tokio::select! {
        biased;
        _ = requests.as_mut() => return,
        () = told => requests.as_mut().graceful_shutdown(),
    }
    let _ = requests.await;
}
