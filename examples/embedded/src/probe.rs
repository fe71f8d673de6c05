//! What each public call takes of the stack: the stack below is painted, the call made,
//! and the paint looked at.

use core::arch::asm;
use core::fmt::Write;
use core::hint::black_box;

use matrix_uia::endpoint::deactivate::{self, DeactivateRequest};
use matrix_uia::endpoint::login::LoginRequest;
use matrix_uia::endpoint::password::{self, ChangePasswordRequest};
use matrix_uia::endpoint::refresh::RefreshRequest;
use matrix_uia::endpoint::register::{self, KeptRegistration, RegisterRequest};
use matrix_uia::endpoint::signing_keys::UploadSigningKeysRequest;
use matrix_uia::server::operation::{ChangePassword, Deactivate, Reference, Register, Subject, UserRef};
use matrix_uia::server::session::{Exempt, Proof, Verdict};
use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
use matrix_uia::wire::error::ErrorBody;
use matrix_uia::wire::{Auth, ChallengeBody, Raw};
use matrix_uia::{BindingKey, Flows, Guard, Rules, Session, SessionId, Step, Timestamp};

use crate::server::{Body, Server};

const PAINT: u32 = 0xA5A5_A5A5;
const PAINTED_WORDS: usize = 6 * 1024;

/// Runs `call`; returns what it returned and how many bytes of stack it took.
#[inline(never)]
fn depth<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let bottom: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) bottom) };
    let top = (bottom & !3) as *mut u32;
    for word in 1..=PAINTED_WORDS {
        // SAFETY: below the stack pointer, and within the 64 KiB of RAM: nobody's.
        unsafe { top.sub(word).write_volatile(PAINT) };
    }
    let value = call_it(call);
    let mut untouched = PAINTED_WORDS;
    // SAFETY: as above.
    while untouched > 0 && unsafe { top.sub(untouched).read_volatile() } == PAINT {
        untouched -= 1;
    }
    (value, untouched * 4)
}

#[inline(never)]
fn call_it<T>(call: impl FnOnce() -> T) -> T {
    call()
}

fn report(name: &str, bytes: usize) {
    let mut line: heapless::String<96> = heapless::String::new();
    let _ = write!(line, "stack {bytes:5} {name}\n\0");
    const WRITE: u32 = 0x04;
    // SAFETY: semihosting reads up to the zero.
    unsafe { asm!("bkpt 0xAB", inout("r0") WRITE => _, in("r1") line.as_ptr()) };
}

fn measured<T>(name: &str, call: impl FnOnce() -> T) -> T {
    let (value, bytes) = depth(call);
    report(name, bytes);
    value
}

const PARAMS: &str = r#"{"m.login.terms":{"policies":{"p":{"version":"1"}}}}"#;
const CHALLENGE: &[u8] =
    br#"{"flows":[{"stages":["m.login.password"]}],"params":{},"session":"s","completed":[],"errcode":"M_FORBIDDEN","error":"x"}"#;
const REGISTER: &[u8] =
    br#"{"username":"alice","password":"wonderland","device_id":"D","auth":{"type":"m.login.dummy"}}"#;
const DEACTIVATE: &[u8] = br#"{"erase":true,"id_server":"id.example.org","auth":{"type":"m.login.dummy"}}"#;
const LOGIN: &[u8] =
    br#"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"wonderland"}"#;
const ATTEMPT: &[u8] = br#"{"new_password":"looking-gl\u0061ss","auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"wonder\u006cand"}}"#;
const REFRESH: &[u8] = br#"{"refresh_token":"some_token"}"#;
const UPLOAD: &[u8] = br#"{"master_key":{"user_id":"@a:b","usage":["master"],"keys":{"ed25519:K":"K"},"signatures":{"@a:b":{"ed25519:D":"s"}}},"auth":{"type":"m.login.password","user":"alice","password":"wonderland"}}"#;
/// A key twice, and so read to its end a second time.
const DUPLICATE: &[u8] = br#"{"new_password":"a","new_password":"b","auth":{"type":"m.login.password"}}"#;

pub fn run() {
    parsing();
    engine();
    endpoints();
    signing_keys();
    whole();
}

fn parsing() {
    let _ =
        measured("ChangePasswordRequest::parse", || ChangePasswordRequest::parse(black_box(ATTEMPT)).is_ok());
    let _ = measured("ChangePasswordRequest::parse, refused", || {
        ChangePasswordRequest::parse(black_box(DUPLICATE)).is_ok()
    });
    let _ = measured("DeactivateRequest::parse", || DeactivateRequest::parse(black_box(DEACTIVATE)).is_ok());
    let _ = measured("RegisterRequest::parse", || RegisterRequest::parse(black_box(REGISTER)).is_ok());
    let _ = measured("LoginRequest::parse", || LoginRequest::parse(black_box(LOGIN)).is_ok());
    let _ = measured("RefreshRequest::parse", || RefreshRequest::parse(black_box(REFRESH)).is_ok());
    let _ = measured("Auth::parse", || Auth::parse(black_box(LOGIN)).is_ok());
    let body = measured("ChallengeBody::parse", || ChallengeBody::parse(black_box(CHALLENGE)));
    let _ = measured("ChallengeBody::flows, stages", || {
        body.map(|body| body.flows().flat_map(|flow| flow.stages()).count())
    });
    let _ = measured("ErrorBody::parse", || ErrorBody::parse(black_box(CHALLENGE)).is_ok());
    let error = ErrorBody::parse(black_box(CHALLENGE));
    let mut out = Body::new();
    let _ = measured("ErrorBody::write", || error.map(|error| error.write(&mut out).is_ok()));
}

