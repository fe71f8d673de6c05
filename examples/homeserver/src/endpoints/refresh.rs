//! `POST refresh`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh>.

use crate::app::{App, SharedApp};
use crate::db::tokens;
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::logins::make_tokens;
use crate::secrets::SecretHash;
use crate::who;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::refresh::{RefreshRequest, RefreshResponse, decide};
use matrix_uia::{MatrixError, Secret};

/// The refresh token is the proof; an access token makes no difference.
pub(super) async fn post(State(app): State<SharedApp>, body: JsonBody) -> Response {
    refresh(&app, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn refresh(app: &App, body: &[u8]) -> Result<Response, Failure> {
    let request = RefreshRequest::parse(body)?;
    let hash = SecretHash::of(request.refresh_token.expose().to_cow().as_bytes());
    let made = app
        .db
        .transaction(|tx| {
            // A refusal undoes the transaction, and with it that the token counts as used.
            let found = tokens::refresh_bearer(tx, &hash)?;
            decide(found.as_ref().map(|(bearer, _)| (bearer.presented, who::status(&bearer.user))))?;
            let (bearer, generation) = found.ok_or(MatrixError::unavailable())?;
            let (made, new) = make_tokens(app, true);
            tokens::rotate(tx, bearer.user.key, &bearer.device_id, generation, &new)?;
            Ok::<_, Failure>(made)
        })
        .await?;
    let refresh = made.refresh.as_ref().ok_or(MatrixError::unavailable())?;
    let answer = RefreshResponse::new(
        Secret::new(made.access.text.expose()),
        Secret::new(refresh.text.expose()),
        made.expires_in,
    );
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = answer.write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}
