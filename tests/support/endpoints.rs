//! The endpoints, each as a host writes it: gate, check, guard, redeem, carry out.

use matrix_uia::endpoint::deactivate::{self, DeactivateRequest, Deactivation, KeptDeactivation};
use matrix_uia::endpoint::devices::{DeleteDeviceRequest, DeleteDevicesRequest, missing_devices};
use matrix_uia::endpoint::password::{
    self, ChangePasswordRequest, Devices, KeptChange, NewPassword, PasswordChange, PasswordStrength,
    ResetTarget,
};
use matrix_uia::endpoint::register::{self, KeptRegistration, Localpart, RegisterRequest};
use matrix_uia::server::account::{AccountStatus, Action, Event};
use matrix_uia::server::operation::{Operation, Reference, Subject, UserRef};
use matrix_uia::server::session::{Params, Proof};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{Denied, Guard, MatrixError};
use serde_json::{Value, json};

use super::accounts::{User, hash};
use super::{Answer, Gate, SERVER, Server};

/// What is kept with a session whose request may leave its parameters out later.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Nothing,
    Change(KeptChange, Option<String>),
    Deactivation(KeptDeactivation),
    Registration(Box<KeptRegistration>, Option<String>),
    Devices(Vec<String>),
}

/// Who makes a request, once the gate has let it in.
struct Caller {
    subject: Option<Subject>,
    device: Option<String>,
}

impl Server {
    /// The bearer token, checked; the account's status, asked before a session is touched.
    fn caller(&self, token: Option<&str>, action: Action) -> Result<Caller, Answer> {
        let Some(token) = token else { return Ok(Caller { subject: None, device: None }) };
        let (subject, status, device) =
            self.subject(token).ok_or_else(|| Answer::refused(MatrixError::unknown_token(false)))?;
        status.gate(action).map_err(Answer::refused)?;
        Ok(Caller { subject: Some(subject), device: Some(device) })
    }

    pub(crate) fn denied(&mut self, denied: &Denied) -> Answer {
        assert!(self.write(denied.redeemed().write()), "nobody else writes a claimed session");
        Answer::refused(denied.reject())
    }

    /// The session of a password change that has said nothing of authentication yet.
    pub(crate) fn begin(&mut self, token: Option<&str>) -> String {
        self.change_password(token, json!({"new_password": "looking-glass"})).session().to_owned()
    }

    pub(crate) fn change_password(&mut self, token: Option<&str>, body: Value) -> Answer {
        self.change_password_raw(token, body.to_string().as_bytes())
    }

    pub(crate) fn change_password_raw(&mut self, token: Option<&str>, body: &[u8]) -> Answer {
        let caller = match self.caller(token, Action::ChangePassword) {
            Ok(caller) => caller,
            Err(answer) => return answer,
        };
        let request = match ChangePasswordRequest::parse(body) {
            Ok(request) => request,
            Err(error) => return Answer::refused(error.into()),
        };
        if let Err(reject) = request.check(&PasswordStrength::default(), self.passwords_enabled) {
            return Answer::refused(reject);
        }
        let flows = if token.is_some() { self.policies.change } else { self.policies.reset };
        let new_hash = request.new_password.map(|password| hash(&password.expose().to_string()));
        let keep = Kept::Change(KeptChange::of(&request), new_hash);
        let call = request.call(&self.key, caller.subject);
        let grant = match self.guard(flows, call, keep) {
            Gate::Answer(answer) => return answer,
            Gate::Replay(outcome) => return Answer::ok(self.outcomes[&outcome.get()].clone()),
            Gate::Grant(grant) => grant,
        };
        let kept = match call.session_id().and_then(|id| self.kept.get(&id)) {
            Some(Kept::Change(kept, hash)) => Some((*kept, hash.clone())),
            _ => None,
        };
        let change = match password::change(grant, &request, kept.as_ref().map(|(kept, _)| *kept)) {
            Ok(change) => change,
            Err(denied) => return self.denied(&denied),
        };
        if let Some(reject) = self.call_fails.take() {
            return self.denied(&change.denied(reject));
        }
        let user = match change.whose() {
            ResetTarget::User(user) => Some(user),
            ResetTarget::OwnerOf(threepid) => self.owner_of(threepid),
            _ => None,
        };
        let Some(user) = user else {
            let nobody = MatrixError::new(ErrorCode::ThreepidNotFound, "Nobody has it.").with_status(404);
            return self.denied(&change.denied(nobody));
        };
        if change.threepids().iter().any(|threepid| self.owner_of(*threepid) != Some(user)) {
            return self.denied(&change.denied(PasswordChange::mixed()));
        }
        let action = if token.is_some() { Action::ChangePassword } else { Action::ResetPassword };
        if let Err(reject) = self.by_number(user).status.gate(action) {
            return self.denied(&change.denied(reject));
        }
        let hash = match change.new_password() {
            NewPassword::Given(password) => hash(&password.expose().to_string()),
            NewPassword::Kept => kept.and_then(|(_, hash)| hash).expect("the hash was kept"),
            _ => unreachable!(),
        };
        for effect in change.effects() {
            self.journal.push(format!("{effect:?}"));
            let user = self.by_number(user);
            match effect {
                password::Effect::SetPassword => {
                    user.hash = Some(hash.clone());
                    user.epoch += 1;
                }
                password::Effect::EndDevices(Devices::All) => user.tokens.clear(),
                password::Effect::EndDevices(_) => {
                    user.tokens.retain(|_, device| Some(&*device) == caller.device.as_ref());
                }
                _ => {}
            }
        }
        self.succeed(change.receipt(), json!({}))
    }

