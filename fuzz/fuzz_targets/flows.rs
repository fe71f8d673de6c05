//! Policies: both constructors agree, every refusal is justified, nothing that could be
//! refused is let through, and what is built can be completed, each flow to its end.
//!
//! The input: a byte for the operation, one for the order of stages, then one byte a
//! stage; `FE` ends a flow, `FD n` is followed by a name of `n` bytes, and after `FF`
//! come the params.
#![no_main]

use std::convert::Infallible;
use std::fmt::Debug;
use std::marker::PhantomData;

use libfuzzer_sys::fuzz_target;
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::drive::{Changes, Guarded, Host, Loaded, Run, Stop, Verified, ready};
use matrix_uia::server::drive_page::{self, PageChanges, PageHost, PageLoaded};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{HostKind, OneTransaction};
use matrix_uia::server::flows::{MAX_FLOWS, MAX_STAGES, MAX_TYPES, StageOrder};
use matrix_uia::server::grant::{Grant, Outcome, Refusal};
use matrix_uia::server::operation::{ChangePassword, Operation, Register, UploadSigningKeys};
use matrix_uia::server::page::{Approval, PagePolicy, PageRequest};
use matrix_uia::server::page_outcome::PageOutcome;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::respond::Respond;
use matrix_uia::server::seal::Sealer;
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::wire::{Auth, AuthType, ChallengeBody, MAX_AUTH_TYPE_LEN, ParseError, Raw};
use matrix_uia::{
    BindingKey, Call, Flows, FlowsBuffer, PolicyError, Rules, Secret, Session, SessionId, Timestamp,
};
use matrix_uia_fuzz::json::{self, Node};
use matrix_uia_fuzz::{attempt, stable};

const NAMES: [&str; 18] = [
    "m.login.password",
    "m.login.recaptcha",
    "m.login.sso",
    "m.login.email.identity",
    "m.login.msisdn",
    "m.login.dummy",
    "m.login.registration_token",
    "m.login.terms",
    "m.oauth",
    "org.matrix.cross_signing_reset",
    "org.example.pin",
    "é",
    "",
    "a\"b",
    "a\\b",
    "a\nb",
    "long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.9",
    "long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.97",
];

struct Policy<'a> {
    flows: Vec<Vec<String>>,
    params: Option<Raw<'a>>,
    order: StageOrder,
}

fuzz_target!(|input: &[u8]| {
    let Some((&[operation, order], rest)) = input.split_first_chunk() else { return };
    let order = if order & 1 == 0 { StageOrder::Strict } else { StageOrder::Any };
    let Some(policy) = read(rest, order) else { return };
    match operation % 3 {
        0 => check::<Register>(&policy, 0),
        1 => check::<ChangePassword>(&policy, 1),
        _ => check::<UploadSigningKeys>(&policy, 2),
    }
});

fn read(mut bytes: &[u8], order: StageOrder) -> Option<Policy<'_>> {
    let mut flows = Vec::new();
    let mut flow = Vec::new();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        match byte {
            0xFF => break,
            0xFE => flows.push(std::mem::take(&mut flow)),
            0xFD => {
                let (&length, rest) = bytes.split_first()?;
                let (name, rest) = rest.split_at_checked(length.into())?;
                bytes = rest;
                flow.push(std::str::from_utf8(name).ok()?.to_owned());
            }
            _ => flow.push(
                NAMES
                    .get(usize::from(byte))
                    .map_or_else(|| format!("org.example.{byte}"), |name| (*name).to_owned()),
            ),
        }
    }
    if !flow.is_empty() {
        flows.push(flow);
    }
    let params = std::str::from_utf8(bytes).ok().and_then(|text| Raw::parse(text).ok());
    Some(Policy { flows, params, order })
}

fn check<Op: Operation + Debug>(policy: &Policy<'_>, operation: u8) {
    let owned = Flows::<Op>::new(&policy.flows, policy.params);
    let mut buffer = FlowsBuffer::<{ 16 * 1024 }>::new();
    let borrowed = Flows::<Op>::in_buffer(&policy.flows, policy.params, &mut buffer);
    assert_eq!(format!("{owned:?}"), format!("{borrowed:?}"));
    let flows = match owned {
        Ok(flows) => flows,
        Err(error) => return assert!(is_justified(&error, policy, operation), "{error}"),
    };
    for defect in all_defects(policy) {
        assert!(!is_justified(&defect, policy, operation), "should have been refused: {defect}");
    }
    let length = encoded(&flows, policy);
    fits::<Op, 80>(policy, length);
    fits::<Op, 160>(policy, length);
    fits::<Op, 320>(policy, length);
    fits::<Op, 640>(policy, length);
    for flow in &policy.flows {
        walk(&flows, flow, policy);
    }
}

