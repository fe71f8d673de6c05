//! A small server over axum: register (with a registration token), log in, change the password, deactivate.
//!
//! Every guarded handler has three parts: parse and check the request; take it through the exchange with
//! [`Run`], carrying out what is granted; answer. `host.rs` is all that the exchange asks of this server.
//! Left out: limits (`Question::limit_keys`, `OwnerKey`), passwords in NFKC, TLS.

use argon2::Argon2;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post};
use matrix_uia::endpoint::deactivate::{
    DeactivateRequest, DeactivateResponse, Effect as Ending, UnbindResult,
};
use matrix_uia::endpoint::login::{LoginRequest, decide_now};
use matrix_uia::endpoint::password::{ChangePasswordRequest, Devices, Effect, PasswordStrength};
use matrix_uia::endpoint::register::{Localpart, RegisterRequest};
use matrix_uia::http::{access_token, empty};
use matrix_uia::server::{drive, prelude::*};
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{task, time::Instant};

mod accounts;
mod host;

use accounts::random;
pub use accounts::{Accounts, User};
use host::Transaction;

const SERVER_NAME: &str = "localhost";

type Result<T, E = MatrixError> = std::result::Result<T, E>;

pub struct Server {
    db: Mutex<Db>,
    pub key: BindingKey,
    started: Instant,
    argon2: Argon2<'static>,
    register: Flows<'static, Register>,
    password: Flows<'static, ChangePassword>,
    deactivate: Flows<'static, Deactivate>,
}

pub struct Db {
    pub accounts: Accounts,
    /// Beside each, as JSON, what its client may leave out later.
    pub sessions: HashedStore<String>,
}

/// Both are written under one lock.
impl OneTransaction for Db {}

impl Server {
    /// A server that keeps at most `limit` sessions.
    pub fn new(argon2: Argon2<'static>, limit: usize) -> Result<Self, PolicyError> {
        let sessions = HashedStore::new(Lifetimes::of(&Rules::DEFAULT), limit);
        Ok(Self {
            db: Mutex::new(Db { accounts: Accounts::default(), sessions }),
            key: BindingKey::from_entropy(rand::random()),
            started: Instant::now(),
            argon2,
            register: Flows::new([["m.login.registration_token", "m.login.dummy"]], None)?,
            password: Flows::new([["m.login.password"]], None)?,
            deactivate: Flows::new([["m.login.password"]], None)?,
        })
    }

    /// The database. Nothing can wait while the guard lives.
    pub async fn db(&self) -> MutexGuard<'_, Db> {
        task::consume_budget().await; // where a request waits for a database, another may be served
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.started.elapsed().into()
    }

    fn transaction<'s>(&'s self, token: Option<&'s str>) -> Transaction<'s> {
        Transaction { server: self, token, accounts: Accounts::default() }
    }

    fn guarded<'r, Op>(&'r self, flows: &'r Flows<'static, Op>) -> Guarded<'r, Op> {
        let kind = HostKind::assume_one_transaction::<Db>();
        Guarded { flows, rules: &Rules::DEFAULT, key: &self.key, kind }
    }
}

/// The routes of the server.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/_matrix/client/v3/register", post(register))
        .route("/_matrix/client/v3/login", post(log_in))
        .route("/_matrix/client/v3/account/password", post(change_password))
        .route("/_matrix/client/v3/account/deactivate", post(deactivate))
        .with_state(server)
}

type Answer = Result<Response, Response>;

async fn change_password(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = ChangePasswordRequest::parse(&body)?.check(&PasswordStrength::default(), true)?;
    let token = access_token(&headers)?;
    let (host, guarded) = (server.transaction(Some(token)), server.guarded(&server.password));
    let mut run = Run::new(host, &request, guarded, SessionId::from_entropy(rand::random()), server.now());
    while let Some(granted) = run.granted().await? {
        let (change, performing) = granted.into_parts();
        let user = run.host.accounts.user(change.user())?;
        for effect in change.effects() {
            match effect {
                Effect::SetPassword(hash) => user.set_password(hash.clone()),
                Effect::EndDevices(Devices::Others) => user.devices.retain(|_, it| it == token),
                Effect::EndDevices(Devices::All) => user.devices.clear(),
                Effect::EndPushers(_) => {} // this server has none
            }
        }
        run.done(performing, Ok(Outcome::NOTHING), server.now());
    }
    Ok(empty())
}

