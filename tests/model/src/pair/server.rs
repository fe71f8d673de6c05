//! The server of the pair: sessions kept as text, and the crate's own loops around them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::sync::LazyLock;

use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::call::{Param, Params};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::drive::{self, Changes, Guarded, Host, Loaded, Recalled, Run, Stop, Verified};
use matrix_uia::server::drive_page::{PageChanges, PageHost, PageLoaded, visit};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{HostKind, OneTransaction};
use matrix_uia::server::grant::{Grant, Outcome, Refusal};
use matrix_uia::server::operation::Operation;
use matrix_uia::server::page::{Approval, PagePolicy, PageRequest};
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::seal::Sealer;
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::{Auth, ChallengeBody};
use matrix_uia::{
    BindingKey, Call, Flows, FlowsBuffer, MatrixError, Rules, Secret, Session, SessionId, Text, Timestamp,
};
use serde_json::Value;

pub(super) const PIN: &str = "org.example.pin";
pub(super) const SSO: &str = "m.login.sso";

/// What the server may ask for.
pub const POLICIES: &[&[&[&str]]] = &[
    &[&["m.login.password"]],
    &[&["m.login.dummy"]],
    &[&["m.login.password", "m.login.dummy"], &["m.login.password", SSO]],
    &[&["m.login.password", PIN], &[PIN, "m.login.password"]],
    &[&[SSO]],
    &[&["m.login.email.identity", "m.login.dummy"], &["m.login.dummy"]],
    &[&[SSO, "m.login.password", "m.login.dummy"]],
    &[&["m.login.email.identity"], &["m.login.recaptcha", "m.login.dummy"]],
];

static FLOWS: LazyLock<Vec<Flows<'static, Launch>>> = LazyLock::new(|| {
    let buffer = || Box::leak(Box::new(FlowsBuffer::<1024>::new()));
    POLICIES
        .iter()
        .map(|names| Flows::in_buffer(names.iter().map(|flow| flow.iter()), None, buffer()).unwrap())
        .collect()
});

const ALICE: Subject = Subject::new(UserRef::new(1), 0);
static KEY: BindingKey = BindingKey::from_entropy([9; 16]);

/// An operation that one wants to happen exactly once.
#[derive(Debug)]
pub(super) struct Launch;

impl Operation for Launch {
    const NAME: &'static str = "org.example.launch";
    const DESCRIPTION: &'static str = "launch";
}

/// A request to launch from this pad.
struct LaunchRequest<'a> {
    pad: u64,
    auth: Auth<'a>,
}

impl Endpoint for LaunchRequest<'_> {
    type Op = Launch;
    type Stored = u64;
    type Plan<H: Send> = u64;

    fn call(&self, key: &BindingKey) -> Call<'_, Launch> {
        let pad = self.pad.to_string();
        let params = Params::new([Param::required(Some(key.param::<Launch>("pad").text(Text::new(&pad))))]);
        Call::new(&self.auth).with_params(params)
    }

    fn to_stored(&self, _: &BindingKey, _: Option<u64>, _: Option<Sealer>) -> u64 {
        self.pad
    }

    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<Launch>,
        stored: Option<u64>,
        _: Option<H>,
    ) -> Result<u64, Refusal> {
        assert_eq!(grant.user(), Some(ALICE.user));
        assert!(stored.is_none_or(|kept| kept == self.pad));
        Ok(self.pad)
    }
}

pub(super) struct Server {
    flows: &'static Flows<'static, Launch>,
    pub(super) rules: Rules,
    kind: HostKind<'static>,
    sessions: BTreeMap<SessionId, (String, Option<u64>)>,
    /// The sessions whose call is on record.
    records: Vec<SessionId>,
    made: u64,
    pub(super) now: u64,
    pub(super) link_followed: bool,
    /// How often the call has been carried out.
    pub(super) launched: usize,
}

/// One request, or one visit to a page.
struct Serving<'s> {
    server: &'s mut Server,
    /// What the call has done, if it was carried out, and the name of its record.
    launches: Option<Option<SessionId>>,
}

/// It is one value.
impl OneTransaction for Server {}

