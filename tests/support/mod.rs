//! A small homeserver in memory that drives the crate as a real host would.
//!
//! ```text
//!  JSON body ─► parse ─► check ─► Run ─► granted ─► the plan is carried out ─► commit ─► answer
//!                                  ▲ │                                  if the revision holds
//!                          verdict │ ▼
//!                             Serving, a Host: counted in `asked`
//! ```
//!
//! Every session is kept as serialised text: what is read back is what another process
//! would read, so every test is also a test of a restart between any two requests.

mod accounts;
pub(crate) mod client;
mod endpoints;
mod host;
mod proofs;
pub(crate) mod synapse;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

#[cfg(not(feature = "alloc"))]
use matrix_uia::FlowsBuffer;
use matrix_uia::pages::{Document, Nonce, Page};
use matrix_uia::server::call::Call;
use matrix_uia::server::check::AddressBy;
use matrix_uia::server::drive::Recalled;
use matrix_uia::server::drive_page;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{HostKind, OneTransaction};
use matrix_uia::server::flows::TermsVersion;
use matrix_uia::server::grant::{Grant, Refusal};
use matrix_uia::server::operation::{
    ChangePassword, Deactivate, DeleteDevice, DeleteDevices, Operation, Register,
};
use matrix_uia::server::page::{Approval, PagePolicy, PageRequest};
use matrix_uia::server::page_outcome::{PageOutcome, PageRefusal};
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, UserRef};
use matrix_uia::server::seal::Sealer;
use matrix_uia::server::sealed::SessionName;
#[cfg(feature = "sealed")]
use matrix_uia::server::sealed::{IdKey, IdKeys};
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::wire::{AuthData, Malformed, Raw};
use matrix_uia::{BindingKey, Flows, MatrixError, Millis, Rules, Session, SessionId, Text, Timestamp};
use matrix_uia_page_reader::Html;
use serde_json::{Value, json};

pub(crate) use accounts::User;
use host::AtPage;
pub(crate) use host::Handler;
pub(crate) use proofs::{RegistrationToken, Validation};

/// The kind of [`Server`], if it does not claim.
pub(crate) const ONE_TRANSACTION: HostKind<'static> = HostKind::assume_one_transaction::<Server>();

/// Nobody else has it while it serves a request.
impl OneTransaction for Server {}

pub(crate) const SERVER: &str = "example.org";

/// Flows that own or leak their text, whichever the features allow.
pub(crate) fn flows<Op: Operation>(flows: &[&[&str]], params: Option<&str>) -> Flows<'static, Op> {
    let params = params.map(|params| Raw::parse(params).unwrap());
    let flows = flows.iter().map(|flow| flow.iter());
    #[cfg(feature = "alloc")]
    let built = Flows::new(flows, params);
    #[cfg(not(feature = "alloc"))]
    let built = Flows::in_buffer(flows, params, Box::leak(Box::new(FlowsBuffer::<4096>::new())));
    built.unwrap()
}

/// The same, for ever.
pub(crate) fn policy<Op: Operation>(names: &[&[&str]], params: Option<&str>) -> &'static Flows<'static, Op> {
    Box::leak(Box::new(flows(names, params)))
}

