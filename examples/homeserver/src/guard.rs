//! What an operation of a logged-in user is guarded with. An account without a password (an application service's
//! user, one that logs in elsewhere) is not offered a stage that it can't pass.

use crate::config::FlowList;
use crate::db::users::User;
use matrix_uia::server::operation::Operation;
use matrix_uia::wire::Raw;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{Flows, MatrixError, PolicyError};

const PASSWORD: &str = "m.login.password";

/// The flows of an operation.
#[derive(Debug)]
pub struct Guard<Op> {
    all: Flows<'static, Op>,
    without_password: WithoutPassword<Op>,
}

/// What of them an account without a password can pass.
#[derive(Debug)]
enum WithoutPassword<Op> {
    All,
    Some(Box<Flows<'static, Op>>),
    None,
}

impl<Op: Operation> Guard<Op> {
    /// # Errors
    ///
    /// The flows can't be completed.
    pub fn new(flows: &FlowList, params: Raw<'_>) -> Result<Self, PolicyError> {
        let asks = |flow: &&Vec<String>| flow.iter().any(|stage| stage == PASSWORD);
        let others: Vec<_> = flows.iter().filter(|flow| !asks(flow)).collect();
        let without_password = if others.len() == flows.len() {
            WithoutPassword::All
        } else if others.is_empty() {
            WithoutPassword::None
        } else {
            WithoutPassword::Some(Box::new(Flows::new(others, Some(params))?))
        };
        Ok(Self { all: Flows::new(flows, Some(params))?, without_password })
    }

    /// Every flow.
    pub const fn all(&self) -> &Flows<'static, Op> {
        &self.all
    }

    /// What a user is offered, and whether it can be passed: for a call that may need no authentication.
    pub fn offered(&self, user: &User) -> (&Flows<'static, Op>, bool) {
        match &self.without_password {
            WithoutPassword::Some(flows) if !user.has_password => (flows, true),
            WithoutPassword::None => (&self.all, user.has_password),
            _ => (&self.all, true),
        }
    }

    /// What a user is offered.
    ///
    /// # Errors
    ///
    /// 403 `M_FORBIDDEN` if there is nothing that they could pass.
    pub fn required(&self, user: &User) -> Result<&Flows<'static, Op>, MatrixError> {
        match self.offered(user) {
            (flows, true) => Ok(flows),
            (_, false) => Err(no_way()),
        }
    }
}

/// The answer to a user who can't authenticate in any of the ways that there are.
pub const fn no_way() -> MatrixError {
    MatrixError::new(ErrorCode::Forbidden, "This needs a password, and the account has none.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use matrix_uia::server::operation::Deactivate;
    use matrix_uia::wire::AuthType;

    fn offered(flows: &[&[&str]], has_password: bool) -> Option<[bool; 2]> {
        let flows = flows.iter().map(|flow| flow.iter().map(|stage| (*stage).to_owned()).collect()).collect();
        let guard = Guard::<Deactivate>::new(&flows, Raw::parse("{}").unwrap()).unwrap();
        let user = User { has_password, ..User::unregistered("ghost") };
        let flows = guard.required(&user).ok()?;
        Some([AuthType::Password, AuthType::Sso].map(|stage| flows.offers(stage)))
    }

    #[test]
    fn an_account_without_a_password_is_offered_what_it_can_pass() {
        let (password, sso, both): (&[_], &[_], &[_]) =
            (&["m.login.password"], &["m.login.sso"], &["m.login.password", "m.login.email.identity"]);
        assert_eq!(offered(&[password, sso], true), Some([true, true]));
        assert_eq!(offered(&[password, sso], false), Some([false, true]));
        assert_eq!(offered(&[sso, both], false), Some([false, true]));
        assert_eq!(offered(&[sso], false), Some([false, true]));
        assert_eq!(offered(&[both], false), None);
        assert_eq!(offered(&[both], true), Some([true, false]));
    }
}