impl Server {
    pub(super) fn new(policy: u8, rules: Rules) -> Self {
        let policy = usize::from(policy);
        let claims = policy / POLICIES.len() % 2 == 1;
        Self {
            flows: &FLOWS[policy % POLICIES.len()],
            rules,
            kind: if claims { HostKind::CLAIMS } else { HostKind::assume_one_transaction::<Self>() },
            sessions: BTreeMap::new(),
            records: Vec::new(),
            made: 0,
            now: 1_000_000,
            link_followed: false,
            launched: 0,
        }
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn read(&self, id: SessionId) -> Option<(Session, Option<u64>)> {
        let (text, pad) = self.sessions.get(&id)?;
        Some((serde_json::from_str(text).unwrap(), *pad))
    }

    /// One request, from its body to its answer.
    pub(super) fn serve(&mut self, body: &str) -> (u16, String) {
        let value: Value = serde_json::from_str(body).unwrap();
        assert_eq!(value["pad"], 39, "the call is repeated whole");
        if let Some(name) = value["auth"]["type"].as_str() {
            assert!(self.flows.offers(name.into()), "{name} was never advertised");
        }
        let auth = value.get("auth").map_or("null".to_owned(), ToString::to_string);
        let request = LaunchRequest { pad: 39, auth: Auth::parse(auth.as_bytes()).unwrap() };
        self.made += 1;
        let mut entropy = [0x5A; SessionId::ENTROPY];
        entropy[..8].copy_from_slice(&self.made.to_be_bytes());
        let (fresh, now) = (SessionId::from_entropy(entropy), self.timestamp());
        let (rules, flows, kind) = (self.rules.clone(), self.flows, self.kind);
        let guarded = Guarded { flows, rules: &rules, key: &KEY, kind };
        let host = Serving { server: self, launches: None };
        let mut run = Run::new(host, &request, guarded, fresh, now);
        let stop = loop {
            match drive::ready(run.granted()).expect("it never waits") {
                Ok(None) => return (200, "{}".to_owned()),
                Ok(Some(granted)) => {
                    let record = granted.record_under;
                    let (pad, performing) = granted.into_parts();
                    assert_eq!(pad, 39);
                    run.host.launches = Some(record);
                    run.done(performing, Ok(Outcome::NOTHING), now);
                }
                Err(stop) => break stop,
            }
        };
        let Stop::Respond(respond) = stop;
        let mut out = String::new();
        let status = respond.write_body(&mut out).unwrap().expect("it is no success");
        if status == 401 {
            ChallengeBody::parse(out.as_bytes()).unwrap();
        }
        (status, out)
    }

    /// A stage of the session is completed by somebody else's page.
    pub(super) fn complete_elsewhere(&mut self, page: Option<&str>) {
        self.link_followed = true;
        let Some(id) = page.and_then(|page| SessionId::parse(Text::new(page))) else { return };
        let (rules, now) = (self.rules.clone(), self.timestamp());
        let policy = PagePolicy::new(self.flows, &rules);
        for (stage, approval) in [(SSO, Approval::SessionUser), ("m.login.recaptcha", Approval::Anybody)] {
            let mut host = AtPage { serving: Serving { server: self, launches: None }, policy };
            let came = PageRequest::assume_approved(id, stage.into(), approval);
            let _ = drive::ready(visit(&mut host, came, now)).expect("it never waits");
        }
    }

    fn verdict(&self, check: Check<'_>) -> Verdict<'static> {
        match check {
            Check::Password(check) => {
                let comparison = check.named(Named::User(ALICE));
                let right = comparison.password().expose() == "wonderland";
                comparison.verdict(right)
            }
            Check::Custom { data, .. } if data.as_str().contains("mark-of-a-secret") => {
                Verdict::Passed(Evidence::nothing())
            }
            Check::Email(check) if self.link_followed => check.validated(Reference::new(1), Some(ALICE)),
            Check::Email(check) => check.pending(Reference::new(1)),
            _ => Verdict::Failed(StageFailure::Credentials),
        }
    }

    fn write<'c>(
        &mut self,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        stored: Option<u64>,
        launches: Option<Option<SessionId>>,
    ) -> Committed {
        let undone = changes.clone().any(|change| matches!(change, Change::Undo));
        if let Some(record) = launches.filter(|_| !undone) {
            self.launched += 1;
            self.records.extend(record);
        }
        for change in changes {
            match change {
                Change::Put(Put { id, session, keep, expected }) => {
                    let before = self.read(id);
                    assert_eq!(before.as_ref().map(|(session, _)| session.revision()), expected);
                    let pad = if keep { stored } else { before.and_then(|(_, pad)| pad) };
                    self.sessions.insert(id, (serde_json::to_string(session).unwrap(), pad));
                }
                Change::Remove { id, .. } => drop(self.sessions.remove(&id)),
                Change::Undo | Change::GiveBack { .. } | Change::Spend { .. } => {}
            }
        }
        Committed::Stored
    }
}

impl<'r> Host<'r, LaunchRequest<'r>> for Serving<'_> {
    type Hash = ();
    type Error = Infallible;