/// That kind of host; with sealed IDs, where the whole suite is to run so.
#[cfg(feature = "sealed")]
pub(crate) fn mode(kind: HostKind<'static>) -> HostKind<'static> {
    if std::env::var_os("SEALED_IDS").is_some() { sealed(kind) } else { kind }
}

/// That kind of host, with sealed IDs.
#[cfg(feature = "sealed")]
pub(crate) fn sealed(kind: HostKind<'static>) -> HostKind<'static> {
    static KEYS: IdKeys = IdKeys::new(IdKey::new(1, [0x11; 32]));
    kind.with_sealed_ids(&KEYS)
}

#[cfg(not(feature = "sealed"))]
pub(crate) const fn mode(kind: HostKind<'static>) -> HostKind<'static> {
    kind
}

/// A session ID that no generator would make twice.
pub(crate) fn id(number: u64) -> SessionId {
    let mut entropy = [0x5A; 24];
    entropy[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_entropy(entropy)
}

/// What a client got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The `Retry-After` header.
    pub(crate) retry_after: Option<u64>,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, body, retry_after: None }
    }

    pub(crate) fn refused(reject: MatrixError) -> Self {
        let mut body = String::new();
        reject.write(&mut body).unwrap();
        let body = serde_json::from_str(&body).unwrap();
        Self { status: reject.status(), body, retry_after: reject.retry_after_secs() }
    }

    /// `401 M_FORBIDDEN`, or only the status.
    pub(crate) fn says(&self) -> String {
        let mut out = self.status.to_string();
        if let Some(code) = self.body.get("errcode") {
            write!(out, " {}", code.as_str().unwrap()).unwrap();
        }
        out
    }

    pub(crate) fn session(&self) -> &str {
        self.body["session"].as_str().unwrap_or_else(|| panic!("no session in {self:?}"))
    }

    pub(crate) fn completed(&self) -> &Value {
        &self.body["completed"]
    }

    /// The keys of the body, in the order of the alphabet.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.body.as_object().unwrap().keys().map(String::as_str).collect()
    }
}

type Hook = Box<dyn FnOnce(&mut Server) + Send>;

/// The key of every server here.
pub(crate) fn key() -> BindingKey {
    BindingKey::from_entropy([7; 16])
}

/// An operation of a host's own, with its call.
pub(crate) struct Own<'r, Op>(pub(crate) Call<'r, Op>);

/// What the grant of an operation of a host's own says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnPlan;

impl<Op: Operation> Endpoint for Own<'_, Op> {
    type Op = Op;
    type Stored = ();
    type Plan<H: Send> = OwnPlan;

    fn call(&self, _: &BindingKey) -> Call<'_, Op> {
        self.0
    }

    fn to_stored(&self, _: &BindingKey, _: Option<()>, _: Option<Sealer>) {}

    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<Op>,
        _: Option<()>,
        _: Option<H>,
    ) -> Result<OwnPlan, Refusal> {
        drop(grant);
        Ok(OwnPlan)
    }
}

/// The policy of each operation.
#[derive(Clone, Copy)]
pub(crate) struct Policies {
    pub(crate) change: &'static Flows<'static, ChangePassword>,
    pub(crate) reset: &'static Flows<'static, ChangePassword>,
    pub(crate) deactivate: &'static Flows<'static, Deactivate>,
    pub(crate) deactivate_without_token: Option<&'static Flows<'static, Deactivate>>,
    pub(crate) register: &'static Flows<'static, Register>,
    pub(crate) delete_device: &'static Flows<'static, DeleteDevice>,
    pub(crate) delete_devices: &'static Flows<'static, DeleteDevices>,
}

pub(crate) struct Server {
    pub(crate) now: u64,
    pub(crate) rules: Rules,
    pub(crate) policies: Policies,
    pub(crate) users: BTreeMap<&'static str, User>,
    /// Sessions as another process would find them.
    pub(crate) sessions: BTreeMap<SessionId, String>,
    /// What is kept beside a session, as text.
    pub(crate) kept: BTreeMap<SessionId, String>,
    pub(crate) validations: BTreeMap<String, Validation>,
    pub(crate) tokens: BTreeMap<&'static str, RegistrationToken>,
    /// What the host waits for, by the reference it gave, and whether it has happened.
    pub(crate) awaited: BTreeMap<u64, Evidence>,
    /// How often a password was compared with somebody's.
    pub(crate) compared: usize,
    /// How often a password was hashed.
    pub(crate) hashed: usize,
    /// When requests come in, if not now.
    pub(crate) arrives: Option<u64>,
    /// How sessions are kept beside accounts.
    pub(crate) kind: HostKind<'static>,
    /// The process dies when a call is to be carried out.
    pub(crate) dies: bool,
    /// After so many commits that write, the next one fails.
    pub(crate) disk_full_at: Option<usize>,
    /// What the record of a claimed call says.
    pub(crate) record: Recalled,
    /// When the request's token completed authentication, and for which account.
    recent: Option<(matrix_uia::server::reference::Subject, Timestamp)>,
    /// How often anything was verified.
    pub(crate) asked: usize,
    /// What the last question counts against.
    pub(crate) limit_keys: Vec<String>,
    /// What each question was.
    pub(crate) questions: Vec<String>,
    /// What the next questions are answered with, whatever they are; then the truth.
    pub(crate) script: VecDeque<Verdict<'static>>,
    /// Runs once, between a verdict and its application: another request.
    pub(crate) meanwhile: Option<Hook>,
    /// Runs once, just before a write is tried: a writer that was faster.
    pub(crate) before_write: Option<Hook>,
    /// The call of the next grant fails for this reason of its own.
    pub(crate) call_fails: Option<MatrixError>,
    /// How many grants there have been.
    pub(crate) grants: usize,
    /// What was done, in order.
    pub(crate) journal: Vec<String>,
    pub(crate) outcomes: BTreeMap<u64, Value>,
    pub(crate) passwords_enabled: bool,
    counter: u64,
}

