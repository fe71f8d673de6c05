//! Bodies: read whole, before any handler runs, and within a bound.

use super::answer;
use super::arrival::Arrival;
use super::signals::Stopping;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::sleep;

/// The longest body that is accepted.
const LIMIT: usize = 64 * 1024;

/// How much of a longer one is read all the same. A client reads the answer after it has sent its body,
/// and a connection closed before that is reset under it: it would see a dead server instead of the 413.
const DRAINED: usize = 8 * 1024 * 1024;

enum Refused {
    TooLarge,
    /// The connection broke; nobody reads the answer.
    Broken,
    /// It took too long.
    Late,
}

impl Refused {
    fn into_response(self) -> Response {
        let (status, errcode, text) = match self {
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", "the body is over 64 KiB"),
            Self::Broken => (StatusCode::BAD_REQUEST, "M_UNKNOWN", "the body broke off"),
            Self::Late => (StatusCode::REQUEST_TIMEOUT, "M_UNKNOWN", "the body took too long"),
        };
        answer::error(status, errcode, text)
    }
}

/// How long a body is waited for.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub(super) ms: Duration,
    pub(super) stopping: Stopping,
}

/// For a body that is still on its way when the server is told to end.
const LAST_CALL: Duration = Duration::from_secs(1);

impl Patience {
    async fn run_out(&self) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            () = sleep(self.ms) => {}
            () = stopping.for_long(LAST_CALL) => {}
        }
    }
}

/// Reads the body of a request. No handler can forget the limit, and none waits for the client halfway through its
/// work. A client that sends nothing must not hold a place, nor the shutdown, for ever: it has `patience`.
///
/// # Errors
///
/// The answer to a body that is too large, breaks off or takes too long.
pub(super) async fn read_whole(body: Incoming, patience: &Patience) -> Result<Bytes, Response> {
    // Most bodies have come with their heads: no clock is set for those, and nothing has room for one.
    let late = async { Box::pin(patience.run_out()).await };
    let read = tokio::select! {
        biased;
        read = read(body) => read,
        () = late => Err(Refused::Late),
    };
    read.map_err(Refused::into_response)
}

/// What is announced is not believed: a chunked body announces nothing, so every frame is counted.
async fn read(mut body: Incoming) -> Result<Bytes, Refused> {
    let mut kept = Vec::new();
    let mut drained = 0_usize;
    while let Some(frame) = body.frame().await {
        // Trailers have no data.
        let Ok(data) = frame.map_err(|_| Refused::Broken)?.into_data() else { continue };
        let fits = drained == 0 && data.len() <= LIMIT.saturating_sub(kept.len());
        if fits && kept.is_empty() && body.is_end_stream() {
            // Most bodies come in one piece, which need not be copied.
            return Ok(data);
        }
        if fits {
            kept.extend_from_slice(&data);
        } else {
            drained = drained.saturating_add(data.len());
        }
        if drained > DRAINED {
            break;
        }
    }
    if drained == 0 { Ok(kept.into()) } else { Err(Refused::TooLarge) }
}

/// The body of a JSON endpoint. An empty one counts as `{}`: a `DELETE` has none, and asks for the flows.
#[derive(Clone)]
pub struct JsonBody(pub Bytes);

impl<S: Send + Sync> FromRequestParts<S> for JsonBody {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let RawBody(bytes) = RawBody::from_request_parts(parts, state).await?;
        Ok(Self(if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes }))
    }
}

/// The body of a page that takes a form.
#[derive(Clone)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequestParts<S> for RawBody {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        Ok(Self(Arrival::of(&parts.extensions)?.body.clone()))
    }
}
