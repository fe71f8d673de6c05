//! What comes in, step by step.

use ErrorCode::{Forbidden, InvalidParam, LimitExceeded, MissingParam, Unknown};
use matrix_uia::server::session::{BodyBinding, Params, Proof, StageFailure, UnknownSession};
use matrix_uia::wire::error::ErrorCode;

use super::{Answer, Answered, Ask, Bound, Form, Id, Live, Model, Outcome, Request, Stage, State, World};

/// A request comes in; `stored` is what the store has for the session it names.
pub fn receive(world: &World<'_>, request: &Request, stored: Option<Model>) -> Outcome {
    let one_shot_off = request.session.is_none() && !world.rules.one_shot;
    if request.ask == Ask::Absent {
        return hide_completed(challenge(begin(world, request, world.fresh), None));
    }
    if one_shot_off {
        return challenge(begin(world, request, world.fresh), None);
    }
    let live = match find(world, request, stored, world.fresh) {
        Ok(live) => live,
        Err(outcome) => return outcome,
    };
    match request.ask {
        Ask::Attempt(stage, form) => attempt(world, live, stage, form),
        _ => poll(world, live),
    }
}

/// A verdict on `stage` comes in; `polled` if nothing was attempted.
pub fn apply(
    world: &World<'_>,
    request: &Request,
    (id, stage, polled): (Id, Stage, bool),
    verdict: Answered,
    stored: Option<Model>,
) -> Outcome {
    // What the session holds already is in use; anything else without use is given back.
    let proof = match verdict {
        Answered::Passed(proof) if !stored.iter().flat_map(|it| &it.passed).any(|it| it.1 == proof) => {
            Some(proof)
        }
        _ => None,
    };
    let mut live = match find(world, request, stored, id) {
        Ok(live) => live,
        Err(outcome) => return Outcome { unused: proof, ..outcome },
    };
    if !world.policy.is_next(&live.model.passed, stage, world.rules.stage_order) {
        return Outcome { unused: proof, ..go_on(world, live) };
    }
    match verdict {
        Answered::Passed(proof) if live.model.accepts(stage, proof) => pass(world, live, stage, proof),
        Answered::Passed(proof) => Outcome { unused: Some(proof), ..fail(live, polled, None) },
        Answered::Failed(StageFailure::UnknownThreepid) => fail(live, polled, None),
        Answered::Failed(failure) => fail(live, polled, Some(code(failure))),
        Answered::Unavailable => reject(503, Unknown),
        Answered::Limited => reject(429, LimitExceeded),
        Answered::Pending(reference) => {
            live.model.state = State::Awaiting(stage, reference);
            live.changed = true;
            challenge(live, None)
        }
    }
}

fn code(failure: StageFailure) -> ErrorCode {
    match failure {
        StageFailure::Credentials | StageFailure::UnknownThreepid => Forbidden,
        StageFailure::Captcha => ErrorCode::CaptchaInvalid,
        StageFailure::Threepid => ErrorCode::ThreepidAuthFailed,
        _ => ErrorCode::Unauthorized,
    }
}

/// The session the request is about, or the answer if it can't go on with it.
fn find(world: &World<'_>, request: &Request, stored: Option<Model>, new: Id) -> Result<Live, Outcome> {
    let Some(id) = request.session else { return Ok(begin(world, request, new)) };
    let Some(model) = stored else { return Err(unknown(world, request, None)) };
    // Another user's session is no session.
    if request.subject.map(|it| it.0) != model.subject.map(|it| it.0) {
        return Err(unknown(world, request, None));
    }
    if let State::Consumed { at, outcome } = model.state {
        let again = model.is_replay(at, world, request);
        return Err(if again { just(Answer::Replay(outcome)) } else { unknown(world, request, None) });
    }
    if model.call != request.call {
        return Err(reject(403, Forbidden));
    }
    if model.over(world, request) {
        let ended = (model.state != State::Claimed).then_some(id);
        return Err(unknown(world, request, ended));
    }
    if model.failures >= world.rules.max_failed_attempts {
        return Err(reject(429, LimitExceeded));
    }
    let terms_seen = model.terms == world.policy.terms;
    let before = model.clone();
    let mut live = Live {
        id,
        new: false,
        changed: false,
        keep: false,
        terms_seen,
        given: request.params,
        before,
        model,
    };
    if live.model.state == State::Claimed {
        return Err(challenge(live, None));
    }
    live.changed = !terms_seen;
    live.model.terms = world.policy.terms;
    if bind(&mut live, world.rules.body_binding, request.params) {
        Ok(live)
    } else {
        Err(reject(403, Forbidden))
    }
}

fn begin(world: &World<'_>, request: &Request, id: Id) -> Live {
    let model = Model {
        call: request.call,
        subject: request.subject,
        made: world.now,
        passed: Vec::new(),
        failures: 0,
        params: Bound::No,
        state: State::Open,
        terms: world.policy.terms,
        revision: 0,
    };
    let before = model.clone();
    let given = request.params;
    let mut live = Live { id, model, new: true, changed: true, keep: false, terms_seen: true, given, before };
    bind(&mut live, world.rules.body_binding, request.params);
    live
}