impl Server {
    /// Alice and Bob with passwords, a flow of one password for everything but
    /// registration, which asks for a dummy.
    pub(crate) fn new() -> Self {
        const PASSWORD: &[&[&str]] = &[&["m.login.password"]];
        let mut server = Self {
            now: 1_000_000,
            rules: Rules::default(),
            policies: Policies {
                change: policy(PASSWORD, None),
                reset: policy(&[&["m.login.email.identity"]], None),
                deactivate: policy(PASSWORD, None),
                deactivate_without_token: None,
                register: policy(&[&["m.login.dummy"]], None),
                delete_device: policy(PASSWORD, None),
                delete_devices: policy(PASSWORD, None),
            },
            users: BTreeMap::new(),
            sessions: BTreeMap::new(),
            kept: BTreeMap::new(),
            validations: BTreeMap::new(),
            tokens: BTreeMap::new(),
            awaited: BTreeMap::new(),
            compared: 0,
            hashed: 0,
            arrives: None,
            kind: mode(ONE_TRANSACTION),
            dies: false,
            disk_full_at: None,
            record: Recalled::Unknown,
            recent: None,
            asked: 0,
            limit_keys: Vec::new(),
            questions: Vec::new(),
            script: VecDeque::new(),
            meanwhile: None,
            before_write: None,
            call_fails: None,
            grants: 0,
            journal: Vec::new(),
            outcomes: BTreeMap::new(),
            passwords_enabled: true,
            counter: 0,
        };
        server.add_user("alice", "wonderland");
        server.add_user("bob", "builder-bob");
        server
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn fresh(&mut self) -> SessionId {
        id(self.next_number())
    }

    pub(crate) fn pass_time(&mut self, span: Millis) {
        self.now += span.get();
    }

    pub(crate) fn read(&self, id: Option<SessionId>) -> Option<Session> {
        let stored = self.sessions.get(&id?)?;
        Some(serde_json::from_str(stored).expect("a stored session is read back"))
    }

    /// The session a client knows by that name.
    pub(crate) fn session(&self, name: &str) -> Session {
        let name = self.named(name);
        self.read(Some(name.id())).or_else(|| name.as_it_began()).expect("the session is kept")
    }

    /// The session that a client or a page names so.
    pub(crate) fn named<'t>(&self, name: &'t str) -> SessionName<'t> {
        self.kind.session_name(Text::new(name)).expect("a session can have that name")
    }

    fn arrived(&self) -> Timestamp {
        Timestamp::from_millis(self.arrives.unwrap_or(self.now))
    }

    /// A stage is completed by an identity provider or an administrator.
    pub(crate) fn complete<Op: Operation>(
        &mut self,
        flows: &'static Flows<'static, Op>,
        session: &str,
        auth_type: &str,
        approval: Approval,
    ) -> Result<(), PageRefusal> {
        self.at_page(flows, PageRequest::assume_approved(self.named(session), auth_type.into(), approval))
    }

    /// A page's form is sent; what the page says then.
    pub(crate) fn submit<Op: Operation>(
        &mut self,
        flows: &'static Flows<'static, Op>,
        visit: (&str, &str, Option<TermsVersion>),
        data: Result<AuthData<'_>, Malformed>,
    ) -> Result<(), PageRefusal> {
        let (session, auth_type, shown) = visit;
        self.at_page(flows, PageRequest::form(self.named(session), auth_type.into(), data, shown))
    }

    /// A look at the page of a stage.
    pub(crate) fn visit<'v>(&self, session: &'v str, auth_type: &'v str) -> PageRequest<'v> {
        PageRequest::look(self.named(session), auth_type.into())
    }

    /// The account of a user as it is now.
    pub(crate) fn account_named(&self, name: &str) -> matrix_uia::server::reference::Subject {
        self.account_of(self.user_ref(name)).unwrap().subject
    }

    /// Somebody looks at a stage's page.
    pub(crate) fn look<Op: Operation>(
        &mut self,
        flows: &'static Flows<'static, Op>,
        session: &str,
        auth_type: &str,
    ) -> Result<(), PageRefusal> {
        self.at_page(flows, PageRequest::look(self.named(session), auth_type.into()))
    }

    /// Takes a visit to a page through.
    pub(crate) fn at_page<'r, Op: Operation>(
        &mut self,
        flows: &'static Flows<'static, Op>,
        visit: PageRequest<'r>,
    ) -> Result<(), PageRefusal> {
        let rules: &'static Rules = Box::leak(Box::new(self.rules.clone()));
        let (policy, arrived) = (PagePolicy::new(flows, rules), self.arrived());
        let mut host = AtPage { server: self, policy };
        let outcome = matrix_uia::server::drive::ready(drive_page::visit(&mut host, visit, arrived));
        match outcome.expect("nothing waits here") {
            Ok(PageOutcome::Passed | PageOutcome::Open) => Ok(()),
            Ok(PageOutcome::Refused(refusal)) => Err(refusal),
        }
    }

    fn verdict(&mut self, question: &Question<'_>) -> Verdict<'static> {
        self.asked += 1;
        self.questions.push(describe(question.check()));
        self.limit_keys = question.limit_keys().map(|key| format!("{key:?}")).collect();
        match self.script.pop_front() {
            Some(verdict) => verdict,
            None => self.look_up(question),
        }
    }

    /// The next question is answered so, whatever it is.
    pub(crate) fn next_verdict(&mut self, verdict: Verdict<'static>) {
        self.script.push_back(verdict);
    }

    pub(crate) fn user_ref(&self, name: &str) -> UserRef {
        UserRef::new(self.users[name].number)
    }
}

