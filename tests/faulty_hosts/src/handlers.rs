//! The handlers of the host.

use crate::db::Account;
use crate::fault::Fault;
use crate::host::MemoryHost;
use crate::transaction::Transaction;
use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::password::{ChangePasswordRequest, Devices, Effect, PasswordStrength};
use matrix_uia::endpoint::register::{Localpart, LoginResponse, NewAccount, RegisterRequest};
use matrix_uia::server::account::AccountStatus;
use matrix_uia::server::drive::{self, Run, Step, Stop};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::flows::Flows;
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::reference::{Reference, Subject};
use matrix_uia::server::respond::Respond;
use matrix_uia::testkit::Answer;
use matrix_uia::wire::ParseError;
use matrix_uia::{MatrixError, Secret, SessionId, Text, Timestamp};
use std::collections::BTreeMap;

/// What is answered instead of a success.
pub struct Failure(pub Answer);

impl From<Stop<'_, MatrixError>> for Failure {
    fn from(stop: Stop<'_, MatrixError>) -> Self {
        let respond = Respond::from(stop);
        let mut body = String::new();
        let status = respond.write_body(&mut body).unwrap().unwrap_or(500);
        Self(Answer { status, body })
    }
}

impl From<MatrixError> for Failure {
    fn from(error: MatrixError) -> Self {
        Stop::Host(error).into()
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        MatrixError::from(error).into()
    }
}

type Handled = Result<Answer, Failure>;

fn ok(body: impl Into<String>) -> Handled {
    Ok(Answer { status: 200, body: body.into() })
}

