//! How a request came in, for the endpoints.

use super::answer;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use matrix_uia::Timestamp;
use std::net::IpAddr;

/// What an endpoint is told of a request beside its head: its body, too, which has been read whole before.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The other end of the connection.
    pub from: IpAddr,
    /// When the head was read. What came in before a call succeeded raced it; what came in afterwards repeats it.
    pub at: Timestamp,
    pub body: Bytes,
}

impl Arrival {
    /// The request as endpoints get it.
    pub(super) fn into_request(self, head: Parts) -> Request {
        let mut request = Request::from_parts(head, Body::empty());
        request.extensions_mut().insert(self);
        request
    }

    /// That of a request to the endpoints alone, with nothing around them.
    #[cfg(test)]
    pub fn of_test(at: Timestamp, body: impl Into<Bytes>) -> Self {
        Self { from: std::net::Ipv4Addr::UNSPECIFIED.into(), at, body: body.into() }
    }

    /// That of a request.
    ///
    /// # Errors
    ///
    /// 500 if there is none: what is around the endpoints was left out.
    pub fn of(extensions: &Extensions) -> Result<&Self, Response> {
        let missing =
            || answer::error(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "the request came in nowhere");
        extensions.get().ok_or_else(missing)
    }
}
