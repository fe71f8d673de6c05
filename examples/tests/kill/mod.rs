//! `kill -9` under load, again and again on the same data: nothing that was answered with 200 is lost, no
//! registration token lets in one too many, and no account is half made.
//!
//! `KILLS` says how often, for more than `cargo test` has time for.

mod cut_off;

use crate::support::{Answer, Client, Server, Setup, dummy_auth, password_auth, text, times, with};
use serde_json::{Value, json};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

const CONNECTIONS: usize = 16;
/// How many a round's registration token lets in; more try.
pub const USES: usize = 3;
pub const FIRST: &str = "first-password";
const SECOND: &str = "second-password";

/// A user of the load, as far as the answers tell.
#[derive(Debug)]
struct Known {
    name: String,
    /// What was answered last.
    state: State,
    /// What was under way when the server died.
    tried: Option<State>,
    token: Option<String>,
    /// Whether it came, or would have come, by the round's registration token.
    invited: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Nobody,
    Password(&'static str),
    Gone,
}

impl Known {
    fn new(name: String, invited: bool) -> Self {
        Self { name, state: State::Nobody, tried: None, token: None, invited }
    }

    /// Makes a request that leads to the next state. Whether it was answered, with 200 or, where that may be,
    /// with 401; not if the server died.
    fn goes(&mut self, client: &Client, path: &str, body: &Value, next: State, stop: &AtomicBool) -> bool {
        self.tried = Some(next);
        let body = body.to_string();
        match client.try_send("POST", path, self.token.as_deref(), Some(body.as_bytes())) {
            Ok(answer) if self.invited && answer.status == 401 => self.tried = None,
            Ok(answer) => {
                let answer = answer.ok();
                self.token = answer["access_token"].as_str().map(str::to_owned).or(self.token.take());
                self.state = next;
                self.tried = None;
            }
            Err(_) => {
                assert!(stop.load(Ordering::SeqCst), "only a killed server doesn't answer");
                return false;
            }
        }
        true
    }
}

/// Any number: moments have nothing to do with what the server does then.
pub fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Registers users, changes their passwords and deactivates some, until the server is no more.
fn load(client: &Client, worker: &str, invitation: &str, stop: &AtomicBool) -> Vec<Known> {
    let mut known = vec![Known::new(format!("{worker}.invited"), true)];
    let body = json!({ "username": known[0].name, "password": FIRST,
        "auth": { "type": "m.login.registration_token", "token": invitation } });
    let mut alive = known[0].goes(client, "register", &body, State::Password(FIRST), stop);
    for n in 0.. {
        if !alive {
            return known;
        }
        let mut user = Known::new(format!("{worker}.{n}"), false);
        let auth = |password: &str| password_auth(&user.name, password);
        let steps = [
            (
                "register",
                State::Password(FIRST),
                json!({ "username": user.name, "password": FIRST, "auth": { "type": "m.login.dummy" } }),
            ),
            (
                "account/password",
                State::Password(SECOND),
                json!({ "new_password": SECOND, "auth": auth(FIRST) }),
            ),
            ("account/deactivate", State::Gone, json!({ "auth": auth(SECOND) })),
        ];
        // Every second user stays.
        let steps = steps.into_iter().take(if n % 2 == 0 { 3 } else { 2 });
        for (path, next, body) in steps {
            alive = alive && user.goes(client, path, &body, next, stop);
        }
        known.push(user);
    }
    known
}

/// Which of the two states the server has a user in, wholly.
fn found(client: &Client, user: &Known) -> State {
    let name = &user.name;
    for state in [Some(user.state), user.tried].into_iter().flatten() {
        let holds = match state {
            // The name is free: what is asked for is authentication.
            State::Nobody => client
                .post("register", None, &json!({ "username": name, "password": "any-password" }))
                .json()["errcode"]
                .is_null(),
            State::Password(password) => client.login(name, password).status == 200,
            State::Gone => client.login(name, "any-password").json()["errcode"] == "M_USER_DEACTIVATED",
        };
        if holds {
            return state;
        }
    }
    panic!("{user:?} is in neither state");
}

fn check(client: &Client, user: &Known) -> State {
    let state = found(client, user);
    // A deactivation that had begun is finished; any other request was carried out or it was not.
    if let Some(token) = &user.token {
        assert_eq!(client.is_live(token), state != State::Gone, "{user:?} {state:?}");
    }
    // An account came with the device of its registration, whether or not that was answered.
    if let State::Password(password) = state {
        let token = client.token(&user.name, password);
        let devices = client.get("devices", Some(&token)).ok();
        let devices = devices["devices"].as_array().unwrap().len();
        assert_eq!(devices, 3, "the registration's and two logins': {user:?}");
    }
    state
}

#[test]
fn whatever_was_answered_survives_kill_9_at_any_moment() {
    let rounds = times("KILLS", 4);
    let mut setup = inviting(rounds);
    for round in 0..rounds {
        setup.sessions = Some(if round % 4 == 3 { "memory" } else { "sqlite" });
        let_in_by(&setup, round, 1);
    }
}

/// Kept data, and a registration token for each round.
pub fn inviting(rounds: usize) -> Setup {
    let invitations: Vec<_> = (0..rounds)
        .map(|round| json!({ "token": format!("invitation-{round}"), "uses_allowed": USES }))
        .collect();
    Setup::kept(json!({
        "users": [],
        "flows": { "register": [["m.login.dummy"], ["m.login.registration_token"]] },
        "registration_tokens": invitations,
    }))
}

/// Loads so many servers on the same data, kills one after the other, and checks what is there after a restart. How
/// many the round's token has let in.
pub fn let_in_by(setup: &Setup, round: usize, servers: usize) -> usize {
    let servers: Vec<_> = (0..servers).map(|_| setup.start()).collect();
    let clients: Vec<_> = servers.iter().map(Server::client).collect();
    let stops: Vec<_> = servers.iter().map(|_| AtomicBool::new(false)).collect();
    let known: Vec<_> = scope(|threads| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|worker| {
                let (name, invitation) = (format!("u{round}.{worker}"), format!("invitation-{round}"));
                let (client, stop) = (&clients[worker % clients.len()], &stops[worker % clients.len()]);
                threads.spawn(move || load(client, &name, &invitation, stop))
            })
            .collect();
        for (server, stop) in servers.into_iter().zip(&stops) {
            sleep(Duration::from_millis(40 + chance() % 900));
            stop.store(true, Ordering::SeqCst);
            server.kill();
        }
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });

    let server = setup.start();
    let client = server.client();
    let mut let_in = 0;
    for user in &known {
        let state = check(&client, user);
        let_in += usize::from(user.invited && state != State::Nobody);
    }
    assert!(let_in <= USES, "{let_in} by a token for {USES}");
    // What the server still lets in now, it doesn't on top.
    for n in 0..=USES {
        let auth = json!({ "type": "m.login.registration_token", "token": format!("invitation-{round}") });
        let body = json!({ "username": format!("u{round}.late.{n}"), "password": FIRST, "auth": auth });
        let_in += usize::from(client.post("register", None, &body).status == 200);
    }
    assert!(let_in <= USES, "{let_in} by a token for {USES}");
    let under_way = known.iter().filter(|user| user.tried.is_some()).count();
    println!("{} users, {under_way} requests under way; {let_in} of {USES} let in by token", known.len());
    let_in
}

