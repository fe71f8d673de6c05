//! The host's half of an exchange, in memory: what is looked up, and what is stored.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, ready};

use matrix_uia::server::account::{Account, Caller};
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::drive::{
    Changes, Guarded, Host, Loaded, Recalled, Run, Step, Verified, ready as now,
};
use matrix_uia::server::drive_page::{PageChanges, PageHost, PageLoaded};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::grant::{Exempt, Outcome, Refusal};
use matrix_uia::server::page::PagePolicy;
use matrix_uia::server::question::Question;
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::respond::Respond;
use matrix_uia::{Flows, MatrixError, Secret, Session, SessionId, Timestamp};
use serde_json::Value;

use super::accounts::{User, hash};
use super::{Answer, RegistrationToken, Server, Validation};

/// What a transaction that is undone goes back to.
#[derive(Clone, Default)]
pub(super) struct Saved {
    users: BTreeMap<&'static str, User>,
    sessions: BTreeMap<SessionId, String>,
    kept: BTreeMap<SessionId, String>,
    validations: BTreeMap<String, Validation>,
    tokens: BTreeMap<&'static str, RegistrationToken>,
    journal: Vec<String>,
}

impl Server {
    fn save(&self) -> Saved {
        Saved {
            users: self.users.clone(),
            sessions: self.sessions.clone(),
            kept: self.kept.clone(),
            validations: self.validations.clone(),
            tokens: self.tokens.clone(),
            journal: self.journal.clone(),
        }
    }

    fn undo(&mut self, saved: Saved) {
        let Saved { users, sessions, kept, validations, tokens, journal } = saved;
        (self.users, self.sessions, self.kept) = (users, sessions, kept);
        (self.validations, self.tokens, self.journal) = (validations, tokens, journal);
    }

    /// Carries the changes out, all of them or none.
    pub(super) fn carry_out_changes<'c>(
        &mut self,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        stored: Option<String>,
        saved: Option<Saved>,
    ) -> Committed {
        let puts = changes.clone().filter(|it| matches!(it, Change::Put(_))).count();
        let removes = changes.clone().filter(|it| matches!(it, Change::Remove { .. })).count();
        assert!(puts <= 1 && removes <= 1, "a store has one session to write, and one to remove");
        let writes = puts + removes > 0;
        if writes && let Some(faster) = self.before_write.take() {
            self.undo(saved.unwrap_or_default());
            faster(self);
            return Committed::Lost;
        }
        let revision = |server: &Self, id| server.read(Some(id)).map(|session| session.revision());
        let lost = changes.clone().any(|change| match change {
            Change::Put(Put { id, expected, .. }) => revision(self, id) != expected,
            Change::Remove { id, expected } => revision(self, id) != Some(expected),
            _ => false,
        });
        if lost {
            self.undo(saved.unwrap_or_default());
            return Committed::Lost;
        }
        for change in changes {
            match change {
                Change::Undo => self.undo(saved.clone().unwrap_or_default()),
                Change::Put(Put { id, session, keep, .. }) => {
                    let text = serde_json::to_string(session).unwrap();
                    let read = serde_json::from_str(&text).ok();
                    assert_eq!(read.as_ref(), Some(session), "it is read back as it is stored");
                    self.sessions.insert(id, text);
                    if let (true, Some(stored)) = (keep, &stored) {
                        self.kept.insert(id, stored.clone());
                    }
                }
                Change::Remove { id, .. } => {
                    self.sessions.remove(&id);
                    self.kept.remove(&id);
                }
                Change::GiveBack { proof, .. } => self.give_back(Some(proof)),
                Change::Spend { proof, .. } => self.spend(proof),
            }
        }
        Committed::Stored
    }

    fn account(&self, user: UserRef) -> Option<Account> {
        let user = self.users.values().find(|it| UserRef::new(it.number) == user)?;
        Some(Account::new(Subject::new(UserRef::new(user.number), user.epoch), user.status))
    }

    pub(super) fn account_of(&self, user: UserRef) -> Option<Account> {
        self.account(user)
    }
}

/// One request's host.
pub(crate) struct Serving<'s> {
    pub(crate) server: &'s mut Server,
    token: Option<String>,
    saved: Option<Saved>,
}

