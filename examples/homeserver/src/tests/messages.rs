//! Messages with tokens: random, good once they are on their way, and to the addresses that they name.

use super::world::{World, text};
use crate::args::Sessions;
use crate::db::Db;
use crate::files::scratch::Scratch;
use serde_json::{Value, json};

const CONFIG: &str = r#"{"users": [{"localpart": "alice", "password": "wonderland",
    "threepids": [{"medium": "email", "address": "alice@b\u00fccher.example"}]}],
    "threepid_denied_domains": ["denied.example", "\u00fcbel.example"],
    "rate_limits": {"messages_per_recipient": {"burst": 3, "per_second": 0}}}"#;

fn wanted(email: &str, secret: &str, attempt: u64) -> Value {
    json!({ "client_secret": secret, "email": email, "send_attempt": attempt })
}

async fn ask(world: &World, body: Value) -> String {
    text(&world.post("account/password/email/requestToken", None, body).await.ok(), "sid")
}

async fn submit(world: &World, message: &Value) -> (u16, String) {
    let path = text(message, "submit_url");
    let path = path.strip_prefix("http://localhost").unwrap();
    let three = json!({ "sid": message["sid"], "client_secret": message["client_secret"], "token": message["token"] });
    world.post(path, None, three).await.error()
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_78_a_token_is_random_and_the_database_does_not_have_it() {
    let dir = Scratch::new();
    let world = World::with(CONFIG, Sessions::Sqlite, Db::in_dir(dir.path()).unwrap()).await;
    for attempt in [1, 2] {
        ask(&world, wanted("alice@bücher.example", "monkeys", attempt)).await;
    }
    let messages = world.messages();
    let [first, second] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(first["sid"], second["sid"]);
    assert_ne!(first["token"], second["token"]);
    let files = dir.names().into_iter().map(|name| std::fs::read(dir.path().join(name)).unwrap());
    let stored = files.collect::<Vec<_>>().concat();
    for token in [text(first, "token"), text(second, "token"), "monkeys".to_owned()] {
        assert!(!stored.windows(token.len()).any(|bytes| bytes == token.as_bytes()), "{token}");
    }
    assert_eq!(submit(&world, first).await, (400, "M_TOKEN_INCORRECT".to_owned()), "the latest counts");
    assert_eq!(submit(&world, second).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_the_same_attempt_sends_nothing_and_one_that_could_not_be_sent_is_sent_again() {
    let world = World::new(CONFIG).await;
    let first = ask(&world, wanted("alice@bücher.example", "monkeys", 1)).await;
    assert_eq!(ask(&world, wanted("Alice@BÜCHER.example", "monkeys", 1)).await, first);
    assert_eq!(world.messages().len(), 1);
    // A directory that can't be written: nobody is told that a message is on its way.
    std::fs::remove_dir_all(world.outbox.path()).unwrap();
    std::fs::write(world.outbox.path(), "no directory").unwrap();
    let path = "account/password/email/requestToken";
    let failed = world.post(path, None, wanted("alice@bücher.example", "monkeys", 2)).await;
    assert_eq!(failed.status, 503, "{failed:?}");
    std::fs::remove_file(world.outbox.path()).unwrap();
    assert_eq!(ask(&world, wanted("alice@bücher.example", "monkeys", 2)).await, first);
    assert_eq!(world.messages().len(), 1);
}

/// Whoever begins a transaction has it in turn, so that this test has one open after each of the request's.
#[tokio::test(flavor = "multi_thread")]
async fn lesson_107_a_message_is_written_while_another_has_the_database() {
    let world = World::new(CONFIG).await;
    let db = world.app.db.clone();
    let names = || if world.outbox.path().exists() { world.outbox.names() } else { Vec::new() };
    let first = db.begin().await.unwrap();
    let request = ask(&world, wanted("alice@bücher.example", "monkeys", 1));
    // Whatever it has open ends with it.
    let watch = async {
        let mut tx = Some(first);
        for _ in 0..8 {
            for _ in 0..20 {
                if names() == [".0001.part"] {
                    return true;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            drop(tx.take());
            tx = Some(db.begin().await.unwrap());
        }
        false
    };
    let (_, written) = tokio::join!(request, watch);
    assert!(written, "it is written only once the database is free");
    assert_eq!(names(), ["0001.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_87_a_denied_domain_is_denied_in_any_letters() {
    let world = World::new(CONFIG).await;
    let path = "register/email/requestToken";
    for email in [
        "bob@denied.example",
        "bob@ＤＥＮＩＥＤ.example",
        "bob@denied。example",
        "bob@ÜBEL.example",
        "bob@xn--bel-goa.example",
    ] {
        let answer = world.post(path, None, wanted(email, "monkeys", 1)).await;
        assert_eq!(answer.status, 403, "{email}: {}", answer.text);
        answer.is(403, "M_THREEPID_DENIED");
    }
    for email in ["bob@den\u{ad}ied.example", "bob\u{200b}@ok.example", "bob@ok.example\u{202e}"] {
        world.post(path, None, wanted(email, "monkeys", 1)).await.is(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_87_an_address_is_removed_in_whatever_letters_it_is_written() {
    for address in [
        "alice@bücher.example",
        "Alice@BÜCHER.example",
        "alice@bu\u{308}cher。example",
        "alice@xn--bcher-kva.example",
    ] {
        let world = World::new(CONFIG).await;
        let token = world.alice().await;
        let listed = world.get("account/3pid", Some(&token)).await.ok();
        assert_eq!(listed["threepids"][0]["address"], "alice@xn--bcher-kva.example");
        let delete = |address: &str| json!({ "medium": "email", "address": address });
        world.post("account/3pid/delete", Some(&token), delete("alice@büche.example")).await.ok();
        assert_eq!(world.get("account/3pid", Some(&token)).await.ok(), listed, "another domain's");
        world.post("account/3pid/delete", Some(&token), delete(address)).await.ok();
        assert_eq!(world.get("account/3pid", Some(&token)).await.ok()["threepids"], json!([]), "{address}");
        let refused = world.post("account/3pid/delete", Some(&token), delete("alice@\u{ad}.example")).await;
        refused.is(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_messages_to_one_address_are_limited_whoever_asks() {
    let world = World::new(CONFIG).await;
    for n in 0..3 {
        ask(&world, wanted("alice@bücher.example", &format!("secret{n}"), 1)).await;
    }
    let path = "account/password/email/requestToken";
    let answer = world.post(path, None, wanted("ALICE@xn--bcher-kva.example", "secret3", 1)).await;
    answer.is(429, "M_LIMIT_EXCEEDED");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(world.messages().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_an_identity_server_is_ignored_unless_the_config_is_strict() {
    let mut body = wanted("bob@example.org", "monkeys", 1);
    body["id_server"] = json!("id.example.org");
    let path = "register/email/requestToken";
    World::new("{}").await.post(path, None, body.clone()).await.ok();
    let strict = World::new(r#"{"strict_id_server": true}"#).await;
    strict.post(path, None, body.clone()).await.is(400, "M_SERVER_NOT_TRUSTED");
    let trusted = r#"{"strict_id_server": true, "identity_servers": {"id.example.org": {}}}"#;
    World::new(trusted).await.post(path, None, body).await.ok();
}
