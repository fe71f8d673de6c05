//! Access tokens: where they stand, and what is said of one that is replaced.

use super::world::{World, password, text};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn lesson_97_no_token_and_an_unknown_one_are_told_apart() {
    let world = World::new("{}").await;
    let alice = world.alice().await;
    for bearer in ["Bearer", "Bearer ", "bearer    "] {
        let answer = world.send("GET", "account/whoami", &[("authorization", bearer)], String::new()).await;
        answer.is(401, "M_MISSING_TOKEN");
    }
    world.get("account/whoami?access_token=", None).await.is(401, "M_MISSING_TOKEN");
    world.get("account/whoami?access_token=%20", None).await.is(401, "M_MISSING_TOKEN");
    world.get("account/whoami?access_token=nobody's", None).await.is(401, "M_UNKNOWN_TOKEN");
    for query in ["access_token=%zz", "access_token", "access_token=a&access_token=a"] {
        world.get(&format!("account/whoami?{query}"), None).await.is(400, "M_INVALID_PARAM");
        // Without this, it would be a reset of somebody's password.
        world.post(&format!("account/password?{query}"), None, json!({})).await.is(400, "M_INVALID_PARAM");
    }
    world.get(&format!("account/whoami?access_token={alice}"), None).await.ok();
    world.get(&format!("account/whoami?access%5Ftoken={alice}"), Some(&alice)).await.ok();
    world.get("account/whoami?access_token=other", Some(&alice)).await.is(400, "M_INVALID_PARAM");
    let headers_only = World::new(r#"{"query_tokens": false}"#).await;
    let alice = headers_only.alice().await;
    for query in [&format!("access_token={alice}"), "access_token=%zz", "access_token="] {
        headers_only.get(&format!("account/whoami?{query}"), None).await.is(401, "M_MISSING_TOKEN");
        // Whoever sends one means to say who they are: it is no reset.
        let path = format!("account/password?{query}");
        headers_only.post(&path, None, json!({})).await.is(401, "M_MISSING_TOKEN");
        headers_only.get(&format!("account/whoami?{query}"), Some(&alice)).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l8_a_replaced_token_is_softly_logged_out_and_one_that_ended_is_not() {
    let world = World::new(r#"{"access_token_lifetime_ms": 60000}"#).await;
    let mut login = password("alice", "wonderland");
    login["device_id"] = json!("PHONE");
    login["refresh_token"] = json!(true);
    let first = world.post("login", None, login.clone()).await.ok();
    let second = world.post("login", None, login).await.ok();
    let replaced = world.get("account/whoami", Some(&text(&first, "access_token"))).await;
    replaced.is(401, "M_UNKNOWN_TOKEN");
    assert_eq!(replaced.json()["soft_logout"], true);
    let refreshed = json!({ "refresh_token": text(&first, "refresh_token") });
    let refreshed = world.post("refresh", None, refreshed).await;
    assert_eq!((refreshed.status.as_u16(), &refreshed.json()["soft_logout"]), (401, &json!(true)));
    let token = text(&second, "access_token");
    world.post("logout", Some(&token), json!({})).await.ok();
    for token in [&token, &text(&first, "access_token")] {
        let ended = world.get("account/whoami", Some(token)).await;
        ended.is(401, "M_UNKNOWN_TOKEN");
        assert_ne!(ended.json()["soft_logout"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l8_a_registration_that_is_replayed_replaces_its_token_softly() {
    let world = World::new("{}").await;
    let params = json!({ "username": "bob", "password": "wonderland" });
    let session = text(&world.post("register", None, params.clone()).await.json(), "session");
    let mut body = params;
    body["auth"] = json!({ "type": "m.login.dummy", "session": session });
    let [first, second] =
        [world.post("register", None, body.clone()).await, world.post("register", None, body).await];
    let (first, second) = (first.ok(), second.ok());
    assert_eq!(first["device_id"], second["device_id"]);
    let replaced = world.get("account/whoami", Some(&text(&first, "access_token"))).await;
    assert_eq!((replaced.status.as_u16(), &replaced.json()["soft_logout"]), (401, &json!(true)));
    world.get("account/whoami", Some(&text(&second, "access_token"))).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_ends_what_it_has_begun() {
    let world = World::new("{}").await;
    let mut login = password("alice", "wonderland");
    login["device_id"] = json!("PHONE");
    let token = text(&world.post("login", None, login.clone()).await.ok(), "access_token");
    let begun =
        world.post("account/password", Some(&token), json!({ "new_password": "looking-glass" })).await;
    let mut auth = password("alice", "wonderland");
    auth["session"] = begun.json()["session"].clone();
    world.post("login", None, login).await.ok();
    let answer = world.post("account/password", Some(&token), json!({ "auth": auth })).await;
    answer.is(401, "M_UNKNOWN_TOKEN");
    world.login("alice", "wonderland").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_108_a_password_is_one_in_whatever_normal_form_it_is_sent() {
    let world = World::new(r#"{"users": [{"localpart": "alice", "password": "cafe\u0301-wonder"}]}"#).await;
    for typed in ["caf\u{e9}-wonder", "cafe\u{301}-wonder", "ｃａｆé-wonder"] {
        world.login("alice", typed).await.ok();
    }
    let token = text(&world.login("alice", "caf\u{e9}-wonder").await.ok(), "access_token");
    let change =
        json!({ "new_password": "\u{fb01}ne-weather", "auth": password("alice", "cafe\u{301}-wonder") });
    world.post("account/password", Some(&token), change).await.ok();
    world.login("alice", "fine-weather").await.ok();
    let body =
        json!({ "username": "bob", "password": "\u{fb01}ne-weather", "auth": { "type": "m.login.dummy" } });
    world.post("register", None, body).await.ok();
    world.login("bob", "fine-weather").await.ok();
    let short = World::new("{}").await;
    let weak = json!({ "username": "bob", "password": "\u{2460}2345e\u{301}6", "auth": { "type": "m.login.dummy" } });
    short.post("register", None, weak).await.is(400, "M_WEAK_PASSWORD");
}
