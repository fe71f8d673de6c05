//! The clock, set back and forward; and what comes late.

use super::world::{World, password, text};
use crate::background;
use serde_json::json;

const DAY: u64 = 24 * 3600 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn lesson_79_what_was_sent_late_does_not_count_as_early() {
    use crate::http::Arrival;
    use axum::http::Request;
    use tower::ServiceExt as _;
    let world = World::new(r#"{"access_token_lifetime_ms": 60000}"#).await;
    let mut login = password("alice", "wonderland");
    login["refresh_token"] = json!(true);
    let token = text(&world.post("login", None, login).await.ok(), "access_token");
    // Over a connection, the head comes first.
    let arrival = Arrival::of_test(world.app.clock.now(), "");
    world.advance(60_001);
    let request = Request::get("/_matrix/client/v3/account/whoami")
        .header("authorization", format!("Bearer {token}"))
        .extension(arrival);
    let router = crate::endpoints::routes(std::sync::Arc::clone(&world.app)).router;
    let answer = router.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_104_what_a_wrong_clock_made_is_over_when_it_is_right_again() {
    let config = r#"{"registration_tokens": [{"token": "invitation"}], "access_token_lifetime_ms": 60000,
        "flows": {"register": [["m.login.registration_token", "m.login.dummy"]],
                  "get_login_token": [["m.login.dummy"]]},
        "users": [{"localpart": "alice", "password": "wonderland",
                   "threepids": [{"medium": "email", "address": "a@b"}]}]}"#;
    let world = World::new(config).await;
    let now = world.app.clock.now_ms();
    let alice = world.alice().await;
    world.set_clock(4_070_908_800_000);
    let reserving = json!({ "auth": { "type": "m.login.registration_token", "token": "invitation" } });
    let open = world.post("register", None, reserving.clone()).await.json();
    assert_eq!(open["completed"], json!(["m.login.registration_token"]));
    let mut login = password("alice", "wonderland");
    login["refresh_token"] = json!(true);
    let expiring = text(&world.post("login", None, login).await.ok(), "access_token");
    let auth = json!({ "auth": { "type": "m.login.dummy" } });
    let path = "/_matrix/client/v1/login/get_token";
    let login_token = text(&world.post(path, Some(&alice), auth).await.ok(), "login_token");
    let wanted = json!({ "client_secret": "monkeys", "email": "a@b", "send_attempt": 1 });
    world.post("account/password/email/requestToken", None, wanted).await.ok();

    world.set_clock(now);
    let poll = json!({ "auth": { "type": "m.login.dummy", "session": open["session"] } });
    let over = world.post("register", None, poll).await.json();
    assert_ne!(over["session"], open["session"]);
    assert_eq!(world.get("account/whoami", Some(&expiring)).await.status, 401);
    let by_token = json!({ "type": "m.login.token", "token": login_token });
    world.post("login", None, by_token).await.is(403, "M_FORBIDDEN");
    let message = world.messages().remove(0);
    let three = json!({ "sid": message["sid"], "client_secret": "monkeys", "token": message["token"] });
    assert_eq!(world.post("/_matrix/static/client/3pid/submit_token", None, three).await.status, 400);
    // The token is free for somebody else, and nothing is left behind.
    let again = world.post("register", None, reserving).await.json();
    assert_eq!(again["completed"], json!(["m.login.registration_token"]));
    background::expire_all(&world.app).await;
    let rows = |table: &str| {
        let count = format!("SELECT count(*) FROM {table}");
        let db = world.app.db.clone();
        async move { db.transaction(|tx| tx.query_row(&count, [], |row| row.get::<_, u64>(0))).await.unwrap() }
    };
    assert_eq!(rows("validations").await, 0);
    assert_eq!(rows("login_tokens").await, 0);
    assert_eq!(rows("registration_token_reservations").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_keeps_nobody_waiting() {
    let config = r#"{"users": [{"localpart": "alice", "password": "wonderland", "threepids": [
        {"medium": "email", "address": "a@b", "id_server": "dead"}]}],
        "identity_servers": {"dead": {"unbind": "error"}}}"#;
    let world = World::new(config).await;
    let alice = world.alice().await;
    let began = std::time::Instant::now();
    let body = json!({ "auth": password("alice", "wonderland") });
    let request = world.post("account/deactivate", Some(&alice), body);
    let set_back = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        world.set_clock(world.app.clock.now_ms() - DAY);
    };
    let (answer, ()) = tokio::join!(request, set_back);
    // Ten seconds, whatever the time of day is (lesson 106).
    assert_eq!(answer.ok()["id_server_unbind_result"], "no-support");
    assert!(began.elapsed().as_secs() < 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_110_a_request_ends_a_few_of_many_that_have_run_out() {
    use crate::args::Sessions;
    for sessions in [Sessions::Memory, Sessions::Sqlite] {
        let world = World::with("{}", sessions.clone(), crate::db::Db::in_memory().unwrap()).await;
        let begin = async || text(&world.post("register", None, json!({})).await.json(), "session");
        for _ in 0..200 {
            begin().await;
        }
        // The store in memory believes a jump of the clock only where it is no longer than a session's life.
        world.advance(900_000);
        let left = async || match world.app.sessions.in_memory() {
            Some(sessions) => sessions.len(),
            None => {
                let count = "SELECT count(*) FROM uia_sessions";
                world.app.db.transaction(|tx| tx.query_row(count, [], |row| row.get(0))).await.unwrap()
            }
        };
        assert_eq!(left().await, 200, "{sessions:?}");
        begin().await;
        // Those of the request, and the one that it began.
        let removed = 201 - left().await;
        assert!((1..=16).contains(&removed), "{removed} by one request, {sessions:?}");
        let expire = async || {
            let now = world.app.clock.now();
            world.app.db.transaction(|tx| world.app.sessions.expire(tx, now)).await.unwrap()
        };
        let mut turns = 0;
        while expire().await {
            turns += 1;
        }
        assert_eq!(turns, (200 - removed).div_ceil(16), "in turns of 16, {sessions:?}");
    }
}
