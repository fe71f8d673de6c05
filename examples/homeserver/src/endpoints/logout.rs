//! `logout` and `logout/all`.

use crate::app::SharedApp;
use crate::db::devices;
use crate::failure::Failure;
use crate::uia::empty;
use crate::who::{self, Peer};
use axum::extract::State;
use axum::response::Response;
use matrix_uia::server::account::Action;

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout>
pub(super) async fn one(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required_guest_too(&app, &peer, Action::Logout).await?;
    // An application service has no device, and nothing of it ends.
    if let Some(device_id) = &who.device_id {
        app.db.transaction(|tx| devices::remove(tx, who.user.key, device_id)).await?;
    }
    Ok(empty())
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall>
pub(super) async fn all(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required(&app, &peer, Action::Logout).await?;
    app.db.transaction(|tx| devices::remove_all_but(tx, who.user.key, None)).await?;
    Ok(empty())
}
