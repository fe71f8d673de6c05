//! The homeserver as the host of the crate's pages: the same questions as a request's, but for the call.

use crate::app::App;
use crate::db::users;
use crate::failure::Failure;
use crate::uia::UiaHost;
use crate::who::Peer;
use matrix_uia::server::account::Account;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::drive::Verified;
use matrix_uia::server::drive_page::{self, PageChanges, PageHost, PageLoaded};
use matrix_uia::server::page::{PagePolicy, PageRequest};
use matrix_uia::server::page_outcome::PageOutcome;
use matrix_uia::server::question::Question;
use matrix_uia::server::reference::UserRef;
use matrix_uia::{Session, SessionId};

/// What a page is made of: the policy of its session, and the full ID of whom it is for.
#[derive(Debug, Clone)]
pub struct Seen<'r> {
    pub policy: PagePolicy<'r>,
    pub user_id: Option<String>,
}

struct PageVisit<'r> {
    app: &'r App,
    host: UiaHost<'r>,
    seen: Option<Seen<'r>>,
}

/// Takes a visit through. What its page is made of, too; `None` if there is no such session.
pub async fn visit<'r>(
    app: &'r App,
    peer: &'r Peer,
    visit: PageRequest<'r>,
) -> Result<(PageOutcome, Option<Seen<'r>>), Failure> {
    let mut host = PageVisit { app, host: UiaHost::new(app, peer, None), seen: None };
    let outcome = drive_page::visit(&mut host, visit, peer.arrived).await?;
    Ok((outcome, host.seen))
}

impl<'r> PageHost<'r> for PageVisit<'r> {
    type Error = Failure;

    async fn load_page(&mut self, session: SessionId) -> Result<PageLoaded, Failure> {
        let (found, now) = self.host.open(Some(session)).await?;
        self.seen = None;
        Ok(PageLoaded { session: found.map(|(session, _)| session), now })
    }

    async fn page_policy(&mut self, session: &Session) -> Result<Option<PagePolicy<'r>>, Failure> {
        let user = match session.user() {
            Some(user) => users::by_key(self.host.tx().await?, user.into())?,
            None => None,
        };
        let policy = self.app.policies.page(session, user.as_ref());
        self.seen = policy.map(|policy| {
            let user_id = user.map(|user| self.app.user_id(&user.localpart));
            Seen { policy, user_id }
        });
        Ok(policy)
    }

    async fn page_account(&mut self, user: UserRef) -> Result<Option<Account>, Failure> {
        self.host.account_now(user).await
    }

    async fn verify_page(&mut self, question: &Question<'r>) -> Result<Verified<'r>, Failure> {
        self.host.answer(question).await
    }

    async fn commit_page(&mut self, changes: PageChanges<'_, 'r>) -> Result<Committed, Failure> {
        self.host.store(changes.iter(), None).await
    }
}
