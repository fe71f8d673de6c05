//! One step of the server, and one of the client, beside their peers, in one run.
//!
//! The server's step: a password-change request with its auth dict comes in, the password is
//! wrong, the 401 with the state goes out. Verifying the password is the host's and takes
//! no time here.
//!
//! - `ours`: parse, check, load the session, ask for the verdict, load the session again,
//!   commit, write the 401.
//! - `ruma`: the same on `ruma-client-api`'s types, the way homeservers do it: parse the
//!   request, look the `UiaaInfo` up in a map, check the stage, serialise the answer.
//! - `floor`: what `serde_json` needs to skip the same bytes (`IgnoredAny`), and a copy of
//!   the answer: no server can do much better while it reads its input at all.
//!
//! The client's step: a 401 comes back for a wrong password, and the same stage is asked
//! for again.
//!
//! - `ours`: parse, merge with what is known, choose the flow, make the prompt.
//! - `ruma`: only parse the same body as a `UiaaInfo`; the rest is each client's own.
//! - `floor`: `serde_json` skips the same bytes.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use matrix_uia::client::{Answer, CallName, Client, Medium, Next, Progress, Prompt};
use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Change, Committed};
use matrix_uia::server::endpoint::Endpoint as _;
use matrix_uia::server::exchange::{Commit, Exchange, HostKind, Incoming};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::question::Check;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::respond::{Challenge, Respond};
use matrix_uia::server::session::Revision;
use matrix_uia::wire::{AuthType as AuthTypeOfOurs, Raw, UserIdentifier};
use matrix_uia::{BindingKey, Call, Flows, Rules, Secret, Session, SessionId, Timestamp};
use ruma_client_api::account::change_password::v3 as ruma_password;
use ruma_client_api::uiaa::{AuthData, AuthFlow, AuthType, UiaaInfo};
use ruma_common::api::IncomingRequestExt;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// Counting allocations takes an allocator of one's own; the crate itself forbids `unsafe`.
#[allow(unsafe_code)]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FLOWS: [[&str; 2]; 2] =
    [["m.login.password", "m.login.email.identity"], ["m.login.password", "m.login.msisdn"]];
const PARAMS: &str = r#"{"m.login.password":{"hint":"the password you log in with"},"m.login.msisdn":{"countries":["GB","DE","FR"],"default":"GB"}}"#;
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

struct Ours {
    flows: Flows<'static, ChangePassword>,
    rules: Rules,
    key: BindingKey,
    strength: PasswordStrength,
    id: SessionId,
    session: Session,
}

const ALICE: Subject = Subject::new(UserRef::new(1), 0);

/// Who makes the request, as the host reads it with the session.
fn caller() -> Caller {
    Caller::User(Account::new(ALICE, AccountStatus::default()))
}

/// The session that a commit stores, and the revision it replaces.
fn put<'c>(commit: &'c Commit<'_, '_, ChangePassword>) -> (Option<Revision>, &'c Session) {
    let put = commit.changes().find_map(|change| match change {
        Change::Put { expected, session, .. } => Some((expected, session)),
        _ => None,
    });
    put.expect("a session is stored")
}

impl Ours {
    fn new() -> Self {
        let flows = Flows::new(FLOWS, Some(Raw::parse(PARAMS).unwrap())).unwrap();
        let mut rules = Rules::default();
        rules.max_failed_attempts = u16::MAX;
        let key = BindingKey::from_entropy([7; 16]);
        let strength = PasswordStrength::default();
        let id = SessionId::from_entropy([3; 24]);
        let session = {
            let first = ChangePasswordRequest::parse(br#"{"new_password":"ihatebananas"}"#).unwrap();
            let first = first.check(&strength, true).unwrap();
            let call = first.call(&key);
            let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, call, id, NOW);
            let Exchange::Load(load) = incoming.exchange() else { panic!("it begins with a load") };
            let Exchange::Admit(admit) = load.found(None, caller(), NOW) else { panic!("the call is new") };
            let Exchange::Commit(commit) = admit.admitted() else { panic!("no auth, no success") };
            put(&commit).1.clone()
        };
        Self { flows, rules, key, strength, id, session }
    }

