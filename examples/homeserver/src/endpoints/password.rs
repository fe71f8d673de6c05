//! `POST account/password`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword>.

use crate::app::{App, SharedApp};
use crate::db::users::User;
use crate::db::{Tx, UserKey, belongings, devices, login_tokens, users, validations};
use crate::failure::Failure;
use crate::http::JsonBody;
use crate::password::PasswordHash;
use crate::sessions::Kept;
use crate::threepids;
use crate::uia::{Done, Endpoint, Exchange, empty, succeeded_at};
use crate::who::{self, Peer, Who};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::password::{
    self as core, ChangePasswordRequest, Devices, Effect, KeptChange, NewPassword, PasswordChange,
    ResetTarget,
};
use matrix_uia::endpoint::threepid::Threepid;
use matrix_uia::server::account::Action;
use matrix_uia::server::operation::{ChangePassword, Reference};
use matrix_uia::{Grant, MatrixError, Secret};

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    change(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn change(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    super::legacy(app)?;
    let who = who::maybe(app, peer, Action::ChangePassword).await?;
    let request = ChangePasswordRequest::parse(body)?;
    request.check(&app.policies.strength, app.config.capabilities.change_password)?;
    let flows = if who.is_some() { &app.policies.password } else { &app.policies.password_reset };
    let call = request.call(&app.policies.key, who.as_ref().map(Who::subject));
    let token = who.as_ref().and_then(|who| who.token);
    let mut endpoint = Change { request, who, hash: None };
    Ok(Exchange { app, flows, call, peer, token }.run(&mut endpoint).await)
}

struct Change<'r> {
    request: ChangePasswordRequest<'r>,
    who: Option<Who>,
    hash: Option<PasswordHash>,
}

impl Endpoint<ChangePassword> for Change<'_> {
    fn password(&self) -> Option<Secret<'_>> {
        self.request.new_password
    }

    fn hashed(&mut self, hash: PasswordHash) {
        self.hash = Some(hash);
    }

    fn keep(&mut self) -> Result<Kept, Failure> {
        if self.request.new_password.is_some() && self.hash.is_none() {
            return Err(Failure::NeedsHash);
        }
        Ok(Kept {
            params: serde_json::to_value(KeptChange::of(&self.request)).unwrap_or_default(),
            hash: self.hash.as_ref().map(|hash| hash.as_str().to_owned()),
            ..Kept::default()
        })
    }

    fn redeem(&mut self, tx: &Tx, grant: Grant<ChangePassword>, kept: &mut Kept) -> Result<Done, Failure> {
        let params: Option<KeptChange> = serde_json::from_value(kept.params.clone()).ok();
        let change = match core::change(grant, &self.request, params) {
            Ok(change) => change,
            Err(denied) => return Ok(Done::Denied(denied)),
        };
        let user = match owner(tx, &change)? {
            Ok(user) => user,
            Err(reject) => return Ok(Done::Denied(change.denied(reject))),
        };
        let hash = match (change.new_password(), &self.hash, &kept.hash) {
            (NewPassword::Given(_), Some(hash), _) => hash.clone(),
            (NewPassword::Kept, _, Some(hash)) => PasswordHash::from_stored(hash.clone()),
            _ => return Err(Failure::NeedsHash),
        };
        let device = self.who.as_ref().and_then(|who| who.device_id.as_deref());
        for effect in change.effects() {
            carry_out(tx, user.key, effect, &hash, device)?;
        }
        for validation in change.threepids() {
            validations::remove(tx, *validation)?;
        }
        Ok(Done::Succeeded(empty(), change.receipt().succeeded(Reference::new(0), succeeded_at())))
    }
}

/// ResetTarget password it is now, if it may be changed now.
fn owner(tx: &Tx, change: &PasswordChange<'_>) -> rusqlite::Result<Result<User, MatrixError>> {
    let (user, action) = match change.whose() {
        ResetTarget::User(user) => (users::by_key(tx, UserKey::from(user))?, Action::ChangePassword),
        ResetTarget::OwnerOf(validation) => (threepids::owner_of(tx, validation)?, Action::ResetPassword),
        _ => (None, Action::ResetPassword),
    };
    let Some(user) = user else { return Ok(Err(Threepid::not_found().with_status(404))) };
    for validation in change.threepids() {
        if threepids::owner_of(tx, *validation)?.map(|owner| owner.key) != Some(user.key) {
            return Ok(Err(PasswordChange::mixed()));
        }
    }
    Ok(who::status(&user).gate(action).map(|()| user))
}

fn carry_out(
    tx: &Tx,
    user: UserKey,
    effect: Effect,
    hash: &PasswordHash,
    device: Option<&str>,
) -> rusqlite::Result<()> {
    match effect {
        Effect::SetPassword => {
            // A token to log in with was asked for with the old one.
            login_tokens::remove_by_user(tx, user)?;
            users::set_password(tx, user, Some(hash))
        }
        Effect::EndDevices(Devices::Others) => devices::remove_all_but(tx, user, device),
        Effect::EndDevices(Devices::All) => devices::remove_all_but(tx, user, None),
        // A pusher belongs to a device here, and went with it.
        Effect::EndPushers(Devices::Others) => Ok(()),
        Effect::EndPushers(Devices::All) => belongings::remove_pushers(tx, user),
    }
}
