//! The server as the test kit drives it: through its router, by the kit's clock.
//!
//! Nothing in the server is made for tests. It reads tokio's clock, which these move as the kit moves its
//! own; and at each use of the database it waits if its task has used up its budget. So these give it
//! budget for one use at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use matrix_uia::server::account::{Account, Event};
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::session::Proof;
use matrix_uia::server::store::Store as _;
use matrix_uia::testkit::{AccountFacts, Answer, Endpoint, Outside, Request, TestHost};
use matrix_uia::{Session, SessionId, Timestamp};
use matrix_uia_axum_server::{Db, Server, User, router};
use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::coop;
use tower::ServiceExt as _;

pub struct AxumServer {
    server: Arc<Server>,
    router: Router,
    outside: Outside,
    /// What the server's clock shows.
    shown: Cell<Timestamp>,
}

/// As cheap as can be: these tests hash thousands of passwords.
fn argon2() -> Argon2<'static> {
    let cheap = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap)
}

fn hash(password: &str) -> PasswordHash {
    argon2().hash_password(password.as_bytes()).unwrap()
}

/// A runtime whose clock stands still. Passwords are hashed on its threads for blocking work.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Polls with budget for one use of the database.
fn poll_with_budget<F: Future>(
    mut future: std::pin::Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<F::Output> {
    let draws = |most: usize| {
        let draw = || pin!(coop::consume_budget()).poll(&mut Context::from_waker(Waker::noop()));
        (0..most).take_while(|_| draw().is_ready()).count()
    };
    let budget = Handle::current().block_on(async { draws(usize::MAX) });
    Handle::current().block_on(async move {
        draws(budget - 1);
        future.as_mut().poll(context)
    })
}

impl AxumServer {
    pub fn new(outside: Outside) -> Self {
        Self::with_room(outside, Outside::SESSIONS)
    }

    /// A server that keeps at most `limit` sessions.
    pub fn with_room(outside: Outside, limit: usize) -> Self {
        let server = Arc::new(Server::new(argon2(), limit).unwrap());
        let shown = Cell::new(Timestamp::default());
        Self { router: router(Arc::clone(&server)), server, outside, shown }
    }

    /// Sends a request to a path under `/_matrix/client/v3/`.
    pub async fn post(&self, path: &str, token: Option<&str>, body: String) -> Answer {
        let http = axum::http::Request::post(format!("/_matrix/client/v3/{path}"));
        let http = match token {
            Some(token) => http.header("Authorization", format!("Bearer {token}")),
            None => http,
        };
        let mut response = pin!(self.router.clone().oneshot(http.body(Body::from(body)).unwrap()));
        let response = poll_fn(|context| {
            self.set_clock();
            poll_with_budget(response.as_mut(), context)
        });
        let response = response.await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// The devices that a user is logged in on.
    pub async fn devices(&self, name: &str) -> Vec<String> {
        self.user(name).await.map(|user| user.devices.into_keys().collect()).unwrap_or_default()
    }

    /// Puts the server's clock where the kit's is.
    fn set_clock(&self) {
        let now = self.outside.now();
        let ahead = Duration::from_millis(now.since(self.shown.replace(now)).get());
        // It advances at once, and then yields.
        let _ = pin!(tokio::time::advance(ahead)).poll(&mut Context::from_waker(Waker::noop()));
    }

    async fn change(&self, change: impl FnOnce(&mut Db)) {
        let mut db = self.server.db().await;
        db.accounts.version += 1;
        change(&mut db);
    }

    async fn change_user(&self, name: &str, change: impl FnOnce(&mut User)) {
        let user = self.server.key.user(name);
        self.change(|db| change(db.accounts.user(user).unwrap())).await;
    }

    async fn user(&self, name: &str) -> Option<User> {
        self.server.db().await.accounts.users.get(&self.server.key.user(name)).cloned()
    }
}

impl TestHost for AxumServer {
    const KIND: HostKind<'static> = HostKind::assume_one_transaction::<Db>();

    async fn request(&self, request: Request) -> Answer {
        let path = match request.endpoint {
            Endpoint::Register => "register",
            Endpoint::Password => "account/password",
            Endpoint::Deactivate => "account/deactivate",
        };
        self.post(path, request.token.as_deref(), request.body).await
    }

    async fn log_in(&self, name: &str, password: &str) -> String {
        let (hash, user) = (Some(hash(password)), self.server.key.user(name));
        let (account, name, devices) = (Account::created(user), name.to_owned(), HashMap::new());
        let made = User { name, hash, account, devices, first_device: None };
        let mut token = String::new();
        self.change(|db| {
            let user = db.accounts.users.entry(user).or_insert(made);
            token = format!("token-{}-{}", user.name, user.devices.len());
            user.devices.insert(format!("device-{}", user.devices.len()), token.clone());
        })
        .await;
        token
    }

    async fn add_registration_token(&self, token: &str, uses: u32) {
        let token = self.server.key.reference(token.into());
        self.change(|db| {
            db.accounts.tokens.insert(token, uses as usize);
        })
        .await;
    }

    async fn uses_left(&self, token: &str) -> u32 {
        let db = self.server.db().await;
        let token = self.server.key.reference(token.into());
        let uses = db.accounts.tokens.get(&token).copied().unwrap_or_default();
        u32::try_from(uses - db.sessions.holding(Proof::Token(token))).unwrap()
    }

    async fn reservations(&self) -> usize {
        let db = self.server.db().await;
        db.accounts.tokens.keys().map(|token| db.sessions.holding(Proof::Token(*token))).sum()
    }

    async fn session(&self, id: SessionId) -> Option<Session> {
        self.server.db().await.sessions.load(&id).map(|record| record.session)
    }

    async fn account(&self, name: &str) -> Option<AccountFacts> {
        let User { account, devices, .. } = self.user(name).await?;
        let (status, epoch) = (account.status, account.subject.epoch);
        Some(AccountFacts { status, epoch, devices: devices.len() })
    }

    async fn password_works(&self, name: &str, password: &str) -> bool {
        let Some(hash) = self.user(name).await.and_then(|user| user.hash) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
    }

    async fn change_status(&self, name: &str, event: Event) {
        self.change_user(name, |user| user.account = user.account.on(event).unwrap()).await;
    }

    async fn set_password(&self, name: &str, password: &str) {
        self.change_user(name, |user| user.set_password(hash(password))).await;
    }

    async fn lose_next_commit(&self) -> bool {
        // What a request has loaded before is another version then.
        self.change(|_| {}).await;
        true
    }

    async fn tidy(&self) {
        let now = self.outside.now();
        self.change(|db| while db.sessions.expire(now).is_some() {}).await;
    }

    fn idle(&self) {
        std::thread::yield_now();
    }
}
