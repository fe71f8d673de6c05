//! Whole flows, one request after the other.

use super::bench::{Bench, Ran};
use super::body::{Challenge, NEW, OLD, Script, TOKEN, USER};
use super::duty::{Duty, Violation};
use super::host::{Endpoint, TestHost};
use crate::server::account::{Event, Lifecycle};
use crate::time::Millis;
use crate::wire::error::{ErrorCode, MatrixError};

/// Every first request begins a session of its own, which is stored, or held by its sealed ID.
pub(super) fn first_requests<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    let token = bench.log_in(USER, OLD)?;
    bench.ask(bench.host.add_registration_token(TOKEN, 5))?;
    let scripts = [
        Script::register("bob", NEW, TOKEN),
        Script::password(&token, USER, OLD, NEW),
        Script::deactivate(&token, USER, OLD),
    ];
    for script in &scripts {
        let first = bench.begin(script)?;
        // An ID that is taken already can't be stored again.
        let taken = |violation| Violation { duty: Duty::FreshEntropy, ..violation };
        let second = bench.begin(script).map_err(taken)?;
        // Sealed at another time, what is behind the ID differs whatever the ID is.
        bench.must(first.id() != second.id(), Duty::FreshEntropy, "two sessions have one ID")?;
        for begun in [&first, &second] {
            let stored = bench.session(begun)?.is_some();
            let seen = "the session of a challenge is not stored";
            bench.must(stored || begun.is_sealed(), Duty::StoreTheChallenge, seen)?;
            let seen = "a session is stored that its sealed ID holds";
            bench.must(!(stored && begun.is_sealed()), Duty::AnswerAsTold, seen)?;
        }
    }
    let passed = reserved(bench, &Script::register("carol", NEW, TOKEN))?;
    let stored = bench.session(&passed)?.is_some_and(|session| session.has_passed_stage());
    bench.must(stored, Duty::StoreTheChallenge, "a session with a passed stage is not stored")?;
    Ok(false)
}

/// A password change: its effects, its session, its repetition.
pub(super) fn password<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    let token = bench.log_in(USER, OLD)?;
    bench.log_in(USER, OLD)?;
    let script = Script::password(&token, USER, OLD, NEW);
    let before = bench.account(USER)?;
    let other = bench.to_last(&script)?;
    let last = bench.to_last(&script)?;
    bench.outside.advance(Millis::from_secs(5));
    let (request, sent) = (bench.next_request(&script, &last)?, bench.outside.now());
    let answer = bench.send(request.clone())?;
    bench.must(answer.status == 200, Duty::AnswerAsTold, "a complete flow does not succeed")?;
    let changed = bench.works(USER, NEW)? && !bench.works(USER, OLD)?;
    bench.must(changed, Duty::CarryOutTheEffects, "the password is not the new one")?;
    let after = bench.account(USER)?;
    bench.must(after.devices == 1, Duty::CarryOutTheEffects, "another device is still logged in")?;
    bench.must(after.epoch != before.epoch, Duty::CountTheEpoch, "a password change does not count")?;
    let consumed = bench.session(&last)?.and_then(|session| session.consumed_at());
    bench.must(
        consumed.is_some(),
        Duty::ConsumeTheSession,
        "the session of a finished call is not consumed",
    )?;
    bench.must(
        consumed.is_some_and(|at| at >= sent),
        Duty::StampTheSuccess,
        "the call succeeded before its request was sent",
    )?;
    // Its answer was lost: the same again.
    let repeated = bench.send(request.clone())?;
    bench.must(repeated.status == 200, Duty::AnswerAsTold, "a finished call is not answered again")?;
    bench.must(bench.account(USER)?.epoch == after.epoch, Duty::DoNothingTwice, "it was repeated")?;
    bench.outside.advance(bench.rules.replay_for);
    let late = bench.send(request)?;
    bench.must(late.challenge().is_some(), Duty::AnswerAsTold, "it is repeated too late")?;
    // A session that began with the old password is over, whatever proves the user now.
    let stale = bench.send(bench.next_request(&script.with_password(NEW), &other)?)?;
    let over = stale.challenge().is_some_and(|challenge| challenge.session != other.session);
    bench.must(over, Duty::CountTheEpoch, "a session outlives a change of the password")?;
    Ok(false)
}

/// A password change that logs nobody out.
pub(super) fn password_keeps_devices<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    let token = bench.log_in(USER, OLD)?;
    bench.log_in(USER, OLD)?;
    let mut script = Script::password(&token, USER, OLD, NEW);
    script.params.push_str(r#","logout_devices":false"#);
    let mut last = bench.to_last(&script)?;
    if last.is_sealed() {
        // Nothing is kept of a first request then. What a later one says is, once that is stored.
        let wrong = bench.next_request(&script.with_password("wrong"), &last)?;
        last = bench.challenged(&bench.send(wrong)?)?;
    }
    // What was said at first holds: nothing of it is sent again.
    let request = bench.next_request(&script.bare(), &last)?;
    let answer = bench.send(request)?;
    bench.must(answer.status == 200, Duty::KeepParameters, "a parameter that was left out is missed")?;
    bench.must(bench.works(USER, NEW)?, Duty::KeepParameters, "the password is not the kept one")?;
    let kept = bench.account(USER)?.devices == 2;
    bench.must(kept, Duty::KeepParameters, "a device was logged out against the first request")?;
    Ok(false)
}

