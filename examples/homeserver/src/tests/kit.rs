//! The crate's test kit: the server forgets none of a host's duties, wherever its sessions live, and whenever a
//! request is dropped.

use super::world::app;
use crate::app::SharedApp;
use crate::args::Sessions;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::users::{self, NewUser, User};
use crate::db::{Db, Result, Tx};
use crate::http::Arrival;
use crate::logins::{Wanted, log_in, response};
use crate::{background, deactivations, endpoints, who};
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use matrix_uia::server::account::Event;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::testkit::{AccountFacts, Answer, Endpoint, Outside, Request, TestHost};
use matrix_uia::{Session, SessionId};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tower::ServiceExt as _;

/// The most uses that the config's tokens have; how many of them are spent, a scenario says.
const USES: u64 = 1_000;

/// With sessions in memory if `MEMORY`, else in the database.
struct Homeserver<const MEMORY: bool> {
    app: SharedApp,
    router: Router,
    requests: AtomicU32,
}

impl<const MEMORY: bool> Homeserver<MEMORY> {
    fn new(outside: Outside, sealed: bool) -> Self {
        let config = format!(
            r#"{{"users": [], "registration_tokens": [
                    {{"token": "invitation", "uses_allowed": {USES}}}, {{"token": "second-invitation", "uses_allowed": {USES}}}],
                 "trusted_proxies": ["0.0.0.0"], "flows": {{
                    "register": [["m.login.registration_token", "m.login.dummy"]],
                    "password_reset": [["m.login.password"]], "deactivate_without_token": [["m.login.password"]]}},
                 "uia": {{"session_limit": {}, "sealed": {sealed}}}}}"#,
            Outside::SESSIONS
        );
        let config = Config::parse(config.as_bytes()).unwrap();
        let mut db = Db::in_memory().unwrap();
        db.waits = Some(outside.clone());
        let clock = Clock::of(move || outside.now());
        let sessions = if MEMORY { Sessions::Memory } else { Sessions::Sqlite };
        // There are no users to be made, so that this waits for nothing.
        let app = Handle::current().block_on(app(config, sessions, db, clock));
        Self { router: endpoints::routes(SharedApp::clone(&app)).router, app, requests: AtomicU32::new(0) }
    }

    async fn ask<T>(&self, ask: impl FnOnce(&Tx) -> Result<T>) -> T {
        self.app.db.transaction(ask).await.unwrap()
    }

    fn find(tx: &Tx, name: &str) -> Result<Option<User>> {
        users::by_localpart(tx, name)
    }
}

impl<const MEMORY: bool> TestHost for Homeserver<MEMORY> {
    const KIND: HostKind<'static> =
        if MEMORY { HostKind::CLAIMS } else { HostKind::assume_one_transaction::<Tx>() };

