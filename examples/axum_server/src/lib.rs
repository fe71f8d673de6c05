//! A small server over axum: register (with a registration token), log in, change the password, deactivate.
//!
//! Every guarded handler has the same three parts: parse and check the request; take it through the exchange with
//! [`Run`], carrying out what is granted; answer. [`Transaction`] is all that the exchange asks of this server.
//! Left out: limits on attempts (`Question::limit_keys`), normalising passwords to NFKC, TLS.

mod db;
mod system;

pub use db::{Account, Db, Login, Write};
pub use system::{Outside, System};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::deactivate::{DeactivateRequest, Deactivation};
use matrix_uia::endpoint::login::{self, Attempt, LoginRequest};
use matrix_uia::endpoint::password::{ChangePasswordRequest, Devices, Effect, PasswordStrength};
use matrix_uia::endpoint::register::{Localpart, LoginResponse, NewAccount, RegisterRequest, Registration};
use matrix_uia::server::account::{Account as UiaAccount, AccountStatus};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::drive::{self, Changes, Guarded, Host, Loaded, Run, Step, Verified};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::{ChangePassword, Deactivate, Operation, Register};
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::store::{HashedStore, Lifetimes, Store as _};
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::wire::{Locality, UserIdentifier};
use matrix_uia::{BindingKey, Flows, MatrixError, PolicyError, Rules, Secret, SessionId, Text};
use std::{collections::HashMap, fmt::Write as _, sync::Arc};
use system::{Answer, answer, bearer};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;

const SERVER_NAME: &str = "localhost";

pub struct Server {
    db: Mutex<Db>,
    outside: Box<dyn Outside>,
    argon2: Argon2<'static>,
    /// What an unknown user's password is compared with.
    nobody: String,
    key: BindingKey,
    rules: Rules,
    strength: PasswordStrength,
    register: Flows<'static, Register>,
    password: Flows<'static, ChangePassword>,
    deactivate: Flows<'static, Deactivate>,
}

pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/_matrix/client/v3/register", post(register))
        .route("/_matrix/client/v3/login", post(log_in))
        .route("/_matrix/client/v3/account/password", post(change_password))
        .route("/_matrix/client/v3/account/deactivate", post(deactivate))
        .with_state(server)
}

async fn change_password(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = ChangePasswordRequest::parse(&body)?.check(&server.strength, true)?;
    let token = bearer(&headers).ok_or(MatrixError::missing_token())?;
    let mut run = server.run(&server.password, Some(token), &request)?;
    while let Some(granted) = run.granted().await? {
        let (change, performing) = granted.into_parts();
        let (user, token) = (change.user(), token.to_owned());
        for effect in change.effects() {
            match effect {
                Effect::SetPassword(hash) => {
                    let hash = hash.clone();
                    run.host.write(move |db| db.set_password(user, Some(hash)));
                }
                Effect::EndDevices(Devices::Others) => run.host.write({
                    let token = token.clone();
                    move |db| db.logins.retain(|other, login| login.user != user || *other == token)
                }),
                Effect::EndDevices(Devices::All) => {
                    run.host.write(move |db| db.logins.retain(|_, it| it.user != user))
                }
                Effect::EndPushers(_) => {} // There are none here.
            }
        }
        run.done(performing, Ok(Outcome::NOTHING), server.outside.now());
    }
    answer(|out| write!(out, "{{}}"))
}

async fn deactivate(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = DeactivateRequest::parse(&body)?.check()?;
    let token = bearer(&headers).ok_or(MatrixError::missing_token())?;
    let mut user = server.db().await.logins.get(token).map(|login| login.user);
    let mut run = server.run(&server.deactivate, Some(token), &request)?;
    while let Some(granted) = run.granted().await? {
        let (deactivation, performing) = granted.into_parts();
        user = Some(deactivation.user());
        // The fence, and the note of what is still to be done, are written together; the rest follows.
        run.host.write(move |db| db.deactivate(deactivation));
        run.done(performing, Ok(Outcome::NOTHING), server.outside.now());
    }
    let left = server.finish(user.ok_or(MatrixError::unknown_token(false))?).await;
    let done = left.and_then(|left| left.response()).ok_or(MatrixError::unavailable())?;
    answer(|out| done.write(out))
}

