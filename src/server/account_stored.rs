//! The serialised form of an account's status: versioned, and checked when read back.

use serde::{Deserialize, Serialize};

use super::account::{AccountStatus, Lifecycle};
use crate::decode::DecodeError;
use crate::stored::{stored_as, stored_by_name};

/// The form's version.
const VERSION: u8 = 1;

stored_by_name!(Lifecycle);
stored_as!(AccountStatus, Fields, VERSION);

#[derive(Serialize, Deserialize)]
#[serde(rename = "AccountStatus", deny_unknown_fields)]
struct Fields {
    life: Lifecycle,
    locked: bool,
    suspended: bool,
    erased: bool,
}

impl From<AccountStatus> for Fields {
    fn from(status: AccountStatus) -> Self {
        let AccountStatus { life, locked, suspended, erased } = status;
        Self { life, locked, suspended, erased }
    }
}

impl TryFrom<Fields> for AccountStatus {
    type Error = DecodeError;

    fn try_from(fields: Fields) -> Result<Self, DecodeError> {
        let Fields { life, locked, suspended, erased } = fields;
        if erased && life == Lifecycle::Active {
            return Err(DecodeError("erased, but in use"));
        }
        Ok(Self { life, locked, suspended, erased })
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::super::account::Event;
    use super::*;

    /// Every status that events lead to from a new account.
    fn reachable() -> Vec<AccountStatus> {
        let mut found = Vec::new();
        let mut open = vec![AccountStatus::default()];
        while let Some(status) = open.pop() {
            if !found.contains(&status) {
                found.push(status);
                open.extend(Event::ALL.into_iter().filter_map(|event| status.on(event).ok()));
            }
        }
        found
    }

    #[test]
    fn exactly_the_reachable_statuses_are_read_back() {
        let reachable = reachable();
        for life in Lifecycle::ALL {
            for bits in 0..8 {
                let (locked, suspended, erased) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
                let status = AccountStatus { life, locked, suspended, erased };
                let read = AccountStatus::try_from(Fields::from(status));
                assert_eq!(read.ok(), reachable.contains(&status).then_some(status), "{status:?}");
            }
        }
    }
}
