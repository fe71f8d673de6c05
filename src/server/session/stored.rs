//! The serialised form of a session: versioned, and checked when read back.

use serde::{Deserialize, Serialize};

use super::{Binding, Passed, Phase, Proof, Revision, Session};
use crate::Timestamp;
use crate::decode::DecodeError;
use crate::server::digest::{Digest, Target};
use crate::server::flows::MAX_STAGES;
use crate::server::operation::{OperationId, Reference, UserRef};
use crate::wire::StageId;

/// The form's version. Another one is refused: a session read wrongly is worse than a
/// session lost, which costs its user one round trip.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename = "Session", deny_unknown_fields)]
pub(super) struct Stored {
    version: u8,
    revision: Revision,
    operation: OperationId,
    target: Target,
    user: Option<UserRef>,
    epoch: u32,
    made: Timestamp,
    failures: u16,
    terms: u32,
    binding: Binding,
    body: Digest,
    phase: StoredPhase,
    passed: heapless::Vec<(StageId, Proof), MAX_STAGES>,
}

#[derive(Serialize, Deserialize)]
enum StoredPhase {
    Open,
    Awaiting { stage: StageId, reference: Reference },
    Claimed,
    Consumed { after: u32, outcome: Reference },
}

impl From<Session> for Stored {
    fn from(session: Session) -> Self {
        let stages = session.passed.stages().iter().copied();
        Self {
            version: VERSION,
            revision: session.revision,
            operation: session.operation,
            target: session.target,
            user: session.has_user.then_some(session.user),
            epoch: session.epoch,
            made: session.made,
            failures: session.failures,
            terms: session.terms,
            binding: session.binding,
            body: session.body,
            phase: match session.phase {
                Phase::Open => StoredPhase::Open,
                Phase::Awaiting(stage, reference) => StoredPhase::Awaiting { stage, reference },
                Phase::Claimed => StoredPhase::Claimed,
                Phase::Consumed(after, outcome) => StoredPhase::Consumed { after, outcome },
            },
            passed: stages.zip(session.passed.proofs()).collect(),
        }
    }
}

impl TryFrom<Stored> for Session {
    type Error = DecodeError;

    fn try_from(stored: Stored) -> Result<Self, DecodeError> {
        if stored.version != VERSION {
            return Err(DecodeError::VERSION);
        }
        let mut passed = Passed::new();
        for (stage, proof) in &stored.passed {
            if !passed.push(*stage, *proof) {
                return Err(DecodeError("a stage has passed twice"));
            }
        }
        Ok(Self {
            made: stored.made,
            user: stored.user.unwrap_or(UserRef(0)),
            target: stored.target,
            phase: match stored.phase {
                StoredPhase::Open => Phase::Open,
                StoredPhase::Awaiting { stage, reference } => Phase::Awaiting(stage, reference),
                StoredPhase::Claimed => Phase::Claimed,
                StoredPhase::Consumed { after, outcome } => Phase::Consumed(after, outcome),
            },
            passed,
            body: stored.body,
            epoch: stored.epoch,
            terms: stored.terms,
            revision: stored.revision,
            failures: stored.failures,
            operation: stored.operation,
            has_user: stored.user.is_some(),
            binding: stored.binding,
        })
    }
}