/// Rule U13: `false` if the parameters are not those the session is bound to.
fn bind(live: &mut Live, rule: BodyBinding, given: Option<u8>) -> bool {
    let before = live.model.params;
    let after = match (rule, before, given) {
        (BodyBinding::Exact, Bound::No, given) => Bound::To(given),
        (BodyBinding::Exact, Bound::To(bound), given) if bound != given => return false,
        (_, before, None) => before,
        (BodyBinding::OmittedOrExact, Bound::To(bound), given) if bound != given => return false,
        (_, _, given) => Bound::To(given),
    };
    if after != before {
        live.model.params = after;
        live.changed = true;
        live.keep = given.is_some();
    }
    true
}

fn attempt(world: &World<'_>, live: Live, stage: Stage, form: Form) -> Outcome {
    let order = world.rules.stage_order;
    if live.model.passed.iter().any(|(done, _)| *done == stage) {
        return go_on(world, live);
    }
    if !world.policy.is_next(&live.model.passed, stage, order) {
        return no_attempt(live, InvalidParam);
    }
    match (form, stage) {
        (Form::Missing, _) => no_attempt(live, MissingParam),
        (Form::Invalid, _) => no_attempt(live, InvalidParam),
        (_, "m.login.dummy") => pass(world, live, stage, Proof::Nothing),
        (_, "m.login.terms") if live.terms_seen => pass(world, live, stage, Proof::Nothing),
        (_, "m.login.terms") => challenge(live, None),
        (_, "m.login.sso") => poll(world, live),
        _ => {
            let awaited = match live.model.state {
                State::Awaiting(waiting, reference) if waiting == stage && stage == "org.example.pin" => {
                    Some(reference)
                }
                _ => None,
            };
            let user = live.model.user();
            let answer = Answer::Verify { id: live.id, stage: Some(stage), awaited, user };
            Outcome { asked: Some((stage, false)), ..just(answer) }
        }
    }
}

/// What can't be an attempt changes nothing of a session that there is (rule U6).
fn no_attempt(live: Live, code: ErrorCode) -> Outcome {
    if live.new {
        return challenge(live, Some(code));
    }
    let model = live.before.clone();
    challenge(Live { model, changed: false, keep: false, ..live }, Some(code))
}

fn poll(world: &World<'_>, live: Live) -> Outcome {
    match live.model.state {
        State::Awaiting(stage, reference)
            if world.policy.is_next(&live.model.passed, stage, world.rules.stage_order) =>
        {
            let user = live.model.user();
            let answer = Answer::Verify { id: live.id, stage: None, awaited: Some(reference), user };
            Outcome { asked: Some((stage, true)), ..just(answer) }
        }
        _ => go_on(world, live),
    }
}

fn go_on(world: &World<'_>, mut live: Live) -> Outcome {
    if !world.policy.is_complete(&live.model.passed, world.rules.stage_order) {
        return challenge(live, None);
    }
    live.model.state = State::Claimed;
    live.changed = true;
    let proofs = live.model.passed.iter().map(|(_, proof)| *proof).collect();
    let params = match (live.given, live.model.params) {
        (Some(_), _) => Params::Request,
        (None, Bound::To(Some(_))) => Params::Kept,
        (None, _) => Params::Never,
    };
    let keep = live.keep;
    let write = write(live);
    Outcome { write, params: Some(params), ..just(Answer::Grant { proofs, keep }) }
}

fn pass(world: &World<'_>, mut live: Live, stage: Stage, proof: Proof) -> Outcome {
    live.model.state = State::Open;
    live.model.passed.push((stage, proof));
    live.changed = true;
    go_on(world, live)
}

/// A failed stage: 401 with the state and `code`, or 403 without either.
fn fail(mut live: Live, polled: bool, code: Option<ErrorCode>) -> Outcome {
    // Asking how things stand is no attempt.
    if !polled {
        live.model.failures += 1;
        live.changed = true;
    }
    if code.is_some() {
        return challenge(live, code);
    }
    // A session the client never hears of is not kept; and of one it knows, an answer
    // without the state changes the count and nothing that the state would have shown.
    let count = (!polled && !live.new).then(|| Model {
        failures: live.model.failures,
        revision: live.before.revision + 1,
        ..live.before.clone()
    });
    Outcome { write: count.map(|model| (live.id, model)), ..reject(403, Forbidden) }
}

fn challenge(live: Live, code: Option<ErrorCode>) -> Outcome {
    let completed = live.model.passed.iter().map(|(stage, _)| (*stage).to_owned()).collect();
    let (id, keep) = (live.id, live.keep);
    let answer = Answer::Challenge { id, completed: Some(completed), code, keep, ended: None };
    Outcome { write: write(live), ..just(answer) }
}

fn hide_completed(mut outcome: Outcome) -> Outcome {
    if let Answer::Challenge { completed, .. } = &mut outcome.answer {
        *completed = None;
    }
    outcome
}

fn unknown(world: &World<'_>, request: &Request, over: Option<Id>) -> Outcome {
    if world.rules.unknown_session == UnknownSession::Reject {
        return reject(400, Unknown);
    }
    let mut outcome = challenge(begin(world, request, world.fresh), Some(Unknown));
    if let Answer::Challenge { ended, .. } = &mut outcome.answer {
        *ended = over;
    }
    outcome
}

fn write(mut live: Live) -> Option<(Id, Model)> {
    if live.changed && !live.new {
        live.model.revision += 1;
    }
    live.changed.then_some((live.id, live.model))
}

fn reject(status: u16, code: ErrorCode) -> Outcome {
    just(Answer::Reject(status, code))
}

fn just(answer: Answer) -> Outcome {
    Outcome { answer, write: None, unused: None, asked: None, params: None }
}
