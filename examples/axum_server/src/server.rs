//! The server: its policy, its database, and what its handlers have in common.

use crate::db::{Account, Db, Login};
use crate::system::{Answer, Outside, answer};
use crate::transaction::Transaction;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use matrix_uia::endpoint::deactivate::Deactivation;
use matrix_uia::endpoint::password::PasswordStrength;
use matrix_uia::endpoint::register::LoginResponse;
use matrix_uia::server::check::Named;
use matrix_uia::server::drive::{Guarded, Run};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::operation::{ChangePassword, Deactivate, Operation, Register};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::store::{HashedStore, Lifetimes};
use matrix_uia::wire::{Locality, UserIdentifier};
use matrix_uia::{BindingKey, Flows, MatrixError, PolicyError, Rules, Secret, SessionId, Text};
use std::collections::HashMap;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;

pub(crate) const SERVER_NAME: &str = "localhost";

pub struct Server {
    pub(crate) db: Mutex<Db>,
    pub(crate) outside: Box<dyn Outside>,
    pub(crate) argon2: Argon2<'static>,
    /// What an unknown user's password is compared with.
    pub(crate) nobody: String,
    pub(crate) key: BindingKey,
    pub(crate) rules: Rules,
    pub(crate) strength: PasswordStrength,
    pub(crate) register: Flows<'static, Register>,
    pub(crate) password: Flows<'static, ChangePassword>,
    pub(crate) deactivate: Flows<'static, Deactivate>,
}

impl Server {
    /// A server that keeps at most `limit` sessions.
    pub fn new(
        outside: Box<dyn Outside>,
        argon2: Argon2<'static>,
        limit: usize,
    ) -> Result<Self, MatrixError> {
        let mut key = [0; 16];
        outside.entropy(&mut key)?;
        let rules = Rules::default();
        let db = Db {
            version: 0,
            accounts: HashMap::new(),
            logins: HashMap::new(),
            sessions: HashedStore::new(Lifetimes::of(&rules), limit),
            tokens: HashMap::new(),
            reserved: HashMap::new(),
        };
        let policy = |_: PolicyError| MatrixError::unavailable();
        let nobody = hash(&argon2, &[0; 16], b"nobody's").ok_or(MatrixError::unavailable())?;
        Ok(Self {
            db: Mutex::new(db),
            outside,
            argon2,
            nobody,
            key: BindingKey::from_entropy(key),
            rules,
            strength: PasswordStrength::default(),
            register: Flows::new([["m.login.registration_token", "m.login.dummy"]], None).map_err(policy)?,
            password: Flows::new([["m.login.password"]], None).map_err(policy)?,
            deactivate: Flows::new([["m.login.password"]], None).map_err(policy)?,
        })
    }

