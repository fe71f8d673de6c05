//! The serialised form of a deactivation: versioned, and checked when read back.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::progress::Deactivation;
use super::request::IdServer;
use crate::decode::DecodeError;
use crate::server::reference::UserRef;
use crate::stored::stored_as;

/// The form's version. The one before had none, and counted the effects that were behind.
const VERSION: u8 = 2;

stored_as!(Deactivation, Fields, VERSION);

#[derive(Serialize, Deserialize)]
#[serde(rename = "Deactivation", deny_unknown_fields)]
struct Fields {
    user: UserRef,
    id_server: Option<IdServer>,
    erase: bool,
    /// Absent: nothing is left to be done.
    next: Option<Effect>,
    unbind_failed: bool,
}

impl From<Deactivation> for Fields {
    fn from(deactivation: Deactivation) -> Self {
        let Deactivation { user, id_server, erase, next, unbind_failed } = deactivation;
        Self { user, id_server, erase, next, unbind_failed }
    }
}

impl TryFrom<Fields> for Deactivation {
    type Error = DecodeError;

    fn try_from(fields: Fields) -> Result<Self, DecodeError> {
        let Fields { user, id_server, erase, next, unbind_failed } = fields;
        if id_server.as_deref().is_some_and(str::is_empty) {
            return Err(DecodeError("not the name of an identity server"));
        }
        if next.is_some_and(|next| !next.belongs(erase)) {
            return Err(DecodeError("an effect of an erasure that was not asked for"));
        }
        if unbind_failed && matches!(next, Some(Effect::Fence | Effect::UnbindThreepids)) {
            return Err(DecodeError("the result of an effect that is still to come"));
        }
        Ok(Self { user, id_server, erase, next, unbind_failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(next: Option<Effect>, erase: bool, unbind_failed: bool) -> Fields {
        Fields { user: UserRef::new(7), id_server: None, erase, next, unbind_failed }
    }

    fn reads(fields: Fields) -> bool {
        Deactivation::try_from(fields).is_ok()
    }

    #[test]
    fn impossible_combinations_are_refused() {
        for next in Effect::ALL.into_iter().map(Some).chain([None]) {
            for erase in [false, true] {
                let belongs = erase || !matches!(next, Some(Effect::RemoveProfile | Effect::MarkErased));
                let tried = !matches!(next, Some(Effect::Fence | Effect::UnbindThreepids));
                assert_eq!(reads(fields(next, erase, false)), belongs, "{next:?} {erase}");
                assert_eq!(reads(fields(next, erase, true)), belongs && tried, "{next:?} {erase}");
            }
        }
        let nameless = Fields { id_server: Some(IdServer::new()), ..fields(None, false, false) };
        assert!(!reads(nameless));
    }
}
