//! What a path names.

use super::answer;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

/// The one parameter of a path, decoded. One that is no text is a standard error; axum's own answer is not.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => {
                let text = "the path is not encoded as it should be";
                Err(answer::error(StatusCode::BAD_REQUEST, "M_INVALID_PARAM", text))
            }
        }
    }
}
