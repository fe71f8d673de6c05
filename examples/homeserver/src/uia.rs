//! The homeserver as the crate's host: what an exchange asks about one request is looked up and stored here, in one
//! transaction from the load to the commit.

use crate::app::App;
use crate::db::users::{self, Phase};
use crate::db::{self, Tx, records, tokens};
use crate::failure::Failure;
use crate::guests::Upgradable;
use crate::http::answer;
use crate::kept;
use crate::password::{PasswordHash, normal_form};
use crate::secrets::{SecretHash, entropy};
use crate::sessions::{Ahead, Claim, ClaimOf, Found, Keep, Known};
use crate::who::{self, Peer, Who};
use axum::http::StatusCode;
use axum::response::Response;
use matrix_uia::server::account::{Account, Caller};
use matrix_uia::server::call::RefusedCall;
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::drive::{
    self, Changes, Guarded, Host, Loaded, Performing, Recalled, Run, Stop, Verified,
};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::Register;
use matrix_uia::server::question::Question;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::{Flows, MatrixError, Secret, Session, SessionId, Timestamp};
use rusqlite::Connection;

/// How often one request may lose a race before it is given up. Each time somebody else has won.
const PATIENCE: u8 = 32;

/// What stands behind one request: who makes it, and its transaction.
#[derive(Debug)]
pub struct UiaHost<'r> {
    pub app: &'r App,
    pub peer: &'r Peer,
    asker: Asker,
    /// The transaction. Where sessions are not in the database, it begins when an account is first asked about: many a
    /// request for a challenge asks about none.
    tx: Option<Tx>,
    /// The account of the access token, as it was loaded.
    caller: Option<Subject>,
    /// What the answer is made of again when the request is repeated, as JSON.
    result: String,
    has_expired: bool,
    lost: u8,
    /// The session, as it was loaded last. On the heap, as all that a request for a challenge has not.
    loaded: Option<Box<(SessionId, Session)>>,
    /// What is known of a session elsewhere.
    known: Known,
    /// What is claimed for the call of this request, and is not carried out yet.
    claim: Option<Box<Claim>>,
}

impl Drop for UiaHost<'_> {
    /// The call failed, or its client is gone.
    fn drop(&mut self) {
        self.give_up();
        if let Some(claim) = self.claim.take() {
            self.app.sessions.unclaim(&self.app.db, *claim);
        }
    }
}

/// By what the request says who makes it.
#[derive(Clone, Copy, Debug)]
enum Asker {
    Nobody,
    Token(SecretHash),
    /// By an application service's token, which doesn't end.
    Service(UserRef),
}

/// One request of a guarded endpoint on its way.
pub type Request<'r, E> = Run<'r, UiaHost<'r>, E>;

/// Begins the exchange of a request that has been checked.
pub fn begin<'r, E: Endpoint>(
    app: &'r App,
    peer: &'r Peer,
    who: Option<&Who>,
    flows: &'r Flows<'static, E::Op>,
    request: &'r E,
) -> Request<'r, E> {
    let fresh = SessionId::from_entropy(entropy());
    Run::new(UiaHost::new(app, peer, who), request, guarded(app, flows), fresh, peer.arrived)
}

/// Ends a registration whose parameters are refused before it can be checked: others may be sent.
pub async fn refuse_registration<'r>(
    app: &'r App,
    peer: &'r Peer,
    refused: RefusedCall<'r, Register>,
) -> Failure {
    let mut host = UiaHost::new(app, peer, None);
    let guarded = guarded(app, &app.policies.register);
    drive::refuse::<_, Upgradable<'_>>(&mut host, guarded, refused, peer.arrived).await.into()
}

fn guarded<'r, Op>(app: &'r App, flows: &'r Flows<'static, Op>) -> Guarded<'r, Op> {
    let policies = &app.policies;
    Guarded { flows, rules: &policies.rules, key: &policies.key, kind: app.sessions.kind() }
}

/// Reports how a call ended that was carried out in the request's transaction.
///
/// # Errors
///
/// What is no refusal: the request ends, and everything is undone.
pub async fn ended<'r, E: Endpoint>(
    request: &mut Request<'r, E>,
    call: Performing<'r, E::Op>,
    done: Result<Outcome, Failure>,
) -> Result<(), Failure> {
    let done = match done {
        Ok(outcome) => {
            if call.session_id().is_some() {
                request.host.has_authenticated().await?;
            }
            Ok(outcome)
        }
        Err(Failure::Refused(refusal)) => Err(refusal),
        Err(Failure::Reject(error)) => Err(Refusal::new(error)),
        Err(failure) => return Err(failure),
    };
    // Later than when the request came in, so that what came in between is told from what comes after.
    let now = request.host.app.clock.now();
    request.done(call, done, now);
    Ok(())
}

