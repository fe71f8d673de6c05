//! `GET /_matrix/client/versions`: <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions>.

use crate::http::answer;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

/// The versions of the specification whose account API is served here.
pub(super) async fn get() -> Response {
    let versions: Vec<String> =
        std::iter::once("r0.6.1".to_owned()).chain((1..=19).map(|minor| format!("v1.{minor}"))).collect();
    answer::json(StatusCode::OK, json!({ "versions": versions, "unstable_features": {} }).to_string())
}
