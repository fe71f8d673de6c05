//! Devices: listing, naming, and signing them out.
//! <https://spec.matrix.org/v1.19/client-server-api/#device-management>

use crate::app::{App, SharedApp};
use crate::clock;
use crate::db::Tx;
use crate::db::devices::{self, Device};
use crate::failure::Failure;
use crate::http::{JsonBody, Named, answer};
use crate::logins;
use crate::sessions::Kept;
use crate::uia::{Done, Endpoint, Exchange, empty, succeeded_at};
use crate::who::{self, Peer, Who, user_ref};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::account::Action;
use matrix_uia::endpoint::devices::{
    DeleteDeviceRequest, DeleteDevicesRequest, DeviceUpdate, UpdateDeviceRequest, missing_devices,
    unknown_device,
};
use matrix_uia::server::operation::{Operation, Reference};
use matrix_uia::server::session::{Exempt, Params};
use matrix_uia::{Call, Denied, Flows, Grant, Guard, Text};
use serde_json::{Value, json};

fn shown(device: &Device) -> Value {
    let mut shown = json!({ "device_id": device.device_id, "last_seen_ts": device.last_seen_ts });
    let optional = [("display_name", &device.display_name), ("last_seen_ip", &device.last_seen_ip)];
    for (key, value) in optional {
        // The spec has what isn't known absent, not null.
        if let (Some(shown), Some(value)) = (shown.as_object_mut(), value) {
            shown.insert(key.to_owned(), value.as_str().into());
        }
    }
    shown
}

pub(super) async fn list(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required(&app, &peer, Action::ManageDevices).await?;
    let devices = app.db.transaction(|tx| devices::list(tx, who.user.key)).await?;
    let devices: Vec<_> = devices.iter().map(shown).collect();
    Ok(answer::json(StatusCode::OK, json!({ "devices": devices }).to_string()))
}

pub(super) async fn get(
    State(app): State<SharedApp>,
    peer: Peer,
    Named(id): Named,
) -> Result<Response, Failure> {
    let who = who::required(&app, &peer, Action::ManageDevices).await?;
    let device = app.db.transaction(|tx| devices::get(tx, who.user.key, &id)).await?;
    let device = device.ok_or(unknown_device())?;
    Ok(answer::json(StatusCode::OK, shown(&device).to_string()))
}

pub(super) async fn put(
    State(app): State<SharedApp>,
    peer: Peer,
    Named(id): Named,
    body: JsonBody,
) -> Result<Response, Failure> {
    let who = who::required(&app, &peer, Action::ManageDevices).await?;
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
                devices::put(tx, user, &id, name.as_deref(), clock::now_ms())?;
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
    let request = DeleteDeviceRequest::parse(body)?;
    let call = request.call(&app.policies.key, who.subject(), &id);
    let endpoint = Deletion { who, devices: Some(vec![id]), in_path: true };
    delete_them(app, peer, &app.policies.delete_device, call, endpoint).await
}

pub(super) async fn delete_devices(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    delete_several(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn delete_several(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let who = who::required(app, peer, Action::ManageDevices).await?;
    let request = DeleteDevicesRequest::parse(body)?;
    let call = request.call(&app.policies.key, who.subject());
    let devices = request.devices.map(|ids| ids.iter().map(|id| id.to_cow().into_owned()).collect());
    let endpoint = Deletion { who, devices, in_path: false };
    delete_them(app, peer, &app.policies.delete_devices, call, endpoint).await
}

async fn delete_them<Op: Operation>(
    app: &App,
    peer: &Peer,
    flows: &Flows<'static, Op>,
    call: Call<'_, Op>,
    mut endpoint: Deletion,
) -> Result<Response, Failure> {
    let user = user_ref(&endpoint.who.user);
    let guard = Guard::new(flows, &app.policies.rules);
    let exempt = if endpoint.who.is_appservice() {
        Some(Exempt::ApplicationService.assume_exempt(Some(user)))
    } else {
        endpoint.who.uia_at.and_then(|at| guard.recent(user, at, peer.arrived))
    };
    let Some(grant) = exempt else {
        let token = endpoint.who.token;
        return Ok(Exchange { app, flows, call, peer, token }.run(&mut endpoint).await);
    };
    match app.db.transaction(|tx| endpoint.redeem(tx, grant, &mut Kept::default())).await? {
        Done::Succeeded(response, _) => Ok(response),
        Done::Denied(denied) => Err(denied.reject().into()),
    }
}

struct Deletion {
    who: Who,
    devices: Option<Vec<String>>,
    /// One that the path names is bound with it, and never left out.
    in_path: bool,
}

impl<Op: Operation> Endpoint<Op> for Deletion {
    fn keep(&mut self) -> Result<Kept, Failure> {
        Ok(Kept { params: json!(self.devices), ..Kept::default() })
    }

    fn redeem(&mut self, tx: &Tx, grant: Grant<Op>, kept: &mut Kept) -> Result<Done, Failure> {
        let devices = match grant.params() {
            Params::Kept if !self.in_path => serde_json::from_value(kept.params.clone()).ok(),
            _ => self.devices.clone(),
        };
        let receipt = grant.redeem();
        let Some(devices) = devices else {
            return Ok(Done::Denied(Denied::for_params(missing_devices(), receipt)));
        };
        for device in &devices {
            devices::remove(tx, self.who.user.key, device)?;
        }
        Ok(Done::Succeeded(empty(), receipt.succeeded(Reference::new(0), succeeded_at())))
    }
}
