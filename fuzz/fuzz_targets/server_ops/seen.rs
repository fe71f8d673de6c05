//! What the crate did, in the words of the model.

use matrix_uia::server::operation::{Operation, Reference, Subject, UserRef};
use matrix_uia::server::session::{Challenge, Check, Proof, Write};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{Session, Step, Timestamp};
use matrix_uia_fuzz::model::{Answer, Model, State};
use serde_json::Value;

use super::input::slot;

pub(super) fn compare(session: &Session, model: &Model) {
    assert_eq!(session.subject(), model.subject.map(|(user, epoch)| Subject::new(UserRef::new(user), epoch)));
    assert_eq!(session.user().map(UserRef::get), model.user());
    assert_eq!(session.made().as_millis(), model.made);
    assert_eq!(session.revision().get(), model.revision);
    assert_eq!(session.failures(), model.failures);
    assert_eq!(session.has_passed_stage(), !model.passed.is_empty());
    assert_eq!(session.proofs().collect::<Vec<_>>(), model.passed.iter().map(|it| it.1).collect::<Vec<_>>());
    assert_eq!(session.is_claimed(), model.state == State::Claimed);
    let consumed = match model.state {
        State::Consumed { at, .. } => Some(at),
        _ => None,
    };
    assert_eq!(session.consumed_at().map(Timestamp::as_millis), consumed);
    for (index, (stage, _)) in model.passed.iter().enumerate() {
        assert!(
            model.passed.iter().skip(index + 1).all(|(other, _)| other != stage),
            "{stage} has passed twice"
        );
    }
}

/// A failure changes the count, and of the rest only what the request itself brought:
/// its parameters, and the terms that the answer shows.
pub(super) fn only_counts(before: &Session, after: &Session) {
    let fields = |session: &Session| {
        let mut fields = serde_json::to_value(session).unwrap();
        for field in ["failures", "revision", "binding", "body", "terms"] {
            fields.as_object_mut().unwrap().remove(field);
        }
        fields
    };
    assert_eq!(fields(before), fields(after));
    assert!(after.failures() <= before.failures() + 1);
}

pub(super) fn text(challenge: &Challenge<'_>) -> String {
    let mut body = String::with_capacity(512);
    challenge.write_body(&mut body).expect("a string has room");
    body
}

/// Whether two steps say and store the same.
pub(super) fn same<Op: Operation>(a: &Step<'_, Op>, b: &Step<'_, Op>) -> bool {
    let body = |step: &Step<'_, Op>| {
        if let Step::Challenge(challenge) = step { text(challenge) } else { String::new() }
    };
    stored(a) == stored(b) && body(a) == body(b) && std::mem::discriminant(a) == std::mem::discriminant(b)
}

pub(super) fn stored<Op: Operation>(step: &Step<'_, Op>) -> Option<Session> {
    let write = match step {
        Step::Challenge(challenge) => challenge.write(),
        Step::Grant(claim) => claim.write(),
        Step::Reject(refused) => refused.write(),
        _ => Write::Keep,
    };
    match write {
        Write::Insert { session, .. } | Write::Replace { session, .. } => Some(session.clone()),
        _ => None,
    }
}

pub(super) type Seen = (Answer, Option<Proof>, Option<Session>);

/// What is seen of a step from outside: the answer, the proof given back, the session
/// that is to be stored.
pub(super) fn shown<Op: Operation>(step: &Step<'_, Op>) -> Seen {
    let stored = stored(step);
    match step {
        Step::Challenge(challenge) => {
            let body: Value = serde_json::from_str(&text(challenge)).expect("JSON is written");
            let body = body.as_object().expect("an object is written");
            let known = ["flows", "params", "session", "completed", "errcode", "error", "hint"];
            assert!(body.keys().all(|key| known.contains(&key.as_str())), "{body:?}");
            assert_eq!(body.contains_key("errcode"), body.contains_key("error"), "both or neither");
            assert!(body.contains_key("flows") && body.contains_key("params"));
            assert_eq!(body["session"], challenge.session_id().expose().as_str());
            let name = |stage: &Value| stage.as_str().expect("a name").to_owned();
            let answer = Answer::Challenge {
                id: slot(challenge.session_id()),
                completed: body
                    .get("completed")
                    .and_then(Value::as_array)
                    .map(|it| it.iter().map(name).collect()),
                code: body.get("errcode").and_then(Value::as_str).and_then(ErrorCode::from_name),
                keep: challenge.keep_params(),
                ended: challenge.ended().map(slot),
            };
            (answer, challenge.unused_proof(), stored)
        }
        Step::Verify(pending) => {
            let (stage, awaited) = match pending.check() {
                Check::Password { .. } => (Some("m.login.password"), None),
                Check::Recaptcha { .. } => (Some("m.login.recaptcha"), None),
                Check::Email(_) => (Some("m.login.email.identity"), None),
                Check::Awaited { reference } => (None, Some(reference.get())),
                Check::Custom { reference, .. } => (Some("org.example.pin"), reference.map(Reference::get)),
                _ => panic!("nobody asked for that"),
            };
            let user = pending.user().map(UserRef::get);
            (Answer::Verify { id: slot(pending.session_id()), stage, awaited, user }, None, None)
        }
        Step::Grant(claim) => {
            let proofs = stored.iter().flat_map(Session::proofs).collect();
            (Answer::Grant { proofs, keep: claim.keep_params() }, claim.unused_proof(), stored)
        }
        Step::Replay(replay) => (Answer::Replay(replay.outcome().get()), replay.unused_proof(), None),
        Step::Reject(refused) => {
            let reject = refused.reject();
            (Answer::Reject(reject.status(), reject.code()), refused.unused_proof(), stored)
        }
        _ => unreachable!("no such step"),
    }
}
