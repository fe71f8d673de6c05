//! `GET` and `POST login`, `logout`, `logout/all`, `account/whoami`.

use crate::app::{App, SharedApp};
use crate::db::devices;
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::logins::{Wanted, log_in, response};
use crate::uia::empty;
use crate::verify::{Checked, check_password, named_key};
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::account::Action;
use matrix_uia::login::{Attempt, LoginRequest, decide};
use matrix_uia::{Millis, Reject};
use serde_json::json;

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login>
pub(super) async fn get(State(app): State<SharedApp>) -> Response {
    match super::legacy(&app) {
        Ok(()) => {
            answer::json(StatusCode::OK, json!({ "flows": [{ "type": "m.login.password" }] }).to_string())
        }
        Err(failure) => failure.into_response(),
    }
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login>
pub(super) async fn post(State(app): State<SharedApp>, body: JsonBody) -> Response {
    login(&app, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn login(app: &App, body: &[u8]) -> Result<Response, Failure> {
    super::legacy(app)?;
    let request = LoginRequest::parse(body)?;
    let Attempt::Password { identifier, password } = request.attempt else {
        return Err(Reject::unavailable().into());
    };
    let key = named_key(app, identifier)?;
    let attempt = app
        .limits
        .failed_auth
        .attempt(&key)
        .map_err(|limited| Reject::limited(Millis::new(limited.retry_after_ms.get())))?;
    let checked = check_password(app, identifier, &password.expose().to_cow()).await?;
    let (user, right) = match &checked {
        Checked::Right(user) => (Some(user), true),
        Checked::Wrong(user) => (Some(user), false),
        Checked::Unknown => (None, false),
    };
    if right {
        attempt.forgive();
    }
    let device_id = request.device_id.map(|id| id.to_cow());
    let display_name = request.initial_device_display_name.map(|name| name.to_cow());
    let wanted = Wanted {
        device_id: device_id.as_deref(),
        display_name: display_name.as_deref(),
        refresh_token: request.refresh_token.unwrap_or(false),
    };
    let hide = app.config.hide_deactivated;
    let key = user.map(|user| user.key);
    app.db.transaction(|tx| {
        // Read again: while the password was compared, the account may have been fenced, or its password
        // replaced.
        let now = match key {
            Some(key) => crate::db::users::by_key(tx, key)?,
            None => None,
        };
        let unchanged = user.map(|user| user.epoch) == now.as_ref().map(|user| user.epoch);
        decide(now.as_ref().map(who::status), right && unchanged, hide)?;
        let user = now.ok_or(Reject::unavailable())?;
        let login = log_in(tx, app, user.key, &wanted)?;
        Ok(answer::json(StatusCode::OK, response(&app.user_id(&user.localpart), Some(&login))))
    })
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout>
pub(super) async fn logout(State(app): State<SharedApp>, peer: Peer) -> Response {
    let done = who::required(&app, &peer, Action::Logout).and_then(|who| {
        if let Some(device_id) = &who.device_id {
            app.db.transaction(|tx| devices::remove(tx, who.user.key, device_id))?;
        }
        Ok(empty())
    });
    done.unwrap_or_else(Failure::into_response)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall>
pub(super) async fn logout_all(State(app): State<SharedApp>, peer: Peer) -> Response {
    let done = who::required(&app, &peer, Action::Logout).and_then(|who| {
        app.db.transaction(|tx| devices::remove_all_but(tx, who.user.key, None))?;
        Ok(empty())
    });
    done.unwrap_or_else(Failure::into_response)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami>
pub(super) async fn whoami(State(app): State<SharedApp>, peer: Peer) -> Response {
    let found = who::required(&app, &peer, Action::WhoAmI).map(|who| {
        let mut body = json!({ "user_id": app.user_id(&who.user.localpart), "is_guest": who.user.guest });
        if let (Some(body), Some(device_id)) = (body.as_object_mut(), who.device_id) {
            body.insert("device_id".to_owned(), device_id.into());
        }
        answer::json(StatusCode::OK, body.to_string())
    });
    found.unwrap_or_else(Failure::into_response)
}
