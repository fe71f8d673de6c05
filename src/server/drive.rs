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
use core::marker::PhantomData;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use super::account::{Account, Caller};
use super::call::Call;
use super::commit::{Change, Committed, changes};
use super::digest::BindingKey;
use super::endpoint::Endpoint;
use super::exchange::{Exchange, HostKind, Incoming, arrive};
use super::flows::Flows;
use super::grant::{Exempt, Grant, Outcome, Refusal};
use super::operation::Operation;
use super::question::Question;
use super::reference::{Reference, Subject, UserRef};
use super::respond::Respond;
use super::rules::Rules;
use super::seal::{SealedPassword, Sealer};
use super::session::{Revision, Session, SessionId};
use super::store::Record;
use super::transition::asked::Decision;
pub use super::transition::end::Recalled;
use super::transition::work::{Todo, Work, Write};
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

impl<S> Loaded<S> {
    /// The same from a [`Store`](super::store::Store)'s record; `read` reads what it keeps.
    /// What can't be read counts as lost: the client is asked to send it again.
    pub fn from_record<K>(
        record: Option<&Record<K>>,
        read: impl FnOnce(&K) -> Option<S>,
        caller: Caller,
        now: Timestamp,
    ) -> Self {
        let session = record.map(|record| record.session.clone());
        Self { session, stored: record.and_then(|record| read(&record.kept)), caller, now }
    }
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

/// What is looked up and stored for one request of an endpoint `E`. A value of it lives as
/// long as the request, and holds its transaction.
///
/// `'r` is how long the request is borrowed for: from the body to the answer. It is a
/// parameter of its own, beside the lifetimes of the host's type, because a question borrows
/// from the request (the password that was sent), and the host doesn't. So one implementation
/// serves every request of every endpoint:
///
/// ```text
/// impl<'r, E: Endpoint> Host<'r, E> for Transaction<'_> { … }
/// ```
///
/// With the host's own lifetime in the place of `'r`, it would only take requests that live as
/// long as what the host borrows, and a future that holds it could not be spawned.
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

    /// Undoes the transaction: only a verdict may have written in it.
    fn release(&mut self) -> impl Future<Output = ()> + Send;

    /// Hashes a password, outside of any transaction.
    fn hash(&mut self, password: Secret<'_>) -> impl Future<Output = Result<Self::Hash, Self::Error>> + Send;

    /// In the transaction: what became of the call of this session, by the record under
    /// [`Grant::record_under`](super::grant::Grant::record_under). It is asked about a claim
    /// that has lapsed, and right before a claimed call is performed. A host that never
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
pub struct Changes<'c, 'r, Op> {
    work: &'c Work<'r>,
    operation: PhantomData<fn() -> Op>,
}

impl<'c, 'r, Op: Operation> Changes<'c, 'r, Op> {
    const fn of(work: &'c Work<'r>) -> Self {
        Self { work, operation: PhantomData }
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'c>> + Clone {
        changes(self.work)
    }
}

impl<Op: Operation> fmt::Debug for Changes<'_, '_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What the next step of a [`Run`] is, or what to answer instead of one.
pub type Next<'r, T, Error> = Result<Option<T>, Stop<'r, Error>>;

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

/// The answer of a host whose own errors are such that clients are told.
impl<'r> From<Stop<'r, MatrixError>> for Respond<'r> {
    fn from(stop: Stop<'r, MatrixError>) -> Self {
        match stop {
            Stop::Respond(respond) => respond,
            Stop::Host(error) => Self::Error(error),
        }
    }
}

/// The policy that a request is guarded by.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "all that a host has to decide")]
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
    work: Work<'r>,
    stored: Option<E::Stored>,
    hash: Option<H::Hash>,
    /// Whether the record of the claimed call has been asked for in this transaction.
    record_asked: bool,
}

