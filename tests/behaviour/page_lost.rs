//! Rule U25 at a page: a form whose every commit is lost.

use std::convert::Infallible;

use matrix_uia::Timestamp;
use matrix_uia::server::account::{Account, AccountStatus};
use matrix_uia::server::commit::{Change, Committed, MAX_LOST_COMMITS};
use matrix_uia::server::drive::{Verified, ready};
use matrix_uia::server::drive_page::{self, PageChanges, PageHost, PageLoaded};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::page::{PagePolicy, PageRequest};
use matrix_uia::server::page_outcome::{PageOutcome, PageRefusal};
use matrix_uia::server::question::Question;
use matrix_uia::server::reference::{Reference, UserRef};
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::wire::{AuthData, AuthType, Raw};
use matrix_uia::{Flows, Rules, Session, SessionId};

use crate::support::{Server, policy};

const VOUCHER: &str = "org.example.voucher";

/// A host that has one session, and loses every commit.
struct Loses {
    flows: &'static Flows<'static, ChangePassword>,
    rules: &'static Rules,
    session: Session,
    now: Timestamp,
    lost: u32,
    /// Whether the last commit was to give something back.
    gives_back: bool,
}

impl<'r> PageHost<'r> for Loses {
    type Error = Infallible;

    async fn load_page(&mut self, _: SessionId) -> Result<PageLoaded, Infallible> {
        Ok(PageLoaded { session: Some(self.session), now: self.now })
    }

    async fn page_policy(&mut self, _: &Session) -> Result<Option<PagePolicy<'r>>, Infallible> {
        Ok(Some(PagePolicy::new(self.flows, self.rules)))
    }

    async fn page_account(&mut self, _: UserRef) -> Result<Option<Account>, Infallible> {
        Ok(self.session.subject().map(|subject| Account::new(subject, AccountStatus::default())))
    }

    async fn verify_page(&mut self, _: &Question<'r>) -> Result<Verified<'r>, Infallible> {
        Ok(Verified::Outside(Verdict::Passed(Evidence::other(Reference::new(7)))))
    }

    async fn commit_page(&mut self, changes: PageChanges<'_, 'r>) -> Result<Committed, Infallible> {
        self.lost += 1;
        self.gives_back = changes.iter().any(|change| matches!(change, Change::GiveBack { .. }));
        Ok(Committed::Lost)
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn u25_a_page_whose_every_commit_is_lost_gives_back_what_it_reserved() {
    let flows = policy(&[&[VOUCHER]], None);
    let mut server = Server::new();
    server.policies.change = flows;
    let name = server.begin(Some("alice-token"));
    let (session, now) = (server.session(&name), server.timestamp());
    let data = AuthData::Custom(Raw::parse(r#"{"type":"org.example.voucher"}"#).unwrap());
    let visit = PageRequest::form(server.named(&name), AuthType::from(VOUCHER), Ok(data), None);
    let rules = &Rules::DEFAULT;
    let mut host = Loses { flows, rules, session, now, lost: 0, gives_back: false };
    let outcome = ready(drive_page::visit(&mut host, visit, now)).expect("nothing waits here");
    assert_eq!(outcome, Ok(PageOutcome::Refused(PageRefusal::Unavailable)));
    assert_eq!(host.lost, u32::from(MAX_LOST_COMMITS) + 1);
    assert!(host.gives_back, "in the last commit that was tried");
}
