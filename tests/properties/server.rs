//! Random sequences of everything that can happen to a server, against the model of it.

use matrix_uia_server_model::{
    Admission, Ask, Brings, Ending, Event, Form, Named, Request, STAGES, Said, Setup, Status, Visit, run,
};
use proptest::prelude::*;

use super::config;

fn session() -> impl Strategy<Value = Named> {
    prop_oneof![
        2 => Just(Named::None),
        10 => Just(Named::Known(0)),
        3 => (1..4_u8).prop_map(Named::Known),
        1 => Just(Named::Nowhere),
        1 => Just(Named::Garbage),
    ]
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        10 => Just(Form::Good),
        2 => Just(Form::ByAddress),
        1 => Just(Form::Missing),
        1 => Just(Form::Invalid),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        2 => Just(Ask::Absent),
        3 => Just(Ask::Poll),
        14 => (0..STAGES.len() as u8, form()).prop_map(|(stage, form)| Ask::Attempt(stage, form)),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        20 => Just(Said::Good(0)),
        2 => Just(Said::Good(1)),
        1 => Just(Said::Good(2)),
        2 => Just(Said::Bad),
        2 => Just(Said::Nobody),
        1 => Just(Said::Remote),
        2 => Just(Said::Pending),
        1 => Just(Said::More),
        1 => Just(Said::Unavailable),
        1 => Just(Said::Limited),
    ]
}

fn given() -> impl Strategy<Value = [Option<u8>; 3]> {
    let mostly = |usual: u8, other: u8| {
        prop_oneof![5 => Just(None), 6 => Just(Some(usual)), 1 => Just(Some(other))]
    };
    [mostly(0, 1).boxed(), mostly(1, 0).boxed(), mostly(2, 3).boxed()]
}

fn admission() -> impl Strategy<Value = Admission> {
    prop_oneof![
        30 => Just(Admission::Admitted),
        1 => Just(Admission::Refused),
        2 => Just(Admission::RefusedForParams),
        1 => Just(Admission::ApplicationService),
        1 => Just(Admission::SigningKeys),
        1 => any::<u8>().prop_map(Admission::Recent),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        5 => Just(Ending::Succeeded),
        1 => Just(Ending::Refused),
        1 => Just(Ending::RefusedForParams),
    ]
}

fn request(user: Option<u8>) -> impl Strategy<Value = Request> {
    let user = prop_oneof![12 => Just(user), 1 => Just(Some(1)), 1 => Just(None), 1 => Just(Some(0))];
    let operation = prop_oneof![14 => Just(0), 1 => 1..4_u8];
    let rarely = |weight| prop::bool::weighted(weight);
    (
        (session(), user, operation, rarely(0.04), given(), ask(), said()),
        (any::<bool>(), admission(), ending(), rarely(0.03), rarely(0.2)),
    )
        .prop_map(|((session, user, operation, target, given, ask, said), rest)| {
            let (in_transaction, admission, ending, unchecked, forgotten) = rest;
            Request {
                session,
                user,
                operation,
                target,
                given,
                ask,
                said,
                in_transaction,
                admission,
                ending,
                unchecked,
                forgotten,
            }
        })
}

fn visit() -> impl Strategy<Value = Visit> {
    let brings = prop_oneof![
        1 => Just(Brings::Nothing),
        5 => Just(Brings::Form),
        2 => prop::option::of(0..2_u8).prop_map(Brings::Approval),
        1 => Just(Brings::ApprovalOfUser),
    ];
    (session(), 0..STAGES.len() as u8, brings, form(), prop::option::of(any::<bool>()), said(), any::<bool>())
        .prop_map(|(session, stage, brings, form, shown, said, in_transaction)| Visit {
            session,
            stage,
            brings,
            form,
            shown,
            said,
            in_transaction,
        })
}

/// How many questions are answered at once: mostly all of them.
fn steps() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(u8::MAX), 2 => 1..8_u8]
}

fn event(user: Option<u8>) -> impl Strategy<Value = Event> {
    let status = prop_oneof![3 => Just(Status::Active), 2 => Just(Status::Locked), 1 => Just(Status::Gone)];
    prop_oneof![
        28 => (request(user), steps()).prop_map(|(request, steps)| Event::Request(request, steps)),
        4 => (visit(), steps()).prop_map(|(visit, steps)| Event::Visit(visit, steps)),
        8 => (any::<u8>(), steps()).prop_map(|(which, steps)| Event::GoOn(which, steps)),
        2 => any::<u8>().prop_map(Event::HangUp),
        4 => prop_oneof![6 => -200_i64..400, 1 => Just(-61_000), 1 => Just(400)].prop_map(Event::Time),
        2 => Just(Event::Policy),
        1 => (0..2_u8).prop_map(Event::NewEpoch),
        1 => (0..2_u8, status).prop_map(|(user, status)| Event::Status(user, status)),
        1 => (0..2_u8).prop_map(Event::Token),
        1 => (0..3_u8).prop_map(Event::Evict),
        2 => Just(Event::Lose),
        1 => Just(Event::Full),
        1 => Just(Event::CutOff),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let switch = any::<bool>;
    let rarely = || prop::bool::weighted(0.25);
    (0..4_u8, [0..14_usize, 0..14], rarely(), 0..3_u8, rarely(), switch(), 0..2_u64, 1..4_u16, switch()).prop_map(
        |(operation, policies, any_order, binding, reject, one_shot, replay, max_failed, claims)| Setup {
            operation,
            policies,
            any_order,
            binding,
            reject,
            one_shot: one_shot || policies[0] % 2 == 0,
            replay_for: replay * 500,
            max_failed,
            claims,
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_sequence_goes_as_the_model_says(
        setup in setup(),
        events in prop::option::of(Just(0_u8)).prop_flat_map(|user| prop::collection::vec(event(user), 1..32)),
    ) {
        run(setup, &events);
    }
}
