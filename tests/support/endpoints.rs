//! The endpoints, each as a host writes it: check, serve, carry out.

use matrix_uia::endpoint::deactivate::{DeactivateRequest, Deactivation, Effect as DeactivationEffect};
#[cfg(feature = "alloc")]
use matrix_uia::endpoint::devices::{DeleteDeviceRequest, DeleteDevicesRequest};
use matrix_uia::endpoint::password::{
    ChangePasswordRequest, Devices, Effect, PasswordChange, PasswordStrength,
};
use matrix_uia::endpoint::register::{Localpart, NewAccount, RegisterRequest};
use matrix_uia::server::account::{AccountStatus, Action, Event};
use matrix_uia::server::call::{Call, RefusedCall};
use matrix_uia::server::drive::{Guarded, refuse};
use matrix_uia::server::grant::{Exempt, Outcome, Refusal};
use matrix_uia::server::operation::Operation;
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::{Flows, MatrixError};
use serde_json::{Value, json};

use super::accounts::User;
use super::host::{Handler, Serving};
use super::{Answer, Own, OwnPlan, SERVER, Server};

impl Server {
    /// The bearer token, if it is a good one of an account that may do this; else the answer.
    fn device(&self, token: Option<&str>, action: Action) -> Result<Option<String>, Answer> {
        let Some(token) = token else { return Ok(None) };
        let (_, status, device) =
            self.subject(token).ok_or_else(|| Answer::refused(MatrixError::unknown_token(false)))?;
        status.gate(action).map_err(Answer::refused)?;
        Ok(Some(device))
    }

    fn fails(&mut self) -> Result<(), MatrixError> {
        self.call_fails.take().map_or(Ok(()), Err)
    }

    /// The outcome of a call, by which its answer is found again.
    fn outcome(&mut self, answer: Value) -> Outcome {
        let number = self.next_number();
        self.outcomes.insert(number, answer);
        Outcome::new(Reference::new(number))
    }

    fn result(&self, outcome: Reference) -> Value {
        self.outcomes[&outcome.get()].clone()
    }

    /// The session of a password change that has said nothing of authentication yet.
    pub(crate) fn begin(&mut self, token: Option<&str>) -> String {
        self.change_password(token, json!({"new_password": "looking-glass"})).session().to_owned()
    }

    pub(crate) fn change_password(&mut self, token: Option<&str>, body: Value) -> Answer {
        self.change_password_raw(token, body.to_string().as_bytes())
    }

    pub(crate) fn change_password_raw(&mut self, token: Option<&str>, body: &[u8]) -> Answer {
        let device = match self.device(token, Action::ChangePassword) {
            Ok(device) => device,
            Err(answer) => return answer,
        };
        let checked = ChangePasswordRequest::parse(body).map_err(MatrixError::from);
        let checked = checked.and_then(|it| it.check(&PasswordStrength::default(), self.passwords_enabled));
        let checked = match checked {
            Ok(checked) => checked,
            Err(error) => return Answer::refused(error),
        };
        let flows = if token.is_some() { self.policies.change } else { self.policies.reset };
        let handler = Handler {
            admit: &mut |_| Ok(None),
            perform: &mut |server, plan: PasswordChange<String>| {
                server.fails()?;
                for effect in plan.effects() {
                    server.journal.push(match effect {
                        Effect::SetPassword(_) => "SetPassword".to_owned(),
                        Effect::EndDevices(devices) => format!("EndDevices({devices:?})"),
                        Effect::EndPushers(devices) => format!("EndPushers({devices:?})"),
                    });
                    let user = server.by_number(plan.user());
                    match effect {
                        Effect::SetPassword(hash) => {
                            user.hash = Some(hash.clone());
                            user.epoch += 1;
                        }
                        Effect::EndDevices(Devices::All) => user.tokens.clear(),
                        Effect::EndDevices(Devices::Others) => {
                            user.tokens.retain(|_, it| Some(&*it) == device.as_ref());
                        }
                        Effect::EndPushers(_) => {}
                    }
                }
                Ok((server.outcome(json!({})), json!({})))
            },
            repeat: &mut |server, outcome| server.result(outcome),
        };
        self.serve(token, flows, &checked, handler)
    }

    /// The whole of a deactivation.
    pub(crate) fn deactivate(&mut self, token: Option<&str>, body: Value) -> Answer {
        self.deactivate_until(token, body, usize::MAX).0
    }

