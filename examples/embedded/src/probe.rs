//! What each public call takes of the stack.

use core::hint::black_box;

use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::login::LoginRequest;
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
use matrix_uia::endpoint::refresh::RefreshRequest;
use matrix_uia::endpoint::register::{Localpart, RegisterRequest};
use matrix_uia::endpoint::signing_keys::UploadSigningKeysRequest;
use matrix_uia::endpoint::threepid::{
    AddressAuthority, Delivery, GivenAddress, Medium, Purpose, RequestTokenRequest, Threepid,
    TokenRequestKey, Validation, ValidationRules,
};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Exchange, HostKind, Incoming, Verify};
use matrix_uia::server::grant::{Exempt, Outcome};
use matrix_uia::server::operation::{ChangePassword, Operation, Register};
use matrix_uia::server::question::Check;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::store::{FixedStore, Lifetimes, OwnerKey, Store};
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::error::ErrorBody;
use matrix_uia::wire::{Auth, ChallengeBody, Raw};
use matrix_uia::{
    BindingKey, Flows, FlowsBuffer, Grant, Rules, Secret, Session, SessionId, Timestamp, flows,
};

use crate::server::{Body, Password, Server};
use crate::stack::{measured, report};

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
const TOKEN: &[u8] =
    br#"{"client_secret":"a","email":" Alice@Example.org\n","send_attempt":1,"next_link":"https:\/\/a"}"#;
/// A key twice, and so read to its end a second time.
const DUPLICATE: &[u8] = br#"{"new_password":"a","new_password":"b","auth":{"type":"m.login.password"}}"#;