/// A page as it is sent: its status, and its text taken apart. What holds for every page is
/// checked on the way.
pub(crate) fn document(page: Page<'_>) -> (u16, Html) {
    let document = Document::new(page, Nonce::from_entropy([0xA5; 18]));
    let mut text = String::new();
    document.write(&mut text).unwrap();
    let headers: BTreeMap<_, _> = document.headers().map(|(name, value)| (name, value.to_string())).collect();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    let html = Html::read(&text);
    html.check(|name| headers.get(name).map(String::as_str));
    (document.status(), html)
}

fn describe(check: Check<'_>) -> String {
    match check {
        Check::Password(_) => "password".to_owned(),
        Check::Recaptcha { .. } => "recaptcha".to_owned(),
        Check::Email(check) | Check::Msisdn(check) if matches!(check.by(), AddressBy::Awaited(_)) => {
            "awaited address".to_owned()
        }
        Check::Email(_) => "email".to_owned(),
        Check::Msisdn(_) => "msisdn".to_owned(),
        Check::RegistrationToken { .. } => "token".to_owned(),
        Check::Awaited { reference } => format!("awaited {}", reference.get()),
        Check::Custom { data, reference } => {
            format!("custom {} {}", data.as_str(), reference.map_or(0, Reference::get))
        }
    }
}

/// `{"type": "m.login.password", …}` for `session`, which may be none.
pub(crate) fn password_auth(session: Option<&str>, user: &str, password: &str) -> Value {
    let mut auth = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
    });
    if let Some(session) = session {
        auth["session"] = session.into();
    }
    auth
}

/// `{"type": …, "session": …}`.
pub(crate) fn stage(auth_type: &str, session: &str) -> Value {
    json!({"type": auth_type, "session": session})
}

/// `{"session": …}`.
pub(crate) fn poll(session: &str) -> Value {
    json!({"session": session})
}