    /// A deactivation of which so many effects are carried out; and what is left to be done.
    pub(crate) fn deactivate_until(
        &mut self,
        token: Option<&str>,
        body: Value,
        effects: usize,
    ) -> (Answer, Option<Deactivation>) {
        let body = body.to_string();
        if let Err(answer) = self.device(token, Action::Deactivate) {
            return (answer, None);
        }
        let checked = DeactivateRequest::parse(body.as_bytes()).map_err(MatrixError::from);
        let checked = match checked.and_then(DeactivateRequest::check) {
            Ok(checked) => checked,
            Err(error) => return (Answer::refused(error), None),
        };
        let flows = match (token, self.policies.deactivate_without_token) {
            (Some(_), _) => self.policies.deactivate,
            (None, Some(flows)) => flows,
            (None, None) => return (Answer::refused(MatrixError::missing_token()), None),
        };
        let mut begun = None;
        let handler = Handler {
            admit: &mut |_| Ok(None),
            perform: &mut |server, plan: Deactivation| {
                server.fails()?;
                begun = Some(plan);
                Ok((server.outcome(json!({})), json!({})))
            },
            repeat: &mut |server, outcome| server.result(outcome),
        };
        let answer = self.serve(token, flows, &checked, handler);
        let Some(mut left) = begun.filter(|_| answer.status == 200) else { return (answer, None) };
        for _ in 0..effects {
            let Some(effect) = left.effect() else { break };
            left = self.carry_out_one(left, effect);
        }
        match left.response() {
            Some(_) => (Answer::ok(self.carry_out(left)), None),
            None => (answer, Some(left)),
        }
    }

    /// Effect after effect, as a real host does with the value it stored; then the answer,
    /// which is also that of the call if it is repeated.
    pub(crate) fn carry_out(&mut self, mut progress: Deactivation) -> Value {
        while let Some(effect) = progress.effect() {
            progress = self.carry_out_one(progress, effect);
        }
        let mut body = String::new();
        progress.response().expect("nothing is left").write(&mut body).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap();
        if let Some(last) = self.outcomes.values_mut().next_back() {
            *last = answer.clone();
        }
        answer
    }

    /// Carries one effect out; the value without it.
    pub(crate) fn carry_out_one(
        &mut self,
        progress: Deactivation,
        effect: DeactivationEffect,
    ) -> Deactivation {
        self.journal.push(format!("{effect:?}"));
        if effect == DeactivationEffect::Fence {
            let theirs = progress.user();
            self.sessions.retain(|_, stored| {
                let session: matrix_uia::Session = serde_json::from_str(stored).unwrap();
                session.is_claimed() || session.consumed_at().is_some() || session.user() != Some(theirs)
            });
        }
        let user = self.by_number(progress.user());
        let on = |status: AccountStatus, event| status.on(event).unwrap();
        match effect {
            DeactivationEffect::Fence => {
                user.status = on(user.status, Event::Fence);
                user.epoch += 1;
            }
            DeactivationEffect::RemoveThreepids => user.threepids.clear(),
            DeactivationEffect::EndDevices => user.tokens.clear(),
            DeactivationEffect::RemovePassword => user.hash = None,
            DeactivationEffect::MarkErased => user.status = on(user.status, Event::Erase),
            DeactivationEffect::MarkDeactivated => user.status = on(user.status, Event::Finish),
            _ => {}
        }
        match effect {
            DeactivationEffect::UnbindThreepids => progress.unbound(true),
            _ => progress.done(),
        }
    }

    pub(crate) fn register(&mut self, body: Value) -> Answer {
        let body = body.to_string();
        let request = match RegisterRequest::parse(body.as_bytes()) {
            Ok(request) => request,
            Err(error) => return Answer::refused(error.into()),
        };
        let checked = match request.check(&PasswordStrength::default(), SERVER) {
            Ok(checked) => checked,
            Err(refused) => return self.refuse_registration(refused),
        };
        let handler = Handler {
            admit: &mut |server| match &checked.username {
                Some(name) => server.may_take(name).map(|()| None).map_err(Refusal::for_params),
                None => Ok(None),
            },
            perform: &mut |server, plan| {
                server.fails().map_err(Refusal::for_params)?;
                server.create(plan)
            },
            repeat: &mut |server, outcome| {
                if server.is_logged_in(outcome) { server.log_in_again(outcome) } else { Value::Null }
            },
        };
        self.serve(None, self.policies.register, &checked, handler)
    }

    fn refuse_registration(
        &mut self,
        refused: RefusedCall<'_, matrix_uia::server::operation::Register>,
    ) -> Answer {
        let rules = self.rules.clone();
        let (key, arrived) = (super::key(), self.arrived());
        let flows = self.policies.register;
        let guarded = Guarded { flows, rules: &rules, key: &key, kind: self.kind };
        let mut host = Serving::of(self, None);
        let refused = refuse::<
            _,
            matrix_uia::endpoint::Checked<matrix_uia::endpoint::register::Registration<'_>>,
        >(&mut host, guarded, refused, arrived);
        let stop = matrix_uia::server::drive::ready(refused).expect("nothing waits here");
        super::host::answer(&stop.into())
    }

