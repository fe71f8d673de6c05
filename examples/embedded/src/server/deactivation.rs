//! One endpoint more: `POST /account/deactivate`.

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::deactivate::{DeactivateRequest, DeactivateResponse, Effect, UnbindResult};
use matrix_uia::server::drive::Guarded;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Exchange, HostKind, Perform};
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::operation::Deactivate;
use matrix_uia::server::respond::Respond;
use matrix_uia::{BindingKey, Flows, MatrixError, Secret, SessionId, Timestamp};

use super::{Act, Body, Device, Password, Server, Status, begin, go_through, send};

impl Server<'_> {
    /// Answers one request of the user whose access token came with it.
    #[inline(never)]
    pub fn deactivate(
        &mut self,
        flows: &Flows<'_, Deactivate>,
        body: &[u8],
        fresh: SessionId,
        now: Timestamp,
        out: &mut Body,
    ) -> Status {
        let Self { rules, key, device, .. } = self;
        device.now = now;
        let request = match read(body) {
            Ok(request) => request,
            Err(error) => return send(&Respond::Error(error), out),
        };
        let kind = HostKind::assume_one_transaction::<Device>();
        let guarded = Guarded { flows, rules, key, kind };
        let mut incoming = begin(guarded, request.call(key), fresh, now);
        match go_through(device, &(&request, &*key), &mut incoming) {
            // Nothing was bound.
            Respond::Performed if DeactivateResponse::new(UnbindResult::Success).write(out).is_ok() => 200,
            respond => send(&respond, out),
        }
    }
}

#[inline(never)]
fn read(body: &[u8]) -> Result<Checked<DeactivateRequest<'_>>, MatrixError> {
    DeactivateRequest::parse(body)?.check()
}

impl Act<Deactivate> for (&Checked<DeactivateRequest<'_>>, &BindingKey) {
    fn password(&self) -> Option<Secret<'_>> {
        None
    }

    #[inline(never)]
    fn act<'w, 'r>(
        &self,
        device: &mut Device,
        perform: Perform<'w, 'r, Deactivate>,
        _: Option<&Password>,
    ) -> Exchange<'w, 'r, Deactivate> {
        let (request, key) = self;
        let (grant, performing) = perform.grant();
        let deactivation = match request.plan::<()>(key, grant, None, None) {
            Ok(deactivation) => deactivation,
            Err(refusal) => return performing.refused(refusal),
        };
        for effect in deactivation.effects() {
            device.account = effect.on_account(device.account).unwrap_or(device.account);
            match effect {
                // The sessions of before end by the epoch that the fence counts up.
                Effect::Fence | Effect::MarkErased | Effect::MarkDeactivated => {}
                // Nobody logs in any more, so no password is compared.
                Effect::RemovePassword => {}
                // This device has none of them.
                Effect::UnbindThreepids | Effect::RemoveThreepids | Effect::EndDevices => {}
                Effect::RemovePushers | Effect::RemoveKeyBackups | Effect::RemoveAccountData => {}
                Effect::RemoveProfile | Effect::RemoveDirectoryEntry | Effect::LeaveRooms => {}
            }
        }
        performing.succeeded(Outcome::NOTHING, device.now)
    }
}
