//! Two servers, one with sealed IDs, answer every sequence of requests alike, as long as each
//! request brings all of its parameters.

use std::sync::LazyLock;

use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::page::Approval;
use matrix_uia::{Flows, MatrixError, Millis};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::sealed;
use crate::support::{Answer, ONE_TRANSACTION, Server, password_auth, policy, poll, stage};

#[derive(Clone, Copy, Debug)]
enum Call {
    Change,
    Reset,
    Register,
    Deactivate,
    DeleteDevices,
}

#[derive(Clone, Copy, Debug)]
enum Auth {
    None,
    Poll,
    Right,
    Wrong,
    Dummy,
    Malformed,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A request to that session, if there is one of that number, by alice or by bob, with one
    /// set of parameters or another.
    Send {
        call: Call,
        auth: Auth,
        session: usize,
        bob: bool,
        other: bool,
    },
    /// A page passes a stage of that session.
    Approve {
        session: usize,
    },
    Pass {
        seconds: u64,
    },
    /// The next call fails for its own reason.
    Fail,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => Just(Call::Change), 1 => Just(Call::Reset), 2 => Just(Call::Register),
        1 => Just(Call::Deactivate), 2 => Just(Call::DeleteDevices),
    ]
}

fn auth() -> impl Strategy<Value = Auth> {
    prop_oneof![
        3 => Just(Auth::None), 2 => Just(Auth::Poll), 4 => Just(Auth::Right), 2 => Just(Auth::Wrong),
        4 => Just(Auth::Dummy), 1 => Just(Auth::Malformed), 1 => Just(Auth::Unknown),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let send = (call(), auth(), 0..4_usize, prop::bool::weighted(0.1), prop::bool::weighted(0.1))
        .prop_map(|(call, auth, session, bob, other)| Step::Send { call, auth, session, bob, other });
    prop_oneof![
        12 => send,
        1 => (0..4_usize).prop_map(|session| Step::Approve { session }),
        1 => (1..35_u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Fail),
    ]
}

static CHANGE: LazyLock<&Flows<'static, ChangePassword>> =
    LazyLock::new(|| policy(&[&["m.login.password", "m.login.dummy"], &["m.login.sso"]], None));

struct Side {
    server: Server,
    /// The names of the sessions, as this server spells them.
    sessions: Vec<String>,
}

impl Side {
    fn new(kind: HostKind<'static>, one_shot: bool) -> Self {
        let mut server = Server::new();
        server.kind = kind;
        server.rules.one_shot = one_shot;
        server.rules.max_failed_attempts = 3;
        server.policies.change = *CHANGE;
        Self { server, sessions: Vec::new() }
    }

    fn take(&mut self, step: Step) -> Option<(String, Value)> {
        match step {
            Step::Send { call, auth, session, bob, other } => {
                let name = self.sessions.get(session).cloned();
                let answer = self.send(call, auth, name.as_deref(), bob, other);
                if let Some(session) = answer.body["session"].as_str()
                    && !self.sessions.iter().any(|known| known == session)
                {
                    self.sessions.push(session.to_owned());
                }
                Some((answer.says(), answer.body["completed"].clone()))
            }
            Step::Approve { session } => {
                let name = self.sessions.get(session)?.clone();
                let flows = self.server.policies.change;
                let passed = self.server.complete(flows, &name, "m.login.sso", Approval::SessionUser);
                // The fence of a deactivation removes what is stored; what is not, the account refuses.
                Some((passed.is_ok().to_string(), Value::Null))
            }
            Step::Pass { seconds } => {
                self.server.pass_time(Millis::from_secs(seconds));
                None
            }
            Step::Fail => {
                self.server.call_fails = Some(MatrixError::unavailable());
                None
            }
        }
    }

    fn send(&mut self, call: Call, auth: Auth, session: Option<&str>, bob: bool, other: bool) -> Answer {
        let (user, password, token) =
            if bob { ("bob", "builder-bob", "bob-token") } else { ("alice", "wonderland", "alice-token") };
        let named = session.unwrap_or("none");
        let auth = match auth {
            Auth::None => Value::Null,
            Auth::Poll => poll(named),
            Auth::Right => password_auth(session, user, password),
            Auth::Wrong => password_auth(session, user, "wrong"),
            Auth::Dummy => stage("m.login.dummy", named),
            Auth::Malformed => json!({"type": "m.login.password", "session": named}),
            Auth::Unknown => stage("org.example.unknown", named),
        };
        let mut body = match call {
            Call::Change | Call::Reset => {
                json!({"new_password": if other { "another-one" } else { "looking-glass" }, "logout_devices": false})
            }
            Call::Register => {
                json!({"username": if other { "dave" } else { "carol" }, "password": "carol-secret"})
            }
            Call::Deactivate => json!({"erase": other}),
            Call::DeleteDevices => json!({"devices": if other { ["TABLET"] } else { ["PHONE"] }}),
        };
        if !auth.is_null() {
            body["auth"] = auth;
        }
        match call {
            Call::Change => self.server.change_password(Some(token), body),
            Call::Reset => self.server.change_password(None, body),
            Call::Register => self.server.register(body),
            Call::Deactivate => self.server.deactivate(Some(token), body),
            Call::DeleteDevices => self.server.delete_devices(token, body),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn sealed_ids_make_no_difference_to_who_repeats_the_parameters(
        steps in prop::collection::vec(step(), 1..24),
        claims in any::<bool>(),
        one_shot in any::<bool>(),
    ) {
        let kind = if claims { HostKind::CLAIMS } else { ONE_TRANSACTION };
        let (mut plain, mut sealed) = (Side::new(kind, one_shot), Side::new(sealed(kind), one_shot));
        for (number, step) in steps.into_iter().enumerate() {
            prop_assert_eq!(plain.take(step), sealed.take(step), "{}: {:?}", number, step);
            prop_assert_eq!(plain.sessions.len(), sealed.sessions.len());
        }
        prop_assert_eq!(&plain.server.journal, &sealed.server.journal);
        prop_assert_eq!(plain.server.grants, sealed.server.grants);
        prop_assert!(sealed.server.sessions.len() <= plain.server.sessions.len());
    }
}
