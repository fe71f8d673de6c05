//! A validated address whose claimant is gone: a crash came between the claim and its session.

use super::world::{Answer, World, text};
use crate::args::Sessions;
use crate::db::Db;
use serde_json::{Value, json};

const CONFIG: &str = r#"{"flows": {"register": [["m.login.email.identity", "m.login.dummy"]]}}"#;
/// `claim_for_ms`.
const LAPSE: u64 = 60_000;

/// Credentials of an address that is validated.
async fn validated(world: &World) -> Value {
    let wanted = json!({ "client_secret": "monkeys", "email": "carol@example.org", "send_attempt": 1 });
    world.post("register/email/requestToken", None, wanted).await.ok();
    let message = world.messages().remove(0);
    let path = text(&message, "submit_url").replace("http://localhost", "");
    let (sid, secret) = (&message["sid"], &message["client_secret"]);
    let three = json!({ "sid": sid, "client_secret": secret, "token": message["token"] });
    world.post(&path, None, three).await.ok();
    json!({ "sid": sid, "client_secret": secret })
}

/// A registration without a session, whose first stage is to pass by the address.
async fn register(world: &World, creds: &Value) -> Answer {
    let auth = json!({ "type": "m.login.email.identity", "threepid_creds": creds });
    world.post("register", None, json!({ "username": "carol", "password": "christmas", "auth": auth })).await
}

fn has_passed(answer: &Answer) -> bool {
    assert_eq!(answer.status, 401, "{}", answer.text);
    answer.json()["completed"] == json!(["m.login.email.identity"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_session_is_gone_lapses_and_no_other_does() {
    let db = Db::in_memory().unwrap();
    let before = World::with(CONFIG, Sessions::Memory, db.clone()).await;
    let creds = validated(&before).await;
    assert!(has_passed(&register(&before, &creds).await));
    // The crash: what is in memory is gone, and the claim is in the database.
    drop(before);

    let world = World::with(CONFIG, Sessions::Memory, db).await;
    world.advance(LAPSE - 1);
    assert!(!has_passed(&register(&world, &creds).await), "its session might be about to be stored");
    world.advance(1);
    let answer = register(&world, &creds).await;
    assert!(has_passed(&answer), "{}", answer.text);

    // The session is there: however long it takes, no other has its address.
    for _ in 0..3 {
        world.advance(2 * LAPSE);
        assert!(!has_passed(&register(&world, &creds).await));
    }
    let auth = json!({ "type": "m.login.dummy", "session": answer.json()["session"] });
    world.post("register", None, json!({ "auth": auth })).await.ok();
}
