//! Random requests, interleaved at random and dropped at random.

use crate::host::{AxumServer, runtime};
use matrix_uia::testkit::{Answer, Endpoint, Outside, Request, TestHost as _};
use proptest::prelude::*;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

const SESSIONS: usize = 2;

#[derive(Clone, Debug)]
enum Act {
    /// Sends a request in one of the sessions: of a password change if `password`.
    Send { password: bool, session: usize, right: bool },
    /// Goes on with one of the requests that wait.
    Poll(usize),
    /// Drops one of them.
    Drop(usize),
    /// Removes what is over, and takes up what was interrupted.
    Tidy,
}

fn act() -> impl Strategy<Value = Act> {
    let send = (any::<bool>(), 0..SESSIONS, prop::bool::weighted(0.8));
    prop_oneof![
        3 => send.prop_map(|(password, session, right)| Act::Send { password, session, right }),
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

fn change(token: &str, number: usize, old: &str, session: &str) -> Request {
    let auth = format!(
        r#"{{"type":"m.login.password","identifier":{{"type":"m.id.user","user":"alice"}},"password":"{old}","session":"{session}"}}"#
    );
    let body = format!(r#"{{"new_password":"new-password-{number}","logout_devices":false,"auth":{auth}}}"#);
    request(Endpoint::Password, Some(token), body)
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
    finish(host.add_registration_token("invitation", 5));
    let begin = |endpoint, token: Option<&str>| {
        session_of(&finish(host.request(request(endpoint, token, "{}".to_owned()))))
    };
    let changes: Vec<_> = (0..SESSIONS).map(|_| begin(Endpoint::Password, Some(&token))).collect();
    let registrations: Vec<_> = (0..SESSIONS).map(|_| begin(Endpoint::Register, None)).collect();
    let mut waiting: Vec<Waiting<'_>> = Vec::new();
    for act in acts {
        match act {
            Act::Send { password: true, session, right } => {
                let old = if *right { "old-password" } else { "wrong" };
                waiting.push(Box::pin(host.request(change(&token, *session, old, &changes[*session]))));
            }
            Act::Send { password: false, session, right } => {
                let stage = if *right { "m.login.registration_token" } else { "m.login.dummy" };
                waiting.push(Box::pin(host.request(register(*session, stage, &registrations[*session]))));
            }
            Act::Poll(at) if !waiting.is_empty() => {
                let at = at % waiting.len();
                if poll(&mut waiting[at]).is_some() {
                    drop(waiting.remove(at));
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
