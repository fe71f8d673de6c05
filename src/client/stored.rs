//! The serialised form of a progress: versioned, and checked when read back.

use serde::{Deserialize, Serialize};

use super::Progress;
use super::kept::Kept;
use super::state::{Phase, State};
use crate::decode::DecodeError;

/// The form's version. Another one is refused: starting over costs one round trip.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename = "Progress", deny_unknown_fields)]
pub(super) struct Stored<const N: usize> {
    version: u8,
    kept: Kept<N>,
    state: State,
}

impl<const N: usize> From<Progress<N>> for Stored<N> {
    fn from(progress: Progress<N>) -> Self {
        Self { version: VERSION, kept: progress.kept, state: progress.state }
    }
}

impl<const N: usize> TryFrom<Stored<N>> for Progress<N> {
    type Error = DecodeError;

    fn try_from(stored: Stored<N>) -> Result<Self, DecodeError> {
        let Stored { version, kept, mut state } = stored;
        if version != VERSION {
            return Err(DecodeError::VERSION);
        }
        if !kept.is_sound() {
            return Err(DecodeError("not the text of a challenge"));
        }
        // Whoever waited for that answer is no more.
        if let Phase::InFlight(kind) = state.phase {
            state.lose(kind, kept.challenge().session.is_some());
        }
        Ok(Self { kept, state })
    }
}
