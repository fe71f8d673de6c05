//! What a passed stage has reserved for its session: given back once, or spent once with the session's call.

use crate::db::{Result, Tx, registration_tokens, trouble, validations};
use matrix_uia::endpoint::threepid::ValidationRules;
use matrix_uia::server::digest::Digest;
use matrix_uia::server::session::Proof;

/// The session of this digest has no use for it any more.
pub fn give_back(tx: &Tx, session: Digest, proof: Proof, rules: &ValidationRules) -> Result<()> {
    match proof {
        Proof::Token(_) => registration_tokens::give_back(tx, session.as_bytes()),
        Proof::Threepid(reference) => {
            let found = match validations::by_reference(tx, reference) {
                // One that can't be read serves nobody, and must not keep the session from ending.
                Err(error) if trouble::is_of_a_row(&error) => None,
                found => found?,
            };
            match found
                .and_then(|found| found.validation)
                .and_then(|validation| validation.give_back(session))
            {
                Some(free) => validations::replace(tx, reference, &free, rules),
                None => Ok(()),
            }
        }
        // Nothing else is ever reserved here.
        Proof::Nothing | Proof::User(_) | Proof::Other(_) => Ok(()),
    }
}

/// The call of the session of this digest succeeded. `false` if it is not reserved for that session (any more).
#[must_use = "a call that spends what isn't its own must not succeed"]
pub fn spend(tx: &Tx, session: Digest, proof: Proof) -> Result<bool> {
    match proof {
        Proof::Token(_) => registration_tokens::spend(tx, session.as_bytes()),
        Proof::Threepid(reference) => {
            let found = validations::by_reference(tx, reference)?.and_then(|found| found.validation);
            let theirs = found.is_some_and(|validation| validation.is_claimed_by(session));
            if theirs {
                validations::remove(tx, reference)?;
            }
            Ok(theirs)
        }
        Proof::Nothing | Proof::User(_) => Ok(true),
        // Nothing here reserves one of these: a call that would spend it fails, rather than succeed by default.
        Proof::Other(_) => Ok(false),
    }
}
