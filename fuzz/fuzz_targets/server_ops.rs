//! Everything that can happen to a server, in any order, against the model in `tests/model`,
//! which the property tests drive as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia_server_model::{Ask, Brings, Event, Request, STAGES, Said, Setup, Visit, run};

fuzz_target!(|input: (Setup, Vec<Event>)| {
    let (mut setup, mut events) = input;
    setup.operation %= 4;
    setup.policies = setup.policies.map(|policy| policy % 14);
    setup.binding %= 3;
    setup.replay_for = setup.replay_for % 2 * 500;
    setup.max_failed = 1 + setup.max_failed % 3;
    setup.one_shot |= setup.policies[0] % 2 == 0;
    events.truncate(32);
    events.iter_mut().for_each(bound);
    run(setup, &events);
});

/// Brings numbers down to what there is.
fn bound(event: &mut Event) {
    match event {
        Event::Request(request, _) => bound_request(request),
        Event::Visit(visit, _) => bound_visit(visit),
        Event::Time(span) => *span %= 61_000,
        Event::NewEpoch(user) | Event::Status(user, _) | Event::Token(user) => *user %= 2,
        Event::Evict(which) => *which %= 3,
        _ => {}
    }
}

fn bound_request(request: &mut Request) {
    request.operation %= 4;
    request.user = request.user.map(|user| user % 2);
    // The second parameter is a boolean.
    for (given, values) in request.given.iter_mut().zip([4, 2, 4]) {
        *given = given.map(|value| value % values);
    }
    if let Ask::Attempt(stage, _) = &mut request.ask {
        *stage %= STAGES.len() as u8;
    }
    bound_said(&mut request.said);
}

fn bound_visit(visit: &mut Visit) {
    visit.stage %= STAGES.len() as u8;
    bound_said(&mut visit.said);
    let _: Brings = visit.brings;
}

fn bound_said(said: &mut Said) {
    if let Said::Good(user) = said {
        *user %= 3;
    }
}
