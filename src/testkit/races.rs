//! Something else happens while a request waits, at each of its waits in turn.

use super::bench::{Bench, Ran};
use super::body::{NEW, Script, TOKEN, USER};
use super::duty::Duty;
use super::host::TestHost;
use crate::server::account::Event;

const OTHER: &str = "other-password-3";
const SECOND: &str = "second-invitation";

/// The account is locked while its password is being changed.
pub(super) fn locked_meanwhile<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let Some(mut waiting) = bench.until(bench.next_request(&script, &last)?, wait)? else { return Ok(false) };
    bench.beside(&mut waiting, bench.host.change_status(USER, Event::Lock))?;
    let done = bench.beside(&mut waiting, bench.host.password_works(USER, NEW))?;
    let answer = bench.resume(waiting)?;
    let refused = done || (answer.status != 200 && !bench.works(USER, NEW)?);
    bench.must(
        refused,
        Duty::ReadTheStatusAnew,
        "a call goes on although its account was locked meanwhile",
    )?;
    Ok(true)
}

/// The password is replaced otherwise while it is being changed: what was proved by the old one
/// does not overwrite it.
pub(super) fn replaced_meanwhile<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let Some(mut waiting) = bench.until(bench.next_request(&script, &last)?, wait)? else { return Ok(false) };
    bench.beside(&mut waiting, bench.host.set_password(USER, OTHER))?;
    bench.resume(waiting)?;
    bench.must(
        bench.works(USER, OTHER)?,
        Duty::ReadTheEpochAnew,
        "a call goes on although the password that proved it was replaced meanwhile",
    )?;
    Ok(true)
}

/// The same last request twice at once.
pub(super) fn two_last<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let before = bench.account(USER)?.epoch;
    let request = bench.next_request(&script, &last)?;
    let Some(mut waiting) = bench.until(request.clone(), wait)? else { return Ok(false) };
    let other = bench.send_beside(&mut waiting, request)?;
    let answer = bench.resume(waiting)?;
    let succeeded = answer.status == 200 || other.status == 200;
    bench.must(succeeded && bench.works(USER, NEW)?, Duty::AnswerAsTold, "of two requests none succeeded")?;
    let epoch = bench.account(USER)?.epoch;
    let duty = if H::KIND.claims() { Duty::StoreTheClaim } else { Duty::ReportTheLostRace };
    bench.must(epoch <= before.saturating_add(1), duty, "one session was good for two calls")?;
    Ok(true)
}

/// At every wait of a call the effect is not there before its claim.
pub(super) fn claimed_first<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    if !H::KIND.claims() {
        return Ok(false);
    }
    let (script, last) = bench.password_change()?;
    let Some(mut waiting) = bench.until(bench.next_request(&script, &last)?, wait)? else { return Ok(false) };
    let done = bench.beside(&mut waiting, bench.host.password_works(USER, NEW))?;
    let session = match last.id() {
        Some(id) => bench.beside(&mut waiting, bench.host.session(id))?,
        None => None,
    };
    let open = session.is_some_and(|session| !session.is_claimed() && session.consumed_at().is_none());
    bench.must(!(done && open), Duty::StoreTheClaim, "a call is carried out before its claim is stored")?;
    bench.resume(waiting)?;
    Ok(true)
}

/// Two wrong passwords at once are two failures.
pub(super) fn two_failures<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let wrong = bench.next_request(&script.with_password("wrong"), &last)?;
    let Some(mut waiting) = bench.until(wrong.clone(), wait)? else { return Ok(false) };
    bench.send_beside(&mut waiting, wrong)?;
    bench.resume(waiting)?;
    let failures = bench.session(&last)?.map_or(0, |session| session.failures());
    bench.must(failures > 0, Duty::StoreTheFailure, "a failed attempt is not counted")?;
    bench.must(failures == 2, Duty::ReportTheLostRace, "of two failed attempts at once one is lost")?;
    Ok(true)
}