/// A buffer is refused if what is encoded in advance is longer, and only then.
fn fits<Op: Operation, const TEXT: usize>(policy: &Policy<'_>, length: usize) {
    let mut buffer = FlowsBuffer::<TEXT>::new();
    let refused = Flows::<Op>::in_buffer(&policy.flows, policy.params, &mut buffer).err();
    assert_eq!(refused, (length > TEXT).then_some(PolicyError::BufferFull), "{length} bytes in {TEXT}");
}

/// The encoded challenge is JSON and has those flows and the params of their stages.
/// Returns how long what is encoded in advance is.
fn encoded<Op: Operation>(flows: &Flows<'_, Op>, policy: &Policy<'_>) -> usize {
    let body =
        OneSession::new(flows, &rules(policy.order)).request(Auth::Absent).expect("no auth, no success");
    let reading = json::reread(&body);

    let stages = |flow: &Vec<String>| {
        let stages = flow.iter().map(|stage| Node::Text(stage.clone())).collect();
        Node::Object(vec![("stages".into(), Node::Array(stages))])
    };
    assert_eq!(reading.root.get("flows"), Some(&Node::Array(policy.flows.iter().map(stages).collect())));
    let params = policy.params.map_or(Node::Object(Vec::new()), |raw| json::reread(raw.as_str()).root);
    let offered = |name: &str| policy.flows.iter().flatten().any(|stage| stable(stage) == stable(name));
    let sent = params.entries().iter().filter(|(name, _)| offered(name)).cloned().collect();
    assert_eq!(reading.root.get("params"), Some(&Node::Object(sent)));

    // Params stand one level deeper in the body than the operator's own text.
    let at_a_bound = |defect: &ParseError| matches!(defect, ParseError::TooDeep | ParseError::TooManyKeys);
    assert!(reading.defects.iter().all(at_a_bound), "{:?}", reading.defects);
    assert_eq!(ChallengeBody::parse(body.as_bytes()).is_ok(), reading.defects.is_empty());
    body.len() - format!(r#"{}"}}"#, ID.expose()).len()
}

const ID: SessionId = SessionId::from_entropy([1; 24]);
const NOW: Timestamp = Timestamp::from_millis(0);
const ALICE: Subject = Subject::new(UserRef::new(1), 0);

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);

fn alice() -> Account {
    Account::new(ALICE, AccountStatus::default())
}

/// A host to whom every stage passes, with one session.
struct OneSession<'p, Op> {
    flows: &'p Flows<'p, Op>,
    rules: &'p Rules,
    session: Option<Session>,
    /// How many stages each grant was given for.
    grants: Vec<usize>,
}

/// It is one value.
impl<Op> OneTransaction for OneSession<'_, Op> {}

fn rules(order: StageOrder) -> Rules {
    let mut rules = Rules::default();
    rules.stage_order = order;
    rules
}

impl<'p, Op: Operation> OneSession<'p, Op> {
    fn new(flows: &'p Flows<'p, Op>, rules: &'p Rules) -> Self {
        Self { flows, rules, session: None, grants: Vec::new() }
    }