async fn register(State(server): State<Arc<Server>>, body: Bytes) -> Answer {
    let request = RegisterRequest::parse(&body)?;
    let request = match request.check(&server.strength, SERVER_NAME) {
        Ok(checked) => checked,
        // Other parameters may be sent in the same session.
        Err(error) => {
            let (mut host, call) = (server.transaction(None), request.unchecked_call());
            let (guarded, now) = (server.guarded(&server.register), server.outside.now());
            let stop =
                drive::refuse::<_, Checked<Registration<'_>>>(&mut host, guarded, call, error, now).await;
            return Err(stop.into());
        }
    };
    let mut run = server.run(&server.register, None, &request)?;
    let mut answered = LoggedIn::default();
    while let Some(step) = run.next().await? {
        match step {
            Step::Admit(admit) => {
                let available = match &request.username {
                    Some(name) => name.available(false, server.find(name.as_str()).await.is_some()),
                    None => Ok(()),
                };
                run.go_on(match available {
                    Ok(()) => admit.admitted(),
                    Err(error) => admit.refused(Refusal::for_params(error)),
                });
            }
            Step::Perform(granted) => {
                let (new, performing) = granted.into_parts();
                let made = run.host.create(new).await.map(|(outcome, made)| {
                    answered = made;
                    outcome
                });
                run.done(performing, made, server.outside.now());
            }
            Step::Repeat(repeat) => match run.host.repeat(repeat.user(), repeat.outcome()).await? {
                Some(again) => {
                    answered = again;
                    run.go_on(repeat.repeated());
                }
                None => run.go_on(repeat.gone()),
            },
        }
    }
    answered.answer()
}

async fn log_in(State(server): State<Arc<Server>>, body: Bytes) -> Answer {
    let request = LoginRequest::parse(&body)?;
    let Attempt::Password { identifier, password } = request.attempt else {
        return Err(MatrixError::new(ErrorCode::Unknown, "This type of login is not served.").into());
    };
    let (_, account) = server.named(identifier).await;
    let hash = account.as_ref().and_then(|account| account.hash.clone());
    let right = server.matches(password, hash).await?;
    // As it is now: the password may have been replaced while it was compared.
    let mut db = server.db().await;
    let (name, epoch) = account.map(|it| (it.name, it.epoch)).unwrap_or_default();
    let user = server.key.user(&name);
    let now = db.accounts.get(&user).filter(|now| now.epoch == epoch);
    login::decide(now.map(|now| now.status), right, false)?;
    let device = request.device_id.map(|id| id.to_string());
    let login = server.new_login(user, device.as_deref())?;
    let answer = LoggedIn::new(&name, Some(&login)).answer();
    db.log_in(login);
    answer
}

/// One request's transaction: what it has read, and what it will write.
struct Transaction<'s> {
    server: &'s Server,
    token: Option<&'s str>,
    /// The database's version at the load.
    version: u64,
    /// What the call writes, and what a verdict has reserved before it.
    call: Vec<Write>,
    verified: Option<Write>,
}

