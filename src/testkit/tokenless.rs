//! Calls without an access token: the password stage names the user, whose account the host is
//! asked for. A host whose policy has no such flow has nothing to show here.

use super::bench::{Bench, Ran};
use super::body::{Challenge, NEW, OLD, Script, USER};
use super::duty::{Duty, Violation};
use super::host::{Endpoint, TestHost};
use crate::server::account::{Event, Lifecycle};

const OTHER: &str = "other-password-3";

/// A password change and a deactivation of a user that is logged in.
fn scripts<H: TestHost>(bench: &Bench<'_, H>) -> Result<[Script; 2], Violation> {
    let token = bench.log_in(USER, OLD)?;
    let (change, end) = (Script::password(&token, USER, OLD, NEW), Script::deactivate(&token, USER, OLD));
    Ok([change.without_token(), end.without_token()])
}

/// The session before its last stage; `None` if no flow is offered that the kit can pass.
fn to_last<H: TestHost>(bench: &Bench<'_, H>, script: &Script) -> Result<Option<Challenge>, Violation> {
    match bench.send(script.request(None))?.challenge() {
        Some(begun) if begun.next.is_some() => {
            bench.has_no_token();
            bench.on_to_last(script, begun).map(Some)
        }
        _ => Ok(None),
    }
}

fn is_done<H: TestHost>(bench: &Bench<'_, H>, script: &Script) -> Result<bool, Violation> {
    Ok(match script.endpoint {
        Endpoint::Deactivate => bench.account(USER)?.status.life == Lifecycle::Deactivated,
        _ => bench.works(USER, NEW)?,
    })
}

/// Each call, of an account that was locked before its last stage, and of one that was unlocked.
pub(super) fn calls<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    for script in scripts(bench)? {
        // The one before may have replaced it.
        let password = if bench.works(USER, OLD)? { OLD } else { NEW };
        let script = script.with_password(password);
        let Some(last) = to_last(bench, &script)? else { continue };
        let request = bench.next_request(&script, &last)?;
        bench.ask(bench.host.change_status(USER, Event::Lock))?;
        let locked = bench.send(request)?;
        bench.ask(bench.host.change_status(USER, Event::Unlock))?;
        let refused = locked.status != 200 && !is_done(bench, &script)?;
        bench.must(refused, Duty::ReadTheNamedAccountAnew, "a locked account without a token goes on")?;
        let before = bench.account(USER)?.epoch;
        let Some(last) = to_last(bench, &script)? else { return Ok(false) };
        let answer = bench.send(bench.next_request(&script, &last)?)?;
        bench.must(answer.status == 200, Duty::AnswerAsTold, "a complete flow does not succeed")?;
        let account = bench.account(USER)?;
        let done = is_done(bench, &script)? && account.devices == 0;
        bench.must(done, Duty::CarryOutTheEffects, "a call without a token is not carried out, or half")?;
        bench.must(account.epoch != before, Duty::CountTheEpoch, "a call without a token does not count")?;
    }
    Ok(false)
}

/// The account is locked while its password is being changed.
pub(super) fn locked_meanwhile<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let [script, _] = scripts(bench)?;
    let Some(last) = to_last(bench, &script)? else { return Ok(false) };
    let Some(mut waiting) = bench.until(bench.next_request(&script, &last)?, wait)? else { return Ok(false) };
    bench.beside(&mut waiting, bench.host.change_status(USER, Event::Lock))?;
    let done = bench.beside(&mut waiting, bench.host.password_works(USER, NEW))?;
    let answer = bench.resume(waiting)?;
    bench.must(
        done || (answer.status != 200 && !bench.works(USER, NEW)?),
        Duty::ReadTheNamedAccountAnew,
        "a call without a token goes on although its account was locked meanwhile",
    )?;
    Ok(true)
}

/// The password is replaced otherwise while it is being changed.
pub(super) fn replaced_meanwhile<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let [script, _] = scripts(bench)?;
    let Some(last) = to_last(bench, &script)? else { return Ok(false) };
    let Some(mut waiting) = bench.until(bench.next_request(&script, &last)?, wait)? else { return Ok(false) };
    bench.beside(&mut waiting, bench.host.set_password(USER, OTHER))?;
    bench.resume(waiting)?;
    bench.must(
        bench.works(USER, OTHER)?,
        Duty::ReadTheNamedAccountAnew,
        "a call without a token goes on although the password that proved it was replaced meanwhile",
    )?;
    Ok(true)
}
