//! The switches of a policy: where the spec leaves room, and deployed servers differ.

use crate::server::flows::StageOrder;
use crate::time::Millis;

/// How sessions behave. The defaults are what the spec asks for or, where it is silent,
/// what serves deployed clients best.
///
/// ```
/// use matrix_uia::{Millis, Rules};
/// let mut rules = Rules::default();
/// rules.session_lifetime = Millis::from_secs(5 * 60);
/// rules.max_failed_attempts = 5;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// How long a session lives from its making; a passed stage doesn't prolong it
    /// (rule U16). Default: 15 minutes.
    pub session_lifetime: Millis,
    /// In which order stages are taken (rule U5). Default: strict.
    pub stage_order: StageOrder,
    /// What binds the request's parameters (rule U13).
    pub body_binding: BodyBinding,
    /// What an unknown, expired or consumed session is answered with (rule U12).
    pub unknown_session: UnknownSession,
    /// Whether a stage may be attempted without a session (rule U11). Default: yes.
    pub one_shot: bool,
    /// How long a finished call is answered again, because its answer may have been lost
    /// (rule U14); zero refuses. Default: one minute.
    pub replay_for: Millis,
    /// The failed attempt after which the session is closed (rule U17). Default: 10.
    pub max_failed_attempts: u16,
    /// How long a claim is left to whoever made it, before the next request asks what
    /// became of its call (rule U26). Default: one minute.
    pub claim_for: Millis,
    /// How recently a token must have completed authentication to skip it where an
    /// operation allows that (rule U18); zero never skips. Default: zero.
    pub recent_auth: Millis,
}

impl Rules {
    /// The defaults, for a host that has nothing to change: `&Rules::DEFAULT` lives for ever.
    pub const DEFAULT: Self = Self {
        session_lifetime: Millis::from_secs(15 * 60),
        stage_order: StageOrder::Strict,
        body_binding: BodyBinding::OmittedOrExact,
        unknown_session: UnknownSession::Restart,
        one_shot: true,
        replay_for: Millis::from_secs(60),
        max_failed_attempts: 10,
        claim_for: Millis::from_secs(60),
        recent_auth: Millis::new(0),
    };
}

impl Default for Rules {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What binds a request's parameters to its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyBinding {
    /// Bound when the first of them is seen; after that each the same again, or left out.
    #[default]
    OmittedOrExact,
    /// The same in every request of the session.
    Exact,
    /// The last ones hold, as in Synapse.
    Any,
}

/// What to do about a session that isn't there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownSession {
    /// 401 with a new session and `M_UNKNOWN`: the client can go on at once.
    #[default]
    Restart,
    /// 400 `M_UNKNOWN`, as Synapse.
    Reject,
}
