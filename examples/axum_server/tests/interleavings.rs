//! Random requests, interleaved at random and dropped at random.

use crate::host::{AxumServer, runtime};
use matrix_uia::server::account::Lifecycle;
use matrix_uia::testkit::{Answer, Endpoint, Outside, Request, TestHost as _};
use proptest::prelude::*;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

const SESSIONS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Call {
    /// Alice's password.
    Change,
    Register,
    /// Carol's account.
    Deactivate,
    /// Of alice or carol.
    LogIn(&'static str),
}

#[derive(Clone, Debug)]
enum Act {
    /// Sends a request, in one of the sessions of its call or, for a login, for one of the devices.
    Send { call: Call, number: usize, right: bool },
    /// Goes on with one of the requests that wait.
    Poll(usize),
    /// Drops one of them.
    Drop(usize),
    /// Removes what is over, and takes up what was interrupted.
    Tidy,
}

fn act() -> impl Strategy<Value = Act> {
    let call = prop::sample::select(vec![
        Call::Change,
        Call::Register,
        Call::Deactivate,
        Call::LogIn("alice"),
        Call::LogIn("carol"),
    ]);
    let send = (call, 0..SESSIONS, prop::bool::weighted(0.8));
    prop_oneof![
        3 => send.prop_map(|(call, number, right)| Act::Send { call, number, right }),
        12 => (0..8_usize).prop_map(Act::Poll),
        2 => (0..8_usize).prop_map(Act::Drop),
        1 => Just(Act::Tidy),
    ]
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type Waiting<'h> = Pin<Box<dyn Future<Output = Answer> + 'h>>;

/// Polls once, and waits until it is woken.
fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> Option<T> {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    match future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&flag)))) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => {
            while !flag.0.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            None
        }
    }
}

fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(future);
    loop {
        if let Some(output) = poll(&mut future) {
            return output;
        }
    }
}

fn session_of(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    body["session"].as_str().unwrap_or_default().to_owned()
}

fn request(endpoint: Endpoint, token: Option<&str>, body: String) -> Request {
    Request::new(endpoint, token.map(str::to_owned), body)
}

fn password(user: &str, password: &str, session: &str) -> String {
    format!(
        r#"{{"type":"m.login.password","identifier":{{"type":"m.id.user","user":"{user}"}},"password":"{password}","session":"{session}"}}"#
    )
}