/// What a handler is asked to do.
#[must_use = "the request goes on only when it is done"]
#[allow(clippy::exhaustive_enums, reason = "a duty nobody carries out has to break the build")]
pub enum Step<'r, E: Endpoint, H: Send> {
    /// Is the call let in? Answer with [`Run::go_on`].
    Admit(Admit<E::Op>),
    /// Carry the plan out, then report with [`Run::done`].
    Perform(Granted<'r, E, H>),
    /// The call has succeeded before: make its answer again, then [`Run::go_on`].
    Repeat(Repeat<E::Op>),
}

/// Whether the call is let in, by facts that only the host has: a name that is in use, an
/// exclusive namespace, a capability that is switched off.
#[must_use = "the request goes on only when it is answered"]
#[derive(Debug)]
pub struct Admit<Op>(PhantomData<fn() -> Op>);

impl<Op> Admit<Op> {
    /// The call is let in.
    pub fn admitted(self) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Admitted))
    }

    /// The call is not let in. If it is [refused for its parameters](Refusal::for_params), its
    /// session stays open for others (rule U14).
    pub fn refused(self, refusal: Refusal) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Refused(refusal)))
    }

    /// [Let in](Self::admitted) or [refused](Self::refused), as the host has decided.
    pub fn decided(self, decision: Result<(), Refusal>) -> Answer<Op> {
        match decision {
            Ok(()) => self.admitted(),
            Err(refusal) => self.refused(refusal),
        }
    }

    /// Nobody has to authenticate for this call.
    ///
    /// # Security
    ///
    /// The host asserts what it asserts to an exchange:
    /// [`Admit::assume_exempt`](super::exchange::Admit::assume_exempt).
    pub fn assume_exempt(self, exempt: Exempt) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Exempt(exempt)))
    }

    /// The request's token completed authentication at `at`: rule U18.
    ///
    /// # Security
    ///
    /// The host asserts what it asserts to an exchange:
    /// [`Admit::assume_recent`](super::exchange::Admit::assume_recent).
    pub fn assume_recent(self, account: Subject, at: Timestamp) -> Answer<Op> {
        Answer::of(Reply::Admission(Decision::Recent(account, at)))
    }
}

/// The call has succeeded before: its answer is to be made again.
#[must_use = "the request goes on only when it is answered"]
#[derive(Debug)]
pub struct Repeat<Op> {
    outcome: Reference,
    session: SessionId,
    user: Option<UserRef>,
    operation: PhantomData<fn() -> Op>,
}

impl<Op> Repeat<Op> {
    /// What the host called the result.
    #[must_use]
    pub const fn outcome(&self) -> Reference {
        self.outcome
    }

    /// The consumed session.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.session
    }

    /// The user of the request's token, or the one the call was about.
    #[must_use]
    pub const fn user(&self) -> Option<UserRef> {
        self.user
    }

    /// The answer is made again.
    pub fn repeated(self) -> Answer<Op> {
        Answer::of(Reply::Repeated)
    }

    /// There is no such answer any more: the device that the call made was logged out.
    pub fn gone(self) -> Answer<Op> {
        Answer::of(Reply::Gone)
    }
}

/// What a handler has answered: for [`Run::go_on`].
#[must_use = "the request goes on only with it"]
pub struct Answer<Op> {
    reply: Reply,
    operation: PhantomData<fn() -> Op>,
}

enum Reply {
    Admission(Decision),
    Repeated,
    Gone,
}

impl<Op> Answer<Op> {
    const fn of(reply: Reply) -> Self {
        Self { reply, operation: PhantomData }
    }
}

impl<Op: Operation> fmt::Debug for Answer<Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("operation", &Op::NAME).finish_non_exhaustive()
    }
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

/// A call that is being carried out: how it ended is to be reported with [`Run::done`].
#[must_use = "report how it ended"]
pub struct Performing<'r, Op> {
    session: Option<SessionId>,
    operation: PhantomData<fn(&'r ()) -> Op>,
}

impl<Op> Performing<'_, Op> {
    /// The session of the call; `None` if nobody had to authenticate.
    #[must_use]
    pub const fn session_id(&self) -> Option<SessionId> {
        self.session
    }
}

