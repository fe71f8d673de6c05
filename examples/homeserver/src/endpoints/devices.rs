//! Devices: listing, naming, and signing them out.
//! <https://spec.matrix.org/v1.19/client-server-api/#device-management>

use crate::app::{App, SharedApp};
use crate::db::Tx;
use crate::db::devices::{self, Device};
use crate::failure::Failure;
use crate::http::{JsonBody, Named, answer};
use crate::logins;
use crate::password::PasswordHash;
use crate::uia::{self, empty};
use crate::who::{self, Peer, Who};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::devices::{
    DeleteDeviceRequest, DeleteDevicesRequest, DeviceDeletion, DeviceResponse, DeviceUpdate, DevicesResponse,
    UpdateDeviceRequest, unknown_device,
};
use matrix_uia::server::account::Action;
use matrix_uia::server::drive::Step;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::grant::Outcome;
use matrix_uia::{Text, Timestamp};

fn shown(device: &Device) -> DeviceResponse<'_> {
    let mut shown = DeviceResponse::new(Text::new(&device.device_id));
    shown.display_name = device.display_name.as_deref().map(Text::new);
    shown.last_seen_ip = device.last_seen_ip.as_deref().map(Text::new);
    shown.last_seen_ts = Some(Timestamp::from_millis(device.last_seen_ts));
    shown
}

pub(super) async fn list(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required_guest_too(&app, &peer, Action::ManageDevices).await?;
    let devices = app.db.transaction(|tx| devices::list(tx, who.user.key)).await?;
    let devices: Vec<_> = devices.iter().map(shown).collect();
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = DevicesResponse::new(&devices).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

pub(super) async fn get(
    State(app): State<SharedApp>,
    peer: Peer,
    Named(id): Named,
) -> Result<Response, Failure> {
    let who = who::required_guest_too(&app, &peer, Action::ManageDevices).await?;
    let device = app.db.transaction(|tx| devices::get(tx, who.user.key, &id)).await?;
    let device = device.ok_or(unknown_device())?;
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = shown(&device).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

pub(super) async fn put(
    State(app): State<SharedApp>,
    peer: Peer,
    Named(id): Named,
    body: JsonBody,
) -> Result<Response, Failure> {
    let who = who::required_guest_too(&app, &peer, Action::ManageDevices).await?;
    let request = UpdateDeviceRequest::parse(&body.0)?;
    let name = request.display_name.map(|name| name.to_cow());
    let decide = |tx: &Tx| {
        let user = who.user.key;
        let is = logins::device_id_use(tx, user, &id)?;
        match request.decide(Text::new(&id), is, who.is_appservice())? {
            DeviceUpdate::Rename => {
                if let Some(name) = &name {
                    devices::rename(tx, user, &id, Some(name))?;
                }
                Ok(empty())
            }
            DeviceUpdate::Make => {
                devices::put(tx, user, &id, name.as_deref(), app.clock.now_ms())?;
                Ok(answer::json(StatusCode::CREATED, "{}"))
            }
        }
    };
    app.db.transaction(decide).await
}

pub(super) async fn delete(
    State(app): State<SharedApp>,
    peer: Peer,
    Named(id): Named,
    body: JsonBody,
) -> Response {
    delete_one(&app, &peer, id, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn delete_one(app: &App, peer: &Peer, id: String, body: &[u8]) -> Result<Response, Failure> {
    let who = who::required(app, peer, Action::ManageDevices).await?;
    let request = DeleteDeviceRequest::parse(body)?.check(&id)?;
    let (flows, passable) = app.policies.delete_device.offered(&who.user);
    sign_out(uia::begin(app, peer, Some(&who), flows, &request), &who, passable).await
}

pub(super) async fn delete_devices(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    delete_several(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn delete_several(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let who = who::required(app, peer, Action::ManageDevices).await?;
    let request = DeleteDevicesRequest::parse(body)?.check()?;
    let (flows, passable) = app.policies.delete_devices.offered(&who.user);
    sign_out(uia::begin(app, peer, Some(&who), flows, &request), &who, passable).await
}

async fn sign_out<'r, E>(mut run: uia::Request<'r, E>, who: &Who, passable: bool) -> Result<Response, Failure>
where
    E: Endpoint<Plan<PasswordHash> = DeviceDeletion>,
{
    while let Some(step) = run.next().await? {
        match step {
            Step::Admit(admit) => run.go_on(who.admit(admit, passable)),
            Step::Perform(granted) => {
                let (deletion, call) = granted.into_parts();
                let done = remove(run.host.tx().await?, &deletion);
                uia::ended(&mut run, call, done).await?;
            }
            Step::Repeat(repeat) => run.go_on(repeat.repeated()),
        }
    }
    Ok(empty())
}

fn remove(tx: &Tx, deletion: &DeviceDeletion) -> Result<Outcome, Failure> {
    for device in &deletion.devices {
        devices::remove(tx, deletion.user.into(), device)?;
    }
    Ok(Outcome::NOTHING)
}
