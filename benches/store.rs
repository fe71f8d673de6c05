//! What a store costs, from a thousand sessions to a million.
//!
//! - `step`: a whole request: parse its auth dict, load, ask for the verdict, load again,
//!   commit. On one of the thousand newest sessions, as most requests are: a client goes
//!   on where it has just begun.
//! - `step_anywhere`: the same on any session. With a million of them each step finds its
//!   own in main memory, by three reads of which each needs the one before: that, and
//!   nothing else, is what it pays beside `step`.
//! - `load_replace`: what of `step_anywhere` is the store's.
//! - `insert_expire`: a new session comes, and the oldest one's time is over.
//! - `evict`: a new session comes, and the store is full.
//! - `evict_own`: a new session comes of an owner who has as many as one may have.
//!
//! Every third session is a new owner's. Before the rest it prints the memory of a million
//! sessions, where each has an owner of its own, which takes the most, and where each
//! owner has as many as one may have.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::commit::{Committed, Put, SessionChanges};
use matrix_uia::server::exchange::{Commit, Exchange, HostKind, Incoming};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::store::{HashedStore, Lifetimes, OwnerKey, SESSIONS_PER_OWNER, Store};
use matrix_uia::server::verdict::Verdict;
use matrix_uia::wire::Auth;
use matrix_uia::{Call, Flows, Millis, Rules, SessionId, Timestamp};

const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// What a client sends, around its session's ID.
const AUTH: [&str; 2] = [
    r#"{"type":"m.login.password","session":""#,
    r#"","identifier":{"type":"m.id.user","user":"alice"},"password":"wonderland"}"#,
];

/// Sessions are made a millisecond apart, and none of a million may be over.
const LIFETIME: Millis = Millis::from_secs(60 * 60);

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// Counting bytes takes an allocator of one's own.
#[allow(unsafe_code)]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Numbers in no order, the same in every run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scatter(self.0)
    }
}

fn scatter(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The ID of the `number`th session.
fn id(number: u64) -> SessionId {
    let mut entropy = [0; 24];
    let (words, _) = entropy.as_chunks_mut::<8>();
    for (word, salt) in words.iter_mut().zip(1_u64..) {
        *word = scatter(number.wrapping_add(salt.wrapping_mul(0xD1B5_4A32_D192_ED03))).to_le_bytes();
    }
    SessionId::from_entropy(entropy)
}

/// Who makes every request, as the host reads it with the session.
fn caller() -> Caller {
    Caller::User(Account::new(Subject::new(UserRef::new(1), 0), AccountStatus::default()))
}

struct Server {
    flows: &'static Flows<'static, ChangePassword>,
    rules: &'static Rules,
    store: HashedStore,
    /// How many sessions there ever were: also the time, in milliseconds.
    made: u64,
    /// How many sessions in a row are one owner's.
    of_owner: u64,
}

impl Server {
    fn new(limit: u64) -> Self {
        Self::with_lifetime(limit, LIFETIME)
    }

    fn with_lifetime(limit: u64, lifetime: Millis) -> Self {
        let mut rules = Rules::default();
        rules.session_lifetime = lifetime;
        let store = HashedStore::new(Lifetimes::of(&rules), limit as usize);
        // A commit borrows both, while the store changes.
        let flows = Box::leak(Box::new(Flows::new([["m.login.password"]], None).unwrap()));
        Self { flows, rules: Box::leak(Box::new(rules)), store, made: 0, of_owner: 3 }
    }

    /// With as many sessions from now on.
    fn holding(mut self, sessions: u64) -> Self {
        for _ in 0..sessions {
            let mut incoming = self.incoming();
            let begun = self.begin(&mut incoming);
            self.insert(&begun);
        }
        self
    }

    const fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.made)
    }

    /// A request without auth dict.
    fn incoming(&self) -> Incoming<'static, ChangePassword> {
        let (call, now) = (Call::new(&Auth::Absent), self.now());
        Incoming::new(self.flows, self.rules, HostKind::CLAIMS, call, id(self.made), now)
    }

    /// The same up to the commit that stores its session.
    fn begin<'w>(
        &self,
        incoming: &'w mut Incoming<'static, ChangePassword>,
    ) -> Commit<'w, 'static, ChangePassword> {
        let now = self.now();
        let Exchange::Load(load) = incoming.exchange() else { panic!("it begins with a load") };
        let Exchange::Admit(admit) = load.found(None, caller(), now) else { panic!("the call is new") };
        match admit.admitted() {
            Exchange::Commit(commit) => commit,
            exchange => panic!("{exchange:?}"),
        }
    }

    fn insert(&mut self, begun: &Commit<'_, 'static, ChangePassword>) -> bool {
        self.insert_of(self.made / self.of_owner, begun)
    }

    fn insert_of(&mut self, owner: u64, begun: &Commit<'_, 'static, ChangePassword>) -> bool {
        // As even as the digest that it is. Zero is nobody.
        let (owner, now) = (OwnerKey::from_u64(scatter(owner + 1)), self.now());
        let stored = self.store.commit(begun.session_changes(), None, owner, now).unwrap();
        self.made += 1;
        stored.evicted.is_some()
    }

    /// One request of the client that holds a session.
    fn step(&mut self, auth: &str) {
        let auth = Auth::parse(auth.as_bytes()).unwrap();
        let call = Call::new(&auth);
        let now = self.now();
        let read = |store: &HashedStore, id: Option<SessionId>| {
            id.and_then(|id| store.load(&id)).map(|record| record.session)
        };
        // No session begins here.
        let fresh = SessionId::from_entropy([0; 24]);
        let mut incoming = Incoming::new(self.flows, self.rules, HostKind::CLAIMS, call, fresh, now);
        let Exchange::Load(load) = incoming.exchange() else { panic!("it begins with a load") };
        let session = read(&self.store, load.session_id());
        let Exchange::Admit(admit) = load.found(session.as_ref(), caller(), now) else {
            panic!("the call is under way")
        };
        let Exchange::Verify(verify) = admit.admitted() else { panic!("a question is due") };
        black_box(verify.question());
        let Exchange::Load(load) = verify.verdict(Verdict::Pending(Reference::new(1))) else {
            panic!("the verdict is from outside")
        };
        let session = read(&self.store, load.session_id());
        let Exchange::Commit(commit) = load.found(session.as_ref(), caller(), now) else {
            panic!("a commit is due")
        };
        let stored = self.store.commit(commit.session_changes(), None, OwnerKey::NOBODY, now).unwrap();
        assert!(stored.evicted.is_none());
        let Exchange::Respond(respond) = commit.committed(Committed::Stored) else {
            panic!("a challenge is due")
        };
        let _ = black_box(respond);
    }
}