impl<Op: Operation> fmt::Debug for Performing<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Performing").field("operation", &Op::NAME).finish_non_exhaustive()
    }
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
        let call = request.call(key);
        let arrival = arrive(flows.policy(), rules, kind, call.facts, &call.auth, fresh, arrived);
        Self { host, request, key, work: Work::new(arrival), stored: None, hash: None, record_asked: false }
    }

    /// The next thing for the handler to do; `None` once the call has succeeded and all of
    /// it is stored.
    ///
    /// # Errors
    ///
    /// [`Stop`] is what to answer instead.
    // Not an `async fn`: of that, the compiler can't tell in a caller's spawned future that it
    // is `Send` (rust-lang/rust#100013).
    #[allow(clippy::should_implement_trait, reason = "it is asynchronous")]
    #[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
    pub fn next(&mut self) -> impl Future<Output = Next<'r, Step<'r, E, H::Hash>, H::Error>> + Send {
        async move {
            loop {
                self.ask_host().await.map_err(Stop::Host)?;
                match self.work.todo {
                    Todo::Admit => return Ok(Some(Step::Admit(Admit(PhantomData)))),
                    Todo::Repeat => return Ok(Some(Step::Repeat(self.repeat()))),
                    _ => {
                        if let Some(end) = self.grant() {
                            return end.map(|granted| granted.map(Step::Perform));
                        }
                    }
                }
            }
        }
    }

    /// The next grant, for an endpoint that lets every call in, and whose answer is always
    /// the same; `None` once the call has succeeded, now or before.
    ///
    /// # Errors
    ///
    /// [`Stop`] is what to answer instead.
    #[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
    pub fn granted(&mut self) -> impl Future<Output = Next<'r, Granted<'r, E, H::Hash>, H::Error>> + Send {
        async move {
            loop {
                self.ask_host().await.map_err(Stop::Host)?;
                match self.work.todo {
                    Todo::Admit => self.take_in(Said::Reply(Reply::Admission(Decision::Admitted))),
                    Todo::Repeat => self.take_in(Said::Reply(Reply::Repeated)),
                    _ => {
                        if let Some(end) = self.grant() {
                            return end;
                        }
                    }
                }
            }
        }
    }

    /// Asks the host as long as it is its turn.
    ///
    /// The request stays where it is meanwhile: it is large, and a future that held it would
    /// be copied about with it.
    async fn ask_host(&mut self) -> Result<(), H::Error> {
        loop {
            let work = &self.work;
            match work.todo {
                Todo::Load => {
                    let loaded = self.host.load(work.to_load()).await?;
                    self.loaded(loaded);
                }
                Todo::Account => {
                    let found = self.host.account(work.asked_user()).await?;
                    self.take_in(Said::Account(found));
                }
                Todo::Verify => {
                    let verified = self.host.verify(&work.question).await?;
                    self.take_in(Said::Verified(verified));
                }
                Todo::Hash => {
                    let session = work.id;
                    self.host.release().await;
                    let kept = self.stored.as_ref().and_then(E::stored_password);
                    let kept = kept.and_then(|sealed: &SealedPassword| sealed.open(&session));
                    let password = self.request.password().or(kept.as_ref().map(|opened| opened.secret()));
                    self.hash = match password {
                        Some(password) => Some(self.host.hash(password).await?),
                        None => None,
                    };
                    drop(kept);
                    self.take_in(Said::Hashed);
                }
                Todo::Commit => {
                    let keeps = keeps(work);
                    if let Some((id, revision, goes_on)) = keeps {
                        let sealer = Sealer::new(id, revision);
                        // A session that begins has nothing of the one that was named.
                        let before = self.stored.take().filter(|_| goes_on);
                        self.stored = Some(self.request.to_stored(self.key, before, sealer));
                    }
                    let stored = self.stored.as_ref().filter(|_| keeps.is_some());
                    let committed = self.host.commit(Changes::of(work), stored).await?;
                    self.take_in(Said::Committed(committed));
                }
                Todo::Perform if self.record_asked || work.record_under().is_none() => return Ok(()),
                Todo::Recall | Todo::Perform => {
                    let recalled = self.host.recall(work.id).await?;
                    self.record_asked = true;
                    self.take_in(Said::Recalled(recalled));
                }
                Todo::Admit | Todo::Repeat | Todo::Respond => return Ok(()),
            }
        }
    }

    /// Goes on with what the handler has answered.
    pub fn go_on(&mut self, answer: Answer<E::Op>) {
        self.take_in(Said::Reply(answer.reply));
    }

    /// Reports how a granted call ended. Whether that holds, the next step says: the commit
    /// may lose a race, and then the call is granted again.
    #[inline(never)]
    pub fn done(
        &mut self,
        performing: Performing<'r, E::Op>,
        done: Result<Outcome, Refusal>,
        now: Timestamp,
    ) {
        let Performing { .. } = performing;
        if core::mem::take(&mut self.work.granted) {
            self.take_in(Said::Done(done, now));
        }
    }

    #[inline(never)]
    fn loaded(&mut self, loaded: Loaded<E::Stored>) {
        let Loaded { session, stored, caller, now } = loaded;
        // Once its parameters are refused, what was kept of them counts no more.
        let counts = session.as_ref().is_some_and(Session::keeps_params);
        self.stored = stored.filter(|_| counts);
        self.record_asked = false;
        self.work.session = session;
        self.take_in(Said::Loaded(caller, now));
    }

    /// Answers the question that is asked.
    fn take_in(&mut self, said: Said<'r>) {
        take_in(&mut self.work, said);
    }

    fn repeat(&self) -> Repeat<E::Op> {
        let work = &self.work;
        let (outcome, user) = (work.outcome(), work.user());
        Repeat { outcome, session: work.id, user, operation: PhantomData }
    }

    /// The grant or the end of the request, when it has come to that.
    #[allow(clippy::type_complexity, reason = "a grant, an end, or neither yet")]
    #[inline(never)]
    fn grant(&mut self) -> Option<Next<'r, Granted<'r, E, H::Hash>, H::Error>> {
        if self.work.todo != Todo::Perform || self.work.granted {
            return self.end();
        }
        let grant = Grant::new(&self.work);
        let (record_under, session) = (grant.record_under(), grant.session_id());
        // Who need not authenticate has no session, whichever one was named.
        let stored = self.stored.clone().filter(|_| session.is_some());
        match self.request.plan(self.key, grant, stored, self.hash.clone()) {
            Ok(plan) => {
                self.work.granted = true;
                let performing = Performing { session, operation: PhantomData };
                Some(Ok(Some(Granted { plan, record_under, performing })))
            }
            Err(refusal) => {
                self.take_in(Said::Done(Err(refusal), self.work.now));
                None
            }
        }
    }

    /// The end of the request, when it has come to that.
    fn end<T>(&self) -> Option<Next<'r, T, H::Error>> {
        let respond = match self.work.todo {
            Todo::Respond => Respond::of(&self.work),
            // The handler has not answered what it was asked.
            _ => Respond::Error(MatrixError::unavailable()),
        };
        Some(match respond {
            Respond::Performed => Ok(None),
            respond => Err(Stop::Respond(respond)),
        })
    }
}

