//! The accounts can't be written: the disk is full.

use super::bench::{Bench, Ran};
use super::body::{NEW, OLD, USER};
use super::duty::Duty;
use super::host::TestHost;

/// From the `nth` write on nothing is written while a password is changed; then there is room.
pub(super) fn full<H: TestHost>(bench: &Bench<'_, H>, nth: usize) -> Ran {
    let duty = Duty::StoreTheCallFirst;
    let (script, last) = bench.password_change()?;
    let before = bench.account(USER)?.epoch;
    let request = bench.next_request(&script, &last)?;
    if !bench.ask(bench.host.fail_writes(Some(nth)))? {
        return Ok(false);
    }
    let answer = bench.send(request.clone())?;
    bench.ask(bench.host.fail_writes(None))?;
    let done = bench.works(USER, NEW)?;
    bench.must(done || answer.status != 200, duty, "a call is answered with success that was not stored")?;
    let half = if done { bench.works(USER, OLD)? } else { bench.account(USER)?.epoch != before };
    bench.must(!half, duty, "half of a call is stored")?;
    let consumed = bench.session(&last)?.is_some_and(|session| session.consumed_at().is_some());
    bench.must(done || !consumed, duty, "a session is consumed by a call that was not stored")?;
    if answer.status == 200 {
        return Ok(false);
    }
    let answer = bench.again(&request)?;
    let once = bench.works(USER, NEW)? && bench.account(USER)?.epoch == before.saturating_add(1);
    bench.must(
        answer.status == 200 && once,
        duty,
        "once there is room, a call that failed does not succeed",
    )?;
    Ok(true)
}
