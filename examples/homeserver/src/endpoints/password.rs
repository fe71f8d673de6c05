//! `POST account/password`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword>.

use crate::app::{App, SharedApp};
use crate::db::{Tx, UserKey, belongings, devices, login_tokens, users};
use crate::failure::Failure;
use crate::http::JsonBody;
use crate::password::{PasswordHash, normal_form};
use crate::secrets;
use crate::uia::{self, empty};
use crate::who::{self, Peer};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::password::{ChangePasswordRequest, Devices, Effect, PasswordChange};
use matrix_uia::server::account::Action;
use matrix_uia::server::grant::Outcome;

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    change(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn change(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    super::legacy(app)?;
    let who = who::maybe(app, peer, Action::ChangePassword).await?;
    let mut request = ChangePasswordRequest::parse(body)?;
    let password = request.new_password.map(normal_form);
    request.new_password = password.as_ref().map(secrets::Secret::lend);
    let request = request.check(&app.policies.strength, app.config.capabilities.change_password)?;
    let flows = match &who {
        Some(who) => app.policies.password.required(&who.user)?,
        None => &app.policies.password_reset,
    };
    let device = who.as_ref().and_then(|who| who.device_id.as_deref());
    let mut run = uia::begin(app, peer, who.as_ref(), flows, &request);
    while let Some(granted) = run.granted().await? {
        let (plan, call) = granted.into_parts();
        let done = replace(run.host.tx().await?, &plan, device);
        uia::ended(&mut run, call, done).await?;
    }
    Ok(empty())
}

fn replace(tx: &Tx, plan: &PasswordChange<PasswordHash>, device: Option<&str>) -> Result<Outcome, Failure> {
    let user = UserKey::from(plan.user());
    for effect in plan.effects() {
        match effect {
            Effect::SetPassword(hash) => {
                // A token to log in with was asked for with the old one.
                login_tokens::remove_by_user(tx, user)?;
                users::set_password(tx, user, Some(hash))?;
            }
            Effect::EndDevices(Devices::Others) => devices::remove_all_but(tx, user, device)?,
            Effect::EndDevices(Devices::All) => devices::remove_all_but(tx, user, None)?,
            // A pusher belongs to a device here, and went with it.
            Effect::EndPushers(Devices::Others) => {}
            Effect::EndPushers(Devices::All) => belongings::remove_pushers(tx, user)?,
        }
    }
    Ok(Outcome::NOTHING)
}