/// Two registration tokens for one session at once: one is reserved in the end.
pub(super) fn two_tokens<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 1))?;
    bench.ask(bench.host.add_registration_token(SECOND, 1))?;
    let script = Script { params: r#""username":"bob""#.into(), ..Script::register("bob", NEW, TOKEN) };
    let at = bench.to_token(&script)?;
    let Some(mut waiting) = bench.until(bench.next_request(&script, &at)?, wait)? else { return Ok(false) };
    let second = Script { registration_token: SECOND.into(), ..script };
    bench.send_beside(&mut waiting, bench.next_request(&second, &at)?)?;
    bench.resume(waiting)?;
    let ((reserved, first), (_, second)) = (bench.held(TOKEN)?, bench.held(SECOND)?);
    let one = reserved == 1 && first.saturating_add(second) == 1;
    bench.must(one, Duty::GiveBackTheUnused, "a token is reserved that its session has no use for")?;
    Ok(true)
}

/// Somebody takes the name of a registration while it is made.
pub(super) fn refused<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 1))?;
    bench.ask(bench.host.add_registration_token(SECOND, 1))?;
    let (ours, theirs) = (Script::register("bob", NEW, TOKEN), Script::register("bob", OTHER, SECOND));
    let (at, other) = (bench.to_last(&ours)?, bench.to_last(&theirs)?);
    let Some(mut waiting) = bench.until(bench.next_request(&ours, &at)?, wait)? else { return Ok(false) };
    let won = bench.send_beside(&mut waiting, bench.next_request(&theirs, &other)?)?;
    let answer = bench.resume(waiting)?;
    if won.status != 200 {
        return Ok(true);
    }
    bench.must(answer.status == 400, Duty::UndoTheRefused, "two registrations of one name succeed")?;
    let untouched = bench.works("bob", OTHER)? && bench.account("bob")?.devices == 1;
    bench.must(untouched, Duty::UndoTheRefused, "a call that was refused has written something")?;
    let held = bench.held(TOKEN)? == (1, 0);
    bench.must(held, Duty::UndoTheRefused, "a call that was refused has used its registration token")?;
    // What has passed has passed, and the session takes another name.
    let carol = Script::register("carol", NEW, TOKEN);
    let mut again = bench.send(carol.poll(&at.session))?;
    if let Some(left) = again
        .challenge()
        .filter(|left| left.next.is_some() && left.session == at.session && left.completed >= at.completed)
    {
        again = bench.send(bench.next_request(&carol, &left)?)?;
    }
    bench.must(
        again.status == 200,
        Duty::ReportTheRefusal,
        "after a refusal the session can't be used again",
    )?;
    bench.must(bench.held(TOKEN)? == (0, 0), Duty::SpendTheReservation, "the token is not spent")?;
    Ok(true)
}

/// Time passes while a request waits: at one of the waits at least, the session is over then.
pub(super) fn time_passes<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    let (script, last) = bench.password_change()?;
    let Some(mut waiting) = bench.until(bench.next_request(&script, &last)?, wait)? else {
        let noticed = wait == 1 || bench.noticed.get();
        bench.must(
            noticed,
            Duty::ReadTheClockAnew,
            "a request that waits longer than its session lives succeeds",
        )?;
        return Ok(false);
    };
    let done = bench.beside(&mut waiting, bench.host.password_works(USER, NEW))?;
    bench.outside.advance(bench.rules.session_lifetime);
    bench.resume(waiting)?;
    if !done && !bench.works(USER, NEW)? {
        bench.noticed.set(true);
    }
    Ok(true)
}

/// Time passes while a registration token is looked up: it is not reserved in the end.
pub(super) fn time_passes_with_a_token<H: TestHost>(bench: &Bench<'_, H>, wait: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 1))?;
    let script = Script { params: r#""username":"bob""#.into(), ..Script::register("bob", NEW, TOKEN) };
    let at = bench.begin(&script)?;
    let Some(mut waiting) = bench.until(bench.next_request(&script, &at)?, wait)? else { return Ok(false) };
    bench.beside(&mut waiting, bench.host.reservations())?;
    bench.outside.advance(bench.rules.session_lifetime);
    bench.resume(waiting)?;
    bench.outside.advance(bench.rules.session_lifetime);
    bench.ask(bench.host.tidy())?;
    let back = bench.held(TOKEN)? == (0, 1);
    bench.must(back, Duty::GiveBackTheUnused, "what a session reserved that is over is not given back")?;
    Ok(true)
}
