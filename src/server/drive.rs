//! The loop over an [`Exchange`], once for every host: it does no IO, it asks a [`Host`]
//! that does.
//!
//! ```text
//!  Run::new ─► granted ─► the handler carries the plan out ─► done ─► granted ─► … ─► None: it succeeded
//!                 └─────────────────────────────────────────────────────────────► Err: the answer to send
//! ```
//!
//! The methods of a host are asynchronous. A host that never waits, such as a
//! microcontroller, returns what is ready and drives the loop with [`ready`].

use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use super::account::{Account, Caller};
use super::call::Call;
use super::commit::{Change, Committed};
use super::digest::BindingKey;
use super::endpoint::Endpoint;
use super::exchange::{Admit, Commit, Exchange, HostKind, Performing, Repeat};
use super::flows::Flows;
use super::grant::{Outcome, Refusal};
use super::question::Question;
use super::reference::UserRef;
use super::respond::Respond;
use super::rules::Rules;
use super::seal::{SealedPassword, Sealer};
use super::session::{Session, SessionId};
use super::verdict::Verdict;
use crate::wire::error::MatrixError;
use crate::{Secret, Timestamp};

/// What a host found in the transaction that it has begun.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "what nobody looks up has to break the build")]
pub struct Loaded<S> {
    /// The session, if one was named and is there.
    pub session: Option<Session>,
    /// What was kept beside it.
    pub stored: Option<S>,
    /// Who makes the request, by the account as it is now.
    pub caller: Caller,
    /// The time now.
    pub now: Timestamp,
}

/// A verdict, and where it was found.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "in the transaction or not: there is no third case")]
pub enum Verified<'r> {
    /// Outside of the transaction, which the host has ended before it looked.
    Outside(Verdict<'r>),
    /// In the transaction that began with the load, which still goes on.
    InTransaction(Verdict<'r>),
}

/// What the record of a call says, whose claim has lapsed.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "yes, no, or nobody knows: there is no fourth case")]
pub enum Recalled {
    /// The call was carried out, with this outcome.
    CarriedOut(Outcome),
    /// It was not.
    NotCarriedOut,
    /// Nobody can tell.
    Unknown,
}

/// What is looked up and stored for one request of an endpoint `E`. A value of it lives as
/// long as the request, and holds its transaction.
pub trait Host<'r, E: Endpoint>: Send {
    /// A hash of a password.
    type Hash: Clone + Send;
    /// Why the host can't go on: it ends the request.
    type Error: Send;

    /// Begins a transaction and reads what the request is about.
    fn load(
        &mut self,
        session: Option<SessionId>,
    ) -> impl Future<Output = Result<Loaded<E::Stored>, Self::Error>> + Send;

    /// In the transaction: the account of a user.
    fn account(&mut self, user: UserRef)
    -> impl Future<Output = Result<Option<Account>, Self::Error>> + Send;

    /// Whether the stage has passed. See [`Exchange::Verify`].
    fn verify(
        &mut self,
        question: &Question<'r>,
    ) -> impl Future<Output = Result<Verified<'r>, Self::Error>> + Send;

    /// Ends the transaction, in which nothing has been written.
    fn release(&mut self) -> impl Future<Output = ()> + Send;

    /// Hashes a password, outside of any transaction.
    fn hash(&mut self, password: Secret<'_>) -> impl Future<Output = Result<Self::Hash, Self::Error>> + Send;

    /// In the transaction: what became of the call of this session, by the record under
    /// [`Grant::record_under`](super::grant::Grant::record_under). A host that never
    /// stores a claim is not asked.
    fn recall(&mut self, session: SessionId) -> impl Future<Output = Result<Recalled, Self::Error>> + Send {
        let _ = session;
        core::future::ready(Ok(Recalled::Unknown))
    }

    /// Carries every change out and ends the transaction. `stored` is what is to be kept
    /// beside the session, where the change says so.
    fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> impl Future<Output = Result<Committed, Self::Error>> + Send;
}

/// The changes of a commit.
pub struct Changes<'c, 'r, Op: super::operation::Operation>(&'c Commit<'r, Op>);

impl<'c, Op: super::operation::Operation> Changes<'c, '_, Op> {
    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'c>> + Clone {
        self.0.changes()
    }
}

impl<Op: super::operation::Operation> fmt::Debug for Changes<'_, '_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Why there is nothing more for a handler to do: what is to be answered.
#[derive(Debug)]
#[must_use = "it is the answer"]
#[allow(clippy::exhaustive_enums, reason = "the exchange or the host: there is no third")]
pub enum Stop<'r, T> {
    /// The answer of the exchange: a challenge or an error.
    Respond(Respond<'r>),
    /// The host could not go on.
    Host(T),
}

/// The policy that a request is guarded by.
#[derive(Debug)]
pub struct Guarded<'r, Op> {
    /// The flows.
    pub flows: &'r Flows<'r, Op>,
    /// The rules.
    pub rules: &'r Rules,
    /// The key that parameters are bound with.
    pub key: &'r BindingKey,
    /// How the host keeps sessions beside accounts.
    pub kind: HostKind,
}

