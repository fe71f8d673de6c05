//! What a session is worth (rule U16), by the stages that have passed.

use matrix_uia::server::operation::Register;
use matrix_uia::server::session::Worth;
use serde_json::{Value, json};

use crate::support::{Server, policy, stage};

/// The worth after each of the stages has passed in turn, the last one left out.
fn worths(flow: &[&str]) -> Vec<Worth> {
    let mut server = Server::new();
    server.policies.register = policy::<Register>(&[flow], None);
    let session = server.register(json!({})).session().to_owned();
    let mut worths = Vec::new();
    for name in &flow[..flow.len() - 1] {
        let mut auth: Value = stage(name, &session);
        auth["response"] = "human".into();
        if name.starts_with("org.example") {
            server.next_verdict(matrix_uia::server::verdict::Verdict::Passed(
                matrix_uia::server::verdict::Evidence::nothing(),
            ));
        }
        server.register(json!({"auth": auth}));
        worths.push(server.session(&session).worth());
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
    let all = [Worth::Nothing, Worth::Proved, Worth::Claimed, Worth::Over];
    assert!(all.is_sorted() && all.map(Worth::rank) == [0, 1, 2, 3]);
    assert_eq!(all.map(Worth::is_held), [false, false, true, true]);
}
