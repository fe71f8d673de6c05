//! A server, the users of one run, and what must hold of them at its end.

use super::client::{CLIENTS, Client, OLD, Step, Want, keys};
use super::grace::Grace;
use super::polled::{Waiting, finish};
use super::proof::validate;
use crate::args::Sessions;
use crate::background;
use crate::db::users::{self, NewUser};
use crate::db::{Db, Result, Tx, threepids};
use crate::deactivations;
use crate::logins::{Wanted, log_in, response};
use crate::signing_keys;
use crate::tests::world::{Answer, World, text};
use matrix_uia::Text;
use matrix_uia::endpoint::signing_keys::{SigningKeyKind, StoredSigningKeys};
use matrix_uia::endpoint::threepid::{Medium, Purpose, Threepid};
use matrix_uia::testkit::Outside;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use tokio::runtime::Handle;

/// How many runs share a server.
const RUNS: usize = 100;
/// How often the registration token of a run may be used: less often than there are clients who want to.
pub const USES: u64 = 2;
/// Longer than any session lives, is claimed or is remembered.
pub const LONG: u64 = 3 * 24 * 3_600_000;

/// A server for many runs.
pub struct Stage {
    pub world: World,
    pub two_stages: bool,
    runs: Cell<usize>,
}

impl Stage {
    pub fn new(memory: bool) -> Self {
        thread_local! { static MADE: Cell<usize> = const { Cell::new(0) } }
        let two_stages = MADE.replace(MADE.get() + 1).is_multiple_of(2);
        let flow = Client::new(0, 0).stages(two_stages);
        let invitations: Vec<_> = (0..RUNS)
            .map(|run| json!({ "token": format!("invitation{run}"), "uses_allowed": USES }))
            .collect();
        let much = json!({ "burst": 1_000_000_000, "per_second": 1_000_000 });
        let config = json!({
            "users": [], "registration_tokens": invitations, "identity_servers": { "id": {} },
            "flows": { "register": [flow], "delete_devices": [Client::new(CLIENTS - 1, 0).stages(two_stages)] },
            "rate_limits": { "failed_auth": much, "failed_auth_per_address": much, "request_token": much,
                "messages_per_recipient": much },
        });
        let mut db = Db::in_memory().unwrap();
        // Every transaction is something to wait for.
        db.waits = Some(Outside::new());
        let sessions = if memory { Sessions::Memory } else { Sessions::Sqlite };
        let world = Handle::current().block_on(World::with(&config.to_string(), sessions, db));
        Self { world, two_stages, runs: Cell::new(0) }
    }

    pub fn has_room(&self) -> bool {
        self.runs.get() < RUNS
    }
}

pub struct Scene<'w> {
    pub stage: &'w Stage,
    pub clients: Vec<Client>,
    /// By client, once it has sent something.
    pub sessions: RefCell<HashMap<usize, String>>,
    /// By user.
    tokens: RefCell<HashMap<String, String>>,
    /// The user of the requests without a session, once there is one.
    pub grace: RefCell<Option<Rc<Grace>>>,
    pub run: usize,
}

impl<'w> Scene<'w> {
    pub fn begin(stage: &'w Stage) -> Self {
        let run = stage.runs.replace(stage.runs.get() + 1);
        let clients = (0..CLIENTS).map(|number| Client::new(number, run)).collect();
        let (sessions, tokens, grace) = Default::default();
        Self { stage, clients, sessions, tokens, grace, run }
    }

    pub fn ask<T>(&self, ask: impl FnOnce(&Tx) -> Result<T>) -> T {
        finish(self.stage.world.app.db.transaction(ask)).unwrap()
    }

