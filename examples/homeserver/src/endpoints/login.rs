//! `GET` and `POST login`.

use crate::app::{App, SharedApp};
use crate::db::users::{self, User};
use crate::db::{Tx, UserKey, login_tokens};
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::logins::{Wanted, log_in, response};
use crate::secrets::SecretHash;
use crate::verify::{Checked, check_password, whom};
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::login::{Attempt, LoginRequest, decide, decide_appservice, decide_token};
use matrix_uia::wire::{Locality, UserIdentifier};
use matrix_uia::{MatrixError, Secret};

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login>
pub(super) async fn get(State(app): State<SharedApp>) -> Response {
    let offer = &app.policies.login;
    if let Err(reject) = offer.check_legacy() {
        return Failure::Reject(reject).into_response();
    }
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = offer.write(&mut body);
    answer::json(StatusCode::OK, body)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login>
pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    login(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn login(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let request = app.policies.login.read(body)?;
    match request.attempt {
        Attempt::Password { identifier, password } => {
            by_password(app, peer, &request, identifier, password).await
        }
        Attempt::Token { token } => by_token(app, peer, &request, token).await,
        Attempt::ApplicationService { identifier } => by_appservice(app, peer, &request, identifier).await,
        _ => Err(MatrixError::unavailable().into()),
    }
}

async fn by_password(
    app: &App,
    peer: &Peer,
    request: &LoginRequest<'_>,
    identifier: UserIdentifier<'_>,
    password: Secret<'_>,
) -> Result<Response, Failure> {
    let whom = app.db.transaction(|tx| whom(tx, app, identifier)).await?;
    let attempt = app.limits.attempt(Some(&whom), peer.counted())?;
    let checked = check_password(app, identifier, password).await;
    // What was not compared, because too many wait for a hash or the database is down, was no attempt.
    if !matches!(checked, Ok(Checked::Wrong(_) | Checked::Unknown)) {
        attempt.forgive();
    }
    let checked = checked?;
    let (user, right) = match &checked {
        Checked::Right(user) => (Some(user), true),
        Checked::Wrong(user) => (Some(user), false),
        Checked::Unknown => (None, false),
    };
    app.db
        .transaction(|tx| {
            // Read again: while the password was compared, the account may have been fenced, or its password
            // replaced.
            let now = now(tx, user.map(|user| user.key))?;
            let unchanged = user.map(|user| user.epoch) == now.as_ref().map(|user| user.epoch);
            decide(now.as_ref().map(who::status), right && unchanged, app.config.hide_deactivated)?;
            on_device(tx, app, request, now)
        })
        .await
}

async fn by_token(
    app: &App,
    peer: &Peer,
    request: &LoginRequest<'_>,
    token: Secret<'_>,
) -> Result<Response, Failure> {
    let attempt = app.limits.attempt(None, peer.counted())?;
    let hash = SecretHash::of(token.expose().to_cow().as_bytes());
    let response = app
        .db
        .transaction(|tx| {
            // A refusal undoes this, so that a token is used up by a login and by nothing else.
            let user = login_tokens::take(tx, &hash, app.config.login_token.lifetime(), app.clock.now())?;
            let user = now(tx, user)?;
            decide_token(user.as_ref().map(who::status), app.config.hide_deactivated)?;
            on_device(tx, app, request, user)
        })
        .await?;
    attempt.forgive();
    Ok(response)
}

async fn by_appservice(
    app: &App,
    peer: &Peer,
    request: &LoginRequest<'_>,
    identifier: UserIdentifier<'_>,
) -> Result<Response, Failure> {
    let localpart = match identifier.localpart(&app.config.server_name) {
        Locality::Local(localpart) => Some(localpart.to_cow().to_lowercase()),
        _ => None,
    };
    let token = who::service_token(app, peer, localpart.as_deref())?;
    app.db
        .transaction(|tx| {
            let user = match &localpart {
                Some(localpart) => users::by_localpart(tx, localpart)?,
                None => None,
            };
            decide_appservice(token, user.as_ref().map(who::status))?;
            on_device(tx, app, request, user)
        })
        .await
}

fn now(tx: &Tx, user: Option<UserKey>) -> Result<Option<User>, Failure> {
    match user {
        Some(user) => Ok(users::by_key(tx, user)?),
        None => Ok(None),
    }
}

/// Logs `user` in, of whom it has been decided that there is one.
fn on_device(
    tx: &Tx,
    app: &App,
    request: &LoginRequest<'_>,
    user: Option<User>,
) -> Result<Response, Failure> {
    let user = user.ok_or(MatrixError::unavailable())?;
    let wanted = Wanted {
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        refresh_token: request.refresh_token.unwrap_or(false),
    };
    let login = log_in(tx, app, user.key, &wanted)?;
    Ok(answer::json(StatusCode::OK, response(&app.user_id(&user.localpart), Some(&login))))
}
