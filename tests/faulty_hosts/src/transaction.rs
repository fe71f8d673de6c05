//! What the exchange asks of the host.

use crate::db::{Db, Write};
use crate::fault::Fault;
use crate::host::MemoryHost;
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Change, Committed, Put, SessionChanges};
use matrix_uia::server::drive::{Changes, Host, Loaded, Recalled, Verified};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::session::Proof;
use matrix_uia::server::store::{NotStored, OwnerKey, Store as _};
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::{Locality, UserIdentifier};
use matrix_uia::{MatrixError, Millis, Secret, SessionId, Timestamp};

/// One request's transaction.
pub struct Transaction<'s, const CLAIMS: bool> {
    pub host: &'s MemoryHost<CLAIMS>,
    pub token: Option<String>,
    pub arrived: Timestamp,
    /// The database's version at the load.
    version: u64,
    /// What the call writes, and what a verdict has reserved before it.
    pub call: Vec<Write>,
    verified: Option<Write>,
    /// The account as it was at the first load and at the last one.
    first: Option<Account>,
    last: Option<Account>,
    /// The same of the account that a stage has named.
    named: Option<Account>,
    /// The user that must not be there yet when the call is carried out.
    pub makes: Option<UserRef>,
    /// The record that the call leaves.
    pub record: Option<(SessionId, matrix_uia::server::grant::Outcome)>,
}

impl<'s, const CLAIMS: bool> Transaction<'s, CLAIMS> {
    pub fn new(host: &'s MemoryHost<CLAIMS>, token: Option<String>) -> Self {
        let arrived = host.outside.now();
        let (call, verified) = (Vec::new(), None);
        Self {
            host,
            token,
            arrived,
            version: 0,
            call,
            verified,
            first: None,
            last: None,
            named: None,
            makes: None,
            record: None,
        }
    }

    pub fn write(&mut self, write: impl FnOnce(&mut Db) + Send + 'static) {
        self.call.push(Box::new(write));
    }

    /// The account as the host tells it.
    fn told(&mut self, account: Account) -> Account {
        let first = *self.first.get_or_insert(account);
        self.last = Some(account);
        match self.host.fault {
            Fault::StatusNotTold => Account::new(account.subject, AccountStatus::default()),
            Fault::StatusReadOnce => Account::new(account.subject, first.status),
            Fault::EpochReadOnce => Account::new(first.subject, account.status),
            _ => account,
        }
    }

    fn account_in(&self, db: &Db, user: UserRef) -> Option<Account> {
        let account = db.accounts.get(&user)?;
        Some(Account::new(Subject::new(user, account.epoch), account.status))
    }
}

