//! A small homeserver in memory that drives the crate as a real host would.
//!
//! ```text
//!  JSON body ─► parse ─► gate ─► check ─► Guard ─► Step ─► store, if the revision holds ─► answer
//!                                           ▲        │
//!                                           └ verdict ┘   counted in `asked`
//! ```
//!
//! Every session is kept as serialised text: what is read back is what another process
//! would read, so every test is also a test of a restart between any two requests.

mod accounts;
pub(crate) mod client;
mod endpoints;
mod proofs;
pub(crate) mod synapse;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use matrix_uia::pages::{Document, Nonce, Page};
use matrix_uia::server::flows::TermsVersion;
use matrix_uia::server::operation::{ChangePassword, Subject, UserRef};
use matrix_uia::server::operation::{
    Deactivate, DeleteDevice, DeleteDevices, Operation, Reference, Register,
};
use matrix_uia::server::session::{Check, Proof, Question, Receipt, Verdict, Visit, Visited, Write};
use matrix_uia::wire::{AuthData, Malformed, Raw};
use matrix_uia::{
    BindingKey, Call, Flows, Grant, Guard, MatrixError, Millis, Rules, Session, SessionId, Step, Text,
    Timestamp,
};
use matrix_uia_page_reader::Html;
use serde_json::{Value, json};

pub(crate) use accounts::User;
pub(crate) use endpoints::Kept;
pub(crate) use proofs::{RegistrationToken, Validation};

pub(crate) const SERVER: &str = "example.org";

/// Flows that own or leak their text, whichever the features allow.
pub(crate) fn flows<Op: Operation>(flows: &[&[&str]], params: Option<&str>) -> Flows<'static, Op> {
    let params = params.map(|params| Raw::parse(params).unwrap());
    let flows = flows.iter().map(|flow| flow.iter());
    #[cfg(feature = "alloc")]
    let built = Flows::new(flows, params);
    #[cfg(not(feature = "alloc"))]
    let built = Flows::in_buffer(flows, params, vec![0; 4096].leak());
    built.unwrap()
}

