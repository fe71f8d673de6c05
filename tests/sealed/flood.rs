//! A flood of first requests against a store of a thousand places, and honest clients in its
//! middle.

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::PasswordStrength;
use matrix_uia::endpoint::register::{RegisterRequest, Registration};
use matrix_uia::server::prelude::*;
use matrix_uia::server::sealed::{IdKey, IdKeys};

const PLACES: usize = 1_000;
const HONEST: u64 = 100;

struct Host {
    store: HashedStore<()>,
    now: Timestamp,
    writes: usize,
}

impl<'r> matrix_uia::server::drive::Host<'r, Checked<Registration<'r>>> for &mut Host {
    type Hash = ();
    type Error = MatrixError;

    async fn load(
        &mut self,
        session: Option<SessionId>,
    ) -> Result<Loaded<<Checked<Registration<'r>> as Endpoint>::Stored>, MatrixError> {
        let record = session.and_then(|id| self.store.load(&id));
        Ok(Loaded::from_record(record, |()| None, Caller::Nobody, self.now))
    }

    async fn account(&mut self, _: UserRef) -> Result<Option<Account>, MatrixError> {
        Ok(None)
    }

    async fn verify(&mut self, _: &Question<'r>) -> Result<Verified<'r>, MatrixError> {
        Ok(Verified::InTransaction(Verdict::Passed(Evidence::nothing())))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, _: Secret<'_>) -> Result<(), MatrixError> {
        Ok(())
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, Register>,
        _: Option<&<Checked<Registration<'r>> as Endpoint>::Stored>,
    ) -> Result<Committed, MatrixError> {
        self.writes += changes.iter().count();
        let Host { store, now, .. } = &mut **self;
        Ok(changes.carry_out(store, None, OwnerKey::NOBODY, *now, |_| ()))
    }
}

struct Server {
    host: Host,
    flows: Flows<'static, Register>,
    keys: IdKeys,
    number: u64,
}

impl Server {
    fn new() -> Self {
        Self {
            host: Host {
                store: HashedStore::new(Lifetimes::of(&Rules::DEFAULT), PLACES),
                now: Timestamp::from_millis(1_000_000),
                writes: 0,
            },
            flows: Flows::new([["m.login.recaptcha", "m.login.dummy"]], None).unwrap(),
            keys: IdKeys::new(IdKey::new(1, [0x11; 32])),
            number: 0,
        }
    }

    /// The session of a challenge; `None`: it succeeded.
    fn send(&mut self, body: &str) -> Option<String> {
        self.number += 1;
        let key = BindingKey::from_entropy([7; 16]);
        let kind = HostKind::CLAIMS.with_sealed_ids(&self.keys);
        let guarded = Guarded { flows: &self.flows, rules: &Rules::DEFAULT, key: &key, kind };
        let request = RegisterRequest::parse(body.as_bytes()).unwrap();
        let request = request.check(&PasswordStrength::default(), "example.org").unwrap();
        let mut entropy = [0; SessionId::ENTROPY];
        entropy[..8].copy_from_slice(&self.number.to_be_bytes());
        let (fresh, now) = (SessionId::from_entropy(entropy), self.host.now);
        let mut run = Run::new(&mut self.host, &request, guarded, fresh, now);
        loop {
            match matrix_uia::server::drive::ready(run.granted()).unwrap() {
                Ok(Some(granted)) => {
                    run.done(granted.into_parts().1, Ok(Outcome::new(Reference::new(1))), now);
                }
                Ok(None) => return None,
                Err(Stop::Respond(respond)) => {
                    let body: serde_json::Value = serde_json::from_str(&respond.body().to_string()).unwrap();
                    return Some(body["session"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned());
                }
                Err(Stop::Host(error)) => panic!("{error:?}"),
            }
        }
    }
}

fn flood(requests: u64) {
    let mut server = Server::new();
    let first = r#"{"username":"carol","password":"carol-secret"}"#;
    let with = |auth: &str, session: &str| {
        format!(r#"{{"username":"carol","password":"carol-secret","auth":{{"session":"{session}",{auth}}}}}"#)
    };
    let captcha = r#""type":"m.login.recaptcha","response":"good""#;
    let dummy = r#""type":"m.login.dummy""#;
    let each = requests / HONEST / 3;
    let crowd = |server: &mut Server| {
        let before = (server.host.writes, server.host.store.len());
        for _ in 0..each {
            assert!(server.send(first).is_some());
        }
        assert_eq!((server.host.writes, server.host.store.len()), before);
    };
    for _ in 0..HONEST {
        let session = server.send(first).unwrap();
        crowd(&mut server);
        assert_eq!(server.send(&with(captcha, &session)).as_deref(), Some(&*session));
        crowd(&mut server);
        assert_eq!(server.send(&with(dummy, &session)), None, "the flow is complete");
        crowd(&mut server);
        server.host.now = server.host.now.after(Millis::new(50));
    }
    assert_eq!(server.host.store.len(), usize::try_from(HONEST).unwrap(), "what is left is of honest flows");
}

#[test]
fn a_flood_of_first_requests_takes_no_place_and_stops_nobody() {
    flood(20_000);
}

/// The memory of this process, in KiB; `None` where the system does not say.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix(" kB")?.parse().ok()
}

/// A flood after a small one, which has taken what memory any takes. Nothing else may run in the process.
fn takes_no_memory(requests: u64) {
    flood(20_000);
    let before = resident();
    flood(requests);
    let (Some(before), Some(after)) = (before, resident()) else { return };
    let grown = after.saturating_sub(before);
    println!("{requests} first requests: {before} KiB before, {after} KiB after");
    assert!(grown < 2_048, "{requests} first requests take {grown} KiB");
}

#[test]
#[ignore = "in release and by itself: .ci/sealed runs it"]
fn a_flood_of_a_million_first_requests_takes_no_memory() {
    takes_no_memory(1_000_000);
}

#[test]
#[ignore = "in release and by itself: FLOOD=10000000 .ci/sealed flood runs it"]
fn a_flood_of_ten_million_first_requests_takes_no_memory() {
    takes_no_memory(10_000_000);
}
