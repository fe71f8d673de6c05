//! `POST keys/device_signing/upload`:
//! <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload>.

use crate::app::{App, SharedApp};
use crate::db::{Tx, UserKey, devices};
use crate::failure::Failure;
use crate::http::JsonBody;
use crate::signing_keys;
use crate::uia::{self, empty};
use crate::who::{self, Peer};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::signing_keys::{SigningKeysUpload, UploadSigningKeysRequest, key_in_use};
use matrix_uia::server::account::Action;
use matrix_uia::server::drive::Step;
use matrix_uia::server::grant::{Outcome, Refusal};

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    publish(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn publish(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let who = who::required(app, peer, Action::UploadSigningKeys).await?;
    let (user, user_id) = (who.user.key, app.user_id(&who.user.localpart));
    let request = UploadSigningKeysRequest::parse(body)?.check(&user_id)?;
    let (flows, passable) = app.policies.device_signing.offered(&who.user);
    let mut run = uia::begin(app, peer, Some(&who), flows, &request);
    while let Some(step) = run.next().await? {
        match step {
            Step::Admit(admit) => {
                let stored = signing_keys::load(run.host.tx().await?, user)?;
                let devices = devices::list(run.host.tx().await?, user)?;
                let ids = devices.iter().map(|device| device.device_id.as_str());
                run.go_on(match request.admit(&stored.read(), ids) {
                    Err(refusal) => admit.refused(refusal),
                    // Whether it is the first upload is asked in the act that makes it the first.
                    Ok(()) => match request.exempt(&app.policies.key, &stored.read()) {
                        Some(exempt) => admit.assume_exempt(exempt),
                        None => who.admit(admit, passable),
                    },
                });
            }
            Step::Perform(granted) => {
                let (upload, call) = granted.into_parts();
                let done = store(run.host.tx().await?, user, &upload);
                uia::ended(&mut run, call, done).await?;
            }
            Step::Repeat(repeat) => run.go_on(repeat.repeated()),
        }
    }
    Ok(empty())
}

fn store(tx: &Tx, user: UserKey, upload: &SigningKeysUpload) -> Result<Outcome, Failure> {
    // Asked again: what was kept was looked at when it came.
    if devices::list(tx, user)?.iter().any(|device| upload.has_public_key(&device.device_id)) {
        return Err(Refusal::for_params(key_in_use()).into());
    }
    signing_keys::store(tx, user, &upload.keys)?;
    Ok(Outcome::NOTHING)
}
