//! The loop over a [`PageExchange`], once for every host: it does no IO, it asks a
//! [`PageHost`] that does.
//!
//! A host whose [`Host`](super::drive::Host) is there already answers the same questions
//! here, but for those that only a request has: a page hashes nothing and performs nothing.

use core::fmt;
use core::future::Future;

use super::account::Account;
use super::commit::{Change, Committed, SessionChanges};
use super::drive::Verified;
use super::page::{PageCommit, PageExchange, PagePolicy, PageRequest};
use super::page_outcome::PageOutcome;
use super::question::Question;
use super::reference::UserRef;
use super::session::{Session, SessionId};
use crate::time::Timestamp;

/// What a host found in the transaction that it has begun.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "what nobody looks up has to break the build")]
pub struct PageLoaded {
    /// The session, if it is there.
    pub session: Option<Session>,
    /// The time now.
    pub now: Timestamp,
}

/// What is looked up and stored for one visit to a page.
pub trait PageHost<'r>: Send {
    /// Why the host can't go on: it ends the visit.
    type Error: Send;

    /// Begins a transaction and reads the session.
    fn load_page(
        &mut self,
        session: SessionId,
    ) -> impl Future<Output = Result<PageLoaded, Self::Error>> + Send;

    /// In the transaction: the policy that the session's operation is guarded by; `None` if it
    /// has no pages.
    fn page_policy(
        &mut self,
        session: &Session,
    ) -> impl Future<Output = Result<Option<PagePolicy<'r>>, Self::Error>> + Send;

    /// In the transaction: the account of a user.
    fn page_account(
        &mut self,
        user: UserRef,
    ) -> impl Future<Output = Result<Option<Account>, Self::Error>> + Send;

    /// Whether the stage has passed. See [`PageExchange::Verify`].
    fn verify_page(
        &mut self,
        question: &Question<'r>,
    ) -> impl Future<Output = Result<Verified<'r>, Self::Error>> + Send;

    /// Carries every change out and ends the transaction. What is kept beside the session
    /// stays as it is.
    fn commit_page(
        &mut self,
        changes: PageChanges<'_, 'r>,
    ) -> impl Future<Output = Result<Committed, Self::Error>> + Send;
}

/// The changes of a commit.
pub struct PageChanges<'c, 'r>(&'c PageCommit<'r>);

impl<'c> PageChanges<'c, '_> {
    /// Those of them that are about sessions.
    #[must_use]
    pub fn session_changes(&self) -> SessionChanges<&'c Session> {
        self.0.session_changes()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'c>> + Clone {
        self.0.changes()
    }
}

impl fmt::Debug for PageChanges<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Takes one visit through. `arrived` is when the request came in.
///
/// # Errors
///
/// The host's own.
#[allow(clippy::manual_async_fn, reason = "an async fn would not say that it is `Send`")]
pub fn visit<'r, H: PageHost<'r>>(
    host: &mut H,
    visit: PageRequest<'r>,
    arrived: Timestamp,
) -> impl Future<Output = Result<PageOutcome, H::Error>> + Send {
    async move {
        let mut exchange = PageExchange::begin(visit, arrived);
        loop {
            exchange = match exchange {
                PageExchange::Load(load) => {
                    let PageLoaded { session, now } = host.load_page(load.session_id()).await?;
                    load.found(session, now)
                }
                PageExchange::Policy(guard) => {
                    let policy = host.page_policy(guard.session()).await?;
                    guard.found(policy)
                }
                PageExchange::Account(account) => {
                    let found = host.page_account(account.user()).await?;
                    account.found(found)
                }
                PageExchange::Verify(verify) => match host.verify_page(verify.question()).await? {
                    Verified::Outside(verdict) => verify.verdict(verdict),
                    Verified::InTransaction(verdict) => verify.verdict_in_transaction(verdict),
                },
                PageExchange::Commit(commit) => {
                    let committed = host.commit_page(PageChanges(&commit)).await?;
                    commit.committed(committed)
                }
                PageExchange::Respond(outcome) => return Ok(outcome),
            };
        }
    }
}
