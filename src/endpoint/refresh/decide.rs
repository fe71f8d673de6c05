//! Whether a token that is presented is good.

use super::generation::Presented;
use crate::server::account::{AccountStatus, Action};
use crate::wire::error::MatrixError;

/// Whether an access token is good. `presented` is `None` for a token that is unknown.
///
/// `expired` is [`Timestamp::has_passed`](crate::Timestamp::has_passed) of the time that was
/// stored with the token: one that was made while the clock was wrong must not live on for
/// years (lesson 104).
///
/// One that has expired is not used by being presented: its generation must not become
/// the device's, or a client whose answer was lost would have nothing left.
///
/// # Errors
///
/// 401 `M_UNKNOWN_TOKEN`, with `soft_logout` if the device lives on. What the account's
/// status says comes after this, but for the soft logout: a lock outlives the token, so
/// ask [`AccountStatus::gate`] in any case where there is an account.
pub const fn check_access(presented: Option<Presented>, expired: bool) -> Result<(), MatrixError> {
    match presented {
        None => Err(MatrixError::unknown_token(false)),
        Some(presented) if presented.is_good() && !expired => Ok(()),
        Some(_) => Err(MatrixError::unknown_token(true)),
    }
}

/// Whether a refresh goes ahead: `presented` is what the refresh token is, with the
/// status of its account, or `None` if it is unknown.
///
/// # Errors
///
/// 401 `M_UNKNOWN_TOKEN`, with `soft_logout` where the device lives on; 401
/// `M_USER_LOCKED`, which leaves the token as it is.
pub fn decide(presented: Option<(Presented, AccountStatus)>) -> Result<(), MatrixError> {
    let (presented, status) = presented.ok_or(MatrixError::unknown_token(false))?;
    status.gate(Action::Refresh)?;
    check_access(Some(presented), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::account::Event;
    use crate::wire::error::ErrorCode;

    #[test]
    fn an_expired_token_is_no_use_and_no_first_use() {
        for presented in [Presented::Live, Presented::FirstUse, Presented::Spent] {
            assert_eq!(check_access(Some(presented), true), Err(MatrixError::unknown_token(true)));
        }
        assert_eq!(check_access(None, false), Err(MatrixError::unknown_token(false)));
        assert_eq!(check_access(Some(Presented::FirstUse), false), Ok(()));
    }

    #[test]
    fn a_lock_outlives_the_token_and_so_does_being_gone() {
        let code = |presented, event| {
            decide(Some((presented, AccountStatus::default().on(event).unwrap()))).unwrap_err()
        };
        for presented in [Presented::Live, Presented::Spent] {
            assert_eq!(code(presented, Event::Lock).code(), ErrorCode::UserLocked);
            assert_eq!(code(presented, Event::Fence), MatrixError::unknown_token(false));
        }
    }
}
