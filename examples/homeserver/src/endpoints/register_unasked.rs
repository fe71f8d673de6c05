//! Accounts that are made without asking anybody to authenticate: those of guests, and of application services'
//! users.

use crate::app::App;
use crate::db::users::{self, NewUser};
use crate::failure::Failure;
use crate::http::answer;
use crate::logins::{Wanted, log_in, response};
use crate::secrets;
use crate::who::{self, Peer};
use axum::http::StatusCode;
use axum::response::Response;
use matrix_uia::MatrixError;
use matrix_uia::endpoint::appservice::{ServiceToken, may_register};
use matrix_uia::endpoint::register::{Kind, Localpart, RegisterGuestRequest, RegisterRequest};
use matrix_uia::wire::error::ErrorCode;

/// A guest: no parameter counts but a device's name.
pub(super) async fn guest(app: &App, body: &[u8]) -> Result<Response, Failure> {
    app.policies.registration.check(Kind::Guest)?;
    let name = RegisterGuestRequest::parse(body)?.initial_device_display_name;
    app.db
        .transaction(|tx| {
            let localpart = secrets::localpart();
            let guest = NewUser { guest: true, ..NewUser::named(&localpart) };
            let user = users::create(tx, &guest)?.ok_or(Localpart::in_use())?;
            let wanted = Wanted { display_name: name, ..Wanted::default() };
            let login = log_in(tx, app, user, &wanted)?;
            Ok(answer::json(StatusCode::OK, response(&app.user_id(&localpart), Some(&login))))
        })
        .await
}

/// A user of an application service, without a password: the `as_token` is the proof of everything.
pub(super) async fn appservice_user(
    app: &App,
    peer: &Peer,
    request: &RegisterRequest<'_>,
) -> Result<Response, Failure> {
    let username = request.username.map(|name| Localpart::parse(name, &app.config.server_name)).transpose();
    // What is no name is in no namespace; but that it is none says more.
    let claimed = username.as_ref().ok().and_then(Option::as_ref);
    let token = match who::service_token(app, peer, claimed.map(Localpart::as_str))? {
        ServiceToken::Service { .. } if claimed.is_none() => ServiceToken::Service { in_namespace: true },
        token => token,
    };
    may_register(token, app.config.legacy_login, request.inhibit_login)?;
    // A made-up name would not lie in the namespace.
    let name = username?.ok_or(MatrixError::new(ErrorCode::MissingParam, "username is missing."))?;
    request.check_device()?;
    let wanted = Wanted {
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        refresh_token: request.refresh_token.unwrap_or(false),
    };
    app.db
        .transaction(|tx| {
            let user = users::create(tx, &NewUser::named(name.as_str()))?.ok_or(Localpart::in_use())?;
            let login = match request.inhibit_login {
                Some(true) => None,
                _ => Some(log_in(tx, app, user, &wanted)?),
            };
            Ok(answer::json(StatusCode::OK, response(&app.user_id(name.as_str()), login.as_ref())))
        })
        .await
}
