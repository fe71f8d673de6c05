//! Rule U25 at a page: a form whose every commit is lost.

use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::commit::{Change, Committed, MAX_LOST_COMMITS, Put};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Exchange, HostKind, Incoming};
use matrix_uia::server::operation::Deactivate;
use matrix_uia::server::page::{PageExchange, PagePolicy, Visit};
use matrix_uia::server::page_outcome::{PageOutcome, PageRefusal};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::wire::{AuthData, AuthType, Raw};
use matrix_uia::{BindingKey, Flows, Rules, SessionId, Timestamp};

const VOUCHER: &str = "org.example.voucher";
const ALICE: Subject = Subject::new(UserRef::new(1), 0);
const NOW: Timestamp = Timestamp::from_millis(1_000);

fn alice() -> Account {
    Account::new(ALICE, AccountStatus::default())
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn u25_a_page_whose_every_commit_is_lost_gives_back_what_it_reserved() {
    let mut buffer = [0; 128];
    let flows = Flows::<Deactivate>::in_buffer([[VOUCHER]], None, &mut buffer).unwrap();
    let (rules, id) = (Rules::default(), SessionId::from_entropy([b'Z'; 24]));
    let key = BindingKey::from_entropy([7; 16]);
    let request = DeactivateRequest::parse(b"{}").unwrap().check().unwrap();
    let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, request.call(&key), id, NOW);
    let Exchange::Load(load) = incoming.exchange() else { panic!("it begins with a load") };
    let Exchange::Admit(admit) = load.found(None, Caller::User(alice()), NOW) else { panic!("no admission") };
    let Exchange::Commit(commit) = admit.admitted() else { panic!("no challenge") };
    let Some(Change::Put(Put { session, .. })) = commit.changes().next() else { panic!("no session") };

    let data = AuthData::Custom(Raw::parse(r#"{"type":"org.example.voucher"}"#).unwrap());
    let visit = Visit::form(id, AuthType::from(VOUCHER), Ok(data), None);
    let mut exchange = PageExchange::begin(visit, NOW);
    let (mut lost, mut given_back) = (0, false);
    let outcome = loop {
        exchange = match exchange {
            PageExchange::Load(load) => load.found(Some(session.clone()), NOW),
            PageExchange::Policy(guard) => guard.found(Some(PagePolicy::new(&flows, &rules))),
            PageExchange::Account(account) => account.found(Some(alice())),
            PageExchange::Verify(verify) => {
                verify.verdict(Verdict::Passed(Evidence::other(Reference::new(7))))
            }
            PageExchange::Commit(commit) => {
                lost += 1;
                given_back = commit.changes().any(|change| matches!(change, Change::GiveBack { .. }));
                commit.committed(Committed::Lost)
            }
            PageExchange::Respond(outcome) => break outcome,
        };
    };
    assert_eq!(outcome, PageOutcome::Refused(PageRefusal::Unavailable));
    assert_eq!(lost, u32::from(MAX_LOST_COMMITS) + 1);
    assert!(given_back, "in the last commit that was tried");
}