/// `{}` with 200.
pub fn empty() -> Response {
    answer::json(StatusCode::OK, "{}")
}

impl<'r> UiaHost<'r> {
    pub fn new(app: &'r App, peer: &'r Peer, who: Option<&Who>) -> Self {
        let asker = match who {
            None => Asker::Nobody,
            Some(Who { token: Some(token), .. }) => Asker::Token(*token),
            Some(who) => Asker::Service(who::user_ref(&who.user)),
        };
        Self {
            app,
            peer,
            asker,
            tx: None,
            caller: None,
            result: String::new(),
            has_expired: false,
            lost: 0,
            loaded: None,
            known: Known::default(),
            claim: None,
        }
    }

    /// The transaction: one from its first use after the load to the commit.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn tx(&mut self) -> Result<&Tx, Failure> {
        let tx = match self.tx.take() {
            Some(tx) => tx,
            None => self.app.db.begin().await?,
        };
        Ok(self.tx.insert(tx))
    }

    /// Looks something up with one statement: in the transaction if there is one, which is not begun for it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn look<T>(&mut self, look: impl Fn(&Connection) -> db::Result<T>) -> Result<T, Failure> {
        if let Some(tx) = &self.tx {
            return Ok(look(tx)?);
        }
        let app = self.app;
        Ok(app.db.look(look).await?)
    }

    /// Keeps what the answer is made of again when the request is repeated.
    pub fn keep_result(&mut self, result: String) {
        self.result = result;
    }

    /// What was kept so.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn kept_result(&mut self, session: SessionId) -> Result<Option<String>, Failure> {
        let session = self.app.sessions.digest(&session);
        let record = records::load(self.tx().await?, session)?;
        Ok(record.map(|record| record.result))
    }

    /// Ends the transaction, whatever was written in it.
    pub fn give_up(&mut self) {
        self.tx = None;
    }

    /// Ends a transaction in which something was looked up that need not stay so: nobody waits for it while the request
    /// goes on. Where sessions are in the database it stays open, for the session was loaded in it.
    pub fn has_looked_up(&mut self) {
        if !self.app.sessions.are_in_the_database() {
            self.give_up();
        }
    }

    /// Loads the session. What has run out ends in a transaction of its own, whatever becomes of this one.
    pub async fn open(
        &mut self,
        session: Option<SessionId>,
    ) -> Result<(Option<(Session, Vec<u8>)>, Timestamp), Failure> {
        self.give_up();
        let app = self.app;
        // What can't be given back now, a later request gives back.
        let _later = app.sessions.settle(&app.db).await;
        let found =
            match app.sessions.load_ahead(session, &mut self.known).await.map_err(Failure::Sessions)? {
                Ahead::Found(found) => found,
                Ahead::InDatabase => Box::pin(self.open_database(session)).await?,
            };
        let now = app.clock.now();
        self.loaded = session.zip(found.as_ref().map(|found| found.session)).map(Box::new);
        Ok((found.map(|found| (found.session, found.kept)), now))
    }

    /// The same where sessions are in the database: in the transaction that the request goes on in.
    async fn open_database(&mut self, session: Option<SessionId>) -> Result<Option<Found>, Failure> {
        let app = self.app;
        if !self.has_expired {
            self.has_expired = true;
            if app.sessions.expire(self.tx().await?, app.clock.now())?
                && let Some(tx) = self.tx.take()
            {
                tx.commit()?;
            }
        }
        let tx = self.tx().await?;
        Ok(session.map(|id| app.sessions.load(tx, &id)).transpose()?.flatten())
    }

    async fn caller(&mut self) -> Result<Caller, Failure> {
        let user = match self.asker {
            Asker::Nobody => return Ok(Caller::Nobody),
            Asker::Token(token) => match tokens::owner(self.tx().await?, &token)? {
                Some((_, _, true)) => return Ok(Caller::Ended(MatrixError::unknown_token(true))),
                Some((user, _, false)) => user,
                // A password change meanwhile ends the other devices: what one of those had under way must not
                // undo it.
                None => return Ok(Caller::Ended(MatrixError::unknown_token(false))),
            },
            Asker::Service(user) => match users::by_key(self.tx().await?, user.into())? {
                Some(user) if user.phase == Phase::Active => user,
                _ => return Ok(Caller::Ended(who::appservice_user_is_gone())),
            },
        };
        Ok(Caller::User(who::account(&user)))
    }

    /// The account of a user, as it is now.
    pub async fn account_now(&mut self, user: UserRef) -> Result<Option<Account>, Failure> {
        Ok(users::by_key(self.tx().await?, user.into())?.as_ref().map(who::account))
    }

    /// The request's token has completed authentication.
    async fn has_authenticated(&mut self) -> Result<(), Failure> {
        if let (Asker::Token(token), Some(caller)) = (self.asker, self.caller) {
            let now = self.app.clock.now_ms();
            tokens::mark_uia(self.tx().await?, &token, now, caller.epoch)?;
        }
        Ok(())
    }

    /// The claim that a change makes.
    fn claimed_by(&self, change: &Change<'_>) -> Option<Box<Claim>> {
        let Change::Put(Put { id, expected, session, .. }) = *change else { return None };
        if !session.is_claimed() {
            return None;
        }
        let loaded = self.loaded.as_deref().filter(|(loaded, _)| expected.is_some() && *loaded == id);
        let of = match loaded {
            Some((_, before)) => ClaimOf::Open { before: *before },
            None => ClaimOf::New { session: *session },
        };
        Some(Box::new(Claim { id, revision: session.revision(), of }))
    }

    /// Carries every change out and ends the transaction.
    pub async fn store<'c>(
        &mut self,
        changes: impl Iterator<Item = Change<'c>> + Clone + Send,
        kept: Option<Vec<u8>>,
    ) -> Result<Committed, Failure> {
        let tx = self.tx.take();
        let sessions = &self.app.sessions;
        let owner = sessions.owner(self.caller.map(|caller| caller.user), self.peer.counted());
        let result = std::mem::take(&mut self.result);
        let claim = changes.clone().find_map(|change| self.claimed_by(&change));
        let known = sessions.known_after(&mut self.known, changes.clone(), kept.as_deref());
        let keep = Keep { kept, result: &result, owner, claim: claim.clone() };
        let committed = match sessions.commit(&self.app.db, tx, changes.clone(), keep).await {
            Ok(committed) => committed,
            Err(error) => {
                if let Some(claim) = self.claim.take() {
                    sessions.unclaim(&self.app.db, *claim);
                    let _later = sessions.settle(&self.app.db).await;
                }
                return Err(error);
            }
        };
        if committed == Committed::Stored {
            let theirs = |had: &Claim| changes.clone().any(|change| is_about(&change, had.id));
            // A request may also end without a word about what it has claimed: its token is gone.
            self.claim = claim.or(self.claim.take().filter(|had| !theirs(had)));
            self.known = known;
            // After the claim is kept, so that it is taken back should the client hang up here.
            let _later = sessions.settle(&self.app.db).await;
        }
        if committed == Committed::Lost {
            self.lost = self.lost.saturating_add(1);
            if self.lost > PATIENCE {
                return Err(MatrixError::unavailable().into());
            }
        }
        Ok(committed)
    }
}

