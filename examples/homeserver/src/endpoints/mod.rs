//! Every endpoint, and the path that it is found at.

mod account;
mod admin;
mod deactivate;
mod devices;
mod fallback;
mod login;
mod login_token;
mod logout;
mod names;
mod password;
mod refresh;
mod register;
mod register_unasked;
mod request_token;
mod signing_keys;
mod submit_token;
mod threepid;
mod versions;

use crate::app::{App, SharedApp};
use crate::failure::Failure;
use crate::http::Routes;
use crate::threepids::SUBMIT_PATH;
use axum::routing::{get, post};
use matrix_uia::endpoint::moderation::Moderation;

pub fn routes(app: SharedApp) -> Routes<()> {
    // Paths of the account API, as the spec writes them after `/_matrix/client/v3`.
    let account = [
        ("/register", post(register::post)),
        ("/register/available", get(names::available)),
        ("/login", get(login::get).post(login::post)),
        ("/refresh", post(refresh::post)),
        ("/logout", post(logout::one)),
        ("/logout/all", post(logout::all)),
        ("/account/whoami", get(account::whoami)),
        ("/account/password", post(password::post)),
        ("/account/deactivate", post(deactivate::post)),
        ("/account/3pid", get(threepid::list)),
        ("/account/3pid/add", post(threepid::add)),
        ("/account/3pid/delete", post(threepid::delete)),
        ("/devices", get(devices::list)),
        ("/devices/{device_id}", get(devices::get).put(devices::put).delete(devices::delete)),
        ("/delete_devices", post(devices::delete_devices)),
        ("/keys/device_signing/upload", post(signing_keys::post)),
        ("/capabilities", get(account::capabilities)),
        ("/auth/{auth_type}/fallback/web", get(fallback::get).post(fallback::post)),
    ];
    let v1 = |path: &str| format!("/_matrix/client/v1{path}");
    Routes::new()
        .client(account)
        .client(request_token::paths())
        // What came later has one version of its own.
        .route(&v1("/register/m.login.registration_token/validity"), get(names::token_validity))
        .route(&v1("/login/get_token"), post(login_token::post))
        .route(&v1("/admin/lock/{user_id}"), admin::both(Moderation::Lock))
        .route(&v1("/admin/suspend/{user_id}"), admin::both(Moderation::Suspend))
        .route(SUBMIT_PATH, get(submit_token::page).post(submit_token::post))
        .route("/_matrix/static/client/login/", get(fallback::login))
        .route("/_matrix/client/versions", get(versions::get))
        .with_state(app)
}

/// Whether the legacy authentication API is served at all (rule R7).
fn legacy(app: &App) -> Result<(), Failure> {
    Ok(app.policies.login.check_legacy()?)
}
