//! Every endpoint, and the path that it is found at.

mod account;
mod deactivate;
mod devices;
mod login;
mod password;
mod register;
mod versions;

use crate::app::{App, SharedApp};
use crate::failure::Failure;
use crate::http::client_paths;
use axum::Router;
use axum::routing::{get, post};
use matrix_uia::Reject;

pub fn routes(app: SharedApp) -> Router {
    // Paths of the account API, as the spec writes them after `/_matrix/client/v3`.
    let account = Router::new()
        .route("/register", post(register::post))
        .route("/login", get(login::get).post(login::post))
        .route("/logout", post(login::logout))
        .route("/logout/all", post(login::logout_all))
        .route("/account/whoami", get(login::whoami))
        .route("/account/password", post(password::post))
        .route("/account/deactivate", post(deactivate::post))
        .route("/account/3pid", get(account::threepids))
        .route("/devices", get(devices::list))
        .route("/devices/{device_id}", get(devices::get).put(devices::put).delete(devices::delete))
        .route("/delete_devices", post(devices::delete_devices))
        .route("/capabilities", get(account::capabilities));
    client_paths(account).route("/_matrix/client/versions", get(versions::get)).with_state(app)
}

/// Whether the legacy authentication API is served at all (rule R7).
fn legacy(app: &App) -> Result<(), Failure> {
    if app.config.legacy_login { Ok(()) } else { Err(Reject::unrecognized().into()) }
}