    fn load(
        &mut self,
        session: Option<SessionId>,
    ) -> impl Future<Output = Result<Loaded<u64>, Infallible>> + Send {
        self.launches = None;
        let (session, stored) = session.and_then(|id| self.server.read(id)).unzip();
        let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
        ready(Ok(Loaded { session, stored: stored.flatten(), caller, now: self.server.timestamp() }))
    }

    fn account(&mut self, _: UserRef) -> impl Future<Output = Result<Option<Account>, Infallible>> + Send {
        ready(Ok(Some(Account::new(ALICE, AccountStatus::default()))))
    }

    fn verify(
        &mut self,
        question: &Question<'r>,
    ) -> impl Future<Output = Result<Verified<'r>, Infallible>> + Send {
        ready(Ok(Verified::Outside(self.server.verdict(question.check()))))
    }

    fn release(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }

    fn hash(&mut self, _: Secret<'_>) -> impl Future<Output = Result<(), Infallible>> + Send {
        ready(Ok(()))
    }

    fn recall(&mut self, session: SessionId) -> impl Future<Output = Result<Recalled, Infallible>> + Send {
        let known = self.server.records.contains(&session);
        ready(Ok(if known { Recalled::CarriedOut(Outcome::NOTHING) } else { Recalled::NotCarriedOut }))
    }

    fn commit(
        &mut self,
        changes: Changes<'_, 'r, Launch>,
        stored: Option<&u64>,
    ) -> impl Future<Output = Result<Committed, Infallible>> + Send {
        let launches = self.launches.take();
        ready(Ok(self.server.write(changes.iter(), stored.copied(), launches)))
    }
}

/// A visit to a page.
struct AtPage<'s, 'p> {
    serving: Serving<'s>,
    policy: PagePolicy<'p>,
}

impl<'p> PageHost<'p> for AtPage<'_, 'p> {
    type Error = Infallible;

    fn load_page(
        &mut self,
        session: SessionId,
    ) -> impl Future<Output = Result<PageLoaded, Infallible>> + Send {
        let server = &self.serving.server;
        let session = server.read(session).map(|(session, _)| session);
        ready(Ok(PageLoaded { session, now: server.timestamp() }))
    }

    fn page_policy(
        &mut self,
        _: &Session,
    ) -> impl Future<Output = Result<Option<PagePolicy<'p>>, Infallible>> + Send {
        ready(Ok(Some(self.policy)))
    }

    fn page_account(
        &mut self,
        _: UserRef,
    ) -> impl Future<Output = Result<Option<Account>, Infallible>> + Send {
        ready(Ok(Some(Account::new(ALICE, AccountStatus::default()))))
    }

    fn verify_page(
        &mut self,
        question: &Question<'p>,
    ) -> impl Future<Output = Result<Verified<'p>, Infallible>> + Send {
        ready(Ok(Verified::Outside(self.serving.server.verdict(question.check()))))
    }

    fn commit_page(
        &mut self,
        changes: PageChanges<'_, 'p>,
    ) -> impl Future<Output = Result<Committed, Infallible>> + Send {
        ready(Ok(self.serving.server.write(changes.iter(), None, None)))
    }
}

/// What a limiter in front of the server answers.
pub(super) fn limited() -> (u16, String) {
    let mut answer = String::new();
    MatrixError::limited(matrix_uia::Millis::new(700)).write(&mut answer).unwrap();
    (429, answer)
}
