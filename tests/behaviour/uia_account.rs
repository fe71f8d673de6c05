//! Rules U24 and U27: whose session it is, and of what, by the account as it is now and by
//! name.

use matrix_uia::server::account::Event;
use matrix_uia::server::operation::{ChangePassword, Operation, OperationId};
use matrix_uia::{Flows, FlowsBuffer, PolicyError};
use serde_json::{Value, json};

use crate::support::{Server, password_auth, policy, stage};

const ALICE: Option<&str> = Some("alice-token");
const CODE: &str = "org.example.code";

fn change(auth: Value) -> Value {
    json!({"new_password": "looking-glass", "auth": auth})
}

/// A session in which alice's password has passed.
fn half_way() -> (Server, String) {
    let mut server = Server::new();
    server.policies.change = policy(&[&["m.login.password", CODE]], None);
    let first = change(password_auth(None, "alice", "wonderland"));
    let session = server.change_password(ALICE, first).session().to_owned();
    (server, session)
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u24_a_session_is_over_at_the_next_step_after_its_epoch() {
    let (mut server, session) = half_way();
    let account = server.session(&session).account();
    assert_eq!(account, Some(server.account_named("alice")), "the epoch is kept with who authenticates");
    server.user("alice").epoch += 1;
    for auth in [stage(CODE, &session), json!({"session": session})] {
        assert_eq!(server.change_password(ALICE, change(auth)).says(), "401 M_UNKNOWN");
    }
    assert_eq!(server.asked, 1);
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u24_the_account_is_asked_for_again_before_a_verdict_or_a_grant_is_used() {
    for (event, says) in [(None, "401 M_UNKNOWN"), (Some(Event::Lock), "401 M_USER_LOCKED")] {
        let (mut server, session) = half_way();
        server.next_verdict(matrix_uia::server::verdict::Verdict::Passed(
            matrix_uia::server::verdict::Evidence::nothing(),
        ));
        server.meanwhile = Some(Box::new(move |server| {
            let user = server.user("alice");
            match event {
                Some(event) => user.status = user.status.on(event).unwrap(),
                None => user.epoch += 1,
            }
        }));
        assert_eq!(server.change_password(ALICE, change(stage(CODE, &session))).says(), says);
        assert_eq!((server.grants, server.users["alice"].hash.as_deref()), (0, Some("hash of wonderland")));
    }
}

#[derive(Debug)]
struct Export;
impl Operation for Export {
    const NAME: &'static str = "org.example.export";
    const DESCRIPTION: &'static str = "export your data";
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u27_operations_and_custom_stages_are_what_their_names_say() {
    assert!(!OperationId::KNOWN.contains(&OperationId::of::<Export>()));
    // Of two names with one number the policy is refused.
    let (one, other) = ("8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ");
    let refused = Flows::<ChangePassword>::in_buffer([[one], [other]], None, &mut FlowsBuffer::<256>::new())
        .map(|_| ());
    assert!(matches!(refused, Err(PolicyError::NameCollision { flow: 2, .. })), "{refused:?}");
    // A stage is attempted by its name, and another one is in no flow.
    let mut server = Server::new();
    server.policies.change = policy(&[&[one]], None);
    let session = server.begin(ALICE);
    assert_eq!(server.change_password(ALICE, change(stage(other, &session))).says(), "401 M_INVALID_PARAM");
    assert_eq!(server.asked, 0);
}
