//! `POST login/get_token`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token>.

use crate::app::{App, SharedApp};
use crate::clock;
use crate::db::{Tx, login_tokens, users};
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::secrets::Token;
use crate::sessions::Kept;
use crate::uia::{Done, Endpoint, Exchange, succeeded_at};
use crate::who::{self, Peer, Who};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::login::{GetLoginTokenRequest, GetLoginTokenResponse};
use matrix_uia::server::account::Action;
use matrix_uia::server::operation::{GetLoginToken, Reference};
use matrix_uia::{Denied, Grant, MatrixError, Millis, Secret};

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    get_token(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn get_token(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    app.policies.login.check_get_token()?;
    let who = who::required(app, peer, Action::GetLoginToken).await?;
    let call = GetLoginTokenRequest::parse(body)?.call(who.subject());
    let (flows, token) = (&app.policies.get_login_token, who.token);
    Ok(Exchange { app, flows, call, peer, token }.run(&mut Getting { app, who }).await)
}

struct Getting<'r> {
    app: &'r App,
    who: Who,
}

impl Endpoint<GetLoginToken> for Getting<'_> {
    fn redeem(&mut self, tx: &Tx, grant: Grant<GetLoginToken>, _: &mut Kept) -> Result<Done, Failure> {
        let receipt = grant.redeem();
        let status = users::by_key(tx, self.who.user.key)?.as_ref().map(who::status);
        let allowed = status
            .map_or(Err(MatrixError::unknown_token(false)), |status| status.gate(Action::GetLoginToken));
        if let Err(reject) = allowed {
            return Ok(Done::Denied(Denied::new(reject, receipt)));
        }
        let (token, now) = (Token::login(), clock::now_ms());
        let lifetime = self.app.config.login_token.lifetime_ms;
        login_tokens::put(tx, &token.hash, self.who.user.key, now.saturating_add(lifetime), now)?;
        let mut body = String::new();
        // A `String` takes whatever is written.
        let _ = GetLoginTokenResponse::new(Secret::new(token.text.expose()), Millis::new(lifetime))
            .write(&mut body);
        let response = answer::json(StatusCode::OK, body);
        Ok(Done::Succeeded(response, receipt.succeeded(Reference::new(0), succeeded_at())))
    }
}
