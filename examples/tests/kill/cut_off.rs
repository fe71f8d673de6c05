//! Users who do one thing after the other, everything that is to do with an account, until the server is
//! killed. After the restart each goes on from where it was: with the request that was under way, sent again.
//!
//! What comes later depends on what came before. So nothing that was answered may be lost, or the rest fails.

use super::{CONNECTIONS, chance};
use crate::support::{
    Answer, Client, Server, Setup, dummy_auth, password_auth, password_auth_in, text, times, with,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

const PASSWORDS: [&str; 3] = ["first-password", "second-password", "third-password"];

/// A request, and what its answer means to the user. An error if there is none.
type Step = fn(&mut User, &Ground<'_>) -> io::Result<()>;

const STEPS: [(&str, Step); 18] = [
    ("a registration's challenge", |user, ground| {
        user.session = ground.post("register", None, &user.registration())?.asked();
        Ok(())
    }),
    ("the registration", |user, ground| {
        let body = with(&user.registration(), "auth", dummy_auth(&user.session));
        user.login = ground.post("register", None, &body)?.ok();
        Ok(())
    }),
    ("a refresh", User::refresh),
    ("a token to add an address", |user, ground| {
        user.ask(ground, "account/3pid/email/requestToken", Some(&user.access()), "add")
    }),
    ("its submission", User::submit),
    ("the addition's challenge", |user, ground| {
        user.session = ground.post("account/3pid/add", Some(&user.access()), &user.creds)?.asked();
        Ok(())
    }),
    ("the addition", |user, ground| {
        let body = with(&user.creds, "auth", user.password(0));
        user.done_with(ground.post("account/3pid/add", Some(&user.access()), &body)?)
    }),
    ("a token to reset the password", |user, ground| {
        user.ask(ground, "account/password/email/requestToken", None, "reset")
    }),
    ("its submission, too", User::submit),
    ("the reset's challenge", |user, ground| {
        let body = json!({ "new_password": PASSWORDS[1], "logout_devices": false });
        user.session = ground.post("account/password", None, &body)?.asked();
        Ok(())
    }),
    ("the reset", |user, ground| {
        let auth = json!({ "type": "m.login.email.identity", "session": user.session,
            "threepid_creds": user.creds });
        user.done_with(ground.post("account/password", None, &json!({ "auth": auth }))?)
    }),
    ("a second refresh", User::refresh),
    ("the change's challenge", |user, ground| {
        let body = json!({ "new_password": PASSWORDS[2] });
        user.session = ground.post("account/password", Some(&user.access()), &body)?.asked();
        Ok(())
    }),
    ("the change", |user, ground| {
        let body = json!({ "auth": user.password(1) });
        user.done_with(ground.post("account/password", Some(&user.access()), &body)?)
    }),
    ("another login", |user, ground| {
        let login = ground.post("login", None, &password_auth(&user.name, PASSWORDS[2]))?.ok();
        user.other = text(&login, "access_token");
        Ok(())
    }),
    ("its logout", |user, ground| {
        let answer = ground.post("logout", Some(&user.other), &json!({}))?;
        user.ended_by(answer, &json!({}))
    }),
    ("the deactivation's challenge", |user, ground| {
        user.session = ground.post("account/deactivate", Some(&user.access()), &json!({}))?.asked();
        Ok(())
    }),
    ("the deactivation", |user, ground| {
        let answer =
            ground.post("account/deactivate", Some(&user.access()), &json!({ "auth": user.password(2) }))?;
        user.ended_by(answer, &json!({ "id_server_unbind_result": "no-support" }))
    }),
];

/// Half of the users stay.
const STAYING: usize = STEPS.len() - 2;

/// What is said to the server there is now.
struct Ground<'s> {
    setup: &'s Setup,
    client: Client,
    /// The step with which the kill is to come, and whether somebody has begun it.
    aim: Option<usize>,
    begun: AtomicBool,
}

impl<'s> Ground<'s> {
    const fn new(setup: &'s Setup, server: &Server, aim: Option<usize>) -> Self {
        Self { setup, client: server.client(), aim, begun: AtomicBool::new(false) }
    }

    /// Waits for the moment of the kill: any, or one soon after the step that it is aimed at. Most of the time
    /// goes into hashing passwords; by chance alone few other steps would be cut off.
    fn await_kill(&self) {
        if self.aim.is_none() {
            return sleep(Duration::from_micros(40_000 + chance() % 3_000_000));
        }
        let begun = Instant::now();
        // Nobody comes to it if something is wrong, which their threads say.
        while !self.begun.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_micros(200));
        }
        sleep(Duration::from_micros(chance() % 15_000));
    }

    fn post(&self, path: &str, token: Option<&str>, body: &Value) -> io::Result<Answer> {
        self.client.try_send("POST", path, token, Some(body.to_string().as_bytes()))
    }
}

/// How far somebody has come, and what they have been given.
#[derive(Debug, Default)]
struct User {
    name: String,
    stays: bool,
    /// How many steps were answered.
    done: usize,
    /// Whether the next one was under way when the server died.
    cut_off: bool,
    session: String,
    login: Value,
    creds: Value,
    other: String,
}

impl User {
    fn registration(&self) -> Value {
        json!({ "username": self.name, "password": PASSWORDS[0], "refresh_token": true })
    }

    fn address(&self) -> String {
        format!("{}@example.org", self.name)
    }

    fn access(&self) -> String {
        text(&self.login, "access_token")
    }

    fn password(&self, which: usize) -> Value {
        password_auth_in(&self.session, &self.name, PASSWORDS[which])
    }

