//! Rule U26: claims that another request has ended, question by question.

use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Commit, Exchange, HostKind, Incoming};
use matrix_uia::server::grant::Refusal;
use matrix_uia::server::operation::Deactivate;
use matrix_uia::server::question::Check;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::{BindingKey, MatrixError, Rules, Session, SessionId, Timestamp, flows};

const ALICE: Subject = Subject::new(UserRef::new(1), 0);
const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const FIRST: Timestamp = Timestamp::from_millis(1_000);

fn put(commit: &Commit<'_, '_, Deactivate>) -> Session {
    let mut stored = commit.changes().filter_map(|change| match change {
        Change::Put(Put { session, .. }) => Some(*session),
        _ => None,
    });
    stored.next().expect("the session is stored")
}

/// Answers every question up to the next commit or call with what a host of one session has.
fn go<'w, 'r>(
    mut exchange: Exchange<'w, 'r, Deactivate>,
    session: Option<&Session>,
    now: Timestamp,
) -> Exchange<'w, 'r, Deactivate> {
    loop {
        exchange = match exchange {
            Exchange::Load(load) => {
                let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
                load.found(session, caller, now)
            }
            Exchange::Admit(admit) => admit.admitted(),
            Exchange::Recall(recall) => recall.not_carried_out(),
            Exchange::Verify(verify) => {
                let Check::Password(check) = verify.question().check() else { unreachable!() };
                let verdict = check.named(Named::User(ALICE)).verdict(true);
                verify.verdict(verdict)
            }
            other => return other,
        };
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[test]
fn u26_a_claim_that_another_request_has_ended_is_made_anew() {
    let flows = flows!(Deactivate: [["m.login.password"]]);
    let rules = Rules::default();
    let id = SessionId::from_entropy([b'Z'; 24]);
    let parse = |body: &'static [u8]| DeactivateRequest::parse(body).unwrap().check().unwrap();
    let first = parse(b"{}");
    let attempt = parse(
        br#"{"auth":{"session":"PPPPPPPPPPPPPPPPPPPPPPPPKKKKKKKK",
            "type":"m.login.password","user":"alice","password":"wonderland"}}"#,
    );
    let poll = parse(br#"{"auth":{"session":"PPPPPPPPPPPPPPPPPPPPPPPPKKKKKKKK"}}"#);
    let begin = |call, arrived| Incoming::new(&flows, &rules, HostKind::CLAIMS, call, id, arrived);
    let mut beginning = begin(first.call(&KEY), FIRST);
    let Exchange::Commit(challenge) = go(beginning.exchange(), None, FIRST) else { panic!("no challenge") };
    let open = put(&challenge);

    // One request claims the session, and its call is refused.
    let mut attempting = begin(attempt.call(&KEY), FIRST);
    let Exchange::Commit(claim) = go(attempting.exchange(), Some(&open), FIRST) else { panic!("no claim") };
    let claimed = put(&claim);
    assert!(claimed.is_claimed());
    let Exchange::Perform(perform) = go(claim.committed(Committed::Stored), Some(&claimed), FIRST) else {
        panic!("the claim is this request's")
    };
    let Exchange::Commit(refused) = perform.grant().1.refused(Refusal::new(MatrixError::unavailable()))
    else {
        panic!("the claim has to end")
    };

    // Before that is stored the claim lapses, and another request ends it.
    let late = FIRST.after(rules.claim_for);
    let mut polling = begin(poll.call(&KEY), late);
    let Exchange::Commit(ends) = go(polling.exchange(), Some(&claimed), late) else {
        panic!("it stays claimed")
    };
    let ended = put(&ends);
    assert!(!ended.is_claimed());

    // The first request has lost the race, and its claim with it.
    let Exchange::Commit(again) = go(refused.committed(Committed::Lost), Some(&ended), late) else {
        panic!("a call without a claim")
    };
    assert!(put(&again).is_claimed());
}
