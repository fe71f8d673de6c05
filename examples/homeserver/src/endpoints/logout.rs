//! `logout` and `logout/all`.

use crate::app::SharedApp;
use crate::db::devices;
use crate::failure::Failure;
use crate::uia::empty;
use crate::who::{self, Peer};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::account::Action;

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout>
pub(super) async fn one(State(app): State<SharedApp>, peer: Peer) -> Response {
    let done = who::required(&app, &peer, Action::Logout).and_then(|who| {
        // An application service has no device, and nothing of it ends.
        if let Some(device_id) = &who.device_id {
            app.db.transaction(|tx| devices::remove(tx, who.user.key, device_id))?;
        }
        Ok(empty())
    });
    done.unwrap_or_else(Failure::into_response)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall>
pub(super) async fn all(State(app): State<SharedApp>, peer: Peer) -> Response {
    let done = who::required(&app, &peer, Action::Logout).and_then(|who| {
        app.db.transaction(|tx| devices::remove_all_but(tx, who.user.key, None))?;
        Ok(empty())
    });
    done.unwrap_or_else(Failure::into_response)
}