impl<'s> Serving<'s> {
    pub(crate) fn of(server: &'s mut Server, token: Option<&str>) -> Self {
        Self { server, token: token.map(str::to_owned), saved: None }
    }
}

impl<'r, E: Endpoint> Host<'r, E> for Serving<'_> {
    type Hash = String;
    type Error = MatrixError;

    fn load(
        &mut self,
        session: Option<SessionId>,
    ) -> impl Future<Output = Result<Loaded<E::Stored>, MatrixError>> + Send {
        self.saved = Some(self.server.save());
        let server = &self.server;
        let caller = match &self.token {
            None => Caller::Nobody,
            Some(token) => match server.subject(token) {
                Some((subject, status, _)) => Caller::User(Account::new(subject, status)),
                None => Caller::Ended(MatrixError::unknown_token(false)),
            },
        };
        let stored = session.and_then(|id| server.kept.get(&id));
        let stored = stored.and_then(|stored| serde_json::from_str(stored).ok());
        ready(Ok(Loaded { session: server.read(session), stored, caller, now: server.timestamp() }))
    }

    fn account(
        &mut self,
        user: UserRef,
    ) -> impl Future<Output = Result<Option<Account>, MatrixError>> + Send {
        ready(Ok(self.server.account(user)))
    }

    fn verify(
        &mut self,
        question: &Question<'r>,
    ) -> impl Future<Output = Result<Verified<'r>, MatrixError>> + Send {
        let verdict = self.server.verdict(question);
        if let Some(other) = self.server.meanwhile.take() {
            other(self.server);
        }
        ready(Ok(Verified::Outside(verdict)))
    }

    fn release(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }

    fn recall(&mut self, _: SessionId) -> impl Future<Output = Result<Recalled, MatrixError>> + Send {
        ready(Ok(self.server.record))
    }

    fn hash(&mut self, password: Secret<'_>) -> impl Future<Output = Result<String, MatrixError>> + Send {
        self.server.hashed += 1;
        ready(Ok(hash(&password.expose().to_string())))
    }

    fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> impl Future<Output = Result<Committed, MatrixError>> + Send {
        let stored = stored.map(|stored| serde_json::to_string(stored).unwrap());
        let saved = self.saved.take();
        match self.server.disk_full_at.take() {
            Some(0) => {
                // Of a host that claims first, the accounts have their own transaction.
                if !self.server.kind.claims() {
                    self.server.undo(saved.unwrap_or_default());
                }
                return ready(Err(MatrixError::unavailable()));
            }
            left => self.server.disk_full_at = left.map(|left| left - 1),
        }
        ready(Ok(self.server.carry_out_changes(changes.iter(), stored, saved)))
    }
}

/// One visit's host.
pub(super) struct AtPage<'s> {
    pub(super) server: &'s mut Server,
    pub(super) policy: PagePolicy<'static>,
}

impl<'r> PageHost<'r> for AtPage<'_> {
    type Error = Infallible;

    fn load_page(
        &mut self,
        session: SessionId,
    ) -> impl Future<Output = Result<PageLoaded, Infallible>> + Send {
        ready(Ok(PageLoaded { session: self.server.read(Some(session)), now: self.server.timestamp() }))
    }

    fn page_policy(
        &mut self,
        _: &Session,
    ) -> impl Future<Output = Result<Option<PagePolicy<'r>>, Infallible>> + Send {
        ready(Ok(Some(self.policy)))
    }

    fn page_account(
        &mut self,
        user: UserRef,
    ) -> impl Future<Output = Result<Option<Account>, Infallible>> + Send {
        ready(Ok(self.server.account(user)))
    }

    fn verify_page(
        &mut self,
        question: &Question<'r>,
    ) -> impl Future<Output = Result<Verified<'r>, Infallible>> + Send {
        let verdict = self.server.verdict(question);
        if let Some(other) = self.server.meanwhile.take() {
            other(self.server);
        }
        ready(Ok(Verified::Outside(verdict)))
    }

    fn commit_page(
        &mut self,
        changes: PageChanges<'_, 'r>,
    ) -> impl Future<Output = Result<Committed, Infallible>> + Send {
        ready(Ok(self.server.carry_out_changes(changes.iter(), None, None)))
    }
}

