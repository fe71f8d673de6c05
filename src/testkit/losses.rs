//! A commit loses its race, at each wait of its request in turn, whatever else happens.

use super::bench::{Bench, Ran};
use super::body::{NEW, Script, TOKEN, USER};
use super::duty::{Duty, Violation};
use super::host::{Answer, Request, TestHost};

/// Sends a request, and has the commit lose that comes after so many waits. `None` if it was
/// answered before, or if the host can't.
fn losing<H: TestHost>(
    bench: &Bench<'_, H>,
    request: Request,
    wait: usize,
) -> Result<Option<Answer>, Violation> {
    let Some(mut waiting) = bench.until(request, wait)? else { return Ok(None) };
    if !bench.beside(&mut waiting, bench.host.lose_next_commit())? {
        return Ok(None);
    }
    bench.has_lost();
    bench.resume(waiting).map(Some)
}

/// That of a password change.
pub(super) fn password<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let before = bench.account(USER)?.epoch;
    let Some(answer) = losing(bench, bench.next_request(&script, &last)?, wait)? else { return Ok(false) };
    bench.must(
        answer.status == 200,
        Duty::TryAgainAfterALoss,
        "a request whose commit has lost once does not succeed",
    )?;
    let once = bench.works(USER, NEW)? && bench.account(USER)?.epoch == before.saturating_add(1);
    let consumed = bench.session(&last)?.is_some_and(|session| session.consumed_at().is_some());
    bench.must(once && consumed, Duty::ReportTheLostRace, "a commit that lost is taken for stored")?;
    Ok(true)
}

/// That of a session which has reserved something.
pub(super) fn reserving<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 2))?;
    // Without a password no registration succeeds.
    let script = Script { params: r#""username":"bob""#.into(), ..Script::register("bob", NEW, TOKEN) };
    let at = bench.to_token(&script)?;
    let Some(answer) = losing(bench, bench.next_request(&script, &at)?, wait)? else { return Ok(false) };
    let left = answer.challenge();
    let passed = left.as_ref().is_none_or(|left| left.session == at.session && left.completed > at.completed);
    let again = answer.status < 500 && passed;
    bench.must(again, Duty::TryAgainAfterALoss, "a stage whose commit has lost once does not count")?;
    let held = bench.held(TOKEN)? == (1, 1) && bench.session(&at)?.is_some_and(|it| it.has_passed_stage());
    bench.must(
        held,
        Duty::ReportTheLostRace,
        "a session or its reservation is not stored after a lost commit",
    )?;
    Ok(true)
}
