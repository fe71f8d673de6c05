//! A server, and requests to it.

use crate::app::{App, SharedApp};
use crate::args::Sessions;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::files::scratch::Scratch;
use crate::http::Arrival;
use crate::password::Passwords;
use crate::secrets::ServerKey;
use crate::{accounts, endpoints};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use matrix_uia::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt as _;

pub struct World {
    pub app: SharedApp,
    pub outbox: Scratch,
    router: Router,
    now: Arc<AtomicU64>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The status and the error's code.
    pub fn error(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["errcode"].as_str().unwrap_or_default().to_owned())
    }

    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    #[track_caller]
    pub fn is(&self, status: u16, errcode: &str) {
        assert_eq!(self.error(), (status, errcode.to_owned()), "{}", self.text);
    }
}

/// Alice's proof.
pub fn password(user: &str, password: &str) -> Value {
    let identifier = json!({ "type": "m.id.user", "user": user });
    json!({ "type": "m.login.password", "identifier": identifier, "password": password })
}

impl World {
    pub async fn new(config: &str) -> Self {
        Self::with(config, Sessions::Memory, Db::in_memory().unwrap()).await
    }

    pub async fn with(config: &str, sessions: Sessions, db: Db) -> Self {
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = Arc::clone(&now);
        let clock = Clock::of(move || Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        let outbox = Scratch::new();
        let mut config = Config::parse(config.as_bytes()).unwrap();
        config.outbox = Some(outbox.path().to_owned());
        let app = app(config, sessions, db, clock).await;
        Self { router: endpoints::routes(SharedApp::clone(&app)).router, app, outbox, now }
    }

    pub fn set_clock(&self, ms: u64) {
        self.now.store(ms, Ordering::SeqCst);
    }

    pub fn advance(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sends a request. A path without a leading slash is one under `/_matrix/client/v3/`.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let path = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("/_matrix/client/v3/{path}"),
        };
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.extension(Arrival::of_test(self.app.clock.now(), body));
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send(method, path, &headers, body.map(|body| body.to_string()).unwrap_or_default()).await
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.request("GET", path, token, None).await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.request("POST", path, token, Some(body)).await
    }

    pub async fn login(&self, user: &str, secret: &str) -> Answer {
        self.post("login", None, password(user, secret)).await
    }

    /// An access token of alice's.
    pub async fn alice(&self) -> String {
        text(&self.login("alice", "wonderland").await.ok(), "access_token")
    }

    /// The messages in the outbox.
    pub fn messages(&self) -> Vec<Value> {
        let names = self.outbox.names().into_iter().filter(|name| name.ends_with(".json"));
        let read = |name: String| std::fs::read(self.outbox.path().join(name)).unwrap();
        names.map(|name| serde_json::from_slice(&read(name)).unwrap()).collect()
    }
}

pub fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("{key}: {json}")).to_owned()
}

/// The server itself, with hashes that cost next to nothing.
pub async fn app(config: Config, sessions: Sessions, db: Db, clock: Clock) -> SharedApp {
    let passwords = Passwords::cheap(config.edges.hash_queue);
    accounts::create_missing(&db, &config.users, &passwords, clock.now_ms()).await.unwrap();
    App::new(config, &sessions, db, &ServerKey::from_bytes([7; 32]), passwords, clock).await.unwrap()
}
