//! The serialised form of a validation: versioned, and checked when read back.

use serde::{Deserialize, Serialize};

use super::validation::Phase;
use super::{MAX_ADDRESS_LEN, Medium, Purpose, Threepid, Validation};
use crate::decode::DecodeError;
use crate::server::digest::Digest;
use crate::server::reference::UserRef;
use crate::{Text, Timestamp};

/// The form's version. Another one is refused: its owner asks for another message.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename = "Validation", deny_unknown_fields)]
pub(super) struct Stored {
    version: u8,
    medium: Medium,
    address: heapless::String<MAX_ADDRESS_LEN>,
    purpose: Purpose,
    requester: Option<UserRef>,
    secret: Digest,
    token: Option<Digest>,
    send_attempt: i64,
    touched: Timestamp,
    wrong_tokens: u16,
    phase: Phase,
}

impl From<Validation> for Stored {
    fn from(validation: Validation) -> Self {
        let (medium, address) = validation.threepid.into_parts();
        Self {
            version: VERSION,
            medium,
            address,
            purpose: validation.purpose,
            requester: validation.requester,
            secret: validation.secret,
            token: validation.token,
            send_attempt: validation.send_attempt,
            touched: validation.touched,
            wrong_tokens: validation.wrong_tokens,
            phase: validation.phase,
        }
    }
}

impl TryFrom<Stored> for Validation {
    type Error = DecodeError;

    fn try_from(stored: Stored) -> Result<Self, DecodeError> {
        if stored.version != VERSION {
            return Err(DecodeError::VERSION);
        }
        let threepid = Threepid::parse(stored.medium, Text::new(&stored.address))
            .ok()
            .filter(|threepid| threepid.address() == stored.address)
            .ok_or(DecodeError("not a canonical address"))?;
        Ok(Self {
            threepid,
            purpose: stored.purpose,
            requester: stored.requester,
            secret: stored.secret,
            token: stored.token,
            send_attempt: stored.send_attempt,
            touched: stored.touched,
            wrong_tokens: stored.wrong_tokens,
            phase: stored.phase,
        })
    }
}
