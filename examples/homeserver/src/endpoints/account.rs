//! What the server lets an account change.

use crate::app::SharedApp;
use crate::failure::Failure;
use crate::http::answer;
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use matrix_uia::endpoint::account::Action;
use serde_json::json;

/// <https://spec.matrix.org/v1.19/client-server-api/#capabilities-negotiation>
pub(super) async fn capabilities(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required(&app, &peer, Action::WhoAmI).await?;
    let enabled = |enabled: bool| json!({ "enabled": enabled });
    let legacy = app.config.legacy_login;
    let mut capabilities = json!({
        "m.change_password": enabled(legacy && app.config.capabilities.change_password),
        "m.3pid_changes": enabled(app.config.capabilities.threepid_changes),
        "m.get_login_token": enabled(app.policies.login.check_get_token().is_ok()),
    });
    // Left out altogether for those who may do neither.
    if let (Some(capabilities), true) = (capabilities.as_object_mut(), who.user.admin) {
        let moderation = json!({ "lock": true, "suspend": true });
        capabilities.insert("m.account_moderation".to_owned(), moderation);
    }
    Ok(answer::json(StatusCode::OK, json!({ "capabilities": capabilities }).to_string()))
}

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami>
pub(super) async fn whoami(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required(&app, &peer, Action::WhoAmI).await?;
    let mut body = json!({ "user_id": app.user_id(&who.user.localpart), "is_guest": who.user.guest });
    if let (Some(body), Some(device_id)) = (body.as_object_mut(), who.device_id) {
        body.insert("device_id".to_owned(), device_id.into());
    }
    Ok(answer::json(StatusCode::OK, body.to_string()))
}
