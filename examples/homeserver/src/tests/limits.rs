//! Whose attempts count against whom (rule U17).

use super::world::{World, password};
use serde_json::json;

const CONFIG: &str = r#"{"users": [{"localpart": "alice", "password": "wonderland",
    "threepids": [{"medium": "email", "address": "alice@example.org"}]}],
    "rate_limits": {"failed_auth": {"burst": 5, "per_second": 0}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn lesson_81_five_spellings_of_a_name_have_one_limit_whether_there_is_such_a_user_or_not() {
    let world = World::new(CONFIG).await;
    for name in ["alice", "nobody"] {
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            format!("@{name}:localhost"),
            format!("@{}:localhost", name.to_uppercase()),
            format!("{}{}", name[..1].to_uppercase(), &name[1..]),
        ];
        let mut answers = Vec::new();
        for spelling in spellings.iter().chain(&spellings) {
            answers.push(world.login(spelling, "wrong").await.status.as_u16());
        }
        assert_eq!(answers, [403, 403, 403, 403, 403, 429, 429, 429, 429, 429], "{name}");
    }
    // An address is another of alice's names.
    let mut by_address = password("alice", "wonderland");
    by_address["identifier"] =
        json!({ "type": "m.id.thirdparty", "medium": "email", "address": "alice@example.org" });
    world.post("login", None, by_address).await.is(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_81_strangers_do_not_keep_the_owner_from_changing_the_password() {
    let world = World::new(CONFIG).await;
    let alice = world.alice().await;
    for _ in 0..10 {
        world.login("alice", "wrong").await;
    }
    world.login("alice", "wonderland").await.is(429, "M_LIMIT_EXCEEDED");
    let change = json!({ "new_password": "looking-glass", "auth": password("alice", "wonderland") });
    world.post("account/password", Some(&alice), change).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_81_an_address_has_a_limit_whomever_it_tries_and_ipv6_counts_by_its_first_half() {
    let config = r#"{"trusted_proxies": ["0.0.0.0"],
        "rate_limits": {"failed_auth_per_address": {"burst": 3, "per_second": 0}}}"#;
    let world = World::new(config).await;
    let try_from = async |address: &str, name: &str| {
        let headers = [("x-forwarded-for", address)];
        world.send("POST", "login", &headers, password(name, "wrong").to_string()).await.status.as_u16()
    };
    for (address, name) in [("2001:db8::1", "a"), ("2001:db8::2:1", "b"), ("2001:db8::ffff", "c")] {
        assert_eq!(try_from(address, name).await, 403);
    }
    assert_eq!(try_from("2001:db8::3", "d").await, 429);
    assert_eq!(try_from("2001:db8:0:1::3", "d").await, 403, "another network");
    assert_eq!(try_from("evil, 2001:db8:0:2::1", "d").await, 403, "read from the right");
}

#[tokio::test(flavor = "multi_thread")]
async fn u17_a_login_that_is_turned_away_without_a_look_at_the_password_is_no_failed_attempt() {
    let config =
        r#"{"edges": {"hash_queue": 0}, "rate_limits": {"failed_auth": {"burst": 2, "per_second": 0}}}"#;
    let world = World::new(config).await;
    let mut held = Vec::new();
    while let Ok(place) = world.app.passwords.place_for_test() {
        held.push(place);
    }
    for _ in 0..5 {
        let answer = world.login("alice", "wrong").await;
        answer.is(429, "M_LIMIT_EXCEEDED");
        assert_eq!(answer.json()["retry_after_ms"], 1000, "by the queue, and not by alice's limit");
    }
    drop(held);
    world.login("alice", "wonderland").await.ok();
}