fn engine() {
    let mut buffer = [0; 256];
    let flows = measured("Flows::in_buffer", || {
        Flows::<ChangePassword>::in_buffer([["m.login.password"]], None, black_box(&mut buffer))
    });
    let mut larger = [0; 512];
    let params = Raw::parse(black_box(PARAMS)).ok();
    let _ = measured("Flows::in_buffer, with params", || {
        Flows::<Register>::in_buffer([["m.login.terms"]], params, black_box(&mut larger)).is_ok()
    });
    let Ok(flows) = flows else { return };
    let rules = Rules::default();
    let guard = Guard::new(&flows, &rules);
    let key = BindingKey::from_entropy([7; 16]);
    let (id, now) = (SessionId::from_entropy([9; 24]), Timestamp::from_millis(1));
    let subject = Subject::new(UserRef::new(1), 0);
    let mut store: FixedStore<(), 8> = FixedStore::new(Lifetimes::of(&rules));

    let Ok(request) = ChangePasswordRequest::parse(black_box(ATTEMPT)) else { return };
    let call = measured("ChangePasswordRequest::call", || request.call(&key, Some(subject)));
    let step = measured("Guard::receive", || guard.receive(call, None, id, now));
    let Step::Verify(pending) = step else { return };
    let resolved = pending.resolve(Verdict::Passed(Proof::Nothing));
    let step = measured("Resolved::apply, failed", || resolved.apply(None, id, now));
    drop(step);
    let Step::Verify(pending) = guard.receive(call, None, id, now) else { return };
    let resolved = pending.resolve(Verdict::Passed(Proof::User(UserRef::new(1))));
    let step = measured("Resolved::apply, passed", || resolved.apply(None, id, now));
    let Step::Grant(claim) = step else { return };
    let _ = measured("Store::apply", || store.apply(claim.write(), None, now).is_ok());
    let grant = measured("Claim::assume_stored", || claim.assume_stored());
    let change = measured("password::change", || password::change(grant, &request, None));
    let Ok(change) = change else { return };
    let redeemed = measured("Receipt::succeeded", || change.receipt().succeeded(Reference::new(1), now));
    let _ = measured("Store::apply, replacing", || store.apply(redeemed.write(), None, now).is_ok());
    let _ = measured("Store::load", || store.load(&id).is_some());
    let _ = measured("Store::expire", || store.expire(Timestamp::from_millis(10_000_000)).is_some());

    let Step::Challenge(challenge) = guard.receive(matrix_uia::Call::new(Auth::Absent, None), None, id, now)
    else {
        return;
    };
    let mut out = Body::new();
    let _ = measured("Challenge::write_body", || challenge.write_body(&mut out).is_ok());
    report("(size of Step)", size_of::<Step<'_, ChangePassword>>());
    report("(size of Session)", size_of::<Session>());
}

fn endpoints() {
    let user = Some(UserRef::new(1));
    if let Ok(request) = DeactivateRequest::parse(black_box(DEACTIVATE)) {
        let grant = Exempt::ApplicationService.assume_exempt::<Deactivate>(user);
        let begun = measured("deactivation::begin", || deactivation::begin(grant, &request, None));
        if let Ok((progress, _)) = begun {
            let _ = measured("Deactivation::done", || progress.done());
        }
    }
    if let Ok(request) = RegisterRequest::parse(black_box(REGISTER)) {
        let name = measured("Localpart::parse", || {
            registration::Localpart::parse(matrix_uia::Text::new("Alice"), "example.org").ok()
        });
        let _ =
            measured("KeptRegistration::of", || KeptRegistration::of(&request, name.as_ref()).has_password);
        let grant = Exempt::ApplicationService.assume_exempt::<Register>(None);
        let _ =
            measured("registration::create", || registration::create(grant, &request, name, None).is_ok());
    }
}

fn signing_keys() {
    let upload =
        measured("UploadSigningKeysRequest::parse", || UploadSigningKeysRequest::parse(black_box(UPLOAD)));
    let Ok(upload) = upload else { return };
    let (key, user) = (BindingKey::from_entropy([7; 16]), UserRef::new(1));
    let _ = measured("UploadSigningKeysRequest::call", || {
        upload.call(&key, Subject::new(user, 0)).session_id().is_some()
    });
    let stored = upload.keys;
    let _ = measured("UploadSigningKeysRequest::exempt", || upload.exempt(&key, &stored, user).is_some());
}

fn whole() {
    let mut buffer = [0; 256];
    let Ok(flows) = Flows::in_buffer([["m.login.password"]], None, &mut buffer) else { return };
    let mut server = Server::new(&flows, BindingKey::from_entropy([7; 16]), "wonderland");
    let mut out = Body::new();
    let (id, now) = (SessionId::from_entropy([9; 24]), Timestamp::from_millis(1));
    measured("a whole request, to its answer", || server.answer(black_box(ATTEMPT), id, now, &mut out));
}
