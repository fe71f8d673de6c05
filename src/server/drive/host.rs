//! What a host does for the loop, and what it is given.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;

use crate::secret::Secret;
use crate::server::account::{Account, Caller};
use crate::server::commit::{Change, Committed, SessionChanges, changes, session_changes};
use crate::server::digest::BindingKey;
use crate::server::endpoint::Endpoint;
use crate::server::exchange::HostKind;
use crate::server::flows::Flows;
use crate::server::operation::Operation;
use crate::server::question::Question;
use crate::server::reference::UserRef;
use crate::server::respond::Respond;
use crate::server::rules::Rules;
use crate::server::session::{Session, SessionId};
use crate::server::store::Record;
use crate::server::transition::end::Recalled;
use crate::server::transition::work::Work;
use crate::server::verdict::Verdict;
use crate::time::Timestamp;
use crate::wire::error::MatrixError;

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
    /// The same from a [`Store`](crate::server::store::Store)'s record; `read` reads what it keeps.
    /// What can't be read counts as lost: the client is asked to send it again.
    pub fn from_record<K>(
        record: Option<Record<&K>>,
        read: impl FnOnce(&K) -> Option<S>,
        caller: Caller,
        now: Timestamp,
    ) -> Self {
        let (session, kept) = record.map(|record| (record.session, record.kept)).unzip();
        Self { session, stored: kept.and_then(read), caller, now }
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

    /// Whether the stage has passed. See [`Exchange::Verify`](crate::server::exchange::Exchange::Verify).
    fn verify(
        &mut self,
        question: &Question<'r>,
    ) -> impl Future<Output = Result<Verified<'r>, Self::Error>> + Send;

    /// Undoes the transaction: only a verdict may have written in it.
    fn release(&mut self) -> impl Future<Output = ()> + Send;

    /// Hashes a password, outside of any transaction.
    fn hash(&mut self, password: Secret<'_>) -> impl Future<Output = Result<Self::Hash, Self::Error>> + Send;

    /// In the transaction: what became of the call of this session, by the record under
    /// [`Grant::record_under`](crate::server::grant::Grant::record_under). It is asked about a claim
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
    pub(super) const fn of(work: &'c Work<'r>) -> Self {
        Self { work, operation: PhantomData }
    }

    /// Those of them that are about sessions.
    #[must_use]
    pub fn session_changes(&self) -> SessionChanges<&'c Session> {
        session_changes(self.work)
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

/// What the next step of a [`Run`](super::Run) is, or what to answer instead of one.
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
    pub kind: HostKind<'r>,
}

impl<Op> Clone for Guarded<'_, Op> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op> Copy for Guarded<'_, Op> {}