    /// The database, for as long as the guard lives.
    pub async fn db(&self) -> MutexGuard<'_, Db> {
        self.outside.wait().await;
        self.db.lock().await
    }

    /// What the database calls the user of that name.
    pub fn user(&self, name: &str) -> UserRef {
        self.key.user(name)
    }

    pub(crate) fn guarded<'r, Op: Operation>(&'r self, flows: &'r Flows<'static, Op>) -> Guarded<'r, Op> {
        let kind = HostKind::assume_one_transaction();
        Guarded { flows, rules: &self.rules, key: &self.key, kind }
    }

    pub(crate) const fn transaction<'s>(&'s self, token: Option<&'s str>) -> Transaction<'s> {
        Transaction { server: self, token, version: 0, call: Vec::new(), verified: None }
    }

    pub(crate) fn run<'r, E: Endpoint>(
        &'r self,
        flows: &'r Flows<'static, E::Op>,
        token: Option<&'r str>,
        request: &'r E,
    ) -> Result<Run<'r, Transaction<'r>, E>, MatrixError> {
        let fresh = SessionId::from_entropy(self.entropy()?);
        Ok(Run::new(self.transaction(token), request, self.guarded(flows), fresh, self.outside.now()))
    }

    pub(crate) fn entropy<const N: usize>(&self) -> Result<[u8; N], MatrixError> {
        let mut bytes = [0; N];
        self.outside.entropy(&mut bytes).map(|()| bytes)
    }

    /// Text of 192 random bits.
    pub(crate) fn secret(&self) -> Result<String, MatrixError> {
        Ok(SessionId::from_entropy(self.entropy()?).expose().as_str().to_owned())
    }

    pub(crate) fn new_login(&self, user: UserRef, device: Option<&str>) -> Result<Login, MatrixError> {
        let device = device.map_or_else(|| self.secret(), |device| Ok(device.to_owned()))?;
        Ok(Login { token: self.secret()?, user, device, number: u64::from_le_bytes(self.entropy()?) })
    }

    pub(crate) async fn find(&self, name: &str) -> Option<Account> {
        self.db().await.accounts.get(&self.key.user(name)).cloned()
    }

    /// Whom an identifier names.
    pub(crate) async fn named(&self, identifier: UserIdentifier<'_>) -> (Named, Option<Account>) {
        let name = match identifier.localpart(SERVER_NAME) {
            Locality::Local(name) => name.to_string(),
            Locality::Remote => return (Named::Remote, None),
            _ => return (Named::Nobody, None),
        };
        match self.find(&name).await {
            Some(account) => (Named::User(Subject::new(self.key.user(&name), account.epoch)), Some(account)),
            None => (Named::Nobody, None),
        }
    }

    /// Hashes a password, off the threads that serve requests.
    pub async fn hash(&self, password: Secret<'_>) -> Result<String, MatrixError> {
        let (argon2, salt, password) = (self.argon2.clone(), self.entropy::<16>()?, password.to_owned());
        let hash = spawn_blocking(move || hash(&argon2, &salt, password.expose().as_bytes())).await;
        hash.ok().flatten().ok_or(MatrixError::unavailable())
    }

    /// Whether `password` is the one that `hash` was made from; without one it takes as long, and is wrong.
    pub async fn matches(&self, password: Secret<'_>, hash: Option<String>) -> Result<bool, MatrixError> {
        let (argon2, known, password) = (self.argon2.clone(), hash.is_some(), password.to_owned());
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let matches = move || {
            let hash = PasswordHash::new(&hash).ok();
            hash.is_some_and(|hash| argon2.verify_password(password.expose().as_bytes(), &hash).is_ok())
        };
        let matches = spawn_blocking(matches).await.map_err(|_| MatrixError::unavailable())?;
        Ok(matches && known)
    }

    /// Carries a deactivation out to its end, from wherever it stands; returns it as it is then.
    pub(crate) async fn finish(&self, user: UserRef) -> Option<Deactivation> {
        loop {
            let mut db = self.db().await;
            let left = db.accounts.get(&user)?.leaving.clone()?;
            if left.effect().is_none() {
                return Some(left);
            }
            db.deactivate(left);
        }
    }

    /// Finishes what was left by requests that were dropped: call it at start, and now and then.
    pub async fn resume(&self) {
        let left: Vec<_> = self
            .db()
            .await
            .accounts
            .iter()
            .filter(|(_, it)| it.leaving.is_some())
            .map(|(user, _)| *user)
            .collect();
        for user in left {
            let _ = self.finish(user).await;
        }
    }
}

fn hash(argon2: &Argon2<'_>, salt: &[u8], password: &[u8]) -> Option<String> {
    argon2.hash_password_with_salt(password, salt).ok().map(|hash: PasswordHash| hash.to_string())
}

/// What a login and a registration are answered with.
#[derive(Default)]
pub(crate) struct LoggedIn {
    user_id: String,
    login: Option<(String, String)>,
}

impl LoggedIn {
    pub(crate) fn new(name: &str, login: Option<&Login>) -> Self {
        let login = login.map(|login| (login.token.clone(), login.device.clone()));
        Self { user_id: format!("@{name}:{SERVER_NAME}"), login }
    }

    pub(crate) fn answer(&self) -> Answer {
        let response = LoginResponse::new(Text::new(&self.user_id));
        let response = match &self.login {
            Some((token, device)) => response.with_login(Secret::new(token), Text::new(device)),
            None => response,
        };
        answer(|out| response.write(out))
    }
}
