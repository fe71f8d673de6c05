//! What the exchange asks of this server, and what it writes.

use super::{Result, SERVER_NAME, Server};
use crate::accounts::{Accounts, Users};
use argon2::{PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash};
use matrix_uia::server::prelude::*;
use tokio::task;

/// One request's transaction.
pub struct Transaction<'s> {
    pub server: &'s Server,
    pub token: Option<&'s str>,
    pub accounts: Accounts,
}

impl Server {
    /// Compares a password with that of the user it has to be; with nobody's it takes as long.
    pub async fn compare<'r>(
        &self,
        users: &Users,
        check: PasswordCheck<'r>,
    ) -> Result<(Comparison<'r>, bool)> {
        let find = |name: Text<'_>| Some(users.get(&self.key.user(&name.to_string()))?.account.subject);
        let compared = check.named(Named::by_localpart(check.identifier(), SERVER_NAME, find));
        let hash = compared.against().and_then(|user| users.get(&user)?.hash.clone());
        let (argon2, password) = (self.argon2.clone(), compared.password().to_owned());
        let right = slow(move || match hash {
            Some(hash) => argon2.verify_password(password.expose().as_bytes(), &hash).is_ok(),
            None => argon2.hash_password(password.expose().as_bytes()).is_err(),
        });
        Ok((compared, right.await?))
    }
}

impl<'r, E: Endpoint> Host<'r, E> for Transaction<'_> {
    type Hash = PasswordHash;
    type Error = MatrixError;

    async fn load(&mut self, session: Option<SessionId>) -> Result<Loaded<E::Stored>> {
        let (db, now) = (&mut *self.server.db().await, self.server.now());
        while db.sessions.expire(now).is_some() {}
        self.accounts = db.accounts.clone();
        let mut users = self.accounts.users.values();
        let find = |token| Some(users.find(|user| user.devices.values().any(|it| it == token))?.account);
        let caller = Caller::of_token(self.token, find);
        let record = session.and_then(|id| db.sessions.load(&id));
        Ok(Loaded::from_record(record, |kept| serde_json::from_str(kept).ok(), caller, now))
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<Account>> {
        Ok(self.accounts.users.get(&user).map(|user| user.account))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>> {
        Ok(match question.check() {
            Check::Password(check) => {
                let (compared, right) = self.server.compare(&self.accounts.users, check).await?;
                Verified::Outside(compared.verdict(right))
            }
            Check::RegistrationToken { token } => {
                let token = self.server.key.reference(token.expose());
                let reserved = self.server.db().await.sessions.holding(Proof::Token(token));
                let is_left = self.accounts.tokens.get(&token).is_some_and(|uses| reserved < *uses);
                let passed = Verdict::Passed(Evidence::token(token));
                Verified::InTransaction(if is_left { passed } else { Verdict::Failed(StageFailure::Token) })
            }
            _ => Verified::Outside(Verdict::Unavailable), // no flow of this server has another
        })
    }

    async fn release(&mut self) {} // the next load makes another copy

    async fn hash(&mut self, password: Secret<'_>) -> Result<PasswordHash> {
        let (argon2, password) = (self.server.argon2.clone(), password.to_owned());
        let hash = slow(move || argon2.hash_password(password.expose().as_bytes())).await?;
        hash.map_err(|_| MatrixError::unavailable())
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> Result<Committed> {
        let kept = stored.and_then(|stored| serde_json::to_string(stored).ok());
        let db = &mut *self.server.db().await;
        if db.accounts.version != self.accounts.version {
            return Ok(Committed::Lost);
        }
        let (owner, now) = (OwnerKey::NOBODY, self.server.now());
        let committed = changes.carry_out(&mut db.sessions, kept, owner, now, |change| match change {
            HostChange::Undo => self.accounts = db.accounts.clone(),
            HostChange::Spend { proof, .. } => self.accounts.spend(proof),
            HostChange::GiveBack { .. } => {} // a reservation is over with its session
        });
        if committed == Committed::Stored {
            self.accounts.version = self.accounts.version.wrapping_add(1);
            db.accounts = self.accounts.clone();
        }
        Ok(committed)
    }
}

/// Hashing is slow: it is done off the threads that serve requests.
async fn slow<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    task::spawn_blocking(work).await.map_err(|_| MatrixError::unavailable())
}