    fn refresh(&mut self, ground: &Ground<'_>) -> io::Result<()> {
        let body = json!({ "refresh_token": self.login["refresh_token"] });
        self.login = ground.post("refresh", None, &body)?.ok();
        Ok(())
    }

    fn ask(&mut self, ground: &Ground<'_>, path: &str, token: Option<&str>, secret: &str) -> io::Result<()> {
        let body = json!({ "client_secret": secret, "send_attempt": 1, "email": self.address() });
        let sid = text(&ground.post(path, token, &body)?.ok(), "sid");
        self.creds = json!({ "sid": sid, "client_secret": secret });
        Ok(())
    }

    /// What was answered with 200 was sent.
    fn submit(&mut self, ground: &Ground<'_>) -> io::Result<()> {
        let message = ground.setup.message(&text(&self.creds, "sid"));
        assert_eq!(message.text("address"), self.address());
        assert_eq!(
            ground.post(&message.path(), None, &message.submission())?.ok(),
            json!({ "success": true })
        );
        Ok(())
    }

    fn done_with(&self, answer: Answer) -> io::Result<()> {
        assert_eq!(answer.ok(), json!({}), "{self:?}");
        Ok(())
    }

    /// A request that ends its own token: sent again, it may find that done.
    fn ended_by(&self, answer: Answer, expected: &Value) -> io::Result<()> {
        if self.cut_off && answer.status == 401 {
            answer.rejected(401, "M_UNKNOWN_TOKEN");
        } else {
            assert_eq!(answer.ok(), *expected, "{self:?}");
        }
        Ok(())
    }

    /// Goes on to the end, or as long as there are answers.
    fn go_on(&mut self, ground: &Ground<'_>) -> io::Result<()> {
        let steps = if self.stays { STAYING } else { STEPS.len() };
        for (_, step) in &STEPS[self.done..steps] {
            if ground.aim == Some(self.done) {
                ground.begun.store(true, Ordering::SeqCst);
            }
            if let Err(error) = step(self, ground) {
                self.cut_off = true;
                return Err(error);
            }
            self.done += 1;
            self.cut_off = false;
        }
        Ok(())
    }

    /// What there is at the end.
    fn check(&self, client: &Client) {
        assert!(!client.is_live(&self.other), "{self:?}");
        let (name, address) = (&self.name, self.address());
        if !self.stays {
            assert!(!client.is_live(&self.access()), "{self:?}");
            client.login(name, PASSWORDS[2]).rejected(403, "M_USER_DEACTIVATED");
            let ask = json!({ "client_secret": "s", "send_attempt": 1, "email": address });
            let ask = client.post("account/password/email/requestToken", None, &ask);
            ask.rejected(400, "M_THREEPID_NOT_FOUND");
            return;
        }
        let list = client.get("account/3pid", Some(&self.access())).ok();
        let [threepid] = &list["threepids"].as_array().unwrap()[..] else { panic!("{self:?} {list}") };
        assert_eq!(threepid["address"], address);
        for (password, status) in PASSWORDS.into_iter().zip([403, 403, 200]) {
            assert_eq!(client.login(name, password).status, status, "{self:?}");
        }
    }
}

/// One user after the other, until the server is no more.
fn load(ground: &Ground<'_>, worker: &str, stop: &AtomicBool) -> Vec<User> {
    let mut users = Vec::new();
    for n in 0.. {
        let mut user = User { name: format!("{worker}.{n}"), stays: n % 2 == 1, ..User::default() };
        let gone_on = user.go_on(ground);
        users.push(user);
        if gone_on.is_err() {
            assert!(stop.load(Ordering::SeqCst), "only a killed server doesn't answer");
            break;
        }
    }
    users
}

/// Starts the server, lets everybody work, and kills it.
fn worked_on_until_killed(setup: &Setup, server: Server, round: usize) -> Vec<User> {
    let aim = (!round.is_multiple_of(4)).then(|| usize::try_from(chance()).unwrap() % STEPS.len());
    let ground = Ground::new(setup, &server, aim);
    let stop = AtomicBool::new(false);
    scope(|threads| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|worker| {
                let (ground, stop) = (&ground, &stop);
                threads.spawn(move || load(ground, &format!("u{round}.{worker}"), stop))
            })
            .collect();
        ground.await_kill();
        stop.store(true, Ordering::SeqCst);
        server.kill();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn whoever_was_cut_off_goes_on() {
    let rounds = times("KILLS", 2);
    let many = json!({ "burst": 1_000_000, "per_second": 1000.0 });
    let mut setup = Setup::sending(json!({
        "users": [],
        // However long a busy machine takes to start.
        "uia": { "replay_ms": 600_000 },
        "rate_limits": { "failed_auth": many, "request_token": many },
    }));
    setup.data = true;
    let (mut finished, mut cut_off) = (0, BTreeMap::<_, usize>::new());
    for round in 0..rounds {
        let mut users = worked_on_until_killed(&setup, setup.start(), round);
        for user in &users {
            match STEPS.get(user.done).filter(|_| user.cut_off) {
                Some((step, _)) => *cut_off.entry(*step).or_default() += 1,
                None => finished += 1,
            }
        }
        let server = setup.start();
        let ground = Ground::new(&setup, &server, None);
        scope(|threads| {
            for user in &mut users {
                let ground = &ground;
                threads.spawn(move || {
                    user.go_on(ground).expect("nobody kills it now");
                    user.check(&ground.client);
                });
            }
        });
    }
    println!("{rounds} kills; {finished} users had come to their end, others were cut off at: {cut_off:?}");
}