impl<Op> Clone for Guarded<'_, Op> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op> Copy for Guarded<'_, Op> {}

/// One request of a guarded endpoint on its way.
pub struct Run<'r, H: Host<'r, E>, E: Endpoint> {
    /// The host: its transaction is where a handler carries a plan out.
    pub host: H,
    request: &'r E,
    key: &'r BindingKey,
    next: Option<Exchange<'r, E::Op>>,
    stored: Option<E::Stored>,
    hash: Option<H::Hash>,
}

/// What a handler is asked to do.
#[must_use = "the request goes on only when it is done"]
#[allow(clippy::exhaustive_enums, reason = "a duty nobody carries out has to break the build")]
pub enum Step<'r, E: Endpoint, H: Send> {
    /// Is the call let in? Answer with [`Run::go_on`].
    Admit(Admit<'r, E::Op>),
    /// Carry the plan out, then report with [`Run::done`].
    Perform(Granted<'r, E, H>),
    /// The call has succeeded before: make its answer again, then [`Run::go_on`].
    Repeat(Repeat<'r, E::Op>),
}

/// A granted call: what is to be carried out in the host's transaction.
#[must_use = "report how it ended"]
pub struct Granted<'r, E: Endpoint, H: Send> {
    /// What is to be done.
    pub plan: E::Plan<H>,
    /// The session under which a host that claims first leaves the record of the outcome.
    pub record_under: Option<SessionId>,
    performing: Performing<'r, E::Op>,
}

impl<'r, H: Host<'r, E>, E: Endpoint> Run<'r, H, E> {
    /// Begins. `fresh` is made from fresh entropy; `arrived` is when the request came in.
    pub fn new(
        host: H,
        request: &'r E,
        guarded: Guarded<'r, E::Op>,
        fresh: SessionId,
        arrived: Timestamp,
    ) -> Self {
        let Guarded { flows, rules, key, kind } = guarded;
        let next = Some(Exchange::begin(flows, rules, kind, request.call(key), fresh, arrived));
        Self { host, request, key, next, stored: None, hash: None }
    }

    /// The next thing for the handler to do; `None` once the call has succeeded and all of
    /// it is stored.
    ///
    /// # Errors
    ///
    /// [`Stop`] is what to answer instead.
    pub async fn next(&mut self) -> Result<Option<Step<'r, E, H::Hash>>, Stop<'r, H::Error>> {
        loop {
            let Some(exchange) = self.next.take() else {
                return Err(Stop::Respond(Respond::Error(MatrixError::unavailable())));
            };
            self.next = Some(match exchange {
                Exchange::Load(load) => {
                    let Loaded { session, stored, caller, now } =
                        self.host.load(load.session_id()).await.map_err(Stop::Host)?;
                    // Once its parameters are refused, what was kept of them counts no more.
                    let counts = session.as_ref().is_some_and(Session::keeps_params);
                    self.stored = stored.filter(|_| counts);
                    load.found(session, caller, now)
                }
                Exchange::Account(account) => {
                    let found = self.host.account(account.user()).await.map_err(Stop::Host)?;
                    account.found(found)
                }
                Exchange::Recall(recall) => {
                    match self.host.recall(recall.session_id()).await.map_err(Stop::Host)? {
                        Recalled::CarriedOut(outcome) => recall.carried_out(outcome),
                        Recalled::NotCarriedOut => recall.not_carried_out(),
                        Recalled::Unknown => recall.unknown(),
                    }
                }
                Exchange::Verify(verify) => {
                    match self.host.verify(verify.question()).await.map_err(Stop::Host)? {
                        Verified::Outside(verdict) => verify.verdict(verdict),
                        Verified::InTransaction(verdict) => verify.verdict_in_transaction(verdict),
                    }
                }
                Exchange::Hash(hash) => {
                    self.host.release().await;
                    self.hash_password(hash.session_id()).await.map_err(Stop::Host)?;
                    hash.hashed()
                }
                Exchange::Commit(commit) => {
                    let committed = self.commit(&commit).await.map_err(Stop::Host)?;
                    commit.committed(committed)
                }
                Exchange::Perform(perform) => {
                    let (grant, performing) = perform.grant();
                    let record_under = grant.record_under();
                    // Who need not authenticate has no session, whichever one was named.
                    let stored = self.stored.clone().filter(|_| grant.session_id().is_some());
                    let hash = self.hash.clone();
                    match self.request.plan(self.key, grant, stored, hash) {
                        Ok(plan) => {
                            return Ok(Some(Step::Perform(Granted { plan, record_under, performing })));
                        }
                        Err(refusal) => performing.refused(refusal),
                    }
                }
                Exchange::Admit(admit) => return Ok(Some(Step::Admit(admit))),
                Exchange::Repeat(repeat) => return Ok(Some(Step::Repeat(repeat))),
                Exchange::Respond(Respond::Performed) => return Ok(None),
                Exchange::Respond(respond) => return Err(Stop::Respond(respond)),
            });
        }
    }

    /// The next grant, for an endpoint that lets every call in, and whose answer is always
    /// the same; `None` once the call has succeeded, now or before.
    ///
    /// # Errors
    ///
    /// [`Stop`] is what to answer instead.
    pub async fn granted(&mut self) -> Result<Option<Granted<'r, E, H::Hash>>, Stop<'r, H::Error>> {
        loop {
            match self.next().await? {
                Some(Step::Perform(granted)) => return Ok(Some(granted)),
                Some(Step::Admit(admit)) => self.go_on(admit.admitted()),
                Some(Step::Repeat(repeat)) => self.go_on(repeat.repeated()),
                None => return Ok(None),
            }
        }
    }

    /// Goes on with the answer to a question.
    pub fn go_on(&mut self, exchange: Exchange<'r, E::Op>) {
        self.next = Some(exchange);
    }

    /// Reports how a granted call ended. Whether that holds, the next step says: the commit
    /// may lose a race, and then the call is granted again.
    pub fn done(
        &mut self,
        performing: Performing<'r, E::Op>,
        done: Result<Outcome, Refusal>,
        now: Timestamp,
    ) {
        self.go_on(match done {
            Ok(outcome) => performing.succeeded(outcome, now),
            Err(refusal) => performing.refused(refusal),
        });
    }

    async fn hash_password(&mut self, session: SessionId) -> Result<(), H::Error> {
        let kept = self.stored.as_ref().and_then(E::stored_password);
        let kept = kept.and_then(|sealed: &SealedPassword| sealed.open(&session));
        let password = self.request.password().or(kept.as_ref().map(|opened| opened.secret()));
        self.hash = match password {
            Some(password) => Some(self.host.hash(password).await?),
            None => None,
        };
        Ok(())
    }

    async fn commit(&mut self, commit: &Commit<'r, E::Op>) -> Result<Committed, H::Error> {
        let put = commit.changes().find_map(|change| match change {
            Change::Put { id, session, keep: true, expected } => {
                Some((Sealer::new(id, session.revision()), expected.is_some()))
            }
            _ => None,
        });
        let stored = put.map(|(sealer, goes_on)| {
            // A session that begins has nothing of the one that was named.
            let before = self.stored.clone().filter(|_| goes_on);
            self.request.to_stored(self.key, before, sealer)
        });
        self.host.commit(Changes(commit), stored.as_ref()).await
    }
}