    pub(crate) fn owner_of(&self, threepid: Reference) -> Option<UserRef> {
        let owner = self.users.values().find(|user| user.threepids.contains(&threepid.get()))?;
        Some(UserRef::new(owner.number))
    }

    pub(crate) fn deactivate(&mut self, token: Option<&str>, body: Value) -> Answer {
        let (begun, receipt) = match self.begin_deactivation(token, body) {
            Ok(begun) => begun,
            Err(answer) => return answer,
        };
        let result = self.carry_out(begun);
        self.succeed(receipt, result)
    }

    /// Up to the value that says what is left to be done.
    pub(crate) fn begin_deactivation(
        &mut self,
        token: Option<&str>,
        body: Value,
    ) -> Result<(Deactivation, matrix_uia::server::session::Receipt), Answer> {
        let body = body.to_string();
        let caller = self.caller(token, Action::Deactivate)?;
        let request =
            DeactivateRequest::parse(body.as_bytes()).map_err(|error| Answer::refused(error.into()))?;
        request.check().map_err(Answer::refused)?;
        let flows = match (token, self.policies.deactivate_without_token) {
            (Some(_), _) => self.policies.deactivate,
            (None, Some(flows)) => flows,
            (None, None) => return Err(Answer::refused(MatrixError::missing_token())),
        };
        let call = request.call(&self.key, caller.subject);
        let keep = Kept::Deactivation(KeptDeactivation::of(&request));
        let grant = match self.guard(flows, call, keep) {
            Gate::Answer(answer) => return Err(answer),
            Gate::Replay(outcome) => return Err(Answer::ok(self.outcomes[&outcome.get()].clone())),
            Gate::Grant(grant) => grant,
        };
        if let Some(reject) = self.call_fails.take() {
            return Err(self.denied(&Denied::new(reject, grant.redeem())));
        }
        let kept = match call.session_id().and_then(|id| self.kept.get(&id)) {
            Some(Kept::Deactivation(kept)) => Some(kept.clone()),
            _ => None,
        };
        let (begun, receipt) =
            deactivate::begin(grant, &request, kept).map_err(|denied| self.denied(&denied))?;
        if let Err(reject) = self.by_number(begun.user()).status.gate(Action::DeactivateWithoutToken) {
            return Err(self.denied(&Denied::new(reject, receipt)));
        }
        Ok((begun, receipt))
    }

