//! The serialised form of a progress: versioned, and checked when read back.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::call::Owner;
use super::kept::Kept;
use super::progress::Progress;
use super::state::{Phase, State};
use crate::decode::DecodeError;
use crate::stored;

/// The form's version. Another one is refused: starting over costs one round trip.
const VERSION: u8 = 3;

#[derive(Serialize, Deserialize)]
#[serde(rename = "Progress", deny_unknown_fields)]
struct Fields<const N: usize> {
    call: Owner,
    kept: Kept<N>,
    state: State,
}

/// The same fields where they stand: a challenge is not copied to be written.
#[derive(Serialize)]
#[serde(rename = "Progress")]
struct Borrowed<'p, const N: usize> {
    call: &'p Owner,
    kept: &'p Kept<N>,
    state: &'p State,
}

impl<const N: usize> Serialize for Progress<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { call, kept, state } = self;
        stored::write::<VERSION, Borrowed<'_, N>, S>(Borrowed { call, kept, state }, serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Progress<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        stored::read::<VERSION, Fields<N>, Self, D>(deserializer)
    }
}

impl<const N: usize> TryFrom<Fields<N>> for Progress<N> {
    type Error = DecodeError;

    fn try_from(fields: Fields<N>) -> Result<Self, DecodeError> {
        let Fields { call, kept, mut state } = fields;
        if !kept.is_sound() {
            return Err(DecodeError("not the text of a challenge"));
        }
        if !state.is_sound(&kept.challenge()) {
            return Err(DecodeError("a state that no flow leads to"));
        }
        // Whoever waited for that answer is no more.
        if let Phase::InFlight(kind) = state.phase {
            state.lose(kind, kept.has_session());
        }
        Ok(Self { call, kept, state })
    }
}
