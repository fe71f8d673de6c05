//! A request is dropped at each of its waits in turn: the client hung up, or the host died.

use alloc::string::String;

use super::bench::{Bench, Ran};
use super::body::{NEW, OLD, Script, TOKEN, USER};
use super::duty::{Duty, Violation};
use super::host::{Answer, TestHost};
use crate::server::account::Lifecycle;

/// After a dropped request its session is good for another.
fn goes_on<H: TestHost>(bench: &Bench<'_, H>, answer: &Answer) -> Result<(), Violation> {
    let seen = "after a dropped request the session can't go on";
    bench.must(answer.status == 200, Duty::GoOnAfterADrop, seen)
}

/// The last request of a password change.
pub(super) fn password<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let before = bench.account(USER)?.epoch;
    let request = bench.next_request(&script, &last)?;
    let Some(waiting) = bench.until(request.clone(), wait)? else { return Ok(false) };
    bench.drop_at(waiting);
    let done = bench.works(USER, NEW)?;
    let answer = bench.again(&request)?;
    let known = answer.status == 200 || !done;
    bench.must(known, Duty::LeaveARecord, "nobody knows of a call that was carried out")?;
    goes_on(bench, &answer)?;
    bench.must(bench.works(USER, NEW)?, Duty::GoOnAfterADrop, "a dropped call was never carried out")?;
    let once = bench.account(USER)?.epoch <= before.saturating_add(1);
    bench.must(once, Duty::DoNothingTwice, "a dropped call was carried out twice")?;
    Ok(true)
}

/// A request with a wrong password.
pub(super) fn wrong_password<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let wrong = bench.next_request(&script.with_password("wrong"), &last)?;
    let Some(waiting) = bench.until(wrong, wait)? else { return Ok(false) };
    bench.drop_at(waiting);
    let answer = bench.again(&bench.next_request(&script, &last)?)?;
    goes_on(bench, &answer)?;
    Ok(true)
}

/// The parameters came with a request that claimed the session, and was dropped.
pub(super) fn claimed<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let token = bench.log_in(USER, OLD)?;
    let script = Script::password(&token, USER, OLD, NEW);
    let last = bench.to_last(&script.bare())?;
    let Some(waiting) = bench.until(bench.next_request(&script, &last)?, wait)? else { return Ok(false) };
    bench.drop_at(waiting);
    if bench.session(&last)?.is_some_and(|session| session.is_claimed()) {
        bench.outside.advance(bench.rules.claim_for);
        let answer = bench.send(bench.next_request(&script.bare(), &last)?)?;
        let kept = answer.status == 200 && bench.works(USER, NEW)?;
        bench.must(kept, Duty::KeepParametersWithTheClaim, "what a claim was to keep is missed")?;
    }
    Ok(true)
}

/// The last request of a registration; its client comes again.
pub(super) fn register<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 2))?;
    let script = Script::register("bob", NEW, TOKEN);
    let last = bench.to_last(&script)?;
    let request = bench.next_request(&script, &last)?;
    let Some(waiting) = bench.until(request.clone(), wait)? else { return Ok(false) };
    bench.drop_at(waiting);
    let answer = bench.again(&request)?;
    goes_on(bench, &answer)?;
    let once = bench.account("bob")?.devices == 1 && bench.held(TOKEN)? == (0, 1);
    bench.must(once, Duty::DoNothingTwice, "a dropped registration was carried out twice, or half")?;
    Ok(true)
}

/// A request that reserves something, in a session or without one; nobody comes again.
pub(super) fn reserving<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 4))?;
    let script = Script::register("bob", NEW, TOKEN);
    let at = bench.begin(&script)?;
    let one_shot = Script { params: String::new(), ..script.clone() };
    let requests =
        [Some(bench.next_request(&script, &at)?), one_shot.attempt("m.login.registration_token", "")];
    let mut waited = false;
    for request in requests.into_iter().flatten() {
        if let Some(waiting) = bench.until(request, wait)? {
            waited = true;
            bench.drop_at(waiting);
        }
    }
    // A claimed session may be given another lifetime.
    for _ in 0..3 {
        bench.outside.advance(bench.rules.session_lifetime);
        bench.ask(bench.host.tidy())?;
    }
    let (reserved, left) = bench.held(TOKEN)?;
    let spent = u32::from(bench.ask(bench.host.account("bob"))?.is_some());
    let back = reserved == 0 && left.saturating_add(spent) == 4;
    bench.must(back, Duty::LeaveNothingReserved, "something stays reserved when every session is over")?;
    Ok(waited)
}

/// The last request of a deactivation.
pub(super) fn deactivate<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let token = bench.log_in(USER, OLD)?;
    let script = Script::deactivate(&token, USER, OLD);
    let last = bench.to_last(&script)?;
    let request = bench.next_request(&script, &last)?;
    let Some(waiting) = bench.until(request.clone(), wait)? else { return Ok(false) };
    bench.drop_at(waiting);
    bench.outside.advance(bench.rules.claim_for);
    bench.ask(bench.host.tidy())?;
    if bench.account(USER)?.status.life == Lifecycle::Active {
        bench.must(
            bench.works(USER, OLD)?,
            Duty::FinishTheDeactivation,
            "an account in use has lost its password",
        )?;
        let answer = bench.again(&request)?;
        goes_on(bench, &answer)?;
    }
    let account = bench.account(USER)?;
    let finished = account.status.life == Lifecycle::Deactivated && account.devices == 0;
    bench.must(finished, Duty::FinishTheDeactivation, "a deactivation stops halfway")?;
    bench.must(!bench.works(USER, OLD)?, Duty::FinishTheDeactivation, "its password still works")?;
    Ok(true)
}
