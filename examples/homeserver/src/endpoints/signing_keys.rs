//! `POST keys/device_signing/upload`:
//! <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload>.

use crate::app::{App, SharedApp};
use crate::db::{Tx, UserKey, devices, users};
use crate::failure::Failure;
use crate::http::JsonBody;
use crate::sessions::Kept;
use crate::signing_keys::{self, KeptKeys};
use crate::uia::{Done, Endpoint, Exchange, empty, succeeded_at};
use crate::who::{self, Peer, Who, user_ref};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::signing_keys::{UploadSigningKeysRequest, key_in_use, upload};
use matrix_uia::server::account::Action;
use matrix_uia::server::operation::{Reference, UploadSigningKeys};
use matrix_uia::server::session::Exempt;
use matrix_uia::{Denied, Grant, Guard};
use serde_json::json;

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    publish(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn publish(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let who = who::required(app, peer, Action::UploadSigningKeys).await?;
    let request = UploadSigningKeysRequest::parse(body)?;
    let (call, token) = (request.call(&app.policies.key, who.subject()), who.token);
    let mut endpoint = Publishing { app, request, who };
    // Whether it is the first upload is asked in the act that makes it the first.
    let unasked = |tx: &Tx| {
        endpoint.admit(tx)?;
        let Some(grant) = endpoint.exempt(tx, peer)? else { return Ok(None) };
        endpoint.redeem(tx, grant, &mut Kept::default()).map(Some)
    };
    match app.db.transaction(unasked).await {
        Ok(Some(Done::Succeeded(response, _))) => Ok(response),
        Ok(Some(Done::Denied(denied))) => Err(denied.reject().into()),
        Ok(None) => {
            let flows = &app.policies.device_signing;
            Ok(Exchange { app, flows, call, peer, token }.run(&mut endpoint).await)
        }
        Err(failure) => Err(failure),
    }
}

struct Publishing<'r> {
    app: &'r App,
    request: UploadSigningKeysRequest<'r>,
    who: Who,
}

impl Publishing<'_> {
    fn user(&self) -> UserKey {
        self.who.user.key
    }

    /// A grant, where nobody has to be asked.
    fn exempt(&self, tx: &Tx, peer: &Peer) -> rusqlite::Result<Option<Grant<UploadSigningKeys>>> {
        let (user, policies) = (user_ref(&self.who.user), &self.app.policies);
        if self.who.is_appservice() {
            return Ok(Some(Exempt::ApplicationService.assume_exempt(Some(user))));
        }
        let stored = signing_keys::load(tx, self.user())?;
        let unasked = self.request.exempt(&policies.key, &signing_keys::read(&stored), user);
        let guard = Guard::new(&policies.device_signing, &policies.rules);
        let recent = || self.who.uia_at.and_then(|at| guard.recent(user, at, peer.arrived));
        Ok(unasked.or_else(recent))
    }
}

impl Endpoint<UploadSigningKeys> for Publishing<'_> {
    fn admit(&mut self, tx: &Tx) -> Result<(), Failure> {
        let stored = signing_keys::load(tx, self.user())?;
        let user_id = self.app.user_id(&self.who.user.localpart);
        self.request.check(&user_id, &signing_keys::read(&stored))?;
        for device in devices::list(tx, self.user())? {
            if self.request.keys.iter().any(|(_, key)| key.public_key == *device.device_id) {
                return Err(key_in_use().into());
            }
        }
        Ok(())
    }

    fn keep(&mut self) -> Result<Kept, Failure> {
        Ok(Kept { params: json!(signing_keys::keep(&self.request.keys)), ..Kept::default() })
    }

    fn redeem(&mut self, tx: &Tx, grant: Grant<UploadSigningKeys>, kept: &mut Kept) -> Result<Done, Failure> {
        let kept: Option<KeptKeys> = serde_json::from_value(kept.params.clone()).ok();
        let upload = match upload(grant, &self.request, kept.as_deref().map(signing_keys::read)) {
            Ok(upload) => upload,
            Err(denied) => return Ok(Done::Denied(denied)),
        };
        let Some(user) = users::by_key(tx, self.user())? else { return Err(key_in_use().into()) };
        if let Err(reject) = who::status(&user).gate(Action::UploadSigningKeys) {
            return Ok(Done::Denied(Denied::new(reject, upload.receipt())));
        }
        // Asked again: what was kept was looked at when it came.
        if devices::list(tx, user.key)?.iter().any(|device| upload.has_public_key(&device.device_id)) {
            return Ok(Done::Denied(upload.denied(key_in_use())));
        }
        signing_keys::store(tx, user.key, &upload)?;
        Ok(Done::Succeeded(empty(), upload.receipt().succeeded(Reference::new(0), succeeded_at())))
    }
}
