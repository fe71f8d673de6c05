//! What there is: stages, policies, operations, accounts.

use std::sync::LazyLock;

use matrix_uia::server::operation::{
    ChangePassword, GetLoginToken, Operation, Register, Replayable, UploadSigningKeys,
};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::rules::{BodyBinding, UnknownSession};
use matrix_uia::wire::Raw;
use matrix_uia::{Flows, FlowsBuffer, Millis, Rules, StageOrder};

use crate::params::{Kind, SLOTS};

pub(crate) type Stage = &'static str;

pub(crate) const DUMMY: Stage = "m.login.dummy";
pub(crate) const PASSWORD: Stage = "m.login.password";
pub(crate) const EMAIL: Stage = "m.login.email.identity";
pub(crate) const CAPTCHA: Stage = "m.login.recaptcha";
pub(crate) const SSO: Stage = "m.login.sso";
pub(crate) const PIN: Stage = "org.example.pin";
pub(crate) const TERMS: Stage = "m.login.terms";
pub(crate) const TOKEN: Stage = "m.login.registration_token";

/// What can be attempted; the last one is in no policy.
pub const STAGES: [&str; 9] =
    [DUMMY, PASSWORD, EMAIL, CAPTCHA, SSO, PIN, TERMS, TOKEN, "org.example.elsewhere"];

/// A policy: its flows, and which terms they present (0: none).
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub(crate) flows: &'static [&'static [Stage]],
    pub(crate) terms: u8,
}

const fn policy(flows: &'static [&'static [Stage]], terms: u8) -> Policy {
    Policy { flows, terms }
}

/// How many of [`POLICIES`] any operation may have.
pub const POLICIES: usize = 9;
/// How many a registration may have: the rest asks for terms or a token.
pub const POLICIES_OF_REGISTRATION: usize = ALL.len();

const ALL: [Policy; 14] = [
    policy(&[&[DUMMY]], 0),
    policy(&[&[PASSWORD]], 0),
    policy(&[&[PASSWORD, EMAIL], &[PASSWORD, DUMMY]], 0),
    policy(&[&[CAPTCHA, DUMMY], &[DUMMY, PASSWORD]], 0),
    policy(&[&[PIN, SSO]], 0),
    policy(&[&[SSO], &[PASSWORD], &[PIN, DUMMY]], 0),
    policy(&[&[PASSWORD, CAPTCHA, PIN, DUMMY]], 0),
    policy(&[&[EMAIL]], 0),
    policy(&[&[EMAIL, DUMMY], &[PIN, EMAIL]], 0),
    policy(&[&[TERMS, DUMMY], &[PASSWORD, TERMS]], 1),
    policy(&[&[TERMS, DUMMY], &[PASSWORD, TERMS]], 2),
    policy(&[&[TOKEN, TERMS, EMAIL]], 2),
    policy(&[&[TOKEN]], 0),
    policy(&[&[TOKEN, DUMMY], &[DUMMY, TOKEN]], 0),
];

const PARAMS: [&str; 3] = [
    "{}",
    r#"{"m.login.terms":{"policies":{"p":{"version":"1"}}}}"#,
    r#"{"m.login.terms":{"policies":{"p":{"version":"2"}}}}"#,
];

/// An operation in the model's words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) number: u8,
    pub(crate) replay: Replayable,
    pub(crate) recent: bool,
    pub(crate) needs_hash: bool,
    pub(crate) registers: bool,
    /// Whether a call without a change of keys is exempt.
    pub(crate) signs: bool,
    pub(crate) params: [Kind; SLOTS],
}

/// How many operations there are.
pub const OPERATIONS: u8 = 4;

/// A name that has to be given, a flag that is true by default, and a label.
const PARAMETERS: [Kind; SLOTS] = [Kind::Required, Kind::Optional(1), Kind::Free];
const NO_PARAMETERS: [Kind; SLOTS] = [Kind::Free; SLOTS];

/// An operation of which the model knows.
pub(crate) trait Known: Operation + Sized {
    const FACTS: Facts;
    fn flows(policy: usize) -> &'static Flows<'static, Self>;
}

macro_rules! known {
    ($($type:ident = $number:literal, $policies:expr, $replay:ident, $params:ident {
        $($flag:ident,)*
    })+) => {$(
        impl Known for $type {
            #[allow(clippy::needless_update)]
            const FACTS: Facts = Facts {
                number: $number,
                replay: Replayable::$replay,
                params: $params,
                $($flag: true,)*
                ..Facts {
                    number: 0,
                    replay: Replayable::Never,
                    recent: false,
                    needs_hash: false,
                    registers: false,
                    signs: false,
                    params: NO_PARAMETERS,
                }
            };

            fn flows(policy: usize) -> &'static Flows<'static, Self> {
                static BUILT: LazyLock<Vec<Flows<'static, $type>>> =
                    LazyLock::new(|| ALL.iter().take($policies).map(build).collect());
                &BUILT[policy]
            }
        }
    )+};
}

