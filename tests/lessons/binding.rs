//! A session is for one call of one user.

use matrix_uia::server::account::Lifecycle;
use matrix_uia::server::call::Call;
use matrix_uia::server::operation::{ChangePassword, Operation};
use matrix_uia::server::page::Approval;
use matrix_uia::wire::Auth;
use matrix_uia::{Flows, FlowsBuffer, Millis, PolicyError};
use serde_json::{Value, json};

use super::{ALICE, CODE, alice, carol, change, passed, with_flows};
use crate::support::{Server, password_auth, policy, poll, stage};

#[cfg(feature = "alloc")]
#[test]
fn lesson_05_a_session_is_not_used_for_another_request() {
    let mut server = with_flows(&[&["m.login.password", CODE]]);
    server.policies.deactivate = policy(&[&["m.login.password", CODE]], None);
    server.add_device("alice", "tablet-token", "TABLET");
    let session = server.change_password(ALICE, change(alice(None))).session().to_owned();
    server.next_verdict(passed());
    let answer = server.deactivate(ALICE, json!({"auth": stage(CODE, &session)}));
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    let answer = server.delete_device("alice-token", "TABLET", &json!({"auth": poll(&session)}).to_string());
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    assert_eq!((server.asked, server.users["alice"].status.life), (1, Lifecycle::Active));
}

#[test]
fn lesson_06_a_changed_parameter_is_told_and_leaves_a_way_out() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": false})).session().to_owned();
    let toggled = server.deactivate(ALICE, json!({"erase": true, "auth": alice(Some(&session))}));
    assert_eq!(toggled.says(), "403 M_FORBIDDEN", "told apart from a wrong password, which is a 401");
    assert!(
        toggled.body["error"].as_str().unwrap().contains("parameters"),
        "and the client is told what it is"
    );
    // Back to the first choice, or from the start with the other.
    assert_eq!(server.session(&session).failures(), 0);
    let again = server.deactivate(ALICE, json!({"erase": true}));
    let body = json!({"erase": true, "auth": alice(Some(again.session()))});
    assert_eq!(server.deactivate(ALICE, body).says(), "200");
    assert!(server.users["alice"].status.erased);
}

#[test]
fn lesson_07_an_operation_is_canonical() {
    // Nothing of a URI comes in: the same calls make the same session, whatever the
    // version prefix or the query was. And two operations are never one.
    let mut server = Server::new();
    let session = server.register(carol(Value::Null)).session().to_owned();
    assert_eq!(server.session(&session).operation(), matrix_uia::server::operation::Register::ID);
    assert_eq!(server.register(carol(stage("m.login.dummy", &session))).says(), "200");
}

#[test]
fn lesson_08_who_is_acted_on_is_the_user_of_the_token() {
    let mut server = Server::new();
    for auth in
        [password_auth(None, "bob", "builder-bob"), password_auth(None, "@bob:example.org", "builder-bob")]
    {
        assert_eq!(server.change_password(ALICE, change(auth)).says(), "403 M_FORBIDDEN");
    }
    assert!(server.journal.is_empty());
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200");
    assert_eq!(server.users["bob"].hash.as_deref(), Some("hash of builder-bob"));
}

#[test]
fn lesson_09_the_wrong_account_is_found_at_the_stage() {
    let mut server = with_flows(&[&["m.login.sso", CODE]]);
    let flows = server.policies.change;
    let session = server.begin(ALICE);
    let bob = Approval::User(server.account_named("bob"));
    assert!(server.complete(flows, &session, "m.login.sso", bob).is_err());
    let state = server.change_password(ALICE, change(poll(&session)));
    assert_eq!(state.completed(), &json!([]), "the stage has not passed");
}

#[test]
fn lesson_10_a_mere_probe_never_deactivates() {
    let mut server = Server::new();
    server.rules.recent_auth = Millis::from_secs(3_600);
    assert_eq!(server.change_password(ALICE, change(alice(None))).says(), "200", "authenticated just now");
    for probe in [json!({}), json!({"auth": {}}), json!({"auth": null}), json!({"erase": true})] {
        assert_eq!(server.deactivate(ALICE, probe).says(), "401");
    }
    assert_eq!(server.users["alice"].status.life, Lifecycle::Active);
    let request = crate::support::Own(Call::new(&Auth::Absent));
    let (account, now) = (server.account_named("alice"), server.timestamp());
    let flows = server.policies.deactivate;
    assert_eq!(server.serve_recent("alice-token", flows, &request, account, now).status, 401);
}