    async fn request(&self, request: Request) -> Answer {
        let path = match request.endpoint {
            Endpoint::Register => "register",
            Endpoint::Password => "account/password",
            Endpoint::Deactivate => "account/deactivate",
        };
        // Each comes from an address of its own: one peer's sessions make room for that peer's.
        let peer = Ipv4Addr::from_bits(0x0a00_0000 | self.requests.fetch_add(1, Ordering::Relaxed));
        let http = axum::http::Request::post(format!("/_matrix/client/v3/{path}"));
        let http = http.header("X-Forwarded-For", peer.to_string());
        let http = match &request.token {
            Some(token) => http.header("Authorization", format!("Bearer {token}")),
            None => http,
        };
        let http = http.extension(Arrival::of_test(self.app.clock.now(), request.body));
        let response = self.router.clone().oneshot(http.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn log_in(&self, name: &str, password: &str) -> String {
        let hash = self.app.passwords.hash(password).await.unwrap();
        let login = |tx: &Tx| {
            let new = NewUser { password: Some(&hash), ..NewUser::named(name) };
            let user = match users::create(tx, &new)? {
                Some(user) => user,
                None => Self::find(tx, name)?.unwrap().key,
            };
            log_in(tx, &self.app, user, &Wanted::default())
        };
        let login = self.app.db.transaction(login).await.unwrap();
        let answer: serde_json::Value = serde_json::from_str(&response(name, Some(&login))).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn add_registration_token(&self, token: &str, uses: u32) {
        let spent = USES.saturating_sub(u64::from(uses));
        self.ask(|tx| {
            tx.execute(
                "INSERT INTO registration_token_uses (token, spent) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET spent = excluded.spent",
                (token, spent),
            )
        })
        .await;
    }

    async fn uses_left(&self, token: &str) -> u32 {
        let known =
            self.app.config.registration_tokens.iter().find(|known| known.token.matches(token)).unwrap();
        let (lifetime, now) = (self.app.policies.rules.session_lifetime, self.app.clock.now());
        let used = self.ask(|tx| crate::db::registration_tokens::used(tx, &known.token, lifetime, now)).await;
        u32::try_from(USES.saturating_sub(used)).unwrap()
    }

    async fn reservations(&self) -> usize {
        let now = self.app.clock.now_ms();
        self.ask(|tx| {
            let query = "SELECT count(*) FROM registration_token_reservations WHERE ends_at > ?1";
            tx.query_row(query, [now], |row| row.get(0))
        })
        .await
    }

    async fn session(&self, id: SessionId) -> Option<Session> {
        self.ask(|tx| self.app.sessions.load(tx, &id)).await.map(|found| found.session)
    }

    async fn account(&self, name: &str) -> Option<AccountFacts> {
        self.ask(|tx| {
            let Some(user) = Self::find(tx, name)? else { return Ok(None) };
            let devices = crate::db::devices::list(tx, user.key)?.len();
            let epoch = who::subject(&user).epoch;
            Ok(Some(AccountFacts { status: who::status(&user), epoch, devices }))
        })
        .await
    }

    async fn password_works(&self, name: &str, password: &str) -> bool {
        let hash = self
            .ask(|tx| match Self::find(tx, name)? {
                Some(user) => users::password_hash(tx, user.key),
                None => Ok(None),
            })
            .await;
        self.app.passwords.verify(password, hash).await.unwrap()
    }

    async fn change_status(&self, name: &str, event: Event) {
        self.ask(|tx| {
            let user = Self::find(tx, name)?.unwrap();
            match event {
                Event::Lock | Event::Unlock => users::set_locked(tx, user.key, event == Event::Lock),
                Event::Suspend | Event::Unsuspend => {
                    users::set_suspended(tx, user.key, event == Event::Suspend)
                }
                Event::Fence => users::fence(tx, user.key).map(drop),
                Event::Erase => users::mark_erased(tx, user.key),
                Event::Finish => users::mark_deactivated(tx, user.key),
                other => panic!("nobody does this here: {other:?}"),
            }
        })
        .await;
    }

    async fn set_password(&self, name: &str, password: &str) {
        let hash = self.app.passwords.hash(password).await.unwrap();
        self.ask(|tx| {
            let user = Self::find(tx, name)?.unwrap();
            users::set_password(tx, user.key, Some(&hash))
        })
        .await;
    }

    async fn lose_next_commit(&self) -> bool {
        self.app.db.loses.store(true, Ordering::SeqCst);
        true
    }

    async fn fail_writes(&self, nth: Option<usize>) -> bool {
        self.app.db.fail_from(nth.and_then(|nth| u64::try_from(nth).ok())).await;
        true
    }

    async fn tidy(&self) {
        background::expire_all(&self.app).await;
        assert!(deactivations::finish_all(&self.app).await);
    }

    /// Most waits end at once. A disk that is slow to write has half a second until the kit takes
    /// what waits for it for stuck.
    fn idle(&self) {
        static LOOKS: AtomicUsize = AtomicUsize::new(0);
        if LOOKS.fetch_add(1, Ordering::Relaxed) % 500 == 499 {
            std::thread::sleep(Duration::from_millis(1));
        } else {
            std::thread::yield_now();
        }
    }
}

fn passes<const MEMORY: bool>(sealed: bool) {
    // Passwords are hashed on its threads for blocking work.
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let report = matrix_uia::testkit::suite(|outside| Homeserver::<MEMORY>::new(outside, sealed))
        .unwrap_or_else(|forgotten| panic!("{forgotten}"));
    assert!(report.drops > 20 && report.interleavings > 20, "{report:?}");
    assert!(report.losses > 3 && report.without_token > 5, "{report:?}");
}

#[test]
fn lesson_99_the_server_passes_the_test_kit_with_sessions_in_the_database() {
    passes::<false>(false);
}

#[test]
fn lesson_99_the_server_passes_the_test_kit_with_sessions_in_memory() {
    passes::<true>(false);
}

#[test]
fn lesson_99_the_server_passes_the_test_kit_with_sealed_ids_and_sessions_in_the_database() {
    passes::<false>(true);
}

#[test]
fn lesson_99_the_server_passes_the_test_kit_with_sealed_ids_and_sessions_in_memory() {
    passes::<true>(true);
}