impl<'r, E: Endpoint> Host<'r, E> for Transaction<'_> {
    type Hash = String;
    type Error = MatrixError;

    async fn load(&mut self, session: Option<SessionId>) -> Result<Loaded<E::Stored>, MatrixError> {
        let mut db = self.server.db().await;
        let now = self.server.outside.now();
        db.expire(now);
        *self = Transaction { version: db.version, ..self.server.transaction(self.token) };
        let record = session.and_then(|id| db.sessions.load(&id));
        let session = record.map(|record| record.session.clone());
        let stored = record.and_then(|record| serde_json::from_str(&record.kept).ok());
        Ok(Loaded { session, stored, caller: db.caller(self.token), now })
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<UiaAccount>, MatrixError> {
        Ok(self.server.db().await.account(user))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, MatrixError> {
        Ok(match question.check() {
            Check::Password(check) => {
                let (named, account) = self.server.named(check.identifier()).await;
                let comparison = check.named(named);
                let hash =
                    account.filter(|_| comparison.against().is_some()).and_then(|account| account.hash);
                let right = self.server.matches(comparison.password(), hash).await?;
                Verified::Outside(comparison.verdict(right))
            }
            Check::RegistrationToken { token } => {
                let (id, token) = (question.session_id(), token.expose().to_string());
                let uses = self.server.db().await.tokens.get(&token).copied();
                if uses.is_none_or(|uses| uses == 0) {
                    return Ok(Verified::InTransaction(Verdict::Failed(StageFailure::Token)));
                }
                self.verified = Some(Box::new(move |db| db.reserve(id, token)));
                Verified::InTransaction(Verdict::Passed(Evidence::token(Reference::default())))
            }
            // No flow of this server has any of them.
            Check::Recaptcha { .. } | Check::Email(_) | Check::Msisdn(_) => {
                Verified::Outside(Verdict::Unavailable)
            }
            Check::Awaited { .. } | Check::Custom { .. } => Verified::Outside(Verdict::Unavailable),
        })
    }

    async fn release(&mut self) {
        (self.call, self.verified) = (Vec::new(), None);
    }

    async fn hash(&mut self, password: Secret<'_>) -> Result<String, MatrixError> {
        self.server.hash(password).await
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> Result<Committed, MatrixError> {
        let kept = stored.map(serde_json::to_string).transpose().map_err(|_| MatrixError::unavailable())?;
        let mut db = self.server.db().await;
        let (verified, call) = (self.verified.take(), std::mem::take(&mut self.call));
        let now = self.server.outside.now();
        let committed = db.commit(self.version, changes.iter(), kept, verified, call, now);
        self.version = db.version;
        Ok(committed)
    }
}

impl Transaction<'_> {
    fn write(&mut self, write: impl FnOnce(&mut Db) + Send + 'static) {
        self.call.push(Box::new(write));
    }

    async fn create(&mut self, new: NewAccount<String>) -> Result<(Outcome, LoggedIn), Refusal> {
        let name = match new.username {
            Some(name) => name.as_str().to_owned(),
            None => format!("u{}", self.server.secret()?.to_lowercase()),
        };
        if self.server.find(&name).await.is_some() {
            return Err(Refusal::for_params(Localpart::in_use()));
        }
        let user = self.server.key.user(&name);
        let login = self.server.new_login(user, new.device_id.as_deref())?;
        let logged_in = LoggedIn::new(&name, new.login.then_some(&login));
        let outcome = Outcome::new(Reference::new(login.number)).of_account(Subject::new(user, 0));
        let account =
            Account { name, hash: Some(new.hash), epoch: 0, status: AccountStatus::default(), leaving: None };
        self.write(move |db| {
            db.accounts.insert(user, account);
            new.login.then(|| db.log_in(login));
        });
        Ok((outcome, logged_in))
    }

    /// A new token for the device of a finished registration, whose earlier one ends; `None`: it is gone.
    async fn repeat(
        &mut self,
        user: Option<UserRef>,
        made: Reference,
    ) -> Result<Option<LoggedIn>, MatrixError> {
        let db = self.server.db().await;
        let Some((user, account)) = user.and_then(|user| Some((user, db.accounts.get(&user)?))) else {
            return Ok(None);
        };
        let Some(old) = db.logins.values().find(|login| login.number == made.get()) else {
            return Ok((made == Reference::default()).then(|| LoggedIn::new(&account.name, None)));
        };
        let login = Login { number: old.number, ..self.server.new_login(user, Some(&old.device))? };
        let logged_in = LoggedIn::new(&account.name, Some(&login));
        drop(db);
        self.write(move |db| db.log_in(login));
        Ok(Some(logged_in))
    }
}

impl Server {
    /// A server that keeps at most `limit` sessions.
    pub fn new(
        outside: Box<dyn Outside>,
        argon2: Argon2<'static>,
        limit: usize,
    ) -> Result<Self, MatrixError> {
        let mut key = [0; 16];
        outside.entropy(&mut key)?;
        let rules = Rules::default();
        let db = Db {
            version: 0,
            accounts: HashMap::new(),
            logins: HashMap::new(),
            sessions: HashedStore::new(Lifetimes::of(&rules), limit),
            tokens: HashMap::new(),
            reserved: HashMap::new(),
        };
        let policy = |_: PolicyError| MatrixError::unavailable();
        let nobody = hash(&argon2, &[0; 16], b"nobody's").ok_or(MatrixError::unavailable())?;
        Ok(Self {
            db: Mutex::new(db),
            outside,
            argon2,
            nobody,
            key: BindingKey::from_entropy(key),
            rules,
            strength: PasswordStrength::default(),
            register: Flows::new([["m.login.registration_token", "m.login.dummy"]], None).map_err(policy)?,
            password: Flows::new([["m.login.password"]], None).map_err(policy)?,
            deactivate: Flows::new([["m.login.password"]], None).map_err(policy)?,
        })
    }

    /// The database, for as long as the guard lives.
    pub async fn db(&self) -> MutexGuard<'_, Db> {
        self.outside.wait().await;
        self.db.lock().await
    }

    fn guarded<'r, Op: Operation>(&'r self, flows: &'r Flows<'static, Op>) -> Guarded<'r, Op> {
        let kind = HostKind::assume_one_transaction();
        Guarded { flows, rules: &self.rules, key: &self.key, kind }
    }

    const fn transaction<'s>(&'s self, token: Option<&'s str>) -> Transaction<'s> {
        Transaction { server: self, token, version: 0, call: Vec::new(), verified: None }
    }

    fn run<'r, E: Endpoint>(
        &'r self,
        flows: &'r Flows<'static, E::Op>,
        token: Option<&'r str>,
        request: &'r E,
    ) -> Result<Run<'r, Transaction<'r>, E>, MatrixError> {
        let fresh = SessionId::from_entropy(self.entropy()?);
        Ok(Run::new(self.transaction(token), request, self.guarded(flows), fresh, self.outside.now()))
    }

    fn entropy<const N: usize>(&self) -> Result<[u8; N], MatrixError> {
        let mut bytes = [0; N];
        self.outside.entropy(&mut bytes).map(|()| bytes)
    }

    /// Text of 192 random bits.
    fn secret(&self) -> Result<String, MatrixError> {
        Ok(SessionId::from_entropy(self.entropy()?).expose().as_str().to_owned())
    }

    fn new_login(&self, user: UserRef, device: Option<&str>) -> Result<Login, MatrixError> {
        let device = device.map_or_else(|| self.secret(), |device| Ok(device.to_owned()))?;
        Ok(Login { token: self.secret()?, user, device, number: u64::from_le_bytes(self.entropy()?) })
    }

    async fn find(&self, name: &str) -> Option<Account> {
        self.db().await.accounts.get(&self.key.user(name)).cloned()
    }

    /// Whom an identifier names.
    async fn named(&self, identifier: UserIdentifier<'_>) -> (Named, Option<Account>) {
        let name = match identifier.localpart(SERVER_NAME) {
            Locality::Local(name) => name.to_string(),
            Locality::Remote => return (Named::Remote, None),
            _ => return (Named::Nobody, None),
        };
        match self.find(&name).await {
            Some(account) => (Named::User(Subject::new(self.key.user(&name), account.epoch)), Some(account)),
            None => (Named::Nobody, None),
        }
    }

    async fn hash(&self, password: Secret<'_>) -> Result<String, MatrixError> {
        let (argon2, salt, password) = (self.argon2.clone(), self.entropy::<16>()?, password.to_owned());
        let hash = spawn_blocking(move || hash(&argon2, &salt, password.expose().as_bytes())).await;
        hash.ok().flatten().ok_or(MatrixError::unavailable())
    }

    /// Whether `password` is the one that `hash` was made from; without one it takes as long, and is wrong.
    async fn matches(&self, password: Secret<'_>, hash: Option<String>) -> Result<bool, MatrixError> {
        let (argon2, known, password) = (self.argon2.clone(), hash.is_some(), password.to_owned());
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let matches = move || {
            let hash = PasswordHash::new(&hash).ok();
            hash.is_some_and(|hash| argon2.verify_password(password.expose().as_bytes(), &hash).is_ok())
        };
        let matches = spawn_blocking(matches).await.map_err(|_| MatrixError::unavailable())?;
        Ok(matches && known)
    }

    /// Carries a deactivation out to its end, from wherever it stands; returns it as it is then.
    async fn finish(&self, user: UserRef) -> Option<Deactivation> {
        loop {
            let mut db = self.db().await;
            let left = db.accounts.get(&user)?.leaving.clone()?;
            if left.effect().is_none() {
                return Some(left);
            }
            db.deactivate(left);
        }
    }

    /// Finishes what was left by requests that were dropped: call it at start, and now and then.
    pub async fn resume(&self) {
        let left: Vec<_> = self
            .db()
            .await
            .accounts
            .iter()
            .filter(|(_, it)| it.leaving.is_some())
            .map(|(user, _)| *user)
            .collect();
        for user in left {
            let _ = self.finish(user).await;
        }
    }
}

fn hash(argon2: &Argon2<'_>, salt: &[u8], password: &[u8]) -> Option<String> {
    argon2.hash_password_with_salt(password, salt).ok().map(|hash: PasswordHash| hash.to_string())
}

/// What a login and a registration are answered with.
#[derive(Default)]
struct LoggedIn {
    user_id: String,
    login: Option<(String, String)>,
}

impl LoggedIn {
    fn new(name: &str, login: Option<&Login>) -> Self {
        let login = login.map(|login| (login.token.clone(), login.device.clone()));
        Self { user_id: format!("@{name}:{SERVER_NAME}"), login }
    }

    fn answer(&self) -> Answer {
        let response = LoginResponse::new(Text::new(&self.user_id));
        let response = match &self.login {
            Some((token, device)) => response.with_login(Secret::new(token), Text::new(device)),
            None => response,
        };
        answer(|out| response.write(out))
    }
}