fn change(token: &str, number: usize, old: &str, session: &str) -> Request {
    let auth = password("alice", old, session);
    let body = format!(r#"{{"new_password":"new-password-{number}","logout_devices":false,"auth":{auth}}}"#);
    request(Endpoint::Password, Some(token), body)
}

fn deactivate(token: &str, password_of_carol: &str, session: &str) -> Request {
    let auth = password("carol", password_of_carol, session);
    request(Endpoint::Deactivate, Some(token), format!(r#"{{"erase":true,"auth":{auth}}}"#))
}

/// A login on one of the devices.
async fn log_in(host: &AxumServer, user: &str, secret: &str, number: usize) -> Answer {
    let mut body: serde_json::Value = serde_json::from_str(&password(user, secret, "")).unwrap();
    body["device_id"] = format!("LOGIN{number}").into();
    host.post("login", None, body.to_string()).await
}

fn register(number: usize, stage: &str, session: &str) -> Request {
    let auth = format!(r#"{{"type":"{stage}","token":"invitation","session":"{session}"}}"#);
    let body = format!(r#"{{"username":"bob{number}","password":"password-of-bob","auth":{auth}}}"#);
    request(Endpoint::Register, None, body)
}

fn run(acts: &[Act]) -> Result<(), TestCaseError> {
    let outside = Outside::new();
    // Room for all that begin: none makes room for another.
    let host = AxumServer::with_room(outside.clone(), 100);
    let token = finish(host.log_in("alice", "old-password"));
    let carols = finish(host.log_in("carol", "old-password"));
    finish(host.add_registration_token("invitation", 5));
    let begin = |endpoint, token: Option<&str>| {
        session_of(&finish(host.request(request(endpoint, token, "{}".to_owned()))))
    };
    let changes: Vec<_> = (0..SESSIONS).map(|_| begin(Endpoint::Password, Some(&token))).collect();
    let registrations: Vec<_> = (0..SESSIONS).map(|_| begin(Endpoint::Register, None)).collect();
    let ends: Vec<_> = (0..SESSIONS).map(|_| begin(Endpoint::Deactivate, Some(&carols))).collect();
    let mut waiting: Vec<(Option<usize>, Waiting<'_>)> = Vec::new();
    let mut alice_logged_in_on = Vec::new();
    for act in acts {
        match act {
            Act::Send { call, number, right } => {
                let old = if *right { "old-password" } else { "wrong" };
                let stage = if *right { "m.login.registration_token" } else { "m.login.dummy" };
                let (number, mut device) = (*number, None);
                let future: Waiting<'_> = match *call {
                    Call::Change => Box::pin(host.request(change(&token, number, old, &changes[number]))),
                    Call::Register => Box::pin(host.request(register(number, stage, &registrations[number]))),
                    Call::Deactivate => Box::pin(host.request(deactivate(&carols, old, &ends[number]))),
                    Call::LogIn(user) => {
                        device = (user == "alice").then_some(number);
                        Box::pin(log_in(&host, user, old, number))
                    }
                };
                waiting.push((device, future));
            }
            Act::Poll(at) if !waiting.is_empty() => {
                let at = at % waiting.len();
                if let Some(answer) = poll(&mut waiting[at].1) {
                    let device = waiting.remove(at).0;
                    alice_logged_in_on.extend(device.filter(|_| answer.status == 200));
                }
            }
            Act::Drop(at) if !waiting.is_empty() => drop(waiting.remove(at % waiting.len())),
            Act::Tidy => finish(host.tidy()),
            Act::Poll(_) | Act::Drop(_) => {}
        }
    }
    drop(waiting);
    // Both sessions began with the old password: one of them at most could change it.
    let alice = finish(host.account("alice")).unwrap();
    prop_assert!(alice.epoch <= 1, "{} password changes", alice.epoch);
    let passwords = ["old-password", "new-password-0", "new-password-1"];
    let works = passwords.iter().filter(|password| finish(host.password_works("alice", password))).count();
    prop_assert_eq!(works, 1);
    // A login that was answered holds, and one that was dropped makes one device at most.
    let devices = finish(host.devices("alice"));
    prop_assert!(devices.len() <= 1 + SESSIONS, "{:?}", devices);
    for number in alice_logged_in_on {
        prop_assert!(devices.contains(&format!("LOGIN{number}")), "{} of {:?}", number, devices);
    }
    // A deactivation has taken place or not; after it nobody is logged in, whoever was on their way.
    let carol = finish(host.account("carol")).unwrap();
    if carol.status.life == Lifecycle::Active {
        prop_assert!(finish(host.password_works("carol", "old-password")));
        prop_assert!(carol.devices >= 1);
        let answer = finish(host.request(deactivate(&carols, "old-password", &ends[0])));
        prop_assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let carol = finish(host.account("carol")).unwrap();
    prop_assert_eq!((carol.status.life, carol.devices), (Lifecycle::Deactivated, 0));
    prop_assert!(!finish(host.password_works("carol", "old-password")));
    let after = finish(log_in(&host, "carol", "old-password", 0));
    prop_assert_eq!(after.status, 403, "{}", after.body);
    // Every session of a registration goes on, and makes one account.
    for (number, session) in registrations.iter().enumerate() {
        let mut status = 0;
        for stage in ["m.login.registration_token", "m.login.dummy"] {
            status = finish(host.request(register(number, stage, session))).status;
        }
        prop_assert_eq!(status, 200);
        prop_assert_eq!(finish(host.account(&format!("bob{number}"))).unwrap().devices, 1);
    }
    prop_assert_eq!(finish(host.uses_left("invitation")), 3);
    prop_assert_eq!(finish(host.reservations()), 0);
    // So does a session of a password change, or another that begins.
    if alice.epoch == 0 {
        let answer = finish(host.request(change(&token, 0, "old-password", &changes[0])));
        prop_assert_eq!(answer.status, 200, "{}", answer.body);
        prop_assert!(finish(host.password_works("alice", "new-password-0")));
    }
    Ok(())
}

/// `AXUM_SERVER_RUNS` says how many; CI runs 500.
#[test]
fn requests_that_are_interleaved_and_dropped_do_nothing_twice_and_leave_nothing_reserved() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let cases = std::env::var("AXUM_SERVER_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(500);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner.run(&prop::collection::vec(act(), 1..60), |acts| run(&acts)).unwrap();
}