    /// The access token of a user, who is made when one of the clients needs them.
    fn token(&self, user: &str) -> String {
        if let Some(token) = self.tokens.borrow().get(user) {
            return token.clone();
        }
        let app = &self.stage.world.app;
        let hash = finish(app.passwords.hash(OLD)).unwrap();
        let email = Threepid::parse(Medium::Email, Text::new(&format!("{user}@example.org"))).unwrap();
        let make = |tx: &Tx| {
            let new = NewUser { password: Some(&hash), ..NewUser::named(user) };
            let key = users::create(tx, &new)?.unwrap();
            for device in ["D0", "D1"] {
                let wanted = Wanted { device_id: Some(Text::new(device)), ..Wanted::default() };
                log_in(tx, app, key, &wanted)?;
            }
            if user.starts_with("dave") {
                validate(tx, app, &format!("add{}", self.run), Purpose::Add, &email)?;
            } else {
                let (id_server, validated_at, added_at) = (Some("id".to_owned()), 0, 0);
                let owned = threepids::Owned {
                    threepid: email.clone(),
                    id_server,
                    bound: true,
                    validated_at,
                    added_at,
                };
                threepids::add(tx, key, &owned)?;
            }
            if user.starts_with("frank") {
                // Others may only be put in their place by whoever has authenticated.
                let mut stored = StoredSigningKeys::default();
                let before = keys(user, 1_000);
                for kind in SigningKeyKind::ALL {
                    stored.set(*kind, Some(before[kind.name()].to_string()));
                }
                signing_keys::store(tx, key, &stored)?;
            }
            if user.starts_with("erin") {
                validate(tx, app, &format!("reset{}", self.run), Purpose::Reset, &email)?;
            }
            log_in(tx, app, key, &Wanted::default())
        };
        let login = finish(app.db.transaction(make)).unwrap();
        let token = text(&serde_json::from_str(&response(user, Some(&login))).unwrap(), "access_token");
        self.tokens.borrow_mut().insert(user.to_owned(), token.clone());
        token
    }

    pub async fn post(
        &self,
        client: &Client,
        token: Option<String>,
        auth: Option<serde_json::Value>,
    ) -> Answer {
        let mut body = client.params();
        if let Some(auth) = auth {
            body["auth"] = auth;
        }
        self.stage.world.request(client.method(), client.path(), token.as_deref(), Some(body)).await
    }

    pub fn token_of(&self, client: &Client) -> Option<String> {
        // Whose password is reset has to be there, too.
        let token = (client.want != Want::Register).then(|| self.token(&client.user));
        token.filter(|_| client.has_token())
    }

    /// The session of a client, which begins when it sends its first request.
    pub fn session(&self, client: &Client) -> String {
        if let Some(session) = self.sessions.borrow().get(&client.number) {
            return session.clone();
        }
        let answer = finish(self.post(client, self.token_of(client), None));
        // Whose account is gone gets none.
        let session =
            if answer.status == 401 { answer.json()["session"].as_str().map(str::to_owned) } else { None };
        let session = session.unwrap_or_default();
        self.sessions.borrow_mut().insert(client.number, session.clone());
        session
    }

    /// A request on its way.
    pub fn send(&self, number: usize, step: Step) -> Waiting<'w, Answer> {
        let client = self.clients[number].clone();
        let (token, session) = (self.token_of(&client), self.session(&client));
        let world = &self.stage.world;
        let stages = client.stages(self.stage.two_stages);
        let of = |at: usize| stages[at % stages.len()];
        let page = |stage: &str| format!("auth/{stage}/fallback/web");
        let auth = match step {
            Step::Attempt { stage, right } => client.auth(of(stage), right, Some(&session)),
            Step::Poll => json!({ "session": session }),
            Step::OneShot { stage, right } => client.auth(of(stage), right, None),
            Step::Page { stage, right } => {
                let (path, form) = (page(of(stage)), client.form(of(stage), right, &session));
                let headers = [("content-type", "application/x-www-form-urlencoded")];
                return Box::pin(async move { world.send("POST", &path, &headers, form).await });
            }
            Step::Look(stage) => {
                let path = format!("{}?session={session}", page(of(stage)));
                return Box::pin(async move { world.get(&path, None).await });
            }
        };
        let mut body = client.params();
        body["auth"] = auth;
        Box::pin(
            async move { world.request(client.method(), client.path(), token.as_deref(), Some(body)).await },
        )
    }

    pub fn tidy(&self) {
        finish(background::expire_all(&self.stage.world.app));
        assert!(finish(deactivations::finish_all(&self.stage.world.app)));
    }
}