impl<'r, E: Endpoint, H: Send> Granted<'r, E, H> {
    /// The plan, and what takes its end.
    pub fn into_parts(self) -> (E::Plan<H>, Performing<'r, E::Op>) {
        (self.plan, self.performing)
    }
}

impl<'r, H: Host<'r, E>, E: Endpoint> fmt::Debug for Run<'r, H, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<E: Endpoint, H: Send> fmt::Debug for Step<'_, E, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admit(_) => "Admit",
            Self::Perform(_) => "Perform",
            Self::Repeat(_) => "Repeat",
        })
    }
}

impl<E: Endpoint, H: Send> fmt::Debug for Granted<'_, E, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Granted { .. }")
    }
}

/// Ends a request whose parameters are refused before it can be checked: if it belongs to
/// a session, other parameters may be sent there (rule U14).
///
/// # Errors
///
/// Always: [`Stop`] is what to answer.
pub async fn refuse<'r, H: Host<'r, E>, E: Endpoint>(
    host: &mut H,
    guarded: Guarded<'r, E::Op>,
    call: Call<'r, E::Op>,
    error: MatrixError,
    arrived: Timestamp,
) -> Stop<'r, H::Error> {
    let Guarded { flows, rules, kind, .. } = guarded;
    let mut exchange = Exchange::refuse(flows, rules, kind, call, error, arrived);
    loop {
        exchange = match exchange {
            Exchange::Load(load) => match host.load(load.session_id()).await {
                Ok(Loaded { session, stored: _, caller, now }) => load.found(session, caller, now),
                Err(error) => return Stop::Host(error),
            },
            Exchange::Account(account) => match host.account(account.user()).await {
                Ok(found) => account.found(found),
                Err(error) => return Stop::Host(error),
            },
            Exchange::Commit(commit) => match host.commit(Changes(&commit), None).await {
                Ok(committed) => commit.committed(committed),
                Err(error) => return Stop::Host(error),
            },
            Exchange::Respond(respond) => return Stop::Respond(respond),
            // It is refused before any of these is asked.
            Exchange::Admit(_)
            | Exchange::Recall(_)
            | Exchange::Verify(_)
            | Exchange::Hash(_)
            | Exchange::Perform(_)
            | Exchange::Repeat(_) => return Stop::Respond(Respond::Error(error)),
        }
    }
}

/// The result of a future that never waits: `None` if it does.
pub fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
