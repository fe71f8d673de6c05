//! Users, their access tokens and what is done to them.

use std::collections::BTreeMap;

use matrix_uia::server::account::AccountStatus;
use matrix_uia::server::reference::{Subject, UserRef};

use super::Server;

#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) number: u64,
    /// "Has no password" is a type, not a string.
    pub(crate) hash: Option<String>,
    pub(crate) status: AccountStatus,
    pub(crate) epoch: u32,
    /// Access token → device.
    pub(crate) tokens: BTreeMap<String, String>,
    pub(crate) threepids: Vec<u64>,
}

/// What stands in for a slow hash.
pub(crate) fn hash(password: &str) -> String {
    format!("hash of {password}")
}

impl Server {
    /// A user with a password and one device, whose access token is `<name>-token`.
    pub(crate) fn add_user(&mut self, name: &'static str, password: &str) {
        let number = 100 + self.users.len() as u64;
        let tokens = BTreeMap::from([(format!("{name}-token"), "PHONE".to_owned())]);
        let user = User { number, hash: Some(hash(password)), tokens, ..User::default() };
        self.users.insert(name, user);
    }

    pub(crate) fn add_device(&mut self, name: &str, token: &str, device: &str) {
        self.user(name).tokens.insert(token.to_owned(), device.to_owned());
    }

    pub(crate) fn user(&mut self, name: &str) -> &mut User {
        self.users.get_mut(name).unwrap()
    }

    pub(crate) fn by_number(&mut self, user: UserRef) -> &mut User {
        self.users.values_mut().find(|it| UserRef::new(it.number) == user).unwrap()
    }

    /// Whose token it is.
    pub(crate) fn subject(&self, token: &str) -> Option<(Subject, AccountStatus, String)> {
        self.users.values().find_map(|user| {
            let device = user.tokens.get(token)?;
            let subject = Subject::new(UserRef::new(user.number), user.epoch);
            Some((subject, user.status, device.clone()))
        })
    }

    pub(crate) fn devices(&self, name: &str) -> Vec<&str> {
        self.users[name].tokens.values().map(String::as_str).collect()
    }
}