impl<const CLAIMS: bool> MemoryHost<CLAIMS> {
    fn run<'r, E: Endpoint>(
        &'r self,
        flows: &'r Flows<'static, E::Op>,
        token: Option<&str>,
        request: &'r E,
    ) -> Run<'r, Transaction<'r, CLAIMS>, E> {
        let mut entropy = [0; SessionId::ENTROPY];
        if self.fault != Fault::ConstantEntropy {
            self.outside.entropy(&mut entropy);
        }
        let transaction = Transaction::new(self, token.map(str::to_owned));
        Run::new(
            transaction,
            request,
            self.guarded(flows),
            SessionId::from_entropy(entropy),
            self.outside.now(),
        )
    }

    /// When a call succeeded.
    fn succeeded(&self) -> Timestamp {
        if self.fault == Fault::StampedWithZero { Timestamp::from_millis(0) } else { self.outside.now() }
    }

    pub async fn change_password(&self, token: Option<&str>, body: &[u8]) -> Handled {
        let request = ChangePasswordRequest::parse(body)?.check(&PasswordStrength::default(), true)?;
        let mut run = self.run(&self.password, token, &request);
        while let Some(granted) = run.granted().await? {
            run.host.record = granted.record_under.map(|session| (session, Outcome::NOTHING));
            let (change, performing) = granted.into_parts();
            let (user, fault) = (change.user(), self.fault);
            for effect in change.effects() {
                match effect {
                    Effect::SetPassword(hash) => {
                        let hash = hash.clone();
                        run.host.write(move |db| db.set_password(user, Some(hash)));
                    }
                    Effect::EndDevices(Devices::Others | Devices::All) if fault != Fault::EffectSkipped => {
                        let token = token.map(str::to_owned);
                        run.host.write(move |db| {
                            let keep = |other: &String, _: &mut u64| token.as_ref() == Some(other);
                            db.accounts.entry(user).and_modify(|account| account.devices.retain(keep));
                        });
                    }
                    _ => {}
                }
            }
            run.done(performing, Ok(Outcome::NOTHING), self.succeeded());
        }
        ok("{}")
    }

    pub async fn deactivate(&self, token: Option<&str>, body: &[u8]) -> Handled {
        let request = DeactivateRequest::parse(body)?.check()?;
        let of_token = |token| self.db().user_of(token).ok_or(MatrixError::unknown_token(false));
        let mut user = token.map(of_token).transpose()?;
        let mut run = self.run(&self.deactivation, token, &request);
        while let Some(granted) = run.granted().await? {
            run.host.record = granted.record_under.map(|session| (session, Outcome::NOTHING));
            let (deactivation, performing) = granted.into_parts();
            user = Some(deactivation.user());
            run.host.write(move |db| db.deactivate(deactivation));
            run.done(performing, Ok(Outcome::NOTHING), self.succeeded());
        }
        if let Some(user) = user {
            self.finish(user).await;
        }
        ok("{}")
    }

    pub async fn finish(&self, user: matrix_uia::server::reference::UserRef) {
        loop {
            self.outside.pause().await;
            let mut db = self.db();
            let left = db.accounts.get(&user).and_then(|account| account.leaving.clone());
            match left.filter(|left| left.effect().is_some()) {
                Some(left) => db.deactivate(left),
                None => return,
            }
        }
    }

    pub async fn register(&self, body: &[u8]) -> Handled {
        let checked = RegisterRequest::parse(body)?.check(&PasswordStrength::default(), "localhost");
        let (mut host, now) = (Transaction::new(self, None), self.outside.now());
        let guarded = self.guarded(&self.registration);
        let request = drive::checked(checked, &mut host, guarded, now).await?;
        let mut run = self.run(&self.registration, None, &request);
        let mut answer = String::new();
        while let Some(step) = run.next().await? {
            match step {
                Step::Admit(admit) => {
                    // Who forgets something about refusals meets them only when the call is carried out.
                    let asks = !matches!(self.fault, Fault::RefusalNotReported | Fault::RefusedNotUndone);
                    let taken = request.username.as_ref().filter(|_| asks).map_or(Ok(()), |name| {
                        name.available(false, self.db().accounts.contains_key(&self.user(name.as_str())))
                    });
                    run.go_on(match taken {
                        Ok(()) => admit.admitted(),
                        Err(error) => admit.refused(Refusal::for_params(error)),
                    });
                }
                Step::Perform(granted) => {
                    let record_under = granted.record_under;
                    let (new, performing) = granted.into_parts();
                    let made = self.create(&mut run.host, new);
                    if let (Err(refusal), Fault::RefusalNotReported) = (&made, self.fault) {
                        return Err(refusal.error().into());
                    }
                    let made = made.map(|(outcome, text)| {
                        answer = text;
                        outcome
                    });
                    run.host.record = record_under.zip(made.ok());
                    run.done(performing, made, self.succeeded());
                }
                Step::Repeat(repeat) => {
                    let user = repeat.user().and_then(|user| self.db().accounts.get(&user).map(|_| user));
                    let Some(user) = user else {
                        run.go_on(repeat.gone());
                        continue;
                    };
                    let (token, number) = (self.text(), repeat.outcome().get());
                    answer = login(&token);
                    run.host.write(move |db| {
                        db.accounts.entry(user).and_modify(|account| {
                            account.devices.retain(|_, device| *device != number);
                            account.devices.insert(token, number);
                        });
                    });
                    run.go_on(repeat.repeated());
                }
            }
        }
        ok(answer)
    }

    fn create(
        &self,
        host: &mut Transaction<'_, CLAIMS>,
        new: NewAccount<String>,
    ) -> Result<(Outcome, String), Refusal> {
        let name = new.username.map_or_else(|| self.text().to_lowercase(), |name| name.as_str().to_owned());
        let (user, token) = (self.user(&name), self.text());
        let number = self.db().number();
        let device = token.clone();
        if self.fault == Fault::RefusedNotUndone {
            // The first effect comes before what refuses the call.
            host.write(move |db| {
                db.accounts.entry(user).and_modify(|account| {
                    account.devices.insert(device, number);
                });
            });
        }
        if self.db().accounts.contains_key(&user) {
            return Err(Refusal::for_params(Localpart::in_use()));
        }
        let (password, devices) = (Some(new.hash), BTreeMap::from([(token.clone(), number)]));
        let status = AccountStatus::default();
        host.makes = Some(user);
        host.write(move |db| {
            db.version += 1;
            db.accounts.entry(user).or_insert(Account { password, epoch: 0, status, devices, leaving: None });
        });
        let outcome = Outcome::new(Reference::new(number)).of_account(Subject::new(user, 0));
        Ok((outcome, login(&token)))
    }
}

fn login(token: &str) -> String {
    let mut body = String::new();
    let response = LoginResponse::new(Text::new("@user:localhost"));
    response.with_login(Secret::new(token), Text::new("DEVICE")).write(&mut body).unwrap();
    body
}
