//! Application services: whom a request of theirs is about, and what is said of a user who is gone.

use super::world::World;
use serde_json::json;

const CONFIG: &str = r#"{"appservices": [{"id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot",
    "user_prefix": "_bridge_"}],
    "flows": {"password": [["m.login.password"], ["m.login.sso"]]}}"#;
const TOKEN: Option<&str> = Some("as-secret");

async fn register(world: &World, name: &str) {
    let body = json!({ "type": "m.login.application_service", "username": name, "inhibit_login": true });
    world.post("register", TOKEN, body).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_82_a_user_id_that_cannot_be_read_is_not_the_sender() {
    let world = World::new(CONFIG).await;
    register(&world, "bridgebot").await;
    register(&world, "_bridge_ghost").await;
    for query in [
        "user_id=%zz",
        "user_id",
        "user_id=",
        "user_id=%40_bridge_ghost%3Alocalhost&user_id=%40_bridge_ghost%3Alocalhost",
        "user%5Fid=%zz",
        "user_id=%40_bridge_ghost%3Alocalhost&%75ser_id=x",
    ] {
        let answer = world.post(&format!("account/deactivate?{query}"), TOKEN, json!({})).await;
        answer.is(400, "M_INVALID_PARAM");
    }
    world.get("account/whoami", TOKEN).await.ok();
    let whoami = world.get("account/whoami?user%5Fid=%40_bridge_ghost%3Alocalhost", TOKEN).await.ok();
    assert_eq!(whoami["user_id"], "@_bridge_ghost:localhost", "a name spelled with escapes is the same name");
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_92_the_sender_is_known_before_it_is_registered() {
    let world = World::new(CONFIG).await;
    for _ in 0..2 {
        let whoami = world.get("account/whoami", TOKEN).await.ok();
        assert_eq!((&whoami["user_id"], whoami.get("device_id")), (&json!("@bridgebot:localhost"), None));
        world.get("capabilities", TOKEN).await.ok();
        assert_eq!(world.get("account/3pid", TOKEN).await.ok(), json!({ "threepids": [] }));
        for path in ["logout", "logout/all"] {
            assert_eq!(world.post(path, TOKEN, json!({})).await.ok(), json!({}));
        }
    }
    world.get("account/whoami?user_id=%40_bridge_ghost%3Alocalhost", TOKEN).await.is(403, "M_FORBIDDEN");
    world.post("account/deactivate", TOKEN, json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn l07_the_sender_is_known_once_it_is_registered_too() {
    let world = World::new(CONFIG).await;
    register(&world, "bridgebot").await;
    let whoami = world.get("account/whoami", TOKEN).await.ok();
    assert_eq!(whoami["user_id"], "@bridgebot:localhost");
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_96_a_dead_ghost_is_what_is_wrong_and_not_the_token() {
    let world = World::new(CONFIG).await;
    register(&world, "_bridge_ghost").await;
    let as_ghost = |path: &str| format!("{path}?user_id=%40_bridge_ghost%3Alocalhost");
    world.post(&as_ghost("account/deactivate"), TOKEN, json!({})).await.ok();
    for path in ["account/whoami", "devices"] {
        world.get(&as_ghost(path), TOKEN).await.is(403, "M_USER_DEACTIVATED");
    }
    world.post(&as_ghost("account/deactivate"), TOKEN, json!({})).await.is(403, "M_USER_DEACTIVATED");
    let stranger = world.get("account/whoami?user_id=%40alice%3Alocalhost", TOKEN).await;
    stranger.is(403, "M_FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_is_offered_what_it_can_pass_and_nothing_else() {
    let world = World::new(CONFIG).await;
    register(&world, "_bridge_ghost").await;
    let path = "account/password?user_id=%40_bridge_ghost%3Alocalhost";
    let offered = world.post(path, TOKEN, json!({ "new_password": "wonderland" })).await;
    assert_eq!(offered.json()["flows"], json!([{ "stages": ["m.login.sso"] }]));
    let alice = world.alice().await;
    let offered = world.post("account/password", Some(&alice), json!({})).await.json();
    assert_eq!(offered["flows"].as_array().unwrap().len(), 2);
    // The page of the session knows as much.
    let session = world.post(path, TOKEN, json!({})).await.json()["session"].as_str().unwrap().to_owned();
    let page = world.get(&format!("auth/m.login.password/fallback/web?session={session}"), None).await;
    assert!(page.status.is_client_error(), "{page:?}");
    let page = world.get(&format!("auth/m.login.sso/fallback/web?session={session}"), None).await;
    assert_eq!(page.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_that_nobody_can_pass_is_a_refusal() {
    let config = r#"{"users": [{"localpart": "alice"}], "flows": {"register": [["m.login.dummy"]]},
        "appservices": [{"id": "bridge", "as_token": "as-secret", "sender_localpart": "bridgebot",
                         "user_prefix": "_bridge_"}]}"#;
    let world = World::new(config).await;
    register(&world, "_bridge_ghost").await;
    let body = json!({ "type": "m.login.application_service",
        "identifier": { "type": "m.id.user", "user": "_bridge_ghost" }, "device_id": "GHOST" });
    let login = world.post("login", TOKEN, body).await.ok();
    let token = login["access_token"].as_str();
    for (path, body) in [
        ("account/password", json!({ "new_password": "wonderland" })),
        ("account/deactivate", json!({})),
        ("account/3pid/add", json!({ "client_secret": "a", "sid": "b" })),
        ("delete_devices", json!({ "devices": ["GHOST"] })),
        ("/_matrix/client/v1/login/get_token", json!({})),
    ] {
        world.post(path, token, body).await.is(403, "M_FORBIDDEN");
    }
    // What needs no authentication is done all the same.
    world.post("account/deactivate?user_id=%40_bridge_ghost%3Alocalhost", TOKEN, json!({})).await.ok();
}
