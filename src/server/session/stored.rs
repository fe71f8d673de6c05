//! The serialised form of a session: versioned, and checked as a whole when read back.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::passed::Passed;
use super::proof::Proof;
use super::revision::Revision;
use super::value::{Phase, SLOTS, Session};
use crate::decode::DecodeError;
use crate::server::digest::Target;
use crate::server::flows::MAX_STAGES;
use crate::server::operation::OperationId;
use crate::server::reference::{Reference, Subject, UserRef};
use crate::time::Timestamp;
use crate::wire::StageId;

/// The form's version. Another one is refused: a session read wrongly is worse than a
/// session lost, which costs its user one round trip.
const VERSION: u8 = 3;

#[derive(Serialize, Deserialize)]
#[serde(rename = "Session", deny_unknown_fields)]
struct Stored {
    version: u8,
    revision: Revision,
    operation: OperationId,
    target: Target,
    account: Option<StoredAccount>,
    made: Timestamp,
    failures: u16,
    terms: u32,
    bound: bool,
    sealed: bool,
    params: [u64; SLOTS],
    phase: StoredPhase,
    passed: heapless::Vec<(StageId, Proof), MAX_STAGES>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAccount {
    user: UserRef,
    epoch: u32,
    by_token: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredPhase {
    Open,
    Awaiting { stage: StageId, reference: Reference },
    Claimed { after: u32 },
    Consumed { after: u32, outcome: Reference },
    Ended,
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stored::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

#[cfg(all(feature = "testkit", target_has_atomic = "64"))]
impl Session {
    /// Its serialised form, said to be of that version.
    pub(crate) fn of_version(&self, version: u8) -> impl Serialize {
        Stored { version, ..Stored::from(self) }
    }

    /// The version after today's.
    pub(crate) const LATER: u8 = VERSION.saturating_add(1);
}

impl From<&Session> for Stored {
    fn from(session: &Session) -> Self {
        let stages = session.passed.stages().iter().copied();
        let (stage, reference) = session.passed.next().unwrap_or_default();
        Self {
            version: VERSION,
            revision: session.revision,
            operation: session.operation,
            target: session.target,
            account: session.account().map(|Subject { user, epoch }| StoredAccount {
                user,
                epoch,
                by_token: session.by_token,
            }),
            made: session.made,
            failures: session.failures,
            terms: session.terms,
            bound: session.bound,
            sealed: session.sealed,
            params: session.slots,
            phase: match session.phase {
                Phase::Open => StoredPhase::Open,
                Phase::Awaiting => StoredPhase::Awaiting { stage, reference },
                Phase::Claimed => StoredPhase::Claimed { after: session.since },
                Phase::Consumed => StoredPhase::Consumed { after: session.since, outcome: reference },
                Phase::Ended => StoredPhase::Ended,
            },
            passed: stages.zip(session.proofs()).collect(),
        }
    }
}

impl TryFrom<Stored> for Session {
    type Error = DecodeError;

    fn try_from(stored: Stored) -> Result<Self, DecodeError> {
        if stored.version != VERSION {
            return Err(DecodeError::VERSION);
        }
        if stored.sealed && !cfg!(feature = "sealed") {
            return Err(DecodeError("its ID is sealed, and the feature is off"));
        }
        let has_user = stored.account.is_some();
        let account =
            stored.account.unwrap_or(StoredAccount { user: UserRef::new(0), epoch: 0, by_token: false });
        let mut passed = Passed::new();
        for (stage, proof) in &stored.passed {
            if let Proof::User(user) = proof
                && (!has_user || *user != account.user)
            {
                return Err(DecodeError("a stage has proved another user"));
            }
            if *stage == StageId::NONE || !passed.push(*stage, *proof) {
                return Err(DecodeError("a stage has passed twice"));
            }
        }
        let (phase, since) = match stored.phase {
            StoredPhase::Open => (Phase::Open, 0),
            StoredPhase::Awaiting { stage, reference } => {
                if stage == StageId::NONE || passed.contains(stage) || !passed.await_next(stage, reference) {
                    return Err(DecodeError("it waits for a stage that has passed"));
                }
                (Phase::Awaiting, 0)
            }
            StoredPhase::Claimed { after } if !passed.is_empty() => (Phase::Claimed, after),
            StoredPhase::Claimed { .. } => return Err(DecodeError("it is claimed, and no stage has passed")),
            StoredPhase::Consumed { after, outcome } if passed.is_empty() => {
                passed = Passed::of_outcome(outcome);
                (Phase::Consumed, after)
            }
            StoredPhase::Consumed { .. } => return Err(DecodeError("it is consumed, and has stages")),
            StoredPhase::Ended if stored.sealed && passed.is_empty() => (Phase::Ended, 0),
            StoredPhase::Ended => return Err(DecodeError("it has ended, and has stages or is not sealed")),
        };
        if stored.bound && stored.params == [0; SLOTS] {
            return Err(DecodeError("it has bound parameters, and none is bound"));
        }
        Ok(Self {
            made: stored.made,
            user: account.user,
            target: stored.target,
            operation: stored.operation,
            slots: stored.params,
            passed,
            epoch: account.epoch,
            terms: stored.terms,
            revision: stored.revision,
            since,
            failures: stored.failures,
            phase,
            has_user,
            by_token: account.by_token,
            bound: stored.bound,
            sealed: stored.sealed,
        })
    }
}
