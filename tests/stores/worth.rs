//! What a session is worth (rule U16), by the stages that have passed.

use matrix_uia::server::operation::Register;
use matrix_uia::server::session::{Proof, Verdict, Worth};
use matrix_uia::wire::Auth;
use matrix_uia::{Call, Flows, Guard, Rules, Session, Step};

use super::sessions::{at, id};

/// The worth after each of the stages has passed in turn, the last one left out.
fn worths(flow: &[&str]) -> Vec<Worth> {
    let mut buffer = [0; 512];
    let flows = Flows::<Register>::in_buffer([flow], None, &mut buffer).unwrap();
    let rules = Rules::default();
    let mut session: Option<Session> = None;
    let mut worths = Vec::new();
    for stage in &flow[..flow.len() - 1] {
        let name = session.is_some().then(|| id(1).expose());
        let auth = match name {
            Some(name) => format!(r#"{{"type":"{stage}","session":"{name}","response":"a"}}"#),
            None => format!(r#"{{"type":"{stage}","response":"a"}}"#),
        };
        let call = Call::new(Auth::parse(auth.as_bytes()).unwrap(), None);
        let mut step = Guard::new(&flows, &rules).receive(call, session.clone(), id(1), at(0));
        if let Step::Verify(pending) = step {
            step = pending.resolve(Verdict::Passed(Proof::Nothing)).apply(session.clone(), id(1), at(0));
        }
        let Step::Challenge(challenge) = step else { panic!("{step:?}") };
        worths.push(challenge.session().worth());
        session = Some(challenge.session().clone());
    }
    worths
}

#[test]
fn u16_dummy_and_terms_prove_nothing() {
    let flow = ["m.login.dummy", "m.login.terms", "m.login.recaptcha", "m.login.password"];
    assert_eq!(worths(&flow), [Worth::Nothing, Worth::Nothing, Worth::Proved]);
}

#[test]
fn u16_any_other_stage_proves_something() {
    let last = "m.login.password";
    for stage in ["m.login.recaptcha", "org.example.custom"] {
        assert_eq!(worths(&[stage, "m.login.dummy", last]), [Worth::Proved; 2], "{stage}");
    }
}

#[test]
fn u16_what_proved_less_goes_first() {
    assert!(Worth::Nothing < Worth::Proved && Worth::Proved < Worth::Held);
}
