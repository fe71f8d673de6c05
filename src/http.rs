//! Access tokens and answers in the types of the [`http`](https://docs.rs/http/1) crate, which axum, hyper and
//! others share.
//!
//! With them a handler that answers with a [`Response`] ends by `?` whatever stops a request: a
//! body that can't be read, a request that is refused, a challenge. The answers of the endpoints,
//! such as [`LoginResponse`], become one by `into`; a call that says no more than that it
//! succeeded has [`empty`].
//!
//! ```
//! use http::{HeaderMap, Response};
//! use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
//! use matrix_uia::http::{access_token, empty};
//!
//! fn handler(headers: &HeaderMap, body: &[u8]) -> Result<Response<String>, Response<String>> {
//!     let token = access_token(headers)?;
//!     let request = ChangePasswordRequest::parse(body)?.check(&PasswordStrength::default(), true)?;
//!     // … the exchange …
//!     Ok(empty())
//! }
//!
//! assert_eq!(handler(&HeaderMap::new(), b"{}").unwrap_err().status(), 401);
//! let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, "Bearer t".parse().unwrap())]);
//! assert_eq!(handler(&headers, b"no JSON").unwrap_err().status(), 400);
//! assert_eq!(handler(&headers, b"{}").unwrap().headers()["content-type"], "application/json");
//! ```

use alloc::string::{String, ToString as _};
use core::fmt;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use ::http::{HeaderMap, Response, StatusCode};

use crate::endpoint::deactivate::DeactivateResponse;
use crate::endpoint::devices::{DeviceResponse, DevicesResponse};
use crate::endpoint::login::{GetLoginTokenResponse, LoginResponse};
use crate::endpoint::refresh::RefreshResponse;
use crate::endpoint::register::{AvailabilityResponse, TokenValidityResponse};
use crate::endpoint::threepid::{
    DeleteThreepidResponse, RequestTokenResponse, SubmitTokenResponse, ThreepidsResponse,
};
use crate::endpoint::whoami::WhoamiResponse;
use crate::server::drive::Stop;
use crate::server::respond::Respond;
use crate::wire::ParseError;
use crate::wire::error::MatrixError;

/// The access token of `Authorization: Bearer …`.
///
/// # Errors
///
/// 401 `M_MISSING_TOKEN`.
pub fn access_token(headers: &HeaderMap) -> Result<&str, MatrixError> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let parts = value.and_then(|value| value.split_once(' '));
    // The scheme is written as one likes.
    let token = parts.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    token.map(|(_, token)| token.trim_start()).ok_or(MatrixError::missing_token())
}

/// 200 with the body that `write` writes.
pub fn answer<B: From<String>>(write: impl FnOnce(&mut String) -> fmt::Result) -> Response<B> {
    let mut body = String::new();
    match write(&mut body) {
        Ok(()) => json(StatusCode::OK, body),
        // A `String` takes whatever is written, so it is the writer itself that failed.
        Err(fmt::Error) => MatrixError::unavailable().into(),
    }
}

/// 200 with an empty object: the answer of a call that says no more than that it succeeded.
#[must_use]
pub fn empty<B: From<String>>() -> Response<B> {
    json(StatusCode::OK, "{}".to_string())
}

fn json<B: From<String>>(status: StatusCode, body: String) -> Response<B> {
    let mut response = Response::new(B::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A challenge or an error. [`Respond::Performed`], whose answer is the host's own, becomes 503.
impl<B: From<String>> From<Respond<'_>> for Response<B> {
    fn from(respond: Respond<'_>) -> Self {
        let respond = match respond {
            Respond::Performed => Respond::Error(MatrixError::unavailable()),
            other => other,
        };
        let status = respond.status().and_then(|status| StatusCode::from_u16(status).ok());
        let mut response =
            json(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), respond.body().to_string());
        if let Some(seconds) = respond.retry_after_secs() {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Every answer of an endpoint, with its body.
macro_rules! answers {
    ($($response:ty),+ $(,)?) => {
        $(
            /// 200 with its body.
            impl<B: From<String>> From<$response> for Response<B> {
                fn from(response: $response) -> Self {
                    answer(|out| response.write(out))
                }
            }
        )+
    };
}

answers! {
    AvailabilityResponse,
    DeactivateResponse,
    DeleteThreepidResponse,
    DeviceResponse<'_>,
    DevicesResponse<'_>,
    GetLoginTokenResponse<'_>,
    LoginResponse<'_>,
    RefreshResponse<'_>,
    RequestTokenResponse<'_>,
    SubmitTokenResponse,
    ThreepidsResponse<'_>,
    TokenValidityResponse,
    WhoamiResponse<'_>,
}

/// What stopped the exchange.
impl<B: From<String>> From<Stop<'_, MatrixError>> for Response<B> {
    fn from(stop: Stop<'_, MatrixError>) -> Self {
        Respond::from(stop).into()
    }
}

/// A request that is refused.
impl<B: From<String>> From<MatrixError> for Response<B> {
    fn from(error: MatrixError) -> Self {
        Respond::from(error).into()
    }
}

/// A body that can't be read.
impl<B: From<String>> From<ParseError> for Response<B> {
    fn from(error: ParseError) -> Self {
        Respond::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;

    #[test]
    fn the_scheme_of_a_token_is_written_as_one_likes() {
        let token = |value: &'static str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            access_token(&headers).map(String::from)
        };
        assert_eq!(token("Bearer abc").unwrap(), "abc");
        assert_eq!(token("bEARER  abc").unwrap(), "abc");
        for none in ["", "Bearer", "Basic abc", "Bearerabc"] {
            assert_eq!(token(none), Err(MatrixError::missing_token()), "{none}");
        }
    }

    #[test]
    fn a_limit_says_when_to_come_again() {
        let response = Response::<String>::from(MatrixError::limited(Millis::from_secs(3)));
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "3");
        assert!(response.body().starts_with(r#"{"errcode":"M_LIMIT_EXCEEDED""#));
    }

    #[test]
    fn an_answer_that_is_the_hosts_own_is_an_error_where_it_is_not_made() {
        assert_eq!(Response::<String>::from(Respond::Performed).status(), StatusCode::SERVICE_UNAVAILABLE);
        let failed: Response<String> = answer(|_| Err(fmt::Error));
        assert_eq!(failed.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn an_answer_of_an_endpoint_is_a_response() {
        let response = Response::<String>::from(TokenValidityResponse::new(true));
        assert_eq!((response.status(), response.body().as_str()), (StatusCode::OK, r#"{"valid":true}"#));
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    }
}