    fn body(&self) -> String {
        body(&self.id.expose())
    }

    #[inline]
    fn request<'a>(&self, body: &'a [u8]) -> Checked<ChangePasswordRequest<'a>> {
        ChangePasswordRequest::parse(body).unwrap().check(&self.strength, true).unwrap()
    }

    /// The exchange from its beginning to the challenge. `slot` is where the store keeps the
    /// session; every exchange begins with the same one, or the failed attempts would add up
    /// until the session is closed.
    #[inline]
    fn transition<'r>(&'r self, call: Call<'r, ChangePassword>, slot: &mut Session) -> Challenge<'r> {
        let stored = &self.session;
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
        *slot = session.clone();
        let Exchange::Respond(Respond::Challenge(challenge)) = commit.committed(Committed::Stored) else {
            panic!("wrong password")
        };
        challenge
    }

    #[inline]
    fn step(&self, body: &[u8], slot: &mut Session, out: &mut String) {
        let request = self.request(body);
        self.transition(request.call(&self.key), slot).write_body(out).unwrap();
    }
}

fn body(session: &str) -> String {
    format!(
        r#"{{"new_password":"ihatebananas","auth":{{"type":"m.login.password","identifier":{{"type":"m.id.user","user":"@cheeky_monkey:example.org"}},"password":"ilovebananas","session":"{session}"}}}}"#
    )
}

fn ruma_parse(body: &[u8]) -> ruma_password::Request {
    let request = http::Request::builder()
        .method("POST")
        .uri("/_matrix/client/v3/account/password")
        .body(body)
        .unwrap();
    ruma_password::Request::try_from_http_request(request, &[]).unwrap()
}

fn ruma_info(session: &str) -> UiaaInfo {
    let flows = FLOWS.map(|flow| AuthFlow::new(flow.map(AuthType::from).to_vec())).to_vec();
    let mut info = UiaaInfo::new(flows);
    info.params = Some(serde_json::value::RawValue::from_string(PARAMS.to_owned()).unwrap());
    info.session = Some(session.to_owned());
    info
}

type RumaSessions = Mutex<HashMap<(String, String), UiaaInfo>>;

fn ruma_step(body: &[u8], sessions: &RumaSessions) -> Vec<u8> {
    let request = ruma_parse(body);
    let auth = request.auth.unwrap();
    let session = auth.session().unwrap().to_owned();
    let mut sessions = sessions.lock().unwrap();
    let info = sessions.get_mut(&("@cheeky_monkey:example.org".to_owned(), session)).unwrap();
    let AuthData::Password(password) = &auth else { panic!("a password") };
    black_box(&password.password);
    info.auth_error = Some(Box::new(ruma_common::api::error::StandardErrorBody::new(
        ruma_common::api::error::ErrorKind::Forbidden,
        "Invalid username or password.".to_owned(),
    )));
    let stage = auth.auth_type().unwrap();
    assert!(info.flows.iter().any(|flow| flow.stages.contains(&stage)));
    serde_json::to_vec(&*info).unwrap()
}

fn allocations(name: &str, run: impl FnOnce()) {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    println!("allocations/{name}: {}", ALLOCATIONS.load(Ordering::Relaxed) - before);
}