/// The host's answer to a question.
enum Said<'r> {
    /// The session has been put in its place.
    Loaded(Caller, Timestamp),
    Account(Option<Account>),
    Recalled(Recalled),
    Verified(Verified<'r>),
    Hashed,
    Committed(Committed),
    /// How the call ended, and when.
    Done(Result<Outcome, Refusal>, Timestamp),
    /// What the handler has answered.
    Reply(Reply),
}

/// Takes in what the host said to the question that is asked, and asks the next. No part of
/// it depends on the endpoint or the host: there is one copy of its code.
#[inline(never)]
fn take_in<'r>(work: &mut Work<'r>, said: Said<'r>) {
    let todo = match (work.todo, said) {
        (Todo::Load, Said::Loaded(caller, now)) => work.loaded(caller, now),
        (Todo::Account, Said::Account(found)) => work.account(found),
        (Todo::Recall, Said::Recalled(recalled)) => work.recalled(recalled),
        (Todo::Verify, Said::Verified(Verified::Outside(verdict))) => work.verified(verdict, false),
        (Todo::Verify, Said::Verified(Verified::InTransaction(verdict))) => work.verified(verdict, true),
        (Todo::Hash, Said::Hashed) => work.hashed(),
        (Todo::Commit, Said::Committed(committed)) => work.committed(committed),
        (Todo::Perform, Said::Recalled(Recalled::CarriedOut(outcome))) => work.carried_out_before(outcome),
        (Todo::Perform, Said::Done(Ok(outcome), now)) => work.succeeded(outcome, now),
        (Todo::Perform, Said::Done(Err(refusal), _)) => work.refused(refusal),
        (Todo::Admit, Said::Reply(Reply::Admission(decision))) => work.admit(decision),
        (Todo::Repeat, Said::Reply(Reply::Repeated)) => work.repeated(),
        (Todo::Repeat, Said::Reply(Reply::Gone)) => work.unknown(),
        // Every question is answered where it is asked.
        _ => return,
    };
    work.goes_on_to(todo);
}

