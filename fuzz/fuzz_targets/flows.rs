//! Policies: both constructors agree, every refusal is justified, nothing that could be
//! refused is let through, and what is built can be completed, each flow to its end.
//!
//! The input: a byte for the operation, one for the order of stages, then one byte a
//! stage; `FE` ends a flow, `FD n` is followed by a name of `n` bytes, and after `FF`
//! come the params.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use matrix_uia::server::flows::{MAX_FLOWS, MAX_STAGES, MAX_TYPES, PolicyError};
use matrix_uia::server::operation::{
    ChangePassword, Operation, Register, Subject, UploadSigningKeys, UserRef,
};
use matrix_uia::server::session::{Claim, Proof, Verdict, Visit, Write};
use matrix_uia::wire::{Auth, AuthType, ChallengeBody, MAX_AUTH_TYPE_LEN, ParseError, Raw};
use matrix_uia::{Call, Flows, Guard, Rules, Session, SessionId, StageOrder, Step, Timestamp};
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
    let mut buffer = vec![0; 16 * 1024];
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
    let exact = Flows::<Op>::in_buffer(&policy.flows, policy.params, &mut buffer[..length]);
    assert_eq!(format!("{:?}", exact.unwrap()), format!("{flows:?}"));
    let short = Flows::<Op>::in_buffer(&policy.flows, policy.params, &mut buffer[..length - 1]);
    assert_eq!(short.unwrap_err(), PolicyError::BufferFull);
    for flow in &policy.flows {
        walk(&flows, flow, policy);
    }
}

/// The encoded challenge is JSON and has those flows and the params of their stages.
/// Returns how long what is encoded in advance is.
fn encoded<Op: Operation>(flows: &Flows<'_, Op>, policy: &Policy<'_>) -> usize {
    let rules = Rules::default();
    let (id, now) = (SessionId::from_entropy([1; 24]), Timestamp::from_millis(0));
    let step = Guard::new(flows, &rules).receive(Call::<Op>::new(Auth::Absent, None), None, id, now);
    let Step::Challenge(challenge) = step else { panic!("no auth, no success") };
    let mut body = String::new();
    challenge.write_body(&mut body).unwrap();
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
    body.len() - format!(r#"{{,"session":"{}"}}"#, id.expose()).len()
}

/// Takes `flow` from its first stage to the grant.
fn walk<Op: Operation + Debug>(flows: &Flows<'_, Op>, flow: &[String], policy: &Policy<'_>) {
    let mut rules = Rules::default();
    rules.stage_order = policy.order;
    let guard = Guard::new(flows, &rules);
    let (id, fresh) = (SessionId::from_entropy([1; 24]), SessionId::from_entropy([2; 24]));
    let now = Timestamp::from_millis(0);
    let user = UserRef::new(1);
    let subject = Some(Subject::new(user, 0));
    let named = id.expose();

    let Step::Challenge(first) = guard.receive(Call::new(Auth::Absent, subject), None, id, now) else {
        panic!()
    };
    let mut session = stored(first.write()).expect("a new session is stored");
    for (index, stage) in flow.iter().enumerate() {
        let passed = flow.get(..=index).unwrap_or_default();
        let auth_type = AuthType::from(stage.as_str());
        let text = attempt(stage, Some(&named));
        let mut call = Call::new(Auth::parse(text.as_bytes()).unwrap(), subject);
        if auth_type.is_out_of_band() {
            let visit = Visit::new(id, auth_type, subject);
            let done = guard.outside().complete(visit, Proof::User(user), Some(session), now).unwrap();
            session = stored(done.write()).expect("a stage passed");
            let poll = format!(r#"{{"session":"{}"}}"#, named);
            call = Call::new(Auth::parse(poll.as_bytes()).unwrap(), subject);
            match guard.receive(call, Some(session.clone()), fresh, now) {
                Step::Challenge(challenge) => {
                    assert!(stored(challenge.write()).is_none(), "a poll changes nothing")
                }
                Step::Grant(claim) => return granted(claim, passed, flow, policy),
                other => panic!("{other:?}"),
            }
            continue;
        }
        let step = match guard.receive(call, Some(session.clone()), fresh, now) {
            Step::Verify(pending) => {
                let proof = if auth_type == AuthType::Password { Proof::User(user) } else { Proof::Nothing };
                pending.resolve(Verdict::Passed(proof)).apply(Some(session.clone()), fresh, now)
            }
            step => step,
        };
        match step {
            Step::Challenge(challenge) => {
                assert_eq!(challenge.error_code(), None);
                let mut body = String::new();
                challenge.write_body(&mut body).unwrap();
                let completed = passed.iter().map(|stage| Node::Text(stage.clone())).collect();
                assert_eq!(json::reread(&body).root.get("completed"), Some(&Node::Array(completed)));
                session = stored(challenge.write()).expect("a stage passed");
            }
            Step::Grant(claim) => return granted(claim, passed, flow, policy),
            other => panic!("{other:?}"),
        }
    }
    panic!("{flow:?} has passed and nothing is granted");
}

fn granted<Op: Operation>(claim: Claim<Op>, passed: &[String], flow: &[String], policy: &Policy<'_>) {
    assert!(stored(claim.write()).expect("a claim is stored").is_claimed());
    assert_eq!(claim.assume_stored().proofs().count(), passed.len());
    match policy.order {
        StageOrder::Strict => assert_eq!(passed, flow, "granted before the flow was over"),
        // In any order another flow may be complete first; some flow has to be.
        _ => assert!(policy.flows.iter().any(|flow| flow.iter().all(|stage| passed.contains(stage)))),
    }
}

fn stored(write: Write<'_>) -> Option<Session> {
    match write {
        Write::Keep => None,
        Write::Insert { session, .. } | Write::Replace { session, .. } => Some(session.clone()),
        _ => unreachable!("no such write"),
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
