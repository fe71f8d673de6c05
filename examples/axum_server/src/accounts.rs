//! Accounts in memory, in the place of a host's database.

use super::{Result, SERVER_NAME};
use argon2::password_hash::phc::PasswordHash;
use axum::response::Response;
use matrix_uia::endpoint::login::LoginResponse;
use matrix_uia::endpoint::register::NewAccount;
use matrix_uia::server::prelude::*;
use std::collections::HashMap;

pub type Users = HashMap<UserRef, User>;

/// Stands for a database: a transaction is a copy of it, and its commit puts that copy in its place.
#[derive(Clone, Default)]
pub struct Accounts {
    /// Counts up with every commit.
    pub version: u64,
    pub users: Users,
    /// How often each registration token may still be used. A use is reserved by a session that has passed that
    /// stage, so that nothing has to be given back when it ends.
    pub tokens: HashMap<Reference, usize>,
}

#[derive(Clone)]
pub struct User {
    pub name: String,
    pub hash: Option<PasswordHash>,
    pub account: Account,
    /// The access token of each device.
    pub devices: HashMap<String, String>,
    /// What its registration logged in.
    pub first_device: Option<String>,
}

impl Accounts {
    pub fn user(&mut self, user: UserRef) -> Result<&mut User> {
        self.users.get_mut(&user).ok_or(MatrixError::unavailable())
    }

    pub fn spend(&mut self, proof: Proof) {
        if let Proof::Token(token) = proof {
            self.tokens.entry(token).and_modify(|uses| *uses = uses.saturating_sub(1));
        }
    }
}

impl User {
    pub fn new(key: &BindingKey, new: NewAccount<PasswordHash>) -> Self {
        let name = new.username.map_or_else(random, |name| name.to_string());
        let first_device = new.login.then(|| new.device_id.map_or_else(random, |id| id.to_string()));
        let (account, hash) = (Account::created(key.user(&name)), Some(new.hash));
        Self { name, hash, account, devices: HashMap::new(), first_device }
    }

    pub fn set_password(&mut self, hash: PasswordHash) {
        (self.hash, self.account) = (Some(hash), self.account.next_epoch());
    }

    /// Logs in on a device, whose earlier token ends.
    pub fn log_in(&mut self, device: Option<String>) -> Response {
        let user_id = format!("@{}:{SERVER_NAME}", self.name);
        let response = LoginResponse::new(Text::new(&user_id));
        let Some(device) = device else { return response.into() };
        let token = random();
        let answer = response.with_login(Secret::new(&token), Text::new(&device)).into();
        self.devices.insert(device, token);
        answer
    }
}

/// Text that nobody guesses.
pub fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}