async fn deactivate(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = DeactivateRequest::parse(&body)?.check()?;
    let token = access_token(&headers)?;
    let (host, guarded) = (server.transaction(Some(token)), server.guarded(&server.deactivate));
    let mut run = Run::new(host, &request, guarded, SessionId::from_entropy(rand::random()), server.now());
    while let Some(granted) = run.granted().await? {
        let (deactivation, performing) = granted.into_parts();
        let user = run.host.accounts.user(deactivation.user())?;
        // All of it in one transaction. What lies elsewhere goes on from a stored `Deactivation`.
        for effect in deactivation.effects() {
            user.account = effect.on_account(user.account).unwrap_or(user.account);
            match effect {
                // Sessions that the user has open end by the epoch that the fence counts up.
                Ending::Fence | Ending::MarkErased | Ending::MarkDeactivated => {}
                Ending::EndDevices => user.devices.clear(),
                Ending::RemovePassword => user.hash = None,
                // This server has none of them.
                Ending::UnbindThreepids | Ending::RemoveThreepids | Ending::RemovePushers => {}
                Ending::RemoveKeyBackups | Ending::RemoveAccountData | Ending::RemoveProfile => {}
                Ending::RemoveDirectoryEntry | Ending::LeaveRooms => {}
            }
        }
        run.done(performing, Ok(Outcome::NOTHING), server.now());
    }
    Ok(DeactivateResponse::new(UnbindResult::Success).into()) // nothing was bound
}

async fn register(State(server): State<Arc<Server>>, body: Bytes) -> Answer {
    let request = RegisterRequest::parse(&body)?;
    let checked = request.check(&PasswordStrength::default(), SERVER_NAME);
    let (mut host, guarded) = (server.transaction(None), server.guarded(&server.register));
    // A request that is refused here may belong to a session, where other parameters may be sent.
    let request = drive::checked(checked, &mut host, guarded, server.now()).await?;
    let mut run = Run::new(host, &request, guarded, SessionId::from_entropy(rand::random()), server.now());
    let mut answer = Err(MatrixError::unavailable());
    while let Some(step) = run.next().await? {
        match step {
            Step::Admit(admit) => {
                let users = &run.host.accounts.users;
                let taken = |name: &Localpart| users.contains_key(&server.key.user(name.as_str()));
                run.go_on(admit.decided(request.available(|_| false, taken)));
            }
            Step::Perform(granted) => {
                let (new, performing) = granted.into_parts();
                let user = User::new(&server.key, new);
                let made = match run.host.accounts.users.entry(user.account.subject.user) {
                    Entry::Occupied(_) => Err(Refusal::for_params(Localpart::in_use())),
                    Entry::Vacant(free) => {
                        let user = free.insert(user);
                        answer = Ok(user.log_in(user.first_device.clone()));
                        Ok(Outcome::NOTHING.of_account(user.account.subject))
                    }
                };
                run.done(performing, made, server.now());
            }
            Step::Repeat(repeat) => {
                let user = run.host.accounts.user(repeat.user().ok_or(MatrixError::unavailable())?)?;
                let logged_out = user.first_device.as_ref().is_some_and(|it| !user.devices.contains_key(it));
                answer = Ok(user.log_in(user.first_device.clone().filter(|_| !logged_out)));
                run.go_on(if logged_out { repeat.gone() } else { repeat.repeated() });
            }
        }
    }
    Ok(answer?)
}

async fn log_in(State(server): State<Arc<Server>>, body: Bytes) -> Answer {
    let request = LoginRequest::parse(&body)?;
    let users = server.db().await.accounts.users.clone();
    let (compared, right) = server.compare(&users, request.attempt.password_check()?).await?;
    // The account as it is now: its password may have been replaced meanwhile.
    let accounts = &mut server.db().await.accounts;
    let now = compared.against().and_then(|user| Some(accounts.users.get(&user)?.account));
    let user = decide_now(compared.subject(), now, right, false)?;
    accounts.version = accounts.version.wrapping_add(1);
    Ok(accounts.user(user)?.log_in(Some(request.device_id.map_or_else(random, |id| id.to_string()))))
}