/// A registration: the account, its token, its repetition.
pub(super) fn register<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 2))?;
    let script = Script::register("bob", NEW, TOKEN);
    let last = bench.to_last(&script)?;
    let request = bench.next_request(&script, &last)?;
    let answer = bench.send(request.clone())?;
    bench.must(answer.status == 200, Duty::AnswerAsTold, "a complete flow does not succeed")?;
    let spent = bench.held(TOKEN)? == (0, 1);
    bench.must(spent, Duty::SpendTheReservation, "the registration token is not spent")?;
    bench.must(bench.works("bob", NEW)?, Duty::CarryOutTheEffects, "the account is not there")?;
    bench.must(bench.account("bob")?.devices == 1, Duty::CarryOutTheEffects, "nobody is logged in")?;
    let consumed = bench.session(&last)?.is_some_and(|session| session.consumed_at().is_some());
    bench.must(consumed, Duty::ConsumeTheSession, "the session of a finished call is not consumed")?;
    let repeated = bench.send(request)?;
    bench.must(repeated.status == 200, Duty::AnswerAsTold, "a finished call is not answered again")?;
    let once = bench.held(TOKEN)? == (0, 1) && bench.account("bob")?.devices == 1;
    bench.must(once, Duty::DoNothingTwice, "a registration was carried out twice")?;
    Ok(false)
}

/// A deactivation, and what is left of the account.
pub(super) fn deactivate<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    let token = bench.log_in(USER, OLD)?;
    let script = Script::deactivate(&token, USER, OLD);
    let last = bench.to_last(&script)?;
    let answer = bench.send(bench.next_request(&script, &last)?)?;
    bench.must(answer.status == 200, Duty::AnswerAsTold, "a complete flow does not succeed")?;
    let account = bench.account(USER)?;
    let gone = account.status.life == Lifecycle::Deactivated && account.devices == 0;
    bench.must(gone, Duty::CarryOutTheEffects, "the account is not deactivated")?;
    bench.must(!bench.works(USER, OLD)?, Duty::CarryOutTheEffects, "its password still works")?;
    let after = bench.send(script.request(None))?;
    bench.must(
        after.challenge().is_none() && after.status != 200,
        Duty::TellTheStatus,
        "its token still works",
    )?;
    Ok(false)
}

/// A wrong password counts, and changes nothing else.
pub(super) fn wrong_password<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let wrong = bench.next_request(&script.with_password("wrong"), &last)?;
    for failures in 1..=bench.rules.max_failed_attempts {
        let answer = bench.send(wrong.clone())?;
        let told = bench.challenged(&answer)?;
        let refused = told.session == last.session && told.code.as_deref() == Some("M_FORBIDDEN");
        bench.must(refused, Duty::AnswerAsTold, "a wrong password is not answered as such")?;
        let counted = bench.session(&last)?.is_some_and(|session| session.failures() == failures);
        bench.must(counted, Duty::StoreTheFailure, "a failed attempt is not counted")?;
    }
    let closed = bench.send(bench.next_request(&script, &last)?)?;
    bench.must(closed.status == 429, Duty::StoreTheFailure, "too many failures don't close the session")?;
    bench.must(bench.works(USER, OLD)?, Duty::AnswerAsTold, "a wrong password has changed it")?;
    Ok(false)
}

/// The account is locked between two requests, and fenced.
pub(super) fn status<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let request = bench.next_request(&script, &last)?;
    bench.ask(bench.host.change_status(USER, Event::Lock))?;
    let locked = bench.send(request.clone())?;
    let told = locked.is(MatrixError::new(ErrorCode::UserLocked, "").with_status(401));
    bench.must(told && bench.works(USER, OLD)?, Duty::TellTheStatus, "a locked account goes on")?;
    bench.ask(bench.host.change_status(USER, Event::Unlock))?;
    let answer = bench.send(request)?;
    bench.must(answer.status == 200, Duty::TellTheStatus, "an account that was unlocked can't go on")?;
    bench.ask(bench.host.change_status(USER, Event::Fence))?;
    let fenced = bench.send(script.request(None))?;
    bench.must(fenced.challenge().is_none(), Duty::TellTheStatus, "a fenced account goes on")?;
    Ok(false)
}

/// A session whose time is over has ended, with what it had reserved.
pub(super) fn ended<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 1))?;
    let script = Script::register("bob", NEW, TOKEN);
    let at = reserved(bench, &script)?;
    bench.must(bench.held(TOKEN)? == (1, 0), Duty::AnswerAsTold, "the token is not reserved")?;
    bench.outside.advance(bench.rules.session_lifetime);
    let answer = bench.send(script.poll(&at.session))?;
    let over = answer.challenge().is_some_and(|challenge| challenge.session != at.session);
    bench.must(over, Duty::ReadTheClockAnew, "a session outlives its time")?;
    // Of a sealed one it stays on record that it is over, or its ID would begin it again.
    let ended = bench.session(&at)?.is_none_or(|session| at.is_sealed() && session.has_ended());
    let ended = ended && bench.held(TOKEN)? == (0, 1);
    bench.must(ended, Duty::EndTheSession, "a session that ended still holds what it had reserved")?;
    Ok(false)
}

/// A session of a registration whose token has passed, and which is not complete.
pub(super) fn reserved<H: TestHost>(bench: &Bench<'_, H>, script: &Script) -> Result<Challenge, Violation> {
    // Without a password no registration succeeds.
    let script = Script { params: alloc::format!(r#""username":"{}""#, script.user), ..script.clone() };
    debug_assert!(script.endpoint == Endpoint::Register, "only a registration has a token");
    let at = bench.to_token(&script)?;
    let answer = bench.send(bench.next_request(&script, &at)?)?;
    Ok(answer.challenge().unwrap_or(at))
}
