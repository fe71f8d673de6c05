//! What the bytes say.

use matrix_uia::server::operation::{Deactivate, Operation, Reference, UserRef};
use matrix_uia::server::session::{BodyBinding, Proof, StageFailure, UnknownSession, Verdict};
use matrix_uia::wire::Raw;
use matrix_uia::{Millis, Rules, SessionId, StageOrder};
use matrix_uia_fuzz::model::{Answered, Ask, Form, Id, LIMITED, Policy, Request, Stage};

pub(super) const STAGES: [Stage; 8] = [
    "m.login.dummy",
    "m.login.password",
    "m.login.email.identity",
    "m.login.recaptcha",
    "m.login.sso",
    "org.example.pin",
    "m.login.terms",
    "org.example.elsewhere",
];
pub(super) const POLICIES: [Policy; 10] = [
    Policy { flows: &[&["m.login.dummy"]], terms: 0 },
    Policy { flows: &[&["m.login.password"]], terms: 0 },
    Policy {
        flows: &[&["m.login.password", "m.login.email.identity"], &["m.login.password", "m.login.dummy"]],
        terms: 0,
    },
    Policy {
        flows: &[&["m.login.recaptcha", "m.login.dummy"], &["m.login.dummy", "m.login.password"]],
        terms: 0,
    },
    Policy { flows: &[&["org.example.pin", "m.login.sso"]], terms: 0 },
    Policy {
        flows: &[&["m.login.sso"], &["m.login.password"], &["org.example.pin", "m.login.dummy"]],
        terms: 0,
    },
    Policy {
        flows: &[&["m.login.password", "m.login.recaptcha", "org.example.pin", "m.login.dummy"]],
        terms: 0,
    },
    // Only registration may ask for terms.
    Policy {
        flows: &[&["m.login.terms", "m.login.dummy"], &["m.login.password", "m.login.terms"]],
        terms: 1,
    },
    Policy {
        flows: &[&["m.login.terms", "m.login.dummy"], &["m.login.password", "m.login.terms"]],
        terms: 2,
    },
    Policy { flows: &[&["m.login.dummy", "m.login.terms", "m.login.email.identity"]], terms: 2 },
];
pub(super) const TERMS: [&str; 3] = [
    "{}",
    r#"{"m.login.terms":{"policies":{"p":{"version":"1"}}}}"#,
    r#"{"m.login.terms":{"policies":{"p":{"version":"2"}}}}"#,
];
pub(super) const LIFETIME: u64 = 1_000;
pub(super) const REPLAY: u64 = 400;
/// How many sessions can be named.
pub(super) const NAMED: u8 = 12;

pub(super) fn rules(head: &[u8; 6]) -> Rules {
    let mut rules = Rules::default();
    rules.session_lifetime = Millis::new(LIFETIME);
    rules.replay_for = Millis::new(REPLAY);
    rules.stage_order = if head[3] & 1 == 0 { StageOrder::Strict } else { StageOrder::Any };
    rules.one_shot = head[3] & 2 == 0;
    rules.unknown_session = if head[3] & 4 == 0 { UnknownSession::Restart } else { UnknownSession::Reject };
    rules.body_binding =
        [BodyBinding::OmittedOrExact, BodyBinding::Exact, BodyBinding::Any][usize::from(head[4] % 3)];
    rules.max_failed_attempts = u16::from(head[5] % 4) + 1;
    rules
}

/// One operation, its text made in advance: a step borrows from the request.
pub(super) struct Input {
    pub(super) code: u8,
    pub(super) slot: Id,
    pub(super) bytes: [u8; 6],
    pub(super) request: Request,
    pub(super) auth: String,
}

pub(super) fn id(slot: Id) -> SessionId {
    SessionId::from_entropy([slot; 24])
}

pub(super) fn slot(id: SessionId) -> Id {
    id.as_bytes()[0]
}

