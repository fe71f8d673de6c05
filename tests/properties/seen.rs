//! What the crate did, in the words of the model.

use matrix_uia::server::operation::{Operation, Reference, UserRef};
use matrix_uia::server::session::{Proof, Receipt, Revision, StageFailure, Verdict as Answered, Write};
use matrix_uia::wire::Raw;
use matrix_uia::{Millis, Session, SessionId, Step, Text};
use serde_json::Value;

use super::model::{Answer, STAGES, Verdict};

/// Everything of a step that anybody can see.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) answer: Answer,
    pub(super) write: Option<(SessionId, Option<Revision>, Session)>,
    /// The ID in the 401.
    pub(super) named: Option<SessionId>,
    pub(super) ended: Option<SessionId>,
    pub(super) keep: bool,
}

pub(super) type Written = (SessionId, Option<Revision>, Session);

pub(super) fn written(write: Write<'_>) -> Option<Written> {
    match write {
        Write::Insert { id, session } => Some((id, None, session.clone())),
        Write::Replace { id, expected, session } => Some((id, Some(expected), session.clone())),
        _ => None,
    }
}

pub(super) fn see<Op: Operation>(step: Step<'_, Op>) -> (Seen, Option<Receipt>) {
    let plain = |answer| Seen { answer, write: None, named: None, ended: None, keep: false };
    match step {
        Step::Challenge(challenge) => {
            let mut body = String::new();
            challenge.write_body(&mut body).unwrap();
            let body: Value = serde_json::from_str(&body).unwrap();
            let name = |stage: &Value| STAGES.iter().position(|name| stage == name).unwrap();
            let completed = body.get("completed").map(|it| it.as_array().unwrap().iter().map(name).collect());
            let named = SessionId::parse(Text::new(body["session"].as_str().unwrap())).unwrap();
            assert_eq!(named, challenge.session_id());
            let code = challenge.error_code().map(|code| code.name());
            assert_eq!(body.get("errcode").and_then(Value::as_str), code);
            let seen = Seen {
                answer: Answer::Challenge { completed, code },
                write: written(challenge.write()),
                named: Some(named),
                ended: challenge.ended(),
                keep: challenge.keep_params(),
            };
            (seen, None)
        }
        Step::Grant(claim) => {
            let seen =
                Seen { write: written(claim.write()), keep: claim.keep_params(), ..plain(Answer::Grant) };
            (seen, Some(claim.assume_stored().redeem()))
        }
        Step::Replay(_) => (plain(Answer::Replay), None),
        Step::Reject(refused) => {
            let reject = refused.reject();
            let answer = Answer::Reject(reject.status(), reject.code().name());
            (Seen { write: written(refused.write()), ..plain(answer) }, None)
        }
        Step::Verify(_) => (plain(Answer::Verify), None),
        _ => unreachable!("every step has its arm"),
    }
}

pub(super) fn proof(which: usize, user: u8) -> Proof {
    match STAGES[which] {
        "m.login.password" | "m.login.sso" => Proof::User(UserRef::new(user.into())),
        _ => Proof::Nothing,
    }
}

pub(super) fn answered(verdict: Verdict, which: usize) -> Answered<'static> {
    match verdict {
        Verdict::Passed(user) => Answered::Passed(proof(which, user)),
        Verdict::Failed => Answered::Failed(StageFailure::Credentials),
        Verdict::UnknownThreepid => Answered::Failed(StageFailure::UnknownThreepid),
        Verdict::Pending => Answered::Pending(Reference::new(7)),
        Verdict::Continue => {
            Answered::Continue { extra: Raw::parse(r#"{"more":1}"#).unwrap(), reference: Reference::new(8) }
        }
        Verdict::Unavailable => Answered::Unavailable,
        Verdict::Limited => Answered::Limited(Millis::new(5)),
    }
}
