//! All that the exchange asks of this server.

use crate::db::{Account, Db, Login, Write};
use crate::server::{LoggedIn, Server};
use matrix_uia::endpoint::register::{Localpart, NewAccount};
use matrix_uia::server::account::{Account as UiaAccount, AccountStatus};
use matrix_uia::server::commit::Committed;
use matrix_uia::server::drive::{Changes, Host, Loaded, Verified};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::store::Store as _;
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::{MatrixError, Secret, SessionId};

/// One request's transaction: what it has read, and what it will write.
pub(crate) struct Transaction<'s> {
    pub(crate) server: &'s Server,
    pub(crate) token: Option<&'s str>,
    /// The database's version at the load.
    pub(crate) version: u64,
    /// What the call writes, and what a verdict has reserved before it.
    pub(crate) call: Vec<Write>,
    pub(crate) verified: Option<Write>,
}

impl<'r, E: Endpoint> Host<'r, E> for Transaction<'_> {
    type Hash = String;
    type Error = MatrixError;

    async fn load(&mut self, session: Option<SessionId>) -> Result<Loaded<E::Stored>, MatrixError> {
        let mut db = self.server.db().await;
        let now = self.server.outside.now();
        db.expire(now);
        *self = Transaction { version: db.version, ..self.server.transaction(self.token) };
        let record = session.and_then(|id| db.sessions.load(&id));
        let session = record.map(|record| record.session.clone());
        let stored = record.and_then(|record| serde_json::from_str(&record.kept).ok());
        Ok(Loaded { session, stored, caller: db.caller(self.token), now })
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<UiaAccount>, MatrixError> {
        Ok(self.server.db().await.account(user))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, MatrixError> {
        Ok(match question.check() {
            Check::Password(check) => {
                let (named, account) = self.server.named(check.identifier()).await;
                let comparison = check.named(named);
                let hash =
                    account.filter(|_| comparison.against().is_some()).and_then(|account| account.hash);
                let right = self.server.matches(comparison.password(), hash).await?;
                Verified::Outside(comparison.verdict(right))
            }
            Check::RegistrationToken { token } => {
                let (id, token) = (question.session_id(), token.expose().to_string());
                let uses = self.server.db().await.tokens.get(&token).copied();
                if uses.is_none_or(|uses| uses == 0) {
                    return Ok(Verified::InTransaction(Verdict::Failed(StageFailure::Token)));
                }
                self.verified = Some(Box::new(move |db| db.reserve(id, token)));
                Verified::InTransaction(Verdict::Passed(Evidence::token(Reference::default())))
            }
            // No flow of this server has any of them.
            Check::Recaptcha { .. } | Check::Email(_) | Check::Msisdn(_) => {
                Verified::Outside(Verdict::Unavailable)
            }
            Check::Awaited { .. } | Check::Custom { .. } => Verified::Outside(Verdict::Unavailable),
        })
    }

    async fn release(&mut self) {
        (self.call, self.verified) = (Vec::new(), None);
    }

    async fn hash(&mut self, password: Secret<'_>) -> Result<String, MatrixError> {
        self.server.hash(password).await
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> Result<Committed, MatrixError> {
        let kept = stored.map(serde_json::to_string).transpose().map_err(|_| MatrixError::unavailable())?;
        let mut db = self.server.db().await;
        let (verified, call) = (self.verified.take(), std::mem::take(&mut self.call));
        let now = self.server.outside.now();
        let committed = db.commit(self.version, changes.iter(), kept, verified, call, now);
        self.version = db.version;
        Ok(committed)
    }
}

impl Transaction<'_> {
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Db) + Send + 'static) {
        self.call.push(Box::new(write));
    }

    pub(crate) async fn create(&mut self, new: NewAccount<String>) -> Result<(Outcome, LoggedIn), Refusal> {
        let name = match new.username {
            Some(name) => name.as_str().to_owned(),
            None => format!("u{}", self.server.secret()?.to_lowercase()),
        };
        if self.server.find(&name).await.is_some() {
            return Err(Refusal::for_params(Localpart::in_use()));
        }
        let user = self.server.key.user(&name);
        let login = self.server.new_login(user, new.device_id.as_deref())?;
        let logged_in = LoggedIn::new(&name, new.login.then_some(&login));
        let outcome = Outcome::new(Reference::new(login.number)).of_account(Subject::new(user, 0));
        let account =
            Account { name, hash: Some(new.hash), epoch: 0, status: AccountStatus::default(), leaving: None };
        self.write(move |db| {
            db.accounts.insert(user, account);
            new.login.then(|| db.log_in(login));
        });
        Ok((outcome, logged_in))
    }

    /// A new token for the device of a finished registration, whose earlier one ends; `None`: it is gone.
    pub(crate) async fn repeat(
        &mut self,
        user: Option<UserRef>,
        made: Reference,
    ) -> Result<Option<LoggedIn>, MatrixError> {
        let db = self.server.db().await;
        let Some((user, account)) = user.and_then(|user| Some((user, db.accounts.get(&user)?))) else {
            return Ok(None);
        };
        let Some(old) = db.logins.values().find(|login| login.number == made.get()) else {
            return Ok((made == Reference::default()).then(|| LoggedIn::new(&account.name, None)));
        };
        let login = Login { number: old.number, ..self.server.new_login(user, Some(&old.device))? };
        let logged_in = LoggedIn::new(&account.name, Some(&login));
        drop(db);
        self.write(move |db| db.log_in(login));
        Ok(Some(logged_in))
    }
}
