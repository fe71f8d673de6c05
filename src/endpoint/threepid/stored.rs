//! The serialised form of a validation: versioned, and checked when read back.

use serde::{Deserialize, Serialize};

use super::address::{Medium, Threepid};
use super::email::MAX_ADDRESS_LEN;
use super::purpose::Purpose;
use super::validation::{Phase, Validation};
use crate::decode::DecodeError;
use crate::server::digest::Digest;
use crate::server::reference::UserRef;
use crate::stored::{stored_as, stored_by_name};
use crate::text::Text;
use crate::time::Timestamp;

/// The form's version.
const VERSION: u8 = 2;

stored_as!(Validation, Fields, VERSION);

#[derive(Serialize, Deserialize)]
#[serde(rename = "Validation", deny_unknown_fields)]
struct Fields {
    medium: Medium,
    address: heapless::String<MAX_ADDRESS_LEN>,
    purpose: Purpose,
    requester: Option<UserRef>,
    secret: Digest,
    named: u32,
    token: Option<Digest>,
    send_attempt: i64,
    touched: Timestamp,
    wrong_tokens: u16,
    phase: PhaseName,
    validated_at: Option<Timestamp>,
    claimed_by: Option<Digest>,
}

/// The phase without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PhaseName {
    Sent,
    Validated,
    Claimed,
}

impl PhaseName {
    const ALL: [Self; 3] = [Self::Sent, Self::Validated, Self::Claimed];

    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Validated => "validated",
            Self::Claimed => "claimed",
        }
    }
}

stored_by_name!(PhaseName);

impl From<Validation> for Fields {
    fn from(validation: Validation) -> Self {
        let Validation {
            threepid,
            purpose,
            requester,
            secret,
            named,
            token,
            send_attempt,
            touched,
            wrong_tokens,
            phase,
        } = validation;
        let (medium, address) = threepid.into_parts();
        let (phase, validated_at, claimed_by) = match phase {
            Phase::Sent => (PhaseName::Sent, None, None),
            Phase::Validated { at } => (PhaseName::Validated, Some(at), None),
            Phase::Claimed { at, by } => (PhaseName::Claimed, Some(at), Some(by)),
        };
        Self {
            medium,
            address,
            purpose,
            requester,
            secret,
            named,
            token,
            send_attempt,
            touched,
            wrong_tokens,
            phase,
            validated_at,
            claimed_by,
        }
    }
}

impl TryFrom<Fields> for Validation {
    type Error = DecodeError;

    fn try_from(fields: Fields) -> Result<Self, DecodeError> {
        let threepid = Threepid::parse(fields.medium, Text::new(&fields.address))
            .ok()
            .filter(|threepid| threepid.address() == fields.address)
            .ok_or(DecodeError("not a canonical address"))?;
        let phase = match (fields.phase, fields.validated_at, fields.claimed_by) {
            (PhaseName::Sent, None, None) => Phase::Sent,
            (PhaseName::Validated, Some(at), None) => Phase::Validated { at },
            (PhaseName::Claimed, Some(at), Some(by)) => Phase::Claimed { at, by },
            _ => return Err(DecodeError("a phase with what belongs to another")),
        };
        if phase != Phase::Sent && fields.token.is_none() {
            return Err(DecodeError("validated without a token"));
        }
        if fields.phase == PhaseName::Claimed && fields.purpose == Purpose::Add {
            return Err(DecodeError("claimed by a stage, which its purpose does not allow"));
        }
        Ok(Self {
            threepid,
            purpose: fields.purpose,
            requester: fields.requester,
            secret: fields.secret,
            named: fields.named,
            token: fields.token,
            send_attempt: fields.send_attempt,
            touched: fields.touched,
            wrong_tokens: fields.wrong_tokens,
            phase,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(purpose: Purpose, phase: PhaseName) -> Fields {
        let at = Timestamp::from_millis(1_000);
        Fields {
            medium: Medium::Email,
            address: "alice@example.org".try_into().unwrap(),
            purpose,
            requester: None,
            secret: Digest([1; 16]),
            named: 7,
            token: Some(Digest([2; 16])),
            send_attempt: 1,
            touched: at,
            wrong_tokens: 0,
            phase,
            validated_at: (phase != PhaseName::Sent).then_some(at),
            claimed_by: (phase == PhaseName::Claimed).then_some(Digest([3; 16])),
        }
    }

    #[test]
    fn impossible_combinations_are_refused() {
        for phase in PhaseName::ALL {
            for purpose in Purpose::ALL {
                let reads = |change: fn(&mut Fields)| {
                    let mut changed = fields(purpose, phase);
                    change(&mut changed);
                    Validation::try_from(changed).is_ok()
                };
                let stage = purpose != Purpose::Add || phase != PhaseName::Claimed;
                assert_eq!(reads(|_| {}), stage, "{purpose:?} {phase:?}");
                assert_eq!(reads(|it| it.token = None), phase == PhaseName::Sent, "{phase:?}");
                // Each phase has its own parts, and no others.
                for other in PhaseName::ALL.into_iter().filter(|other| *other != phase) {
                    let mut changed = fields(purpose, phase);
                    changed.phase = other;
                    assert!(Validation::try_from(changed).is_err(), "{phase:?} as {other:?}");
                }
                assert!(!reads(|it| it.address = "Alice@example.org".try_into().unwrap()));
                assert!(!reads(|it| it.address = " alice@example.org".try_into().unwrap()));
                assert!(!reads(|it| it.address = "alice".try_into().unwrap()));
                assert!(!reads(|it| it.medium = Medium::Msisdn));
            }
        }
    }
}