/// Prints what a million sessions take, and how evenly insertions go. A table or a vector
/// that doubled would show in the most bytes there were at any time.
fn memory(of_owner: u64) {
    const MILLION: usize = 1_000_000;
    let mut growing: Vec<Duration> = Vec::with_capacity(MILLION);
    let mut evicting: Vec<Duration> = Vec::with_capacity(MILLION);
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut server = Server::new(MILLION as u64);
    server.of_owner = of_owner;
    for took in [&mut growing, &mut evicting] {
        for _ in 0..MILLION {
            let mut incoming = server.incoming();
            let begun = server.begin(&mut incoming);
            let start = Instant::now();
            server.insert(&begun);
            took.push(start.elapsed());
        }
        let bytes = LIVE.load(Ordering::Relaxed) - before;
        let peak = PEAK.load(Ordering::Relaxed) - before;
        let sessions = server.store.len();
        println!("{sessions} sessions, {of_owner} of each owner: {bytes} bytes, at most {peak}");
    }
    for (name, took) in [("growing", &mut growing), ("evicting", &mut evicting)] {
        took.sort_unstable();
        let [half, most] = [MILLION / 2, MILLION - 1_000].map(|at| took.get(at).unwrap());
        println!("an insertion while {name}: half within {half:?}, all but 0.1 % within {most:?}");
    }
}

fn stores(criterion: &mut Criterion) {
    // As a test it only has to run.
    let asked = |what: &str| std::env::args().any(|arg| arg == what);
    let sizes = if asked("--bench") && !asked("--test") { &SIZES[..] } else { &SIZES[..1] };
    if sizes.len() > 1 {
        memory(1);
        memory(SESSIONS_PER_OWNER as u64);
    }
    let mut group = criterion.benchmark_group("store");
    for size in sizes.iter().copied() {
        let mut server = Server::new(size).holding(size);
        let mut chance = Chance(size);

        for (name, newest) in [("step", SIZES[0]), ("step_anywhere", size)] {
            group.bench_function(BenchmarkId::new(name, size), |b| {
                let mut auth = String::new();
                b.iter(|| {
                    let id = id(size - 1 - chance.next() % newest);
                    auth.clear();
                    auth.push_str(AUTH[0]);
                    auth.push_str(&id.expose());
                    auth.push_str(AUTH[1]);
                    server.step(&auth);
                });
            });
        }

        group.bench_function(BenchmarkId::new("load_replace", size), |b| {
            b.iter(|| {
                let id = id(chance.next() % size);
                let session = server.store.load(&id).unwrap().session;
                let expected = Some(session.revision());
                let put = Some(Put { id, expected, session: &session, keep: false });
                let changes = SessionChanges { put, remove: None };
                let now = server.now();
                black_box(server.store.commit(changes, None, OwnerKey::NOBODY, now)).unwrap()
            });
        });

        group.bench_function(BenchmarkId::new("evict", size), |b| {
            b.iter(|| {
                let mut incoming = server.incoming();
                let begun = server.begin(&mut incoming);
                black_box(server.insert(&begun))
            });
        });

        let mut owner = Server::new(size + SESSIONS_PER_OWNER as u64).holding(size);
        group.bench_function(BenchmarkId::new("evict_own", size), |b| {
            b.iter(|| {
                let mut incoming = owner.incoming();
                let begun = owner.begin(&mut incoming);
                black_box(owner.insert_of(u64::MAX - 1, &begun))
            });
        });
        drop(owner);

        // One session a millisecond, each living as many milliseconds as there are to be.
        drop(server);
        let mut server = Server::with_lifetime(size + 1, Millis::new(size)).holding(size);
        group.bench_function(BenchmarkId::new("insert_expire", size), |b| {
            b.iter(|| {
                let mut incoming = server.incoming();
                let begun = server.begin(&mut incoming);
                server.insert(&begun);
                let now = server.now();
                while black_box(server.store.expire(now)).is_some() {}
            });
            assert_eq!(server.store.len() as u64, size - 1, "it neither grows nor shrinks");
        });
    }
    group.finish();
}

criterion_group!(benches, stores);
criterion_main!(benches);
