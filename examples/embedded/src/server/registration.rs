//! One endpoint more: `POST /register`, by which the device gets its owner.

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::PasswordStrength;
use matrix_uia::endpoint::register::{LoginResponse, RegisterRequest, Registration};
use matrix_uia::server::call::RefusedCall;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Exchange, HostKind, Incoming, Perform};
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::Register;
use matrix_uia::server::respond::Respond;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{BindingKey, Flows, MatrixError, Secret, SessionId, Text, Timestamp};

use super::{ALICE, Act, Body, Device, Password, Server, Status, go_through, send};

const SERVER_NAME: &str = "device.local";

impl Server<'_> {
    /// Answers one registration; nobody has an access token yet. `token` is from fresh entropy, as
    /// `fresh` is: the access token, should the account be made now.
    #[inline(never)]
    pub fn register(
        &mut self,
        flows: &Flows<'_, Register>,
        body: &[u8],
        [fresh, token]: [SessionId; 2],
        now: Timestamp,
        out: &mut Body,
    ) -> Status {
        let Self { rules, key, device, .. } = self;
        device.now = now;
        let request = match RegisterRequest::parse(body) {
            Ok(request) => request,
            Err(error) => return send(&Respond::Error(error.into()), out),
        };
        let kind = HostKind::assume_one_transaction::<Device>();
        match check(request) {
            Ok(request) => {
                let mut incoming = Incoming::new(flows, rules, kind, request.call(key), fresh, now);
                let acting = Registering { request: Some(&request), key, token };
                let respond = go_through(device, &acting, &mut incoming);
                device.answered(&respond, out)
            }
            // Other parameters may be sent in its session.
            Err(refused) => {
                let mut incoming = Incoming::refused(flows, rules, kind, refused, now);
                let respond = go_through(device, &Registering { request: None, key, token }, &mut incoming);
                device.answered(&respond, out)
            }
        }
    }
}

#[inline(never)]
fn check(request: RegisterRequest<'_>) -> Result<Checked<Registration<'_>>, RefusedCall<'_, Register>> {
    let mut strength = PasswordStrength::default();
    strength.maximum_bytes = Password::MAX_LEN;
    request.check(&strength, SERVER_NAME)
}

/// A registration on its way.
struct Registering<'c, 'a> {
    /// `None`: it was refused.
    request: Option<&'c Checked<Registration<'a>>>,
    key: &'c BindingKey,
    token: SessionId,
}

impl Act<Register> for Registering<'_, '_> {
    const BY_TOKEN: bool = false;

    /// It is asked before the first challenge, and once more before the call.
    fn admit(&self, device: &Device) -> Result<(), Refusal> {
        if device.owner.is_some() {
            return Err(Refusal::new(MatrixError::new(ErrorCode::Forbidden, "This device has its owner.")));
        }
        let name = self.request.and_then(|request| request.username.as_ref());
        if name.is_none_or(|name| name.as_str() != "alice") {
            let error =
                MatrixError::new(ErrorCode::InvalidUsername, "The owner of this device is called alice.");
            return Err(Refusal::for_params(error));
        }
        Ok(())
    }

    fn password(&self) -> Option<Secret<'_>> {
        self.request?.password()
    }

    #[inline(never)]
    fn act<'w, 'r>(
        &self,
        device: &mut Device,
        perform: Perform<'w, 'r, Register>,
        hash: Option<&Password>,
    ) -> Exchange<'w, 'r, Register> {
        let (grant, performing) = perform.grant();
        let refused = Refusal::new(MatrixError::unavailable());
        let Some(request) = self.request else { return performing.refused(refused) };
        let account = match request.plan(self.key, grant, None, hash) {
            Ok(account) => account,
            Err(refusal) => return performing.refused(refusal),
        };
        device.password.clone_from(account.hash);
        device.owner = Some(self.token);
        performing.succeeded(Outcome::NOTHING.of_account(ALICE), device.now)
    }
}

impl Device {
    /// Writes the answer; that of the registration, now or once more, has the owner's token.
    #[inline(never)]
    fn answered(&self, respond: &Respond<'_>, out: &mut Body) -> Status {
        let (Respond::Performed, Some(token)) = (respond, &self.owner) else { return send(respond, out) };
        let token = token.expose();
        let response = LoginResponse::new(Text::new("@alice:device.local"))
            .with_login(Secret::new(&token), Text::new("the device"));
        if response.write(out).is_ok() { 200 } else { 500 }
    }
}