#[test]
fn lesson_52_erase_true_is_never_dropped() {
    let mut server = Server::new();
    let session = server.deactivate(ALICE, json!({"erase": true})).session().to_owned();
    let stored = (server.sessions.clone(), server.kept.clone());
    // After a restart the parameters are there, or the call is refused.
    for (kept, says) in [(true, "200"), (false, "400 M_MISSING_PARAM")] {
        let mut restarted = Server::new();
        restarted.sessions = stored.0.clone();
        if kept {
            restarted.kept = stored.1.clone();
        }
        let answer = restarted.deactivate(ALICE, json!({"auth": alice(Some(&session))}));
        assert_eq!(answer.says(), says);
        assert_eq!(restarted.users["alice"].status.erased, kept);
    }
}

/// FNV-1a, whose low half is what a stored session knows a custom stage by.
fn fnv(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Two names of custom stages with one number.
fn alike() -> (&'static str, &'static str) {
    let mut seen = std::collections::BTreeMap::new();
    for number in 0_u32.. {
        let name: &str = format!("org.example.{number}").leak();
        let hash = fnv(name);
        if let Some(other) = seen.insert((hash ^ (hash >> 32)) as u32 | 0x8000_0000, name) {
            return (other, name);
        }
    }
    unreachable!("there are more names than numbers")
}

#[test]
fn lesson_89_two_custom_stages_that_hash_alike_are_never_confused() {
    let (one, other) = alike();
    // The last two have one hash even in 64 bits.
    let (long, longer) = (Export::NAME, Erase::NAME);
    for names in [vec![vec![one, other]], vec![vec![one], vec![other]], vec![vec![long], vec![longer]]] {
        let names = names.iter().map(|flow| flow.iter());
        let mut buffer = FlowsBuffer::<512>::new();
        let refused = Flows::<ChangePassword>::in_buffer(names, None, &mut buffer).map(|_| ());
        assert!(matches!(refused, Err(PolicyError::NameCollision { .. })), "{refused:?}");
    }
    let mut server = with_flows(&[&[one]]);
    let session = server.begin(ALICE);
    let before = server.session(&session);
    let answer = server.change_password(ALICE, change(stage(other, &session)));
    assert_eq!((answer.says().as_str(), server.asked), ("401 M_INVALID_PARAM", 0));
    assert_eq!(server.session(&session), before);
    assert!(server.look(server.policies.change, &session, other).is_err(), "nor on a page");
}

/// Their names have one FNV-1a hash of 64 bits.
#[derive(Debug)]
struct Export;
impl Operation for Export {
    const NAME: &'static str = "8yn0iYCKYHlIj4-BwPqk";
    const DESCRIPTION: &'static str = "export your data";
}

#[derive(Debug)]
struct Erase;
impl Operation for Erase {
    const NAME: &'static str = "GReLUrM4wMqfg9yzV3KQ";
    const DESCRIPTION: &'static str = "erase your data";
}

#[test]
fn lesson_89_two_operations_whose_names_hash_alike_are_never_confused() {
    assert_eq!(fnv(Export::NAME), fnv(Erase::NAME));
    let mut server = Server::new();
    let export = policy::<Export>(&[&["m.login.password"]], None);
    let erase = policy::<Erase>(&[&["m.login.password"]], None);
    let session = server.own(ALICE, export, Call::new(&Auth::Absent)).0.session().to_owned();
    let auth = alice(Some(&session)).to_string();
    let (answer, plan) = server.own(ALICE, erase, Call::new(&Auth::parse(auth.as_bytes()).unwrap()));
    assert_eq!(answer.says(), "403 M_FORBIDDEN");
    assert!(plan.is_none());
    let (answer, _) = server.own(ALICE, export, Call::new(&Auth::parse(auth.as_bytes()).unwrap()));
    assert_eq!(answer.says(), "200");
}
