//! `POST login/get_token`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token>.

use crate::app::{App, SharedApp};
use crate::db::{UserKey, login_tokens};
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::secrets::Token;
use crate::uia;
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::Secret;
use matrix_uia::endpoint::login::{GetLoginTokenRequest, GetLoginTokenResponse};
use matrix_uia::server::account::Action;
use matrix_uia::server::grant::Outcome;

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    get_token(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn get_token(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    app.policies.login.check_get_token()?;
    let who = who::required(app, peer, Action::GetLoginToken).await?;
    let request = GetLoginTokenRequest::parse(body)?.check(app.config.login_token.enabled)?;
    let (token, lifetime) = (Token::login(), app.config.login_token.lifetime());
    let flows = app.policies.get_login_token.required(&who.user)?;
    let mut run = uia::begin(app, peer, Some(&who), flows, &request);
    while let Some(granted) = run.granted().await? {
        let (grant, call) = granted.into_parts();
        let (user, now) = (UserKey::from(grant.user), app.clock.now());
        let done = login_tokens::put(run.host.tx().await?, &token.hash, user, lifetime, now);
        uia::ended(&mut run, call, done.map(|()| Outcome::NOTHING).map_err(Failure::from)).await?;
    }
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = GetLoginTokenResponse::new(Secret::new(token.text.expose()), lifetime).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}