impl<'r, E: Endpoint, const CLAIMS: bool> Host<'r, E> for Transaction<'_, CLAIMS> {
    type Hash = String;
    type Error = MatrixError;

    async fn load(&mut self, id: Option<SessionId>) -> Result<Loaded<E::Stored>, MatrixError> {
        (self.call, self.verified, self.record, self.makes) = (Vec::new(), None, None, None);
        self.host.outside.pause().await;
        let host = self.host;
        let db = host.db();
        self.version = db.version;
        let now = if host.fault == Fault::ClockReadOnce { self.arrived } else { host.outside.now() };
        let token = self.token.clone();
        let find = |token: String| Some(self.told(self.account_in(&db, db.user_of(&token)?)?));
        let caller = Caller::of_token(token, find);
        let record = id.and_then(|id| db.sessions.load(&id));
        Ok(Loaded::from_record(record, |kept| serde_json::from_str(kept).ok(), caller, now))
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<Account>, MatrixError> {
        self.host.outside.pause().await;
        let account = self.account_in(&self.host.db(), user);
        let account = account.map(|account| self.told(account));
        if self.host.fault == Fault::NamedAccountReadOnce {
            self.named = self.named.or(account);
            return Ok(self.named);
        }
        Ok(account)
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, MatrixError> {
        let outside = &self.host.outside;
        outside.pause().await;
        let verdict = match question.check() {
            Check::Password(check) => {
                let UserIdentifier::User(_) = check.identifier() else {
                    return Err(MatrixError::unavailable());
                };
                let name = match check.identifier().localpart("localhost") {
                    Locality::Local(name) => name.to_string(),
                    _ => String::new(),
                };
                let db = self.host.db();
                let subject = db.subject(self.host.user(&name));
                let comparison = check.named(subject.map_or(Named::Nobody, Named::User));
                let account = comparison.against().and_then(|user| db.accounts.get(&user));
                let known = account.and_then(|account| account.password.clone());
                let right = known.is_some_and(|known| comparison.password().expose() == known.as_str());
                comparison.verdict(right)
            }
            Check::RegistrationToken { token } => {
                let (session, token, now) =
                    (question.session_id(), token.expose().to_string(), outside.now());
                let mut db = self.host.db();
                let held = db.reserved.iter().find(|(_, it)| it.session == session && it.token == token);
                let held = held.map(|(number, _)| *number);
                let uses = db.tokens.get(&token).copied().unwrap_or(0);
                if held.is_none() && uses == 0 {
                    return Ok(Verified::Outside(Verdict::Failed(StageFailure::Token)));
                }
                let number = held.unwrap_or_else(|| db.number());
                let verdict = Verdict::Passed(Evidence::token(Reference::new(number)));
                if !CLAIMS {
                    if held.is_none() {
                        self.verified = Some(Box::new(move |db| db.reserve(number, session, token, now)));
                    }
                    return Ok(Verified::InTransaction(verdict));
                }
                if held.is_none() {
                    db.reserve(number, session, token, now);
                }
                verdict
            }
            _ => Verdict::Unavailable,
        };
        outside.pause().await;
        Ok(Verified::Outside(verdict))
    }

    async fn release(&mut self) {
        (self.call, self.verified) = (Vec::new(), None);
    }

    async fn hash(&mut self, password: Secret<'_>) -> Result<String, MatrixError> {
        self.host.outside.pause().await;
        Ok(password.expose().to_string())
    }

    async fn recall(&mut self, session: SessionId) -> Result<Recalled, MatrixError> {
        self.host.outside.pause().await;
        if self.host.fault == Fault::NothingRecalled {
            return Ok(Recalled::Unknown);
        }
        let record = self.host.db().records.get(&session).copied();
        Ok(record.map_or(Recalled::NotCarriedOut, Recalled::CarriedOut))
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> Result<Committed, MatrixError> {
        let kept = stored.map(|stored| serde_json::to_string(stored).unwrap());
        let mut list: Vec<_> = changes.iter().collect();
        let fault = self.host.fault;
        let removes = list.iter().any(|change| matches!(change, Change::Remove { .. }));
        let undoes = list.iter().any(|change| matches!(change, Change::Undo));
        let spends = list.iter().any(|change| matches!(change, Change::Spend { .. }));
        self.host.outside.pause().await;
        {
            let db = self.host.db();
            list.retain(|change| !self.forgets(&db, change, removes));
        }
        let kept = kept.filter(|_| !list.iter().any(|change| self.forgets_what_is_kept(change)));
        let called = if undoes && fault != Fault::RefusedNotUndone {
            Vec::new()
        } else {
            std::mem::take(&mut self.call)
        };
        let acts = !called.is_empty() || spends;
        let loses = std::mem::take(&mut self.host.db().loses);
        if acts && !loses && !self.host.db().takes_room() {
            if fault == Fault::SessionStoredFirst {
                let _stored = self.store(&list, kept);
            }
            return Err(MatrixError::unavailable());
        }
        let committed = if loses {
            Committed::Lost
        } else if CLAIMS {
            if acts && !self.act(&list, called) {
                Committed::Lost
            } else {
                self.host.outside.pause().await;
                let committed = self.store(&list, kept);
                if committed == Committed::Stored {
                    give_back(&mut self.host.db(), &list);
                }
                // The call is carried out; its claim lapses.
                if acts { Committed::Stored } else { committed }
            }
        } else if self.host.db().version != self.version {
            Committed::Lost
        } else {
            let committed = self.store(&list, kept);
            // What is not stored now is undone.
            let verified = self.verified.take();
            if committed == Committed::Stored {
                let mut db = self.host.db();
                verified.into_iter().chain(called).for_each(|write| write(&mut db));
                spend(&mut db, &list);
                give_back(&mut db, &list);
            }
            committed
        };
        self.version = self.host.db().version;
        Ok(match committed {
            Committed::Lost if fault == Fault::LossNotTriedAgain => return Err(MatrixError::unavailable()),
            Committed::Lost if fault == Fault::LossNotReported => Committed::Stored,
            Committed::Full(_) if fault == Fault::FullNotReported => Committed::Stored,
            committed => committed,
        })
    }
}

impl<const CLAIMS: bool> Transaction<'_, CLAIMS> {
    /// Whether the host forgets to carry this change out.
    fn forgets(&self, db: &Db, change: &Change<'_>, removes: bool) -> bool {
        match (self.host.fault, change) {
            (Fault::ChallengeNotStored, Change::Put(Put { expected: None, .. })) => true,
            (Fault::ClaimNotStored, Change::Put(Put { session, .. })) => session.is_claimed(),
            (Fault::ConsumedNotStored, Change::Put(Put { session, .. })) => session.consumed_at().is_some(),
            (Fault::FailureNotStored, Change::Put(Put { id, session, .. })) => {
                let before = db.sessions.load(id).map_or(0, |record| record.session.failures());
                session.failures() > before
            }
            (Fault::UnusedNotGivenBack, Change::GiveBack { .. }) => !removes,
            (Fault::EndedNotRemoved, Change::GiveBack { .. } | Change::Remove { .. }) => removes,
            (Fault::ReservationNotSpent, Change::Spend { .. }) => true,
            _ => false,
        }
    }

    fn forgets_what_is_kept(&self, change: &Change<'_>) -> bool {
        match (self.host.fault, change) {
            (Fault::ParametersNotKept, Change::Put(Put { session, .. })) => !session.is_claimed(),
            (Fault::ParametersOfAClaimNotKept, Change::Put(Put { session, .. })) => session.is_claimed(),
            _ => false,
        }
    }

    /// One act of the accounts' database: the effects, what is spent, the record.
    fn act(&mut self, changes: &[Change<'_>], called: Vec<Write>) -> bool {
        let mut db = self.host.db();
        let spendable = |change: &Change<'_>| match change {
            Change::Spend { proof, .. } => {
                number(proof).is_some_and(|number| db.reserved.contains_key(&number))
            }
            _ => true,
        };
        let unchanged = self.last.is_none_or(|account| {
            let now = self.account_in(&db, account.subject.user);
            now == Some(account)
        });
        let stale =
            matches!(self.host.fault, Fault::EpochReadOnce | Fault::StatusReadOnce | Fault::ClaimNotStored);
        let again = self.record.is_some_and(|(session, _)| db.records.contains_key(&session));
        let taken = self.makes.is_some_and(|user| db.accounts.contains_key(&user));
        if again || taken || !(unchanged || stale) || !changes.iter().all(spendable) {
            return false;
        }
        called.into_iter().for_each(|write| write(&mut db));
        spend(&mut db, changes);
        if let Some((session, outcome)) = self.record.filter(|_| self.host.fault != Fault::NoRecord) {
            db.records.insert(session, outcome);
        }
        true
    }

    /// The sessions' part of a commit.
    fn store(&mut self, changes: &[Change<'_>], kept: Option<String>) -> Committed {
        let mut db = self.host.db();
        let now = self.host.outside.now();
        let changes = SessionChanges::of(changes.iter().copied());
        match db.sessions.commit(changes, kept, OwnerKey::NOBODY, now) {
            Ok(stored) => {
                if let Some((id, _)) = stored.evicted {
                    db.give_back_all(&id);
                }
                db.version += 1;
                Committed::Stored
            }
            Err(NotStored::Full { wait, .. }) => Committed::Full(wait.max(Millis::new(1))),
            Err(_) => Committed::Lost,
        }
    }
}

fn spend(db: &mut Db, changes: &[Change<'_>]) {
    for change in changes {
        if let Change::Spend { proof, .. } = change
            && let Some(number) = number(proof)
        {
            db.reserved.remove(&number);
        }
    }
}

fn give_back(db: &mut Db, changes: &[Change<'_>]) {
    for change in changes {
        if let Change::GiveBack { proof, .. } = change
            && let Some(number) = number(proof)
        {
            db.give_back(number);
        }
    }
}

fn number(proof: &Proof) -> Option<u64> {
    match proof {
        Proof::Token(reference) => Some(reference.get()),
        _ => None,
    }
}