    fn create(&mut self, plan: NewAccount<String>) -> Result<(Outcome, Value), Refusal> {
        let name = match &plan.username {
            Some(name) => name.as_str().to_owned(),
            None => format!("made-{}", self.next_number()),
        };
        if self.users.contains_key(name.as_str()) {
            return Err(Refusal::for_params(Localpart::in_use()));
        }
        for threepid in &plan.threepids {
            self.journal.push(format!("bind {}", threepid.get()));
        }
        self.journal.push(format!("create {name}"));
        let number = 100 + self.users.len() as u64;
        let user = User { number, hash: Some(plan.hash), ..User::default() };
        let subject = Subject::new(UserRef::new(number), user.epoch);
        self.users.insert(name.clone().leak(), user);
        let device = plan.device_id.map_or_else(|| "MADE".to_owned(), |id| id.as_str().to_owned());
        let login = plan.login.then(|| json!({"device_id": device}));
        let outcome = self.outcome(json!({"name": name, "login": login})).of_account(subject);
        let answer = self.log_in_again(outcome.reference());
        Ok((outcome, answer))
    }

    /// Whether people may take that name.
    fn may_take(&self, name: &Localpart) -> Result<(), MatrixError> {
        name.available(false, self.users.contains_key(name.as_str()))
    }

    /// Whether the device that a registration made is still there, if it made one.
    fn is_logged_in(&self, outcome: Reference) -> bool {
        let outcome = self.result(outcome);
        let name = outcome["name"].as_str().unwrap();
        let device = outcome["login"]["device_id"].as_str();
        device.is_none_or(|device| self.devices(name).contains(&device))
    }

    /// The answer of a registration: the same user and device, with tokens that replace
    /// the earlier ones.
    fn log_in_again(&mut self, outcome: Reference) -> Value {
        let outcome = self.result(outcome);
        let name = outcome["name"].as_str().unwrap();
        let user_id = format!("@{name}:{SERVER}");
        let Some(device) = outcome["login"]["device_id"].as_str() else {
            return json!({"user_id": user_id});
        };
        let token = format!("token-{}", self.next_number());
        let user = self.user(name);
        user.tokens.retain(|_, of| of != device);
        user.tokens.insert(token.clone(), device.to_owned());
        json!({"user_id": user_id, "device_id": device, "access_token": token})
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn delete_device(&mut self, token: &str, device: &str, body: &str) -> Answer {
        if let Err(answer) = self.device(Some(token), Action::ManageDevices) {
            return answer;
        }
        let checked = DeleteDeviceRequest::parse(body.as_bytes()).map_err(MatrixError::from);
        match checked.and_then(|request| request.check(device)) {
            Ok(checked) => self.delete(token, self.policies.delete_device, &checked),
            Err(error) => Answer::refused(error),
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn delete_devices(&mut self, token: &str, body: Value) -> Answer {
        let body = body.to_string();
        if let Err(answer) = self.device(Some(token), Action::ManageDevices) {
            return answer;
        }
        let checked = DeleteDevicesRequest::parse(body.as_bytes()).map_err(MatrixError::from);
        match checked.and_then(DeleteDevicesRequest::check) {
            Ok(checked) => self.delete(token, self.policies.delete_devices, &checked),
            Err(error) => Answer::refused(error),
        }
    }

    #[cfg(feature = "alloc")]
    fn delete<E>(&mut self, token: &str, flows: &'static Flows<'static, E::Op>, checked: &E) -> Answer
    where
        E: matrix_uia::server::endpoint::Endpoint<
                Plan<String> = matrix_uia::endpoint::devices::DeviceDeletion,
            >,
    {
        let handler = Handler {
            admit: &mut |_| Ok(None),
            perform: &mut |server, plan: matrix_uia::endpoint::devices::DeviceDeletion| {
                server.fails()?;
                server.by_number(plan.user).tokens.retain(|_, of| !plan.devices.contains(of));
                Ok((server.outcome(json!({})), json!({})))
            },
            repeat: &mut |server, outcome| server.result(outcome),
        };
        self.serve(Some(token), flows, checked, handler)
    }

    /// A call for which nobody has to authenticate, as the host says.
    pub(crate) fn own_exempt<Op: Operation>(
        &mut self,
        token: Option<&str>,
        flows: &'static Flows<'static, Op>,
        exempt: Exempt,
    ) -> Answer {
        let handler = Handler {
            admit: &mut |_| Ok(Some(exempt)),
            perform: &mut |_, _| Ok((Outcome::NOTHING, json!({}))),
            repeat: &mut |_, _| json!({}),
        };
        self.serve(token, flows, &Own(Call::new(&matrix_uia::wire::Auth::Absent)), handler)
    }

    /// A host's own operation: what the grant says, and nothing else.
    pub(crate) fn own<Op: Operation>(
        &mut self,
        token: Option<&str>,
        flows: &'static Flows<'static, Op>,
        call: Call<'_, Op>,
    ) -> (Answer, Option<OwnPlan>) {
        let mut plan = None;
        let handler = Handler {
            admit: &mut |_| Ok(None),
            perform: &mut |server, granted: OwnPlan| {
                plan = Some(granted);
                server.fails()?;
                Ok((server.outcome(json!({"done": true})), json!({"done": true})))
            },
            repeat: &mut |server, outcome| server.result(outcome),
        };
        let answer = self.serve(token, flows, &Own(call), handler);
        (answer, plan)
    }
}
