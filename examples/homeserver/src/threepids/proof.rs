//! What a validated address proves, and whose it becomes.

use crate::app::App;
use crate::db::threepids::{self, Owned};
use crate::db::validations::{self, Stored};
use crate::db::{Tx, UserKey, users};
use crate::failure::Failure;
use crate::who;
use matrix_uia::Timestamp;
use matrix_uia::endpoint::threepid::{ClaimBy, Claimant, Claimed, Medium, Threepid, Validation};
use matrix_uia::server::check::{AddressBy, AddressCheck};
use matrix_uia::server::question::Question;
use matrix_uia::server::reference::Reference;
use matrix_uia::server::verdict::Verdict;

/// A stage wants to pass by an address that was validated here. What an identity server may know of it is not
/// asked.
pub fn claim<'q>(
    tx: &Tx,
    app: &App,
    question: &Question<'q>,
    medium: Medium,
    check: AddressCheck<'q>,
) -> rusqlite::Result<Verdict<'q>> {
    let (found, by) = match check.by() {
        AddressBy::Credentials(creds) => {
            let secret = app.policies.key.client_secret(creds.client_secret);
            (validations::by_sid(tx, &creds.sid.to_cow())?, ClaimBy::Credentials { medium, secret })
        }
        AddressBy::Awaited(reference) => (validations::by_reference(tx, reference)?, ClaimBy::Awaited),
    };
    let Some(Stored { reference, validation, .. }) = found else { return Ok(check.refused()) };
    let rules = &app.policies.validations;
    let claimant = Claimant {
        operation: question.operation(),
        session: app.policies.key.claimant(question.session_id()),
        user: question.user(),
    };
    let (policies, now) = (&app.policies.addresses, app.clock.now());
    let claim = |found| Validation::claim(found, by, claimant, policies, rules, now);
    let granted = match claim(validation.clone()) {
        Claimed::Granted(granted) => granted,
        Claimed::NotYet => return Ok(check.pending(reference)),
        Claimed::Refused => {
            // By a session that may be gone: a crash came between its claim and what was to become of it.
            let lapses = |(_, since): &(_, Timestamp)| since.has_run_out(app.policies.rules.claim_for, now);
            let other = validation.as_ref().and_then(Validation::claimed_by).filter(lapses);
            let Some((other, _)) = other else { return Ok(check.refused()) };
            let free = validation.and_then(|validation| validation.give_back(other));
            let Claimed::Granted(granted) = claim(free) else { return Ok(check.refused()) };
            match app.sessions.holds(tx, other)? {
                Some(true) => return Ok(check.refused()),
                Some(false) => granted,
                None => {
                    app.sessions.give_back_if_gone(&app.db, reference, other);
                    return Ok(check.pending(reference));
                }
            }
        }
    };
    let owner = match threepids::owner(tx, granted.threepid())? {
        Some(owner) => users::by_key(tx, owner)?.as_ref().map(who::subject),
        None => None,
    };
    let verdict = check.validated(reference, owner);
    if matches!(verdict, Verdict::Passed(_)) {
        validations::replace(tx, reference, &granted, rules)?;
    }
    Ok(verdict)
}

/// The addresses that the stages of a registration proved, to be given to the new account.
///
/// # Errors
///
/// 400 `M_THREEPID_IN_USE` if somebody has one by now, 400 `M_THREEPID_AUTH_FAILED` if a validation is gone.
pub fn proved(tx: &Tx, validated: &[Reference]) -> Result<Vec<Proved>, Failure> {
    let mut proved = Vec::new();
    for reference in validated {
        let found = validations::by_reference(tx, *reference)?.and_then(|found| found.validation);
        let found = found.and_then(|found| Some((found.threepid().clone(), found.validated_at()?)));
        let (threepid, at) = found.ok_or(Threepid::not_validated())?;
        if threepids::owner(tx, &threepid)?.is_some() {
            return Err(Threepid::in_use().into());
        }
        proved.push(Proved { threepid, validated_at: at.as_millis() });
    }
    Ok(proved)
}

/// An address that was validated for an account.
#[derive(Debug)]
pub struct Proved {
    threepid: Threepid,
    validated_at: u64,
}

/// Gives an account what was proved for it. The validations are spent with the session.
pub fn give(tx: &Tx, app: &App, user: UserKey, proved: Vec<Proved>) -> rusqlite::Result<()> {
    for Proved { threepid, validated_at } in proved {
        add(tx, app, user, threepid, validated_at)?;
    }
    Ok(())
}

/// Gives an address to an account, bound at no identity server.
pub fn add(tx: &Tx, app: &App, user: UserKey, threepid: Threepid, validated_at: u64) -> rusqlite::Result<()> {
    let added_at = app.clock.now_ms();
    let owned = Owned { threepid, id_server: None, bound: false, validated_at, added_at };
    // Whose it is was asked in the same transaction.
    let _added = threepids::add(tx, user, &owned)?;
    Ok(())
}
