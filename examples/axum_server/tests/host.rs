//! The server as the test kit drives it: through its router, with the kit's clock and entropy.

use argon2::{Algorithm, Argon2, Params, Version};
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::store::Store as _;
use matrix_uia::testkit::{AccountFacts, Answer, Endpoint, Outside, Request, TestHost};
use matrix_uia::{MatrixError, Secret, Session, SessionId, Timestamp};
use matrix_uia_axum_server::{Account, Login, Server, router};
use std::pin::Pin;
use std::sync::Arc;
use tower::ServiceExt as _;

pub struct AxumServer {
    server: Arc<Server>,
    router: Router,
    outside: Outside,
}

struct TestSystem(Outside);

impl matrix_uia_axum_server::Outside for TestSystem {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn entropy(&self, bytes: &mut [u8]) -> Result<(), MatrixError> {
        self.0.entropy(bytes);
        Ok(())
    }

    fn wait(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.pause())
    }
}

impl AxumServer {
    pub fn new(outside: Outside) -> Self {
        Self::with_room(outside, Outside::SESSIONS)
    }

    /// A server that keeps at most `limit` sessions.
    pub fn with_room(outside: Outside, limit: usize) -> Self {
        let cheap = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
        let system = Box::new(TestSystem(outside.clone()));
        let server = Arc::new(Server::new(system, argon2, limit).unwrap());
        Self { router: router(Arc::clone(&server)), server, outside }
    }

    fn text(&self) -> String {
        let mut entropy = [0; SessionId::ENTROPY];
        self.outside.entropy(&mut entropy);
        SessionId::from_entropy(entropy).expose().as_str().to_owned()
    }
}

impl TestHost for AxumServer {
    const KIND: HostKind = HostKind::assume_one_transaction();

    async fn request(&self, request: Request) -> Answer {
        let path = match request.endpoint {
            Endpoint::Register => "register",
            Endpoint::Password => "account/password",
            Endpoint::Deactivate => "account/deactivate",
        };
        let http = axum::http::Request::post(format!("/_matrix/client/v3/{path}"));
        let http = match &request.token {
            Some(token) => http.header("Authorization", format!("Bearer {token}")),
            None => http,
        };
        let response =
            self.router.clone().oneshot(http.body(Body::from(request.body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn log_in(&self, name: &str, password: &str) -> String {
        let hash = Some(self.server.hash(Secret::new(password)).await.unwrap());
        let (user, name, status) = (self.server.user(name), name.to_owned(), AccountStatus::default());
        let (token, device) = (self.text(), self.text());
        let mut db = self.server.db().await;
        db.accounts.entry(user).or_insert(Account { name, hash, epoch: 0, status, leaving: None });
        db.log_in(Login { token: token.clone(), user, device, number: 1 });
        token
    }

    async fn add_registration_token(&self, token: &str, uses: u32) {
        let mut db = self.server.db().await;
        db.version += 1;
        db.tokens.insert(token.to_owned(), uses);
    }

    async fn uses_left(&self, token: &str) -> u32 {
        self.server.db().await.tokens.get(token).copied().unwrap_or(0)
    }

    async fn reservations(&self) -> usize {
        self.server.db().await.reserved.len()
    }

    async fn session(&self, id: SessionId) -> Option<Session> {
        self.server.db().await.sessions.load(&id).map(|record| record.session.clone())
    }

    async fn account(&self, name: &str) -> Option<AccountFacts> {
        let user = self.server.user(name);
        let db = self.server.db().await;
        let Account { status, epoch, .. } = *db.accounts.get(&user)?;
        let devices = db.logins.values().filter(|login| login.user == user).count();
        Some(AccountFacts { status, epoch, devices })
    }

    async fn password_works(&self, name: &str, password: &str) -> bool {
        let user = self.server.user(name);
        let hash = self.server.db().await.accounts.get(&user).and_then(|account| account.hash.clone());
        self.server.matches(Secret::new(password), hash).await.unwrap()
    }

    async fn change_status(&self, name: &str, event: Event) {
        let mut db = self.server.db().await;
        db.version += 1;
        db.set_status(self.server.user(name), event);
    }

    async fn set_password(&self, name: &str, password: &str) {
        let hash = self.server.hash(Secret::new(password)).await.unwrap();
        let mut db = self.server.db().await;
        db.version += 1;
        db.set_password(self.server.user(name), Some(hash));
    }

    async fn tidy(&self) {
        self.server.db().await.expire(self.outside.now());
        self.server.resume().await;
    }

    fn idle(&self) {
        std::thread::yield_now();
    }
}