    /// Takes one request through: the body of the challenge, or none if the call happened.
    fn request(&mut self, auth: Auth<'_>) -> Option<String> {
        let kind = HostKind::assume_one_transaction::<Self>();
        let guarded = Guarded { flows: self.flows, rules: self.rules, key: &KEY, kind };
        let request = Authenticated::<Op>(auth, PhantomData);
        let mut run = Run::new(self, &request, guarded, ID, NOW);
        loop {
            match ready(run.granted()).expect("nothing waits here") {
                Ok(Some(granted)) => {
                    let (stages, performing) = granted.into_parts();
                    run.host.grants.push(stages);
                    run.done(performing, Ok(Outcome::NOTHING), NOW);
                }
                Ok(None) => return None,
                Err(Stop::Respond(Respond::Challenge(challenge))) => {
                    assert_eq!(challenge.error_code(), None, "every stage passes");
                    let mut body = String::new();
                    challenge.write_body(&mut body).unwrap();
                    return Some(body);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    /// A stage is completed elsewhere.
    fn completed(&mut self, auth_type: AuthType<'_>) {
        let visit = PageRequest::assume_approved(ID, auth_type, Approval::SessionUser);
        let outcome = ready(drive_page::visit(self, visit, NOW)).expect("nothing waits here");
        assert!(matches!(outcome, Ok(PageOutcome::Passed)), "{outcome:?}");
    }

    fn write(&mut self, change: Change<'_>) {
        match change {
            Change::Put(Put { id, expected, session, .. }) => {
                assert_eq!((id, expected), (ID, self.session.as_ref().map(Session::revision)));
                self.session = Some(*session);
            }
            Change::Spend { .. } => assert!(!self.grants.is_empty(), "spent by no call"),
            other => panic!("{other:?}"),
        }
    }
}

impl<'r, Op: Operation> Host<'r, Authenticated<'_, Op>> for &mut OneSession<'_, Op> {
    type Hash = ();
    type Error = Infallible;

    async fn load(&mut self, _: Option<SessionId>) -> Result<Loaded<()>, Infallible> {
        Ok(Loaded { session: self.session, stored: None, caller: Caller::User(alice()), now: NOW })
    }

    async fn account(&mut self, _: UserRef) -> Result<Option<Account>, Infallible> {
        panic!("the token names the user")
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, Infallible> {
        Ok(Verified::Outside(passed(question)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, _: Secret<'_>) -> Result<(), Infallible> {
        panic!("there is no password")
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, Op>,
        _: Option<&()>,
    ) -> Result<Committed, Infallible> {
        changes.iter().for_each(|change| self.write(change));
        Ok(Committed::Stored)
    }
}

impl<'r, 'p: 'r, Op: Operation> PageHost<'r> for OneSession<'p, Op> {
    type Error = Infallible;

    async fn load_page(&mut self, _: SessionId) -> Result<PageLoaded, Infallible> {
        Ok(PageLoaded { session: self.session, now: NOW })
    }

    async fn page_policy(&mut self, _: &Session) -> Result<Option<PagePolicy<'r>>, Infallible> {
        Ok(Some(PagePolicy::new(self.flows, self.rules)))
    }

    async fn page_account(&mut self, _: UserRef) -> Result<Option<Account>, Infallible> {
        Ok(Some(alice()))
    }

    async fn verify_page(&mut self, _: &Question<'r>) -> Result<Verified<'r>, Infallible> {
        panic!("nothing is asked about an approval")
    }

    async fn commit_page(&mut self, changes: PageChanges<'_, 'r>) -> Result<Committed, Infallible> {
        changes.iter().for_each(|change| self.write(change));
        Ok(Committed::Stored)
    }
}

/// A request of which only its auth dict matters.
struct Authenticated<'a, Op>(Auth<'a>, PhantomData<fn() -> Op>);

impl<Op: Operation> Endpoint for Authenticated<'_, Op> {
    type Op = Op;
    type Stored = ();
    /// How many stages have passed.
    type Plan<H: Send> = usize;

    fn call(&self, _: &BindingKey) -> Call<'_, Op> {
        Call::new(&self.0)
    }

    fn to_stored(&self, _: &BindingKey, _: Option<()>, _: Option<Sealer>) {}

    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<Op>,
        _: Option<()>,
        _: Option<H>,
    ) -> Result<usize, Refusal> {
        assert_eq!((grant.user(), grant.has_token()), (Some(ALICE.user), true));
        Ok(grant.proofs().count())
    }
}

/// The stage has passed, whatever it is.
fn passed<'r>(question: &Question<'r>) -> Verdict<'r> {
    match question.check() {
        Check::Password(check) => check.named(Named::User(ALICE)).verdict(true),
        Check::Email(check) | Check::Msisdn(check) => check.validated(Reference::new(1), Some(ALICE)),
        Check::RegistrationToken { .. } => Verdict::Passed(Evidence::token(Reference::new(2))),
        _ => Verdict::Passed(Evidence::nothing()),
    }
}