    /// Effect after effect, as a real host does with the value it stored.
    pub(crate) fn carry_out(&mut self, mut progress: Deactivation) -> Value {
        while let Some(effect) = progress.effect() {
            self.carry_out_one(&progress, effect);
            progress = match effect {
                deactivate::Effect::UnbindThreepids => progress.unbound(true),
                _ => progress.done(),
            };
        }
        let mut body = String::new();
        progress.response().expect("nothing is left").write(&mut body).unwrap();
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn carry_out_one(&mut self, progress: &Deactivation, effect: deactivate::Effect) {
        use deactivate::Effect;
        self.journal.push(format!("{effect:?}"));
        if effect == Effect::Fence {
            let theirs = progress.user();
            self.sessions.retain(|_, stored| {
                let session: matrix_uia::Session = serde_json::from_str(stored).unwrap();
                session.is_claimed() || session.user() != Some(theirs)
            });
        }
        let user = self.by_number(progress.user());
        let on = |status: AccountStatus, event| status.on(event).unwrap();
        match effect {
            Effect::Fence => {
                user.status = on(user.status, Event::Fence);
                user.epoch += 1;
            }
            Effect::RemoveThreepids => user.threepids.clear(),
            Effect::EndDevices => user.tokens.clear(),
            Effect::RemovePassword => user.hash = None,
            Effect::MarkErased => user.status = on(user.status, Event::Erase),
            Effect::MarkDeactivated => user.status = on(user.status, Event::Finish),
            _ => {}
        }
    }

    pub(crate) fn register(&mut self, body: Value) -> Answer {
        let body = body.to_string();
        let request = match RegisterRequest::parse(body.as_bytes()) {
            Ok(request) => request,
            Err(error) => return Answer::refused(error.into()),
        };
        if let Err(reject) = request.check(&PasswordStrength::default()) {
            return Answer::refused(reject);
        }
        let username = match request.username.map(|name| Localpart::parse(name, SERVER)).transpose() {
            Ok(username) => username,
            Err(reject) => return Answer::refused(reject),
        };
        let call = request.call(&self.key, username.as_ref());
        let stored = self.read(call.session_id());
        let replayed = stored.as_ref().is_some_and(|session| session.consumed_at().is_some());
        if !replayed
            && let Some(name) = &username
            && let Err(reject) = name.reserved(false).and_then(|()| self.free(name))
        {
            // Another name may be tried in the same session.
            let rules = self.rules.clone();
            let guard = Guard::new(self.policies.register, &rules);
            if let Some(rebound) = guard.refused_for_params(&call, stored, self.timestamp()) {
                assert!(self.write(rebound.write()));
            }
            return Answer::refused(reject);
        }
        let password_hash = request.password.map(|password| hash(&password.expose().to_string()));
        let keep =
            Kept::Registration(Box::new(KeptRegistration::of(&request, username.as_ref())), password_hash);
        let grant = match self.guard(self.policies.register, call, keep) {
            Gate::Answer(answer) => return answer,
            Gate::Replay(outcome) => return self.log_in_again(outcome),
            Gate::Grant(grant) => grant,
        };
        let kept = call.session_id().and_then(|id| self.kept.get(&id)).cloned();
        let (kept, kept_hash) = match &kept {
            Some(Kept::Registration(kept, hash)) => (Some(kept.as_ref()), hash.clone()),
            _ => (None, None),
        };
        let creation = match register::create(grant, &request, username, kept) {
            Ok(creation) => creation,
            Err(denied) => return self.denied(&denied),
        };
        if let Some(reject) = self.call_fails.take() {
            return self.denied(&creation.denied(reject));
        }
        let account = creation.account().clone();
        let name = match &account.username {
            Some(name) => name.as_str().to_owned(),
            None => format!("made-{}", self.next_number()),
        };
        if self.users.contains_key(name.as_str()) {
            return self.denied(&creation.denied(Localpart::in_use()));
        }
        for proof in creation.proofs() {
            match proof {
                Proof::Token(number) => {
                    let token = self.tokens.values_mut().find(|it| it.number == number.get()).unwrap();
                    (token.pending, token.uses) = (token.pending - 1, token.uses + 1);
                }
                Proof::Nothing => {}
                other => self.journal.push(format!("bind {other:?}")),
            }
        }
        let hash = match account.password {
            NewPassword::Given(password) => hash(&password.expose().to_string()),
            _ => kept_hash.expect("the hash was kept"),
        };
        self.journal.push(format!("create {name}"));
        let number = 100 + self.users.len() as u64;
        let user = User { number, hash: Some(hash), ..User::default() };
        self.users.insert(name.clone().leak(), user);
        let device = account.device_id.map_or_else(|| "MADE".to_owned(), |id| id.to_string());
        let login = account.login.then(|| json!({"device_id": device}));
        let receipt = creation.receipt();
        let number = self.next_number();
        self.outcomes.insert(number, json!({"name": name, "login": login}));
        let redeemed = receipt.succeeded(Reference::new(number), self.timestamp());
        assert!(self.write(redeemed.write()));
        self.log_in_again(Reference::new(number))
    }

    pub(crate) fn free(&self, name: &Localpart) -> Result<(), MatrixError> {
        if self.users.contains_key(name.as_str()) { Err(Localpart::in_use()) } else { Ok(()) }
    }

    /// The answer of a registration: the same user and device, with tokens that replace
    /// the earlier ones.
    fn log_in_again(&mut self, outcome: Reference) -> Answer {
        let outcome = self.outcomes[&outcome.get()].clone();
        let name = outcome["name"].as_str().unwrap();
        let user_id = format!("@{name}:{SERVER}");
        let Some(device) = outcome["login"]["device_id"].as_str() else {
            return Answer::ok(json!({"user_id": user_id}));
        };
        let token = format!("token-{}", self.next_number());
        let user = self.user(name);
        user.tokens.retain(|_, of| of != device);
        user.tokens.insert(token.clone(), device.to_owned());
        Answer::ok(json!({"user_id": user_id, "device_id": device, "access_token": token}))
    }

    pub(crate) fn delete_device(&mut self, token: &str, device: &str, body: &str) -> Answer {
        let caller = match self.caller(Some(token), Action::ManageDevices) {
            Ok(caller) => caller,
            Err(answer) => return answer,
        };
        let request = match DeleteDeviceRequest::parse(body.as_bytes()) {
            Ok(request) => request,
            Err(error) => return Answer::refused(error.into()),
        };
        let subject = caller.subject.unwrap();
        let call = request.call(&self.key, subject, device);
        let grant = match self.guard(self.policies.delete_device, call, Kept::Nothing) {
            Gate::Answer(answer) => return answer,
            Gate::Replay(outcome) => return Answer::ok(self.outcomes[&outcome.get()].clone()),
            Gate::Grant(grant) => grant,
        };
        let user = grant.user().unwrap();
        self.by_number(user).tokens.retain(|_, of| of != device);
        self.succeed(grant.redeem(), json!({}))
    }

    pub(crate) fn delete_devices(&mut self, token: &str, body: Value) -> Answer {
        let body = body.to_string();
        let caller = match self.caller(Some(token), Action::ManageDevices) {
            Ok(caller) => caller,
            Err(answer) => return answer,
        };
        let request = match DeleteDevicesRequest::parse(body.as_bytes()) {
            Ok(request) => request,
            Err(error) => return Answer::refused(error.into()),
        };
        let given = |devices: matrix_uia::endpoint::devices::DeviceIds<'_>| -> Vec<String> {
            devices.iter().map(|id| id.to_string()).collect()
        };
        let call = request.call(&self.key, caller.subject.unwrap());
        let keep = Kept::Devices(request.devices.map(given).unwrap_or_default());
        let grant = match self.guard(self.policies.delete_devices, call, keep) {
            Gate::Answer(answer) => return answer,
            Gate::Replay(outcome) => return Answer::ok(self.outcomes[&outcome.get()].clone()),
            Gate::Grant(grant) => grant,
        };
        let devices = match (grant.params(), call.session_id().and_then(|id| self.kept.get(&id))) {
            (Params::Request, _) => request.devices.map(given),
            (Params::Kept, Some(Kept::Devices(devices))) => Some(devices.clone()),
            _ => None,
        };
        let user = grant.user().unwrap();
        let Some(devices) = devices else {
            return self.denied(&Denied::for_params(missing_devices(), grant.redeem()));
        };
        self.by_number(user).tokens.retain(|_, of| !devices.contains(of));
        self.succeed(grant.redeem(), json!({}))
    }

    /// A host's own operation: what the grant says, and nothing else.
    pub(crate) fn own<Op: Operation>(&mut self, gate: Gate<Op>) -> Answer {
        match gate {
            Gate::Answer(answer) => answer,
            Gate::Replay(outcome) => Answer::ok(self.outcomes[&outcome.get()].clone()),
            Gate::Grant(grant) => self.succeed(grant.redeem(), json!({"done": true})),
        }
    }
}