pub fn run() {
    parsing();
    policies();
    engine();
    endpoints();
    signing_keys();
    threepids();
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

const USER: Subject = Subject::new(UserRef::new(1), 0);
const FRESH: SessionId = SessionId::from_entropy([9; 24]);
const NOW: Timestamp = Timestamp::from_millis(1);
const KEY: BindingKey = BindingKey::from_entropy([7; 16]);

fn policies() {
    // The policy is the caller's: it is returned to where the caller has room for it.
    let mut buffer = FlowsBuffer::<256>::new();
    let _ = measured("Flows::in_buffer", || {
        Flows::<ChangePassword>::in_buffer([["m.login.password"]], None, black_box(&mut buffer))
    });
    let mut larger = FlowsBuffer::<512>::new();
    let params = Raw::parse(black_box(PARAMS)).ok();
    let _ = measured("Flows::in_buffer, with params", || {
        Flows::<Register>::in_buffer([["m.login.terms"]], params, black_box(&mut larger))
    });
}

fn caller() -> Caller {
    Caller::User(Account::new(USER, AccountStatus::default()))
}

/// Every question of a password change that has one request, in the order they are asked.
fn engine() {
    let flows = flows!(ChangePassword: [["m.login.password"]]);
    let rules = Rules::default();
    let mut store: FixedStore<(), 8> = FixedStore::new(Lifetimes::of(&rules));
    let Ok(request) = ChangePasswordRequest::parse(black_box(ATTEMPT)) else { return };
    let strength = PasswordStrength::default();
    let checked = measured("ChangePasswordRequest::check", || request.check(black_box(&strength), true));
    let Ok(checked) = checked else { return };
    let call = measured("Checked::call", || checked.call(&KEY));
    let kind = HostKind::CLAIMS;
    let mut incoming = measured("Incoming::new", || Incoming::new(&flows, &rules, kind, call, FRESH, NOW));
    let Exchange::Load(load) = measured("Incoming::exchange", || incoming.exchange()) else { return };
    let exchange = measured("Load::found", || load.found(None, caller(), NOW));
    let Exchange::Admit(admit) = exchange else { return };
    let exchange = measured("Admit::admitted", || admit.admitted());
    let Exchange::Verify(verify) = exchange else { return };
    let verdict = verdict_of(&verify, true);
    let exchange = measured("Verify::verdict", || verify.verdict(verdict));
    let Exchange::Load(load) = exchange else { return };
    let exchange = measured("Load::found, passed", || load.found(None, caller(), NOW));
    let Exchange::Hash(hash) = exchange else { return };
    let exchange = measured("Hash::hashed", || hash.hashed());
    let Exchange::Load(load) = exchange else { return };
    let exchange = load.found(None, caller(), NOW);
    let Exchange::Perform(perform) = exchange else { return };
    let (grant, performing) = measured("Perform::grant", || perform.grant());
    let plan = measured("Checked::plan", || checked.plan(&KEY, grant, None, Some(7_u32)));
    let _ = plan.map(|plan| plan.effects().count());
    let exchange = measured("Performing::succeeded", || performing.succeeded(Outcome::NOTHING, NOW));
    let Exchange::Commit(commit) = exchange else { return };
    let _ = measured("Commit::committed", || commit.committed(Committed::Stored));

    // A request that fails is stored, and written.
    let mut incoming = Incoming::new(&flows, &rules, kind, call, FRESH, NOW);
    let Exchange::Load(load) = incoming.exchange() else { return };
    let Exchange::Admit(admit) = load.found(None, caller(), NOW) else { return };
    let Exchange::Verify(verify) = admit.admitted() else { return };
    let failed = verdict_of(&verify, false);
    let Exchange::Load(load) = verify.verdict(failed) else { return };
    let exchange = measured("Load::found, failed", || load.found(None, caller(), NOW));
    let Exchange::Commit(commit) = exchange else { return };
    let _ = measured("Store::commit", || {
        store.commit(commit.session_changes(), None, OwnerKey::NOBODY, NOW).is_ok()
    });
    let exchange = commit.committed(Committed::Stored);
    let Exchange::Respond(respond) = exchange else { return };
    let mut out = Body::new();
    let _ = measured("Respond::write_body", || respond.write_body(&mut out).is_ok());
    let _ = measured("Store::load", || store.load(&FRESH).is_some());
    let _ = measured("Store::expire", || store.expire(Timestamp::from_millis(10_000_000)).is_some());
    report("(size of Incoming)", size_of::<Incoming<'_, ChangePassword>>());
    report("(size of Session)", size_of::<Session>());
}

fn verdict_of(verify: &Verify<'_, '_, ChangePassword>, matches: bool) -> Verdict<'static> {
    match verify.question().check() {
        Check::Password(check) => check.named(Named::User(USER)).verdict(matches),
        _ => Verdict::Failed(StageFailure::Other),
    }
}

/// A grant without a session, as an application service gets it.
fn exempt<Op: Operation>(request: &impl Endpoint<Op = Op>, flow: &'static str) -> Option<Grant<Op>> {
    let mut buffer = FlowsBuffer::<256>::new();
    let flows = Flows::<Op>::in_buffer([[flow]], None, &mut buffer).ok()?;
    let (rules, kind) = (Rules::default(), HostKind::CLAIMS);
    let mut incoming = Incoming::new(&flows, &rules, kind, request.call(&KEY), FRESH, NOW);
    let Exchange::Load(load) = incoming.exchange() else { return None };
    let Exchange::Admit(admit) = load.found(None, caller(), NOW) else { return None };
    let exchange = match admit.assume_exempt(Exempt::ApplicationService) {
        Exchange::Hash(hash) => match hash.hashed() {
            Exchange::Load(load) => match load.found(None, caller(), NOW) {
                Exchange::Admit(admit) => admit.assume_exempt(Exempt::ApplicationService),
                other => other,
            },
            other => other,
        },
        other => other,
    };
    let Exchange::Perform(perform) = exchange else { return None };
    Some(perform.grant().0)
}

fn endpoints() {
    if let Ok(Ok(request)) = DeactivateRequest::parse(black_box(DEACTIVATE)).map(|it| it.check()) {
        let _ = measured("Checked<DeactivateRequest>::call", || request.call(&KEY).names_session());
        if let Some(grant) = exempt(&request, "m.login.password") {
            let plan =
                measured("Checked<DeactivateRequest>::plan", || request.plan::<()>(&KEY, grant, None, None));
            let _ = measured("Deactivation::done", || plan.map(|progress| progress.done()).is_ok());
        }
    }
    let _ = measured("Localpart::parse", || {
        Localpart::parse(matrix_uia::Text::new("Alice"), "example.org").is_ok()
    });
    let Ok(request) = RegisterRequest::parse(black_box(REGISTER)) else { return };
    let strength = PasswordStrength::default();
    let checked = measured("RegisterRequest::check", || request.check(&strength, "example.org"));
    let Ok(checked) = checked else { return };
    let _ = measured("Checked<Registration>::call", || checked.call(&KEY).names_session());
    let _ = measured("Checked<Registration>::to_stored", || {
        checked.to_stored(&KEY, None, None).username.is_some()
    });
    if let Some(grant) = exempt(&checked, "m.login.dummy") {
        let _ =
            measured("Checked<Registration>::plan", || checked.plan(&KEY, grant, None, Some(7_u32)).is_ok());
    }
}

fn signing_keys() {
    let upload =
        measured("UploadSigningKeysRequest::parse", || UploadSigningKeysRequest::parse(black_box(UPLOAD)));
    let Ok(upload) = upload else { return };
    let Ok(checked) = upload.check("@a:b") else { return };
    let stored = checked.keys;
    let _ = measured("Checked<UploadSigningKeysRequest>::exempt", || checked.exempt(&KEY, &stored).is_some());
}

fn threepids() {
    let request = measured("RequestTokenRequest::parse", || {
        RequestTokenRequest::parse(Medium::Email, black_box(TOKEN))
    });
    let Ok(RequestTokenRequest { client_secret, address: GivenAddress::Email(email), .. }) = request else {
        return;
    };
    let Ok(threepid) = measured("Threepid::parse", || Threepid::parse(Medium::Email, black_box(email)))
    else {
        return;
    };
    let asked = measured("TokenRequestKey::new", || {
        TokenRequestKey::new(&KEY, Purpose::Reset, None, threepid, client_secret, 1)
    });
    let (policies, rules) = (AddressAuthority::new(), ValidationRules::default());
    let token = KEY.validation_token(client_secret);
    let _ = measured("Validation::request", || {
        Validation::request(None, &asked, Delivery::Token, token, &policies, &rules, NOW)
    });
}

fn whole() {
    let flows = flows!(ChangePassword: [["m.login.password"]]);
    let Some(password) = Password::new(Secret::new("wonderland")) else { return };
    let mut server = Server::new(&flows, BindingKey::from_entropy([7; 16]), password);
    let mut out = Body::new();
    measured("a whole request, to its answer", || server.answer(black_box(ATTEMPT), FRESH, NOW, &mut out));
}
