//! Why a policy is refused.

use core::fmt;

use super::limits::{MAX_FLOWS, MAX_STAGES, MAX_TYPES};
use crate::wire::MAX_AUTH_TYPE_LEN;

/// Why a policy was refused: what the operator has to change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// There is no flow at all.
    NoFlows,
    /// More than [`MAX_FLOWS`] flows.
    TooManyFlows,
    /// More than [`MAX_TYPES`] different stages.
    TooManyTypes,
    /// A flow without stages. Flows are counted from 1.
    EmptyFlow {
        /// Which flow.
        flow: usize,
    },
    /// A flow of more than [`MAX_STAGES`] stages.
    TooManyStages {
        /// Which flow.
        flow: usize,
    },
    /// A flow asks for one stage twice.
    RepeatedStage {
        /// Which flow.
        flow: usize,
        /// The stage.
        stage: StageName,
    },
    /// A name that is empty, too long, or has a quote, a backslash or a control
    /// character.
    BadName {
        /// Which flow.
        flow: usize,
        /// Which stage of it, from 1.
        stage: usize,
    },
    /// Two custom names that a stored session could not tell apart.
    NameCollision {
        /// Which flow.
        flow: usize,
        /// The later of the two names.
        stage: StageName,
    },
    /// A stage that this operation may not ask for: `m.login.terms` and
    /// `m.login.registration_token` belong to registration, `m.oauth` to the upload of
    /// cross-signing keys.
    WrongOperation {
        /// Which flow.
        flow: usize,
        /// The stage.
        stage: StageName,
    },
    /// A flow whose beginning is all of another flow, and so never reached.
    Shadowed {
        /// The flow that can't be completed.
        flow: usize,
        /// The flow that is always completed first.
        by: usize,
    },
    /// Two equal flows.
    RepeatedFlow {
        /// The later one.
        flow: usize,
        /// The earlier one.
        same_as: usize,
    },
    /// `params` is no object of objects.
    BadParams,
    /// The caller's buffer is too small.
    BufferFull,
}

/// The name of a stage in a [`PolicyError`].
pub type StageName = heapless::String<MAX_AUTH_TYPE_LEN>;

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFlows => f.write_str("there is no flow: offer at least m.login.dummy"),
            Self::TooManyFlows => write!(f, "there are more than {MAX_FLOWS} flows: remove some"),
            Self::TooManyTypes => {
                write!(f, "the flows have more than {MAX_TYPES} different stages: remove some")
            }
            Self::EmptyFlow { flow } => {
                write!(f, "flow {flow} has no stages: use m.login.dummy for a flow that asks for nothing")
            }
            Self::TooManyStages { flow } => {
                write!(f, "flow {flow} has more than {MAX_STAGES} stages: remove some")
            }
            Self::RepeatedStage { flow, stage } => {
                write!(f, "flow {flow} asks for {stage} twice: remove one of them")
            }
            Self::BadName { flow, stage } => write!(
                f,
                "flow {flow}, stage {stage} has no usable name: use 1 to {MAX_AUTH_TYPE_LEN} bytes without quotes, backslashes and control characters",
            ),
            Self::NameCollision { flow, stage } => {
                write!(f, "flow {flow}: {stage} can't be told from another stage: rename it")
            }
            Self::WrongOperation { flow, stage } => write!(
                f,
                "flow {flow} asks for {stage}, which is only for {}: remove it",
                if stage == "m.oauth" { "the upload of cross-signing keys" } else { "registration" },
            ),
            Self::Shadowed { flow, by } => write!(
                f,
                "flow {by} is the beginning of flow {flow}, which could never be completed: end flow {by} with m.login.dummy",
            ),
            Self::RepeatedFlow { flow, same_as } => {
                write!(f, "flow {flow} is flow {same_as} again: remove one of them")
            }
            Self::BadParams => {
                f.write_str("params is not an object of objects: give each auth type an object")
            }
            Self::BufferFull => f.write_str("the buffer is too small for the flows and params: enlarge it"),
        }
    }
}

impl core::error::Error for PolicyError {}

impl From<fmt::Error> for PolicyError {
    fn from(_: fmt::Error) -> Self {
        Self::BufferFull
    }
}
