//! The server's step by this crate, whole and in its parts.

use std::hint::black_box;

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::endpoint::Endpoint as _;
use matrix_uia::server::exchange::{Commit, Exchange, HostKind, Incoming};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::question::Check;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::respond::{Challenge, Respond};
use matrix_uia::server::session::Revision;
use matrix_uia::wire::Raw;
use matrix_uia::{BindingKey, Call, Flows, Rules, Session, SessionId, Timestamp};

use super::bytes::{self, FLOWS, PARAMS};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const ALICE: Subject = Subject::new(UserRef::new(1), 0);

/// Who makes the request, as the host reads it with the session.
fn caller() -> Caller {
    Caller::User(Account::new(ALICE, AccountStatus::default()))
}

fn session_id() -> SessionId {
    SessionId::from_entropy([3; 24])
}

/// The one session of every step, as it is written.
pub fn session() -> String {
    session_id().expose().to_string()
}

/// The session that a commit stores, and the revision it replaces.
fn put<'c>(commit: &'c Commit<'_, '_, ChangePassword>) -> (Option<Revision>, &'c Session) {
    let put = commit.session_changes().put;
    put.map(|put| (put.expected, put.session)).expect("a session is stored")
}

/// Where the store keeps what is committed.
pub type Slot = Session;

/// A host with one session under way, and the request that comes for it.
pub struct Host {
    flows: Flows<'static, ChangePassword>,
    rules: Rules,
    key: BindingKey,
    strength: PasswordStrength,
    /// Every exchange begins with this one, or the failed attempts would add up until the
    /// session is closed.
    stored: Session,
    request: String,
}

impl Host {
    fn new() -> Self {
        let id = session_id();
        let flows = Flows::new(FLOWS, Some(Raw::parse(PARAMS).unwrap())).unwrap();
        let mut rules = Rules::default();
        rules.max_failed_attempts = u16::MAX;
        let key = BindingKey::from_entropy([7; 16]);
        let strength = PasswordStrength::default();
        let stored = {
            let first = ChangePasswordRequest::parse(br#"{"new_password":"ihatebananas"}"#).unwrap();
            let first = first.check(&strength, true).unwrap();
            let call = first.call(&key);
            let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, call, id, NOW);
            let Exchange::Load(load) = incoming.exchange() else { panic!("it begins with a load") };
            let Exchange::Admit(admit) = load.found(None, caller(), NOW) else { panic!("the call is new") };
            let Exchange::Commit(commit) = admit.admitted() else { panic!("no auth, no success") };
            *put(&commit).1
        };
        Self { flows, rules, key, strength, stored, request: bytes::request(&id.expose()) }
    }

    pub fn slot(&self) -> Slot {
        self.stored.clone()
    }

    #[inline]
    pub fn parse(&self) -> ChangePasswordRequest<'_> {
        ChangePasswordRequest::parse(black_box(self.request.as_bytes())).unwrap()
    }

    #[inline]
    pub fn checked(&self) -> Checked<ChangePasswordRequest<'_>> {
        self.parse().check(&self.strength, true).unwrap()
    }

    #[inline]
    pub fn call<'a>(&'a self, request: &'a Checked<ChangePasswordRequest<'a>>) -> Call<'a, ChangePassword> {
        request.call(&self.key)
    }

    /// The exchange from its beginning to the challenge.
    #[inline]
    pub fn transition<'r>(&'r self, call: Call<'r, ChangePassword>, slot: &mut Slot) -> Challenge<'r> {
        let stored = &self.stored;
        let fresh = SessionId::from_entropy([9; 24]);
        let mut incoming = Incoming::new(&self.flows, &self.rules, HostKind::CLAIMS, call, fresh, NOW);
        let Exchange::Load(load) = incoming.exchange() else { panic!("it begins with a load") };
        black_box(load.session_id());
        let Exchange::Admit(admit) = load.found(Some(stored), caller(), NOW) else {
            panic!("the call is under way")
        };
        let Exchange::Verify(verify) = admit.admitted() else { panic!("the stage is next") };
        let Check::Password(check) = black_box(verify.question()).check() else { panic!("a password") };
        let verdict = check.named(Named::User(ALICE)).verdict(false);
        let Exchange::Load(load) = verify.verdict(verdict) else { panic!("the verdict is from outside") };
        let Exchange::Commit(commit) = load.found(Some(stored), caller(), NOW) else {
            panic!("wrong password")
        };
        let (expected, session) = put(&commit);
        assert_eq!(expected, Some(stored.revision()));
        *slot = *session;
        let Exchange::Respond(Respond::Challenge(challenge)) = commit.committed(Committed::Stored) else {
            panic!("wrong password")
        };
        challenge
    }
}

/// The host at work.
pub struct Ours {
    pub host: Host,
    pub slot: Slot,
    out: String,
}

impl Ours {
    pub fn new() -> Self {
        let host = Host::new();
        let slot = host.slot();
        let mut ours = Self { host, slot, out: String::with_capacity(1024) };
        ours.step();
        ours
    }

    /// The body that comes in.
    pub fn request(&self) -> &str {
        &self.host.request
    }

    /// The body that went out last.
    pub fn answer(&self) -> &str {
        &self.out
    }

    #[inline]
    pub fn step(&mut self) {
        let Self { host, slot, out } = self;
        out.clear();
        let request = host.checked();
        host.transition(host.call(&request), slot).write_body(out).unwrap();
        black_box(out);
    }
}