pub(super) fn input<Op: Operation>(operation: u8, bytes: [u8; 6]) -> Input {
    let [code, slot, who, what, stage, extra] = bytes;
    let slot = slot % NAMED;
    let session = (what & 0x80 == 0).then_some(slot);
    let stage = STAGES[usize::from(stage % 8)];
    let form = match (what >> 5 & 3, stage) {
        (1, "m.login.password" | "m.login.recaptcha" | "m.login.email.identity") => Form::Missing,
        (2, "m.login.password" | "m.login.recaptcha" | "m.login.email.identity") => Form::Invalid,
        _ => Form::Good,
    };
    let ask = match what & 7 {
        0 => Ask::Absent,
        1 | 2 => Ask::Poll,
        _ => Ask::Attempt(stage, form),
    };
    // A poll names a session, and the absence of auth none.
    let session = match ask {
        Ask::Absent => None,
        Ask::Poll => Some(slot),
        Ask::Attempt(..) => session,
    };
    // Now and then another operation, or another path.
    let (call, replay) = match extra % 16 {
        14 => ((3, 0), Deactivate::REPLAY),
        15 => ((operation, 1), Op::REPLAY),
        _ => ((operation, 0), Op::REPLAY),
    };
    let subject = [None, None, Some((1, 0)), Some((1, 0)), Some((1, 0)), Some((2, 0)), Some((1, 1)), None];
    let params = [None, None, Some(0), Some(1)][usize::from(who >> 3 & 3)];
    let request = Request { call, replay, subject: subject[usize::from(who & 7)], params, session, ask };
    let named = session.map(|slot| id(slot).expose());
    let named = named.as_ref().map(|id| id.as_str());
    let auth = match ask {
        Ask::Absent => "{}".to_owned(),
        Ask::Poll => format!(r#"{{"session":"{}"}}"#, named.unwrap_or_default()),
        Ask::Attempt(stage, form) => {
            let good = matrix_uia_fuzz::attempt(stage, named);
            match form {
                Form::Good => good,
                Form::Missing => good
                    .replace(r#""password":"p""#, r#""x":0"#)
                    .replace(r#""response""#, r#""y""#)
                    .replace("threepid_creds", "z"),
                Form::Invalid => {
                    good.replace(r#""p""#, "[]").replace(r#""r""#, "7").replace(r#""c""#, r#""/""#)
                }
            }
        }
    };
    Input { code, slot, bytes, request, auth }
}

pub(super) fn proof(byte: u8) -> Proof {
    match byte % 6 {
        0 | 1 => Proof::User(UserRef::new(1)),
        2 => Proof::User(UserRef::new(2)),
        3 => Proof::Nothing,
        4 => Proof::Threepid(Reference::new(u64::from(byte))),
        _ => Proof::Other(Reference::new(u64::from(byte))),
    }
}

pub(super) fn verdict(kind: u8, detail: u8) -> Answered {
    match kind % 16 {
        0..=6 => Answered::Passed(proof(detail)),
        7 => Answered::Failed(StageFailure::Credentials),
        8 => Answered::Failed(StageFailure::UnknownThreepid),
        9 => Answered::Failed(
            [StageFailure::Captcha, StageFailure::Threepid, StageFailure::Token, StageFailure::Other]
                [usize::from(detail % 4)],
        ),
        10..=12 => Answered::Pending(u64::from(detail)),
        13 => Answered::Unavailable,
        14 => Answered::Limited,
        _ => Answered::Failed(StageFailure::Other),
    }
}

pub(super) fn real(verdict: Answered) -> Verdict<'static> {
    match verdict {
        Answered::Passed(proof) => Verdict::Passed(proof),
        Answered::Failed(failure) => Verdict::Failed(failure),
        Answered::Pending(reference) if reference % 2 == 0 => Verdict::Pending(Reference::new(reference)),
        Answered::Pending(reference) => Verdict::Continue {
            extra: Raw::parse(r#"{"hint":1,"session":"stolen"}"#).unwrap(),
            reference: Reference::new(reference),
        },
        Answered::Unavailable => Verdict::Unavailable,
        Answered::Limited => Verdict::Limited(Millis::new(LIMITED)),
    }
}