/// Whether a change is about the session of this ID.
fn is_about(change: &Change<'_>, session: SessionId) -> bool {
    matches!(change, Change::Put(Put { id, .. }) | Change::Remove { id, .. } if *id == session)
}

impl<'r, E: Endpoint> Host<'r, E> for UiaHost<'_> {
    type Hash = PasswordHash;
    type Error = Failure;

    async fn load(&mut self, session: Option<SessionId>) -> Result<Loaded<E::Stored>, Failure> {
        let (found, now) = self.open(session).await?;
        let caller = match self.asker {
            Asker::Nobody => Caller::Nobody,
            _ => Box::pin(self.caller()).await?,
        };
        self.caller = match caller {
            Caller::User(account) => Some(account.subject),
            Caller::Nobody | Caller::Ended(_) => None,
        };
        let (session, kept) = found.unzip();
        let stored = kept.and_then(|kept| kept::read(&kept));
        Ok(Loaded { session, stored, caller, now })
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<Account>, Failure> {
        self.account_now(user).await
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, Failure> {
        // On the heap, as all that a request for a challenge doesn't come to: its future would have room for it.
        Box::pin(self.answer(question)).await
    }

    async fn release(&mut self) {
        self.give_up();
    }

    async fn hash(&mut self, password: Secret<'_>) -> Result<PasswordHash, Failure> {
        let password = normal_form(password);
        Ok(Box::pin(self.app.passwords.hash(password.expose())).await?)
    }

    async fn recall(&mut self, session: SessionId) -> Result<Recalled, Failure> {
        let session = self.app.sessions.digest(&session);
        let record = records::load(self.tx().await?, session)?;
        Ok(record.map_or(Recalled::NotCarriedOut, |record| {
            let outcome = Outcome::new(record.outcome);
            Recalled::CarriedOut(record.account.map_or(outcome, |account| outcome.of_account(account)))
        }))
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> Result<Committed, Failure> {
        let kept = stored.map(kept::write).transpose();
        let kept = kept.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        self.store(changes.iter(), kept).await
    }
}

impl From<Stop<'_, Self>> for Failure {
    fn from(stop: Stop<'_, Self>) -> Self {
        match stop {
            Stop::Host(failure) => failure,
            Stop::Respond(respond) => Self::of(&respond),
        }
    }
}