/// What a handler does of its own.
pub(crate) struct Handler<'h, E: Endpoint> {
    /// What the host's facts refuse, or why nobody has to authenticate.
    pub(crate) admit: &'h mut dyn FnMut(&mut Server) -> Result<Option<Exempt>, Refusal>,
    /// The call itself: its outcome, and the body of its answer.
    #[allow(clippy::type_complexity, reason = "a closure's type says it all")]
    pub(crate) perform: &'h mut dyn FnMut(&mut Server, E::Plan<String>) -> Result<(Outcome, Value), Refusal>,
    /// The body of the answer again; none if the device that it was about is gone.
    pub(crate) repeat: &'h mut dyn FnMut(&mut Server, Reference) -> Value,
}

impl Server {
    /// Takes one request through.
    pub(crate) fn serve<E: Endpoint>(
        &mut self,
        token: Option<&str>,
        flows: &'static Flows<'static, E::Op>,
        request: &E,
        handler: Handler<'_, E>,
    ) -> Answer {
        let rules = Box::leak(Box::new(self.rules.clone()));
        let key = Box::leak(Box::new(super::key()));
        let kind = self.kind;
        let (fresh, arrived) = (self.fresh(), self.arrived());
        let guarded = Guarded { flows, rules, key, kind };
        let host = Serving::of(self, token);
        let mut run = Run::new(host, request, guarded, fresh, arrived);
        let mut body = Value::Null;
        for _ in 0..32 {
            let step = match now(run.next()).expect("nothing waits here") {
                Ok(Some(step)) => step,
                Ok(None) => return Answer::ok(body),
                Err(stop) => return answer(&stop.into()),
            };
            match step {
                Step::Admit(admit) => {
                    let next = match (handler.admit)(run.host.server) {
                        Ok(None) => match run.host.server.recent {
                            Some((account, at)) => admit.assume_recent(account, at),
                            None => admit.admitted(),
                        },
                        Ok(Some(exempt)) => admit.assume_exempt(exempt),
                        Err(refusal) => admit.refused(refusal),
                    };
                    run.go_on(next);
                }
                Step::Perform(_) if run.host.server.dies => {
                    return Answer { status: 0, body: Value::Null, retry_after: None };
                }
                Step::Perform(granted) => {
                    let (plan, performing) = granted.into_parts();
                    run.host.server.grants += 1;
                    let done = (handler.perform)(run.host.server, plan);
                    let done = done.map(|(outcome, answer)| {
                        body = answer;
                        outcome
                    });
                    let at: Timestamp = run.host.server.timestamp();
                    run.done(performing, done, at);
                }
                Step::Repeat(repeat) => {
                    body = (handler.repeat)(run.host.server, repeat.outcome());
                    run.go_on(if body.is_null() { repeat.gone() } else { repeat.repeated() });
                }
            }
        }
        panic!("a request never takes so many steps");
    }
}

impl Server {
    /// A request whose token completed authentication at that time.
    pub(crate) fn serve_recent<E: Endpoint>(
        &mut self,
        token: &str,
        flows: &'static Flows<'static, E::Op>,
        request: &E,
        account: Subject,
        at: Timestamp,
    ) -> Answer {
        let mut admit = |_: &mut Self| Ok(None);
        let mut perform = |_: &mut Self, _| Ok((Outcome::NOTHING, Value::Null));
        let mut repeat = |_: &mut Self, _| Value::Null;
        self.recent = Some((account, at));
        let handler = Handler { admit: &mut admit, perform: &mut perform, repeat: &mut repeat };
        let answer = self.serve(Some(token), flows, request, handler);
        self.recent = None;
        answer
    }
}

/// What a client gets.
pub(crate) fn answer(respond: &Respond<'_>) -> Answer {
    let mut body = String::new();
    let status = respond.write_body(&mut body).unwrap().expect("a challenge or an error");
    let body = serde_json::from_str(&body).expect("an answer is JSON");
    Answer { status, body, retry_after: respond.retry_after_secs() }
}
