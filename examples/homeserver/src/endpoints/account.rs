//! What the server lets an account change.

use crate::app::SharedApp;
use crate::failure::Failure;
use crate::http::answer;
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use matrix_uia::Text;
use matrix_uia::endpoint::whoami::WhoamiResponse;
use matrix_uia::server::account::Action;
use serde_json::json;

/// <https://spec.matrix.org/v1.19/client-server-api/#capabilities-negotiation>
pub(super) async fn capabilities(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required_guest_too(&app, &peer, Action::WhoAmI).await?;
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
    let who = who::required_guest_too(&app, &peer, Action::WhoAmI).await?;
    let user_id = app.user_id(&who.user.localpart);
    let mut whoami = WhoamiResponse::new(Text::new(&user_id));
    whoami.is_guest = who.user.guest;
    whoami.device_id = who.device_id.as_deref().map(Text::new);
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = whoami.write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}
