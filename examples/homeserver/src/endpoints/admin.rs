//! Locking and suspending accounts:
//! <https://spec.matrix.org/v1.19/client-server-api/#server-administration>.

use crate::app::{App, SharedApp};
use crate::db::Tx;
use crate::db::users::{self, User};
use crate::failure::Failure;
use crate::http::{JsonBody, Named, answer};
use crate::who::{self, Peer, user_ref};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use matrix_uia::endpoint::moderation::{Moderated, Moderation, Moderator};
use matrix_uia::server::account::{AccountStatus, Action};

/// One of the two, which are asked and set at one path.
pub(super) fn both(moderation: Moderation) -> MethodRouter<SharedApp> {
    get(move |State(app): State<SharedApp>, peer: Peer, Named(user_id): Named| async move {
        moderate(&app, &peer, moderation, &user_id, None).await
    })
    .put(
        move |State(app): State<SharedApp>, peer: Peer, Named(user_id): Named, body: JsonBody| async move {
            moderate(&app, &peer, moderation, &user_id, Some(&body.0)).await
        },
    )
}

/// `body` is that of a `PUT`.
async fn moderate(
    app: &App,
    peer: &Peer,
    moderation: Moderation,
    user_id: &str,
    body: Option<&[u8]>,
) -> Result<Response, Failure> {
    let status = status(app, peer, moderation, user_id, body).await?;
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = moderation.write(status, &mut body);
    Ok(answer::json(StatusCode::OK, body))
}

async fn status(
    app: &App,
    peer: &Peer,
    moderation: Moderation,
    user_id: &str,
    body: Option<&[u8]>,
) -> Result<AccountStatus, Failure> {
    let who = who::required(app, peer, Action::Moderate).await?;
    let moderator = Moderator::authorise(user_ref(&who.user), who.user.admin)?;
    let wish = body.map(|body| moderation.parse(body)).transpose()?;
    let localpart = moderator.local_user(user_id, &app.config.server_name)?.to_cow();
    let act = |tx: &Tx| {
        let user = users::by_localpart(tx, &localpart)?;
        let account = user.as_ref().map(moderated);
        let Some(on) = wish else { return Ok(moderator.see(account)?) };
        let status = moderator.set(moderation, on, account)?;
        if let Some(user) = user {
            users::set_locked(tx, user.key, status.locked)?;
            users::set_suspended(tx, user.key, status.suspended)?;
        }
        Ok(status)
    };
    app.db.transaction(act).await
}

fn moderated(user: &User) -> Moderated {
    Moderated::new(user_ref(user), user.admin, who::status(user))
}
