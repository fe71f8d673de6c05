//! The store is full.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::bench::{Bench, Ran};
use super::body::{NEW, Script, TOKEN};
use super::duty::Duty;
use super::flows::reserved;
use super::host::TestHost;
use super::outside::Outside;

/// Every session in the store has reserved something: none may make room for another.
pub(super) fn full<H: TestHost>(bench: &Bench<'_, H>, _: usize) -> Ran {
    bench.ask(bench.host.add_registration_token(TOKEN, 20))?;
    let script = |number: usize| Script::register(&format!("user{number}"), NEW, TOKEN);
    let mut sessions = Vec::new();
    for number in 0..Outside::SESSIONS {
        sessions.push((script(number), reserved(bench, &script(number))?));
    }
    let before = bench.held(TOKEN)?;
    bench.must(
        before.0 == Outside::SESSIONS,
        Duty::StoreTheChallenge,
        "a session with a passed stage was lost",
    )?;
    let more = bench.send(script(sessions.len()).request(None))?;
    // A sealed ID needs no room.
    let is_sealed = more.challenge().is_some_and(|more| more.is_sealed());
    bench.must(
        more.status == 429 || is_sealed,
        Duty::SayThatItIsFull,
        "a challenge is sent whose session is not stored",
    )?;
    // At once with the proof: it is not reserved for a session that is not there.
    let one_shot = Script { params: String::new(), ..script(sessions.len()) };
    if let Some(request) = one_shot.attempt("m.login.registration_token", "") {
        let answer = bench.send(request)?;
        bench.must(answer.status == 429, Duty::SayThatItIsFull, "a full store is not said to be full")?;
        let same = bench.held(TOKEN)? == before;
        bench.must(same, Duty::GiveBackTheUnused, "a token is reserved for a session that is not stored")?;
    }
    // Those that are there go on.
    let Some((script, at)) = sessions.first() else { return Ok(false) };
    let answer = match at.next {
        Some(_) => bench.send(bench.next_request(script, at)?)?,
        None => bench.send(script.poll(&at.session))?,
    };
    bench.must(answer.status == 200, Duty::SayThatItIsFull, "a session can't go on in a full store")?;
    Ok(false)
}