known! {
    Register = 0, POLICIES_OF_REGISTRATION, WithParams, PARAMETERS { needs_hash, registers, }
    ChangePassword = 1, POLICIES, Always, PARAMETERS { needs_hash, }
    GetLoginToken = 2, POLICIES, Never, NO_PARAMETERS {}
    UploadSigningKeys = 3, POLICIES, Always, PARAMETERS { recent, signs, }
}

/// The policy lives as long as the process; it stands in a buffer that is leaked.
fn build<Op: Operation>(policy: &Policy) -> Flows<'static, Op> {
    let params = Raw::parse(PARAMS[usize::from(policy.terms)]).unwrap();
    let flows = policy.flows.iter().map(|flow| flow.iter());
    Flows::in_buffer(flows, Some(params), Box::leak(Box::new(FlowsBuffer::<1024>::new()))).unwrap()
}

/// The rules of one run, and which policies it has.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The operation that most requests are about.
    pub operation: u8,
    /// The policies, which one event swaps.
    pub policies: [usize; 2],
    /// Stages are taken in any order.
    pub any_order: bool,
    /// 0: omitted or exact, 1: exact, 2: any.
    pub binding: u8,
    /// Unknown sessions are refused.
    pub reject: bool,
    /// A stage may be attempted without a session.
    pub one_shot: bool,
    /// How long a finished call is answered again, in milliseconds.
    pub replay_for: u64,
    /// After how many failures the session is closed.
    pub max_failed: u16,
    /// Sessions are kept apart from accounts.
    pub claims: bool,
}

/// How long a session lives, in milliseconds.
pub(crate) const LIFETIME: u64 = 1_000;
/// How long a claim is left to whoever made it.
pub(crate) const CLAIM: u64 = 300;
/// How recently a token must have been used to authenticate.
pub(crate) const RECENT: u64 = 200;

impl Setup {
    pub(crate) fn policy(&self, which: usize) -> usize {
        let most = if self.operation == Register::FACTS.number { POLICIES_OF_REGISTRATION } else { POLICIES };
        self.policies[which] % most
    }

    pub(crate) fn rules(&self) -> Rules {
        let mut rules = Rules::default();
        rules.session_lifetime = Millis::new(LIFETIME);
        rules.stage_order = if self.any_order { StageOrder::Any } else { StageOrder::Strict };
        rules.body_binding = [BodyBinding::OmittedOrExact, BodyBinding::Exact, BodyBinding::Any]
            [usize::from(self.binding % 3)];
        rules.unknown_session = if self.reject { UnknownSession::Reject } else { UnknownSession::Restart };
        rules.one_shot = self.one_shot;
        rules.replay_for = Millis::new(self.replay_for);
        rules.max_failed_attempts = self.max_failed;
        rules.claim_for = Millis::new(CLAIM);
        rules.recent_auth = Millis::new(RECENT);
        rules
    }
}

/// The policy of that number.
pub(crate) fn policy_of(number: usize) -> Policy {
    ALL[number]
}

/// What an account may do.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    /// Anything.
    Active,
    /// Nothing for now: 401 `M_USER_LOCKED`.
    Locked,
    /// Nothing for ever.
    Gone,
}

/// An account as somebody has read it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) subject: Subject,
    pub(crate) status: Status,
}

/// Who makes the request, by the access token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Caller {
    Nobody,
    User(Account),
    Ended,
}

pub(crate) fn user(number: u8) -> UserRef {
    UserRef::new(u64::from(number) + 1)
}

impl Policy {
    /// The flows of which `passed` can be the beginning.
    fn open<'a>(
        &self,
        passed: &'a [Stage],
        order: StageOrder,
    ) -> impl Iterator<Item = &'static [Stage]> + use<'a> {
        self.flows.iter().copied().filter(move |flow| match order {
            StageOrder::Strict => flow.starts_with(passed),
            _ => passed.iter().all(|stage| flow.contains(stage)),
        })
    }

    pub(crate) fn fits(&self, passed: &[Stage], order: StageOrder) -> bool {
        self.open(passed, order).next().is_some()
    }

    pub(crate) fn is_next(&self, passed: &[Stage], stage: &str, order: StageOrder) -> bool {
        !passed.contains(&stage)
            && self.open(passed, order).any(|flow| match order {
                StageOrder::Strict => flow.get(passed.len()) == Some(&stage),
                _ => flow.contains(&stage),
            })
    }

    /// Whether every stage of some flow has passed, and in strict order nothing else.
    pub(crate) fn is_complete(&self, passed: &[Stage], order: StageOrder) -> bool {
        self.flows.iter().any(|flow| match order {
            StageOrder::Strict => *flow == passed,
            _ => flow.iter().all(|stage| passed.contains(stage)),
        })
    }

    pub(crate) fn offers(&self, stage: &str) -> bool {
        self.flows.iter().any(|flow| flow.contains(&stage))
    }
}
