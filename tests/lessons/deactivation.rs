//! A deactivation ends.

use matrix_uia::endpoint::deactivate::{Deactivation, Effect};
use serde_json::json;

use super::{ALICE, alice};
use crate::support::Server;

#[test]
fn lesson_45_a_dead_identity_server_blocks_nothing() {
    let mut server = Server::new();
    let (_, begun) = server.deactivate_until(ALICE, json!({"auth": alice(None)}), 1);
    let begun = begun.unwrap();
    let mut progress = begun;
    assert_eq!(progress.effect(), Some(Effect::UnbindThreepids));
    // The process dies while the identity server doesn't answer.
    let stored = serde_json::to_string(&progress).unwrap();
    progress = serde_json::from_str::<Deactivation>(&stored).unwrap().unbound(false);
    let result = server.carry_out(progress);
    assert_eq!(result, json!({"id_server_unbind_result": "no-support"}));
    assert_eq!(server.journal.last().map(String::as_str), Some("MarkDeactivated"));
}

#[test]
fn lesson_46_every_deactivation_answers_the_result_of_unbinding() {
    for erase in [true, false] {
        let mut server = Server::new();
        let answer = server.deactivate(ALICE, json!({"erase": erase, "auth": alice(None)}));
        assert_eq!(answer.keys(), ["id_server_unbind_result"]);
    }
}

#[test]
fn lesson_47_pending_validations_end_with_the_account() {
    // Ending them belongs to the effect that frees the addresses, after the fence.
    let mut server = Server::new();
    server.deactivate(ALICE, json!({"auth": alice(None)}));
    let at = |effect: &str| server.journal.iter().position(|it| it == effect).unwrap();
    assert!(at("Fence") < at("RemoveThreepids"), "so that none can be begun again");
}

#[test]
fn lesson_59_the_result_of_unbinding_follows_from_what_was_reported() {
    let result = |all: bool| {
        let mut server = Server::new();
        let (_, begun) = server.deactivate_until(ALICE, json!({"auth": alice(None)}), 1);
        let begun = begun.unwrap();
        let progress = begun.unbound(all);
        server.carry_out(progress)["id_server_unbind_result"].as_str().unwrap().to_owned()
    };
    assert_eq!((result(true).as_str(), result(false).as_str()), ("success", "no-support"));
}
