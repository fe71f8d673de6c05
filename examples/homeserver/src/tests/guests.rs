//! Guests: what they may do, and how one becomes a full user (rule R9).

use super::world::{World, password, text};
use serde_json::{Value, json};

const CONFIG: &str = r#"{"registration": {"guests": true}}"#;

/// A guest's localpart and token.
async fn guest(world: &World) -> (String, String) {
    let made = world.post("register?kind=guest", None, json!({})).await.ok();
    let name = text(&made, "user_id").trim_start_matches('@').split(':').next().unwrap().to_owned();
    (name, text(&made, "access_token"))
}

fn upgrade(name: &str, token: &str) -> Value {
    json!({ "username": name, "password": "wonderland", "guest_access_token": token,
        "auth": { "type": "m.login.dummy" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_93_a_guest_gets_at_what_is_for_guests_only() {
    let world = World::new(CONFIG).await;
    let (_, token) = guest(&world).await;
    let token = Some(token.as_str());
    let whoami = world.get("account/whoami", token).await.ok();
    assert_eq!(whoami["is_guest"], true);
    let device = text(&whoami, "device_id");
    for path in ["devices", &format!("devices/{device}"), "capabilities", "/_matrix/client/versions"] {
        world.get(path, token).await.ok();
    }
    let named = json!({ "display_name": "Guest" });
    world.request("PUT", &format!("devices/{device}"), token, Some(named)).await.ok();
    let forbidden = "M_GUEST_ACCESS_FORBIDDEN";
    for (method, path) in [
        ("POST", "account/password"),
        ("POST", "account/deactivate"),
        ("GET", "account/3pid"),
        ("POST", "account/3pid/add"),
        ("POST", "account/3pid/delete"),
        ("POST", "account/3pid/email/requestToken"),
        ("POST", "account/3pid/msisdn/requestToken"),
        ("POST", "account/password/email/requestToken"),
        ("POST", "account/password/msisdn/requestToken"),
        ("DELETE", &format!("devices/{device}")),
        ("POST", "delete_devices"),
        ("POST", "keys/device_signing/upload"),
        ("POST", "logout/all"),
        ("POST", "/_matrix/client/v1/login/get_token"),
        ("GET", "/_matrix/client/v1/admin/lock/@alice:localhost"),
    ] {
        world.request(method, path, token, Some(json!({}))).await.is(403, forbidden);
    }
    world.post("logout", token, json!({})).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_what_needs_no_token_of_anybody_is_open_to_who_sends_a_guests() {
    let world = World::new(CONFIG).await;
    let (_, guests) = guest(&world).await;
    for token in [None, Some(guests.as_str()), Some("nobody's")] {
        let wanted = json!({ "client_secret": "monkeys", "email": "a@b", "send_attempt": 1 });
        // A guest may prove an address on the way to a full account.
        world.post("register/email/requestToken", token, wanted).await.ok();
        world.get("register/available?username=carol", token).await.ok();
        world.get("login", token).await.ok();
        world.post("login", token, password("alice", "wonderland")).await.ok();
        assert_eq!(world.post("register", token, json!({})).await.status, 401);
    }
    // Any other token, be it good or not, is no reason to refuse a reset.
    let alice = world.alice().await;
    for token in [None, Some(alice.as_str()), Some("nobody's")] {
        let wanted = json!({ "client_secret": "monkeys", "email": "alice@example.org", "send_attempt": 1 });
        let answer = world.post("account/password/email/requestToken", token, wanted).await;
        answer.is(400, "M_THREEPID_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_93_a_guest_becomes_a_full_user() {
    let world = World::new(CONFIG).await;
    let (name, token) = guest(&world).await;
    let device = text(&world.get("account/whoami", Some(&token)).await.ok(), "device_id");
    let made = world.post("register", None, upgrade(&name, &token)).await.ok();
    assert_eq!(made["user_id"], format!("@{name}:localhost"));
    let old = world.get("account/whoami", Some(&token)).await;
    old.is(401, "M_UNKNOWN_TOKEN");
    assert_eq!(old.json()["soft_logout"], true, "its device lives on");
    let new = text(&made, "access_token");
    assert_eq!(world.get("account/whoami", Some(&new)).await.ok()["is_guest"], json!(false));
    let devices = world.get("devices", Some(&new)).await.ok();
    let ids: Vec<_> =
        devices["devices"].as_array().unwrap().iter().map(|one| text(one, "device_id")).collect();
    assert!(ids.len() == 2 && ids.contains(&device), "{ids:?}");
    world.login(&name, "wonderland").await.ok();
    world.get("account/3pid", Some(&new)).await.ok();
    // Once: the token is not a guest's any more.
    let mut again = upgrade(&name, &token);
    again["password"] = json!("looking-glass");
    world.post("register", None, again).await.is(403, "M_FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_a_guests_token_may_be_left_out_once_it_was_sent() {
    let world = World::new(CONFIG).await;
    let (name, token) = guest(&world).await;
    let mut first = upgrade(&name, &token);
    first["auth"] = Value::Null;
    let session = text(&world.post("register", None, first).await.json(), "session");
    let last = json!({ "username": name, "auth": { "type": "m.login.dummy", "session": session } });
    world.post("register", None, last).await.ok();
    world.login(&name, "wonderland").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_only_a_guests_own_token_makes_it_a_full_user() {
    let world = World::new(CONFIG).await;
    let (name, token) = guest(&world).await;
    let (other, _) = guest(&world).await;
    let alice = world.alice().await;
    for (name, token) in
        [(&other, &token), (&name, &alice), (&"alice".to_owned(), &alice), (&name, &String::new())]
    {
        world.post("register", None, upgrade(name, token)).await.is(403, "M_FORBIDDEN");
    }
    world.post("register", None, upgrade("somebody", &token)).await.is(403, "M_FORBIDDEN");
    for wrong in [json!(1), json!([]), json!({})] {
        let mut body = upgrade(&name, &token);
        body["guest_access_token"] = wrong;
        world.post("register", None, body).await.is(400, "M_BAD_JSON");
    }
    let mut nameless = upgrade(&name, &token);
    nameless.as_object_mut().unwrap().remove("username");
    world.post("register", None, nameless).await.is(400, "M_MISSING_PARAM");
    // Without a token the name is taken, by whatever session.
    let mut taken = upgrade(&name, &token);
    taken.as_object_mut().unwrap().remove("guest_access_token");
    world.post("register", None, taken.clone()).await.is(400, "M_USER_IN_USE");
    let session = text(&world.post("register", None, json!({})).await.json(), "session");
    taken["auth"] = json!({ "type": "m.login.dummy", "session": session });
    world.post("register", None, taken).await.is(400, "M_USER_IN_USE");
    assert_eq!(world.post("login", None, password(&name, "wonderland")).await.status, 403);
    assert_eq!(world.get("account/whoami", Some(&token)).await.ok()["is_guest"], true);
}
