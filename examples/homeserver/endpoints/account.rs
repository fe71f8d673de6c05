//! What an account has, and what the server lets it change.

use crate::app::SharedApp;
use crate::db::threepids;
use crate::failure::Failure;
use crate::http::answer;
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::account::Action;
use serde_json::json;

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid>
pub(super) async fn threepids(State(app): State<SharedApp>, peer: Peer) -> Response {
    let found = who::required(&app, &peer, Action::ListThreepids).and_then(|who| {
        let list = app.db.transaction(|tx| threepids::list(tx, who.user.key))?;
        let list: Vec<_> = list
            .iter()
            .map(|threepid| {
                json!({
                    "medium": threepid.medium.as_str(),
                    "address": threepid.address,
                    "validated_at": threepid.validated_at,
                    "added_at": threepid.added_at,
                })
            })
            .collect();
        Ok(answer::json(StatusCode::OK, json!({ "threepids": list }).to_string()))
    });
    found.unwrap_or_else(Failure::into_response)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#capabilities-negotiation>
pub(super) async fn capabilities(State(app): State<SharedApp>, peer: Peer) -> Response {
    let found = who::required(&app, &peer, Action::WhoAmI).map(|_| {
        let enabled = |enabled: bool| json!({ "enabled": enabled });
        let capabilities = json!({
            "m.change_password": enabled(app.config.capabilities.change_password),
            "m.3pid_changes": enabled(app.config.capabilities.threepid_changes),
            "m.get_login_token": enabled(app.config.login_token.enabled),
        });
        answer::json(StatusCode::OK, json!({ "capabilities": capabilities }).to_string())
    });
    found.unwrap_or_else(Failure::into_response)
}