/// A registration whose answer was lost with the server is answered when it is sent again, and there is one.
#[test]
fn a_registration_cut_off_by_the_kill_is_sent_again() {
    let setup = Setup::kept(json!({ "users": [] }));
    for round in 0..times("KILLS", 4) {
        let name = format!("u{round}");
        let (body, lost) = register_cut_off(setup.start(), &name, Duration::from_millis(40));
        let server = setup.start();
        let client = server.client();
        let made = client.post("register", None, &body).ok();
        if let Some(lost) = lost {
            let lost = lost.ok();
            assert_eq!((&lost["user_id"], &lost["device_id"]), (&made["user_id"], &made["device_id"]));
            assert!(!client.is_live(&text(&lost, "access_token")), "one registration, one live token");
        }
        has_one_device(&client, &name, &made);
    }
}

/// A registration that is sent to a server which is killed within that time. What was sent, and the answer if it came.
pub fn register_cut_off(server: Server, name: &str, within: Duration) -> (Value, Option<Answer>) {
    let client = server.client();
    let asked = json!({ "username": name, "password": FIRST });
    let session = client.post("register", None, &asked).asked();
    let body = with(&asked, "auth", dummy_auth(&session));
    let answer = scope(|threads| {
        let bytes = body.to_string();
        let sent = threads.spawn(move || client.try_send("POST", "register", None, Some(bytes.as_bytes())));
        // A password's hash takes most of a registration, and is somewhere in here.
        sleep(Duration::from_nanos(chance() % within.as_nanos() as u64));
        server.kill();
        sent.join().unwrap().ok()
    });
    (body, answer)
}

/// The registration that was answered so made one device, and its password lets in.
pub fn has_one_device(client: &Client, name: &str, made: &Value) {
    let devices = client.get("devices", Some(&text(made, "access_token"))).ok();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
    client.login(name, FIRST).ok();
}