/// The session beside which the request's parameters are to be kept, at which revision, and
/// whether it is one that goes on.
fn keeps(work: &Work<'_>) -> Option<(SessionId, Revision, bool)> {
    let session = work.session.as_ref().filter(|_| work.put && work.keep)?;
    Some((work.id, session.revision(), matches!(work.write, Write::Replace(_))))
}

impl<'r, E: Endpoint, H: Send> Granted<'r, E, H> {
    /// The plan, and what takes its end.
    pub fn into_parts(self) -> (E::Plan<H>, Performing<'r, E::Op>) {
        (self.plan, self.performing)
    }
}

impl<'r, H: Host<'r, E>, E: Endpoint> fmt::Debug for Run<'r, H, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
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
/// What it returns is to be answered.
#[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
pub fn refuse<'r, H: Host<'r, E>, E: Endpoint>(
    host: &mut H,
    guarded: Guarded<'r, E::Op>,
    call: Call<'r, E::Op>,
    error: MatrixError,
    arrived: Timestamp,
) -> impl Future<Output = Stop<'r, H::Error>> + Send {
    async move {
        let Guarded { flows, rules, kind, .. } = guarded;
        let mut incoming = Incoming::refused(flows, rules, kind, call, error, arrived);
        let mut exchange = incoming.exchange();
        loop {
            exchange = match exchange {
                Exchange::Load(load) => match host.load(load.session_id()).await {
                    Ok(Loaded { session, stored: _, caller, now }) => {
                        load.found(session.as_ref(), caller, now)
                    }
                    Err(error) => return Stop::Host(error),
                },
                Exchange::Account(account) => match host.account(account.user()).await {
                    Ok(found) => account.found(found),
                    Err(error) => return Stop::Host(error),
                },
                Exchange::Commit(commit) => match host.commit(Changes::of(commit.work()), None).await {
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
}

/// The request, if its check lets it pass; else ends it as [`refuse`] does. `call` is the
/// call without its parameters.
///
/// ```ignore
/// let request = RegisterRequest::parse(&body)?;
/// let checked = request.check(&strength, "example.org");
/// let checked = drive::checked(checked, &mut host, guarded, request.unchecked_call(), now).await?;
/// ```
///
/// # Errors
///
/// [`Stop`] is what to answer instead.
#[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
pub fn checked<'r, H: Host<'r, E>, E: Endpoint + Send>(
    checked: Result<E, MatrixError>,
    host: &mut H,
    guarded: Guarded<'r, E::Op>,
    call: Call<'r, E::Op>,
    arrived: Timestamp,
) -> impl Future<Output = Result<E, Stop<'r, H::Error>>> + Send {
    async move {
        match checked {
            Ok(request) => Ok(request),
            Err(error) => Err(refuse::<H, E>(host, guarded, call, error, arrived).await),
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