fn peers(c: &mut Criterion) {
    let ours = Ours::new();
    let body = ours.body();
    let mut stored = ours.session.clone();
    let mut out = String::with_capacity(1024);
    ours.step(body.as_bytes(), &mut stored, &mut out);
    let answer = out.clone();
    let session = ours.id.expose();
    let ruma_sessions: RumaSessions = Mutex::new(HashMap::from([(
        ("@cheeky_monkey:example.org".to_owned(), session.to_string()),
        ruma_info(&session),
    )]));
    println!("request: {} bytes, ours answers {} bytes", body.len(), answer.len());
    println!("ruma answers {} bytes", ruma_step(body.as_bytes(), &ruma_sessions).len());
    out.clear();
    allocations("ours", || ours.step(body.as_bytes(), &mut stored, &mut out));
    allocations("ruma", || drop(ruma_step(body.as_bytes(), &ruma_sessions)));

    let mut group = c.benchmark_group("server_step");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("ours", |b| {
        b.iter(|| {
            out.clear();
            ours.step(black_box(body.as_bytes()), &mut stored, &mut out);
            black_box(&out);
        });
    });
    group.bench_function("ruma", |b| {
        b.iter(|| black_box(ruma_step(black_box(body.as_bytes()), &ruma_sessions)));
    });
    group.bench_function("floor", |b| {
        b.iter(|| {
            let _: serde::de::IgnoredAny = serde_json::from_slice(black_box(body.as_bytes())).unwrap();
            out.clear();
            out.push_str(black_box(&answer));
            black_box(&out);
        });
    });
    group.finish();

    let mut group = c.benchmark_group("server_parts");
    group.bench_function("parse", |b| {
        b.iter(|| black_box(ChangePasswordRequest::parse(black_box(body.as_bytes())).unwrap()));
    });
    let request = ours.request(body.as_bytes());
    group.bench_function("digest", |b| {
        b.iter(|| black_box(black_box(&request).call(&ours.key)));
    });
    let call = request.call(&ours.key);
    group.bench_function("transition", |b| {
        b.iter(|| {
            let _ = black_box(ours.transition(black_box(call), &mut stored));
        });
    });
    let challenge = ours.transition(call, &mut stored);
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            black_box(&challenge).write_body(&mut out).unwrap();
            black_box(&out);
        });
    });
    group.bench_function("ruma_parse", |b| b.iter(|| black_box(ruma_parse(black_box(body.as_bytes())))));
    let info = ruma_sessions.lock().unwrap().values().next().unwrap().clone();
    group.bench_function("ruma_encode", |b| {
        b.iter(|| black_box(serde_json::to_vec(black_box(&info)).unwrap()))
    });
    group.finish();
}

/// A progress that has been asked for a password, and the 401 for a wrong one.
fn client(c: &mut Criterion) {
    const CAN: &[AuthTypeOfOurs<'static>] = &[AuthTypeOfOurs::Password, AuthTypeOfOurs::EmailIdentity];
    let session = SessionId::from_entropy([3; 24]).expose();
    let flows = serde_json::json!(FLOWS.map(|flow| serde_json::json!({"stages": flow})));
    let body = format!(
        r#"{{"flows":{flows},"params":{PARAMS},"session":"{session}","completed":[],"errcode":"M_FORBIDDEN","error":"Invalid username or password."}}"#
    );
    let client = Client::new(CAN);
    let mut progress = Progress::<4096>::new(CallName::new("password").unwrap());
    progress.address_given(Medium::Email);
    let Next::Send(first) = client.next(&mut progress, NOW) else { panic!("the first request") };
    let ticket = first.ticket();
    let _ = client.receive(&mut progress, ticket, Answer::new(401, body.as_bytes()), NOW);
    let ours = |progress: &mut Progress, body: &[u8]| {
        let Next::Prompt(Prompt::Password(prompt)) = client.next(progress, NOW) else { panic!("a password") };
        let alice = UserIdentifier::User("@cheeky_monkey:example.org".into());
        let ticket = black_box(prompt.answer(alice, Secret::new("ilovebananas"))).ticket();
        let _ = black_box(client.receive(progress, ticket, Answer::new(401, body), NOW));
    };
    let ruma = |body: &[u8]| -> UiaaInfo { serde_json::from_slice(body).unwrap() };
    println!("challenge: {} bytes", body.len());
    allocations("client_ours", || ours(&mut progress, body.as_bytes()));
    allocations("client_ruma", || drop(ruma(body.as_bytes())));

    let mut group = c.benchmark_group("client_step");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("ours", |b| b.iter(|| ours(&mut progress, black_box(body.as_bytes()))));
    group.bench_function("ruma", |b| b.iter(|| black_box(ruma(black_box(body.as_bytes())))));
    group.bench_function("floor", |b| {
        b.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(body.as_bytes())).unwrap());
    });
    group.finish();
}

criterion_group!(benches, peers, client);
criterion_main!(benches);
