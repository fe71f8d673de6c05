//! Whether a login goes ahead, once the host knows all that it can know.

use crate::endpoint::appservice::ServiceToken;
use crate::server::account::{Account, AccountStatus, Action};
use crate::server::reference::{Subject, UserRef};
use crate::wire::error::{ErrorCode, MatrixError};

/// Whether a login by password goes ahead.
///
/// An unknown user and a wrong password are one answer, and have to be the same work
/// (rule L2). That an account is locked is told only after the right password; that it
/// is gone is told to everybody unless `hide_deactivated`, since nobody can prove to
/// have had it.
///
/// # Errors
///
/// 403 `M_FORBIDDEN`, 401 `M_USER_LOCKED`, 403 `M_USER_DEACTIVATED`.
pub fn decide(
    account: Option<AccountStatus>,
    password_is_right: bool,
    hide_deactivated: bool,
) -> Result<(), MatrixError> {
    let Some(status) = account else { return Err(wrong_password()) };
    match status.gate(Action::Login) {
        Err(gone) if gone.code() == ErrorCode::UserDeactivated && !hide_deactivated => Err(gone),
        Err(gone) if gone.code() == ErrorCode::UserDeactivated => Err(wrong_password()),
        _ if !password_is_right => Err(wrong_password()),
        gate => gate,
    }
}

const fn wrong_password() -> MatrixError {
    MatrixError::new(ErrorCode::Forbidden, "Invalid username or password.")
}

/// The same as [`decide`] where comparing takes its time: `compared` is whose password it was
/// compared with, `now` that account in the transaction that makes the login. If the account's
/// epoch is another by then, the password that was compared is not the account's any more.
///
/// Returns who is logged in.
///
/// # Errors
///
/// Those of [`decide`].
pub fn decide_now(
    compared: Option<Subject>,
    now: Option<Account>,
    password_is_right: bool,
    hide_deactivated: bool,
) -> Result<UserRef, MatrixError> {
    let as_compared = now.is_some_and(|now| compared == Some(now.subject));
    decide(now.map(|now| now.status), password_is_right && as_compared, hide_deactivated)?;
    now.map(|now| now.subject.user).ok_or(MatrixError::unavailable())
}

/// Whether a login by token goes ahead. `account` is that of the token's user; `None` if
/// the token is unknown, used or expired: [`Timestamp::has_run_out`] of the time at which it
/// was made.
///
/// A token is good for one login: look it up and use it up in the act that makes the
/// login. A login that is refused leaves it as it was.
///
/// # Errors
///
/// 403 `M_FORBIDDEN`, 401 `M_USER_LOCKED`, 403 `M_USER_DEACTIVATED`.
///
/// [`Timestamp::has_run_out`]: crate::Timestamp::has_run_out
pub fn decide_token(account: Option<AccountStatus>, hide_deactivated: bool) -> Result<(), MatrixError> {
    let invalid = MatrixError::new(ErrorCode::Forbidden, "This login token is unknown, expired or used.");
    gate(account.ok_or(invalid)?, hide_deactivated.then_some(invalid))
}

/// Whether an application service logs in as one of its users. `account` is that
/// user's, `None` if there is no such user.
///
/// Whether the name lies in the namespace comes before whether there is such a user:
/// an application service learns nothing about names that aren't its own.
///
/// # Errors
///
/// 401 `M_MISSING_TOKEN`; 403 `M_FORBIDDEN` if the token is no application service's, or
/// there is no such user, as [that section] says (the application service's own API says
/// 401 `M_UNKNOWN_TOKEN` of the first); 400 `M_EXCLUSIVE` outside its namespace; what the
/// account's status says.
///
/// [that section]: https://spec.matrix.org/v1.19/client-server-api/#appservice-login
pub fn decide_appservice(token: ServiceToken, account: Option<AccountStatus>) -> Result<(), MatrixError> {
    let refused = MatrixError::new(ErrorCode::Forbidden, "The application service has no such user.");
    token.owns(refused)?;
    account.ok_or(refused)?.gate(Action::Login)
}

/// The status's word on a login; `hidden` in the place of that the account is gone.
fn gate(status: AccountStatus, hidden: Option<MatrixError>) -> Result<(), MatrixError> {
    status.gate(Action::Login).map_err(|refused| match hidden {
        Some(hidden) if refused.code() == ErrorCode::UserDeactivated => hidden,
        _ => refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::account::Event;

    fn status(event: Event) -> Option<AccountStatus> {
        AccountStatus::default().on(event).ok()
    }

    #[test]
    fn a_wrong_password_learns_nothing_about_the_lock() {
        let locked = status(Event::Lock);
        let wrong = decide(locked, false, false).unwrap_err();
        assert_eq!(wrong, decide(None, false, false).unwrap_err());
        assert_eq!(decide(locked, true, false).unwrap_err().code(), ErrorCode::UserLocked);
    }

    #[test]
    fn a_password_that_was_replaced_while_it_was_compared_is_wrong() {
        let alice = Account::new(Subject::new(UserRef::new(1), 4), AccountStatus::default());
        let decide = |compared, now| decide_now(compared, now, true, false);
        assert_eq!(decide(Some(alice.subject), Some(alice)), Ok(alice.subject.user));
        let wrong = decide_now(Some(alice.subject), Some(alice), false, false);
        assert_eq!(decide(Some(alice.subject), Some(alice.next_epoch())), wrong);
        assert_eq!(decide(None, Some(alice)), wrong, "somebody who registered meanwhile");
        assert_eq!(decide(None, None), wrong);
    }

    #[test]
    fn an_account_that_is_gone_says_so_unless_it_is_hidden() {
        let gone = status(Event::Fence);
        assert_eq!(decide(gone, false, false).unwrap_err().code(), ErrorCode::UserDeactivated);
        assert_eq!(decide(gone, true, true).unwrap_err(), decide(None, false, true).unwrap_err());
        assert_eq!(decide_token(gone, false).unwrap_err().code(), ErrorCode::UserDeactivated);
        assert_eq!(decide_token(gone, true), decide_token(None, true));
    }

    #[test]
    fn one_gate_for_every_way_in() {
        for event in [Event::Lock, Event::Fence] {
            let account = status(event);
            let token = ServiceToken::Service { in_namespace: true };
            let by_password = decide(account, true, false);
            assert_eq!(decide_token(account, false), by_password);
            assert_eq!(decide_appservice(token, account), by_password);
        }
    }
}