/// The same, for ever.
pub(crate) fn policy<Op: Operation>(names: &[&[&str]], params: Option<&str>) -> &'static Flows<'static, Op> {
    Box::leak(Box::new(flows(names, params)))
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

type Hook = Box<dyn FnOnce(&mut Server)>;

/// How a guarded request went on.
pub(crate) enum Gate<Op: Operation> {
    Answer(Answer),
    Grant(Grant<Op>),
    Replay(Reference),
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
    pub(crate) kept: BTreeMap<SessionId, Kept>,
    pub(crate) validations: BTreeMap<String, Validation>,
    pub(crate) tokens: BTreeMap<&'static str, RegistrationToken>,
    /// What the host waits for, by the reference it gave, and whether it has happened.
    pub(crate) awaited: BTreeMap<u64, Proof>,
    /// How often anything was verified.
    pub(crate) asked: usize,
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
    pub(crate) key: BindingKey,
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
            asked: 0,
            questions: Vec::new(),
            script: VecDeque::new(),
            meanwhile: None,
            before_write: None,
            call_fails: None,
            grants: 0,
            journal: Vec::new(),
            outcomes: BTreeMap::new(),
            passwords_enabled: true,
            key: BindingKey::from_entropy([7; 16]),
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
        self.read(SessionId::parse(Text::new(name))).expect("the session is kept")
    }

    /// «Replace if the revision is still N».
    pub(crate) fn write(&mut self, write: Write<'_>) -> bool {
        let (id, session) = match write {
            Write::Keep => return true,
            Write::Insert { id, session } if !self.sessions.contains_key(&id) => (id, session),
            Write::Replace { id, expected, session }
                if self.read(Some(id)).is_some_and(|stored| stored.revision() == expected) =>
            {
                (id, session)
            }
            _ => return false,
        };
        self.sessions.insert(id, serde_json::to_string(session).unwrap());
        true
    }

    fn try_write(&mut self, write: Write<'_>) -> bool {
        if !matches!(write, Write::Keep)
            && let Some(faster) = self.before_write.take()
        {
            faster(self);
        }
        self.write(write)
    }

    /// The whole loop of a host around one request.
    pub(crate) fn guard<Op: Operation>(
        &mut self,
        flows: &Flows<'static, Op>,
        call: Call<'_, Op>,
        keep: Kept,
    ) -> Gate<Op> {
        let rules = self.rules.clone();
        let guard = Guard::new(flows, &rules);
        let mut resolved = None;
        for _ in 0..8 {
            let fresh = self.fresh();
            let now = self.timestamp();
            let step = match &resolved {
                None => guard.receive(call, self.read(call.session_id()), fresh, now),
                Some(resolved) => {
                    let resolved: &matrix_uia::server::session::Resolved<'_, Op> = resolved;
                    let current = self.read(Some(resolved.session_id()));
                    resolved.as_of(self.as_of_now(call.subject())).apply(current, fresh, now)
                }
            };
            match step {
                Step::Verify(pending) => {
                    assert!(resolved.is_none(), "nothing is verified twice");
                    let verdict = self.verdict(pending.question());
                    resolved = Some(pending.resolve(verdict));
                    if let Some(other) = self.meanwhile.take() {
                        other(self);
                    }
                }
                Step::Challenge(challenge) => {
                    if !self.try_write(challenge.write()) {
                        continue;
                    }
                    self.give_back(challenge.unused_proof());
                    if let Some(ended) = challenge.ended() {
                        self.end(ended);
                    }
                    if challenge.keep_params() {
                        self.kept.insert(challenge.session_id(), keep);
                    }
                    let mut body = String::new();
                    challenge.write_body(&mut body).unwrap();
                    let body = serde_json::from_str(&body).expect("a challenge is JSON");
                    return Gate::Answer(Answer { status: 401, body, retry_after: None });
                }
                Step::Reject(refused) => {
                    if !self.try_write(refused.write()) {
                        continue;
                    }
                    self.give_back(refused.unused_proof());
                    return Gate::Answer(Answer::refused(refused.reject()));
                }
                Step::Grant(claim) => {
                    if !self.try_write(claim.write()) {
                        continue;
                    }
                    self.give_back(claim.unused_proof());
                    if claim.keep_params()
                        && let Write::Replace { id, .. } | Write::Insert { id, .. } = claim.write()
                    {
                        self.kept.insert(id, keep);
                    }
                    self.grants += 1;
                    return Gate::Grant(claim.assume_stored());
                }
                Step::Replay(replay) => {
                    self.give_back(replay.unused_proof());
                    return Gate::Replay(replay.outcome());
                }
                _ => unreachable!("every step has its arm"),
            }
        }
        panic!("a request never loses a race eight times");
    }

    /// A session that is over: what it had reserved is free again.
    pub(crate) fn end(&mut self, id: SessionId) {
        let proofs: Vec<Proof> = self.read(Some(id)).iter().flat_map(Session::proofs).collect();
        for proof in proofs {
            self.give_back(Some(proof));
        }
        self.sessions.remove(&id);
        self.kept.remove(&id);
    }

    /// The call succeeded; the outcome is kept for a resend.
    pub(crate) fn succeed(&mut self, receipt: Receipt, outcome: Value) -> Answer {
        let number = self.next_number();
        self.outcomes.insert(number, outcome.clone());
        let redeemed = receipt.succeeded(Reference::new(number), self.timestamp());
        assert!(self.write(redeemed.write()), "nobody else writes a claimed session");
        Answer::ok(outcome)
    }

    /// A stage is completed by a page, a link, or an identity provider.
    pub(crate) fn complete<Op: Operation>(
        &mut self,
        flows: &Flows<'static, Op>,
        session: &str,
        auth_type: &str,
        proof: Proof,
    ) -> Result<(), matrix_uia::server::session::NotCompleted> {
        let rules = self.rules.clone();
        let (visit, stored) = self.visit(session, auth_type);
        let outside = Guard::new(flows, &rules).outside();
        let done = outside.complete(visit, proof, stored, self.timestamp())?;
        assert!(self.write(done.write()));
        Ok(())
    }

    /// Somebody at a stage's page, and the session as it is now.
    pub(crate) fn visit<'v>(&self, session: &str, auth_type: &'v str) -> (Visit<'v>, Option<Session>) {
        let id = SessionId::parse(Text::new(session)).unwrap();
        let stored = self.read(Some(id));
        let account = self.as_of_now(stored.as_ref().and_then(Session::subject));
        (Visit::new(id, auth_type.into(), account), stored)
    }

    /// The same user, with the epoch of their account by now.
    fn as_of_now(&self, subject: Option<Subject>) -> Option<Subject> {
        let user = self.users.values().find(|user| Some(user.number) == subject.map(|it| it.user.get()))?;
        Some(Subject::new(UserRef::new(user.number), user.epoch))
    }

    /// A page's form is sent; what the page says then.
    pub(crate) fn submit<Op: Operation>(
        &mut self,
        flows: &Flows<'static, Op>,
        visit: (&str, &str, Option<TermsVersion>),
        data: Result<AuthData<'_>, Malformed>,
    ) -> Result<(), matrix_uia::server::session::NotCompleted> {
        let (session, auth_type, shown) = visit;
        let rules = self.rules.clone();
        let outside = Guard::new(flows, &rules).outside();
        let (visit, stored) = self.visit(session, auth_type);
        let step = match outside.attempt(visit.shown(shown), data, stored, self.timestamp()) {
            Visited::Verify(inquiry) => {
                let verdict = self.verdict(inquiry.question());
                if let Some(meanwhile) = self.meanwhile.take() {
                    meanwhile(self);
                }
                let answered = inquiry.resolve(verdict);
                let (again, current) = self.visit(session, auth_type);
                answered.apply(again.account(), current, self.timestamp())
            }
            step => step,
        };
        match step {
            Visited::Passed(completed) => {
                assert!(self.write(completed.write()));
                Ok(())
            }
            Visited::Not(not) => {
                assert!(self.write(not.write()));
                self.give_back(not.unused_proof());
                Err(not.reason())
            }
            other => panic!("asked twice: {other:?}"),
        }
    }

    fn verdict(&mut self, question: &Question<'_>) -> Verdict<'static> {
        self.asked += 1;
        self.questions.push(describe(question.check()));
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
        Check::Password { .. } => "password".to_owned(),
        Check::Recaptcha { .. } => "recaptcha".to_owned(),
        Check::Email(_) => "email".to_owned(),
        Check::Msisdn(_) => "msisdn".to_owned(),
        Check::RegistrationToken { .. } => "token".to_owned(),
        Check::Awaited { reference } => format!("awaited {}", reference.get()),
        Check::Custom { data, reference } => {
            format!("custom {} {}", data.as_str(), reference.map_or(0, Reference::get))
        }
        _ => unreachable!("every question has its arm"),
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