/// Takes `flow` from its first stage to the grant.
fn walk<Op: Operation + Debug>(flows: &Flows<'_, Op>, flow: &[String], policy: &Policy<'_>) {
    let rules = rules(policy.order);
    let mut host = OneSession::new(flows, &rules);
    let named = ID.expose();
    let poll = format!(r#"{{"session":"{named}"}}"#);
    host.request(Auth::Absent).expect("no auth, no success");
    for (index, stage) in flow.iter().enumerate() {
        let passed = flow.get(..=index).unwrap_or_default();
        let auth_type = AuthType::from(stage.as_str());
        let text = if auth_type.is_out_of_band() { poll.clone() } else { attempt(stage, Some(&named)) };
        if auth_type.is_out_of_band() {
            host.completed(auth_type);
        }
        let Some(body) = host.request(Auth::parse(text.as_bytes()).unwrap()) else {
            return granted(&host, passed, flow, policy);
        };
        let completed = passed.iter().map(|stage| Node::Text(stage.clone())).collect();
        assert_eq!(json::reread(&body).root.get("completed"), Some(&Node::Array(completed)));
        assert!(host.grants.is_empty());
        let before = host.session;
        host.request(Auth::parse(poll.as_bytes()).unwrap()).expect("a poll completes nothing");
        assert_eq!(host.session, before, "a poll changes nothing");
    }
    panic!("{flow:?} has passed and nothing is granted");
}

fn granted<Op>(host: &OneSession<'_, Op>, passed: &[String], flow: &[String], policy: &Policy<'_>) {
    assert_eq!(host.grants, [passed.len()], "one grant, for every stage that passed");
    assert!(host.session.as_ref().expect("it is stored").consumed_at().is_some());
    match policy.order {
        StageOrder::Strict => assert_eq!(passed, flow, "granted before the flow was over"),
        // In any order another flow may be complete first; some flow has to be.
        _ => assert!(policy.flows.iter().any(|flow| flow.iter().all(|stage| passed.contains(stage)))),
    }
}

/// Every refusal that could be due, with every place it could name.
fn all_defects(policy: &Policy<'_>) -> Vec<PolicyError> {
    let mut all = vec![
        PolicyError::NoFlows,
        PolicyError::TooManyFlows,
        PolicyError::TooManyTypes,
        PolicyError::BadParams,
    ];
    for (flow, stages) in (1..).zip(&policy.flows) {
        all.extend([PolicyError::EmptyFlow { flow }, PolicyError::TooManyStages { flow }]);
        for (index, stage) in (1..).zip(stages) {
            let stage = stage.as_str().try_into().unwrap_or_default();
            all.push(PolicyError::BadName { flow, stage: index });
            all.push(PolicyError::RepeatedStage { flow, stage });
            let stage = stages[index - 1].as_str().try_into().unwrap_or_default();
            all.push(PolicyError::WrongOperation { flow, stage });
        }
        for by in 1..=policy.flows.len() {
            all.extend([PolicyError::Shadowed { flow, by }, PolicyError::RepeatedFlow { flow, same_as: by }]);
        }
    }
    all
}

fn is_justified(error: &PolicyError, policy: &Policy<'_>, operation: u8) -> bool {
    let ids =
        |number: usize| -> Vec<&str> { policy.flows[number - 1].iter().map(|name| stable(name)).collect() };
    match error {
        PolicyError::NoFlows => policy.flows.is_empty(),
        PolicyError::TooManyFlows => policy.flows.len() > MAX_FLOWS,
        PolicyError::TooManyTypes => {
            let mut types: Vec<_> = policy.flows.iter().flatten().map(|name| stable(name)).collect();
            types.sort_unstable();
            types.dedup();
            types.len() > MAX_TYPES
        }
        PolicyError::EmptyFlow { flow } => ids(*flow).is_empty(),
        PolicyError::TooManyStages { flow } => ids(*flow).len() > MAX_STAGES,
        PolicyError::RepeatedStage { flow, stage } => {
            ids(*flow).iter().filter(|name| **name == stable(stage)).count() > 1
        }
        PolicyError::BadName { flow, stage } => {
            let name = policy.flows[flow - 1][stage - 1].as_str();
            name.is_empty()
                || name.len() > MAX_AUTH_TYPE_LEN
                || name.chars().any(|c| c.is_control() || c == '"' || c == '\\')
        }
        // Two spellings of one type.
        PolicyError::NameCollision { flow, stage } => {
            ids(*flow).contains(&stable(stage))
                && policy
                    .flows
                    .iter()
                    .flatten()
                    .any(|name| name != stage.as_str() && stable(name) == stable(stage))
        }
        PolicyError::WrongOperation { flow, stage } => {
            ids(*flow).contains(&stable(stage))
                && match stable(stage) {
                    "m.login.terms" | "m.login.registration_token" => operation != 0,
                    "m.oauth" => operation != 2,
                    _ => false,
                }
        }
        PolicyError::Shadowed { flow, by } => {
            let (flow, by) = (ids(*flow), ids(*by));
            flow.len() > by.len() && flow.starts_with(&by)
        }
        PolicyError::RepeatedFlow { flow, same_as } => flow > same_as && ids(*flow) == ids(*same_as),
        PolicyError::BadParams => policy.params.is_some_and(|raw| {
            let root = json::reread(raw.as_str()).root;
            !root.is_object() || root.entries().iter().any(|(_, value)| !value.is_object())
        }),
        _ => false,
    }
}
