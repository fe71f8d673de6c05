//! `POST register`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register>.

use super::names::is_free;
use super::register_unasked;
use crate::app::{App, SharedApp};
use crate::db::users::{self, NewUser};
use crate::db::{Tx, UserKey, registration_tokens};
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::logins::{Login, Wanted, log_in, response};
use crate::password::PasswordHash;
use crate::secrets;
use crate::sessions::Kept;
use crate::threepids;
use crate::uia::{Done, Endpoint, Exchange, succeeded_at};
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::password::NewPassword;
use matrix_uia::endpoint::register::{KeptRegistration, Kind, Localpart, RegisterRequest, create};
use matrix_uia::server::account::Action;
use matrix_uia::server::operation::{Reference, Register};
use matrix_uia::server::session::Replay;
use matrix_uia::{Grant, MatrixError, Secret, Text};
use serde_json::json;

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    register(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn register(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let kind = Kind::parse(peer.query("kind").as_deref())?;
    if kind == Kind::Guest {
        return register_unasked::guest(app, body).await;
    }
    let request = RegisterRequest::parse(body);
    if let Ok(request) = &request
        && request.by_appservice
    {
        return register_unasked::appservice_user(app, peer, request).await;
    }
    app.policies.registration.check(kind)?;
    let request = request?;
    let username = request.username.map(|name| Localpart::parse(name, &app.config.server_name)).transpose();
    let call = request.call(&app.policies.key, username.as_ref().ok().and_then(Option::as_ref));
    let mut endpoint = Registration { app, request, username, hash: None };
    Ok(Exchange { app, flows: &app.policies.register, call, peer, token: None }.run(&mut endpoint).await)
}

struct Registration<'r> {
    app: &'r App,
    request: RegisterRequest<'r>,
    username: Result<Option<Localpart>, MatrixError>,
    hash: Option<PasswordHash>,
}

impl Endpoint<Register> for Registration<'_> {
    fn password(&self) -> Option<Secret<'_>> {
        self.request.password
    }

    fn hashed(&mut self, hash: PasswordHash) {
        self.hash = Some(hash);
    }

    fn admit(&mut self, tx: &Tx) -> Result<(), Failure> {
        if let Some(name) = self.username.as_ref().map_err(|reject| *reject)? {
            is_free(self.app, tx, name)?;
        }
        self.request.check(&self.app.policies.strength)?;
        Ok(())
    }

    fn keep(&mut self) -> Result<Kept, Failure> {
        if self.request.password.is_some() && self.hash.is_none() {
            return Err(Failure::NeedsHash);
        }
        let username = self.username.as_ref().ok().and_then(Option::as_ref);
        Ok(Kept {
            params: serde_json::to_value(KeptRegistration::of(&self.request, username)).unwrap_or_default(),
            hash: self.hash.as_ref().map(|hash| hash.as_str().to_owned()),
            ..Kept::default()
        })
    }

    fn redeem(&mut self, tx: &Tx, grant: Grant<Register>, kept: &mut Kept) -> Result<Done, Failure> {
        let params: Option<KeptRegistration> = serde_json::from_value(kept.params.clone()).ok();
        let username = self.username.clone().ok().flatten();
        let creation = match create(grant, &self.request, username, params.as_ref()) {
            Ok(creation) => creation,
            Err(denied) => return Ok(Done::Denied(denied)),
        };
        let account = creation.account();
        let hash = match (account.password, &self.hash, &kept.hash) {
            (NewPassword::Given(_), Some(hash), _) => hash.clone(),
            (NewPassword::Kept, _, Some(hash)) => PasswordHash::from_stored(hash.clone()),
            _ => return Err(Failure::NeedsHash),
        };
        // Asked again: the name may have been taken since it was free, and what was kept was never asked about.
        if let Some(name) = &account.username {
            match is_free(self.app, tx, name) {
                Ok(()) => {}
                Err(Failure::Reject(reject)) => return Ok(Done::Denied(creation.denied(reject))),
                Err(failure) => return Err(failure),
            }
        }
        let proved = match threepids::proved(tx, creation.proofs())? {
            Ok(proved) => proved,
            Err(reject) => return Ok(Done::Denied(creation.denied(reject))),
        };
        let localpart =
            account.username.as_ref().map_or_else(secrets::localpart, |name| name.as_str().to_owned());
        let new = NewUser { password: Some(&hash), ..NewUser::named(&localpart) };
        let Some(user) = users::create(tx, &new)? else {
            return Ok(Done::Denied(creation.denied(Localpart::in_use())));
        };
        threepids::give(tx, user, proved)?;
        let wanted = Wanted {
            device_id: account.device_id,
            display_name: account.display_name,
            refresh_token: account.refresh_token,
        };
        let login = if account.login { Some(log_in(tx, self.app, user, &wanted)?) } else { None };
        let refresh = account.refresh_token;
        let receipt = creation.receipt();
        if let Some(session) = receipt.session_id() {
            registration_tokens::spend(tx, session.as_bytes())?;
        }
        kept.result =
            json!({ "device_id": login.as_ref().map(|login| &login.device_id), "refresh": refresh });
        let outcome = Reference::from(user);
        let response = self.answer(&localpart, login.as_ref());
        Ok(Done::Succeeded(response, receipt.succeeded(outcome, succeeded_at())))
    }

    /// The same user and the same device; its earlier tokens end, so that there are never two that live.
    fn replay(&mut self, tx: &Tx, replay: &Replay<Register>, kept: &Kept) -> Result<Response, Failure> {
        let key = UserKey::from(replay.outcome());
        let user = users::by_key(tx, key)?.ok_or(MatrixError::unavailable())?;
        who::status(&user).gate(Action::Login)?;
        let wanted = Wanted {
            device_id: kept.result.get("device_id").and_then(serde_json::Value::as_str).map(Text::new),
            display_name: None,
            refresh_token: kept.result.get("refresh").and_then(serde_json::Value::as_bool).unwrap_or(false),
        };
        let login = match wanted.device_id {
            Some(_) => Some(log_in(tx, self.app, key, &wanted)?),
            None => None,
        };
        Ok(self.answer(&user.localpart, login.as_ref()))
    }
}

impl Registration<'_> {
    fn answer(&self, localpart: &str, login: Option<&Login>) -> Response {
        answer::json(StatusCode::OK, response(&self.app.user_id(localpart), login))
    }
}
