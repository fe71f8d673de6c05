//! What the crate did, held against the model.

use matrix_uia::server::commit::{Change, Put};
use matrix_uia::server::respond::Respond;
use matrix_uia::server::session::Proof;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{Session, Timestamp};
use serde_json::Value;

use crate::answers::{Answer, Plan};
use crate::facts::STAGES;
use crate::host::{id, number};
use crate::session::{Id, Model, State};

/// The changes of a commit are those of the plan.
pub(crate) fn compare(changes: &[Change<'_>], plan: &Plan) {
    let mut seen = Plan { answer: plan.answer.clone(), ..Plan::default() };
    for (index, change) in changes.iter().enumerate() {
        match *change {
            Change::Undo => {
                assert_eq!(index, 0, "what the call has written is undone before anything else");
                seen.undo = true;
            }
            Change::Spend { session, proof } => seen.spend.push((number(session), proof)),
            Change::GiveBack { session, proof } => seen.give_back.push((number(session), proof)),
            Change::Remove { id, expected } => {
                assert!(seen.remove.is_none(), "one session is removed");
                seen.remove = Some((number(id), expected.get()));
            }
            Change::Put(Put { id, expected, session, keep }) => {
                assert!(seen.put.is_none(), "one session is stored");
                let put = plan.put.as_ref().unwrap_or_else(|| panic!("{session:?} is stored, not {plan:?}"));
                same_session(session, &put.model);
                assert_eq!((number(id), expected.map(|it| it.get())), (put.id, put.expected), "{plan:?}");
                assert_eq!(keep, put.keep, "{plan:?}");
                seen.put = Some(put.clone());
            }
        }
    }
    let sorted = |mut list: Vec<(Id, Proof)>| {
        list.sort_by_key(|(id, proof)| (*id, format!("{proof:?}")));
        list
    };
    let plan =
        Plan { give_back: sorted(plan.give_back.clone()), spend: sorted(plan.spend.clone()), ..plan.clone() };
    seen.give_back = sorted(seen.give_back);
    seen.spend = sorted(seen.spend);
    assert_eq!(seen, plan);
}

/// A stored session says what its model does.
pub(crate) fn same_session(session: &Session, model: &Model) {
    assert_eq!(session.account(), model.account);
    assert_eq!(session.subject(), model.account.filter(|_| model.by_token));
    assert_eq!(session.made().as_millis(), model.made);
    assert_eq!(session.revision().get(), model.revision);
    assert_eq!(session.failures(), model.failures);
    assert_eq!(session.has_passed_stage(), !model.passed.is_empty());
    let proofs: Vec<Proof> = model.passed.iter().map(|(_, proof)| *proof).collect();
    assert_eq!(session.proofs().collect::<Vec<_>>(), proofs);
    let claimed = match model.state {
        State::Claimed(at) => Some(at),
        _ => None,
    };
    assert_eq!(session.claimed_at().map(Timestamp::as_millis), claimed);
    let consumed = match model.state {
        State::Consumed { at, .. } => Some(at),
        _ => None,
    };
    assert_eq!(session.consumed_at().map(Timestamp::as_millis), consumed);
}

/// The answer, in the words of the model.
pub(crate) fn answer(respond: &Respond<'_>) -> Answer {
    match respond {
        Respond::Performed => Answer::Performed,
        Respond::Error(error) => {
            let limited = error.code() == ErrorCode::LimitExceeded;
            assert_eq!(respond.retry_after_secs().is_some(), limited, "who is limited learns for how long");
            Answer::Error(error.status(), error.code())
        }
        Respond::Challenge(challenge) => {
            let mut text = String::new();
            assert_eq!(respond.write_body(&mut text), Ok(Some(401)));
            let body: Value = serde_json::from_str(&text).expect("JSON is written");
            let body = body.as_object().expect("an object is written");
            let known = ["flows", "params", "session", "completed", "errcode", "error", "hint"];
            assert!(body.keys().all(|key| known.contains(&key.as_str())), "{body:?}");
            assert_eq!(body.contains_key("errcode"), body.contains_key("error"), "both or neither");
            assert!(body["flows"].is_array() && body["params"].is_object());
            let at = number(challenge.session_id());
            assert_eq!(body["session"], id(at).expose().as_str());
            let name = |stage: &Value| *STAGES.iter().find(|name| *stage == **name).expect("a stage of ours");
            Answer::Challenge {
                id: at,
                completed: body.get("completed").map(|it| it.as_array().unwrap().iter().map(name).collect()),
                code: body.get("errcode").map(|it| ErrorCode::from_name(it.as_str().unwrap()).unwrap()),
                extra: body.contains_key("hint"),
            }
        }
    }
}
