//! A disk that is full at any write, the commit included: nothing is answered with 200 that did not happen, and the
//! same request succeeds once there is room.

use super::world::{Answer, World, password, text};
use crate::args::Sessions;
use crate::db::Db;
use crate::db::users::{self, Phase};
use crate::deactivations;
use crate::files::scratch::Scratch;
use crate::threepids::SUBMIT_PATH;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const CONFIG: &str = r#"{"registration_tokens": [{"token": "invitation", "uses_allowed": 1}],
    "users": [{"localpart": "alice", "password": "wonderland",
               "threepids": [{"medium": "email", "address": "alice@example.org", "id_server": "id"}]}],
    "identity_servers": {"id": {}},
    "flows": {"register": [["m.login.registration_token", "m.login.dummy"]],
              "deactivate": [["m.login.dummy"]], "delete_devices": [["m.login.dummy"]],
              "password": [["m.login.dummy"]], "get_login_token": [["m.login.dummy"]],
              "add_3pid": [["m.login.dummy"]], "device_signing": [["m.login.dummy"]]},
    "access_token_lifetime_ms": 60000}"#;

/// A request, by what was prepared for it.
struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    /// Carries alice's token.
    by_alice: bool,
    body: fn(&Prepared) -> Value,
}

struct Prepared {
    token: String,
    refresh_token: String,
    /// A session of a registration, whose token is reserved.
    session: String,
    /// The last message that was sent, if any was.
    message: Value,
}

/// What proves an address.
fn three(at: &Prepared) -> Value {
    json!({ "sid": at.message["sid"], "client_secret": at.message["client_secret"], "token": at.message["token"] })
}

fn dummy() -> Value {
    json!({ "type": "m.login.dummy" })
}

const CASES: &[Case] = &[
    Case {
        name: "login",
        method: "POST",
        path: "login",
        by_alice: false,
        body: |_| password("alice", "wonderland"),
    },
    Case {
        name: "a first request",
        method: "POST",
        path: "account/password",
        by_alice: true,
        body: |_| json!({ "new_password": "looking-glass" }),
    },
    Case {
        name: "a password change",
        method: "POST",
        path: "account/password",
        by_alice: true,
        body: |_| json!({ "new_password": "looking-glass", "auth": dummy() }),
    },
    Case {
        name: "a token that is reserved",
        method: "POST",
        path: "register",
        by_alice: false,
        body: |at| {
            let auth =
                json!({ "type": "m.login.registration_token", "token": "invitation", "session": at.session });
            json!({ "username": "bob", "password": "wonderland", "auth": auth })
        },
    },
    Case {
        name: "a registration",
        method: "POST",
        path: "register",
        by_alice: false,
        body: |at| {
            let auth = json!({ "type": "m.login.dummy", "session": at.session });
            json!({ "username": "bob", "password": "wonderland", "auth": auth })
        },
    },
    Case {
        name: "a refresh",
        method: "POST",
        path: "refresh",
        by_alice: false,
        body: |at| json!({ "refresh_token": at.refresh_token }),
    },
    Case {
        name: "a message",
        method: "POST",
        path: "account/password/email/requestToken",
        by_alice: false,
        body: |_| json!({ "client_secret": "monkeys", "email": "alice@example.org", "send_attempt": 1 }),
    },
    Case {
        name: "a login token",
        method: "POST",
        path: "/_matrix/client/v1/login/get_token",
        by_alice: true,
        body: |_| json!({ "auth": dummy() }),
    },
    Case {
        name: "an address that is removed",
        method: "POST",
        path: "account/3pid/delete",
        by_alice: true,
        body: |_| json!({ "medium": "email", "address": "alice@example.org" }),
    },
    Case {
        name: "a device's name",
        method: "PUT",
        path: "devices/PHONE",
        by_alice: true,
        body: |_| json!({ "display_name": "Phone" }),
    },
    Case {
        name: "devices that end",
        method: "POST",
        path: "delete_devices",
        by_alice: true,
        body: |_| json!({ "devices": ["TABLET"], "auth": dummy() }),
    },
    Case {
        name: "a device that ends",
        method: "DELETE",
        path: "devices/TABLET",
        by_alice: true,
        body: |_| json!({ "auth": dummy() }),
    },
    Case {
        name: "keys",
        method: "POST",
        path: "keys/device_signing/upload",
        by_alice: true,
        body: |_| {
            let key = json!({ "user_id": "@alice:localhost", "usage": ["master"], "keys": { "ed25519:AAAA": "AAAA" } });
            json!({ "master_key": key, "auth": dummy() })
        },
    },
    Case { name: "a message's token", method: "POST", path: SUBMIT_PATH, by_alice: false, body: three },
    Case {
        name: "an address that is added",
        method: "POST",
        path: "account/3pid/add",
        by_alice: true,
        body: |at| {
            let Value::Object(mut body) = three(at) else { panic!("an object") };
            body.remove("token");
            body.insert("auth".to_owned(), dummy());
            body.into()
        },
    },
    Case {
        name: "a page's form",
        method: "POST",
        path: "auth/m.login.registration_token/fallback/web",
        by_alice: false,
        // A text is sent as a form.
        body: |at| json!(format!("session={}&token=invitation", at.session)),
    },
    Case { name: "logout", method: "POST", path: "logout", by_alice: true, body: |_| json!({}) },
    Case {
        name: "a deactivation",
        method: "POST",
        path: "account/deactivate",
        by_alice: true,
        body: |_| json!({ "auth": dummy(), "erase": true }),
    },
];

async fn prepare(world: &World, case: &Case) -> Prepared {
    let mut login = password("alice", "wonderland");
    for device in ["TABLET", "PHONE"] {
        login["device_id"] = device.into();
        login["refresh_token"] = true.into();
        world.post("login", None, login.clone()).await.ok();
    }
    let tokens = world.post("login", None, login).await.ok();
    let (token, refresh_token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let begun = world.post("register", None, json!({ "username": "bob", "password": "wonderland" })).await;
    let session = text(&begun.json(), "session");
    if case.name == "a registration" {
        let auth = json!({ "type": "m.login.registration_token", "token": "invitation", "session": session });
        let passed = world.post("register", None, json!({ "auth": auth })).await.json();
        assert_eq!(passed["completed"], json!(["m.login.registration_token"]));
    }
    if ["a message's token", "an address that is added"].contains(&case.name) {
        let wanted = json!({ "client_secret": "monkeys", "email": "alice@example.com", "send_attempt": 1 });
        world.post("account/3pid/email/requestToken", Some(&token), wanted).await.ok();
    }
    let message = world.messages().pop().unwrap_or_default();
    let at = Prepared { token, refresh_token, session, message };
    if case.name == "an address that is added" {
        world.post(SUBMIT_PATH, None, three(&at)).await.ok();
    }
    at
}

async fn send(world: &World, case: &Case, at: &Prepared) -> Answer {
    let token = case.by_alice.then_some(at.token.as_str());
    if let Value::String(form) = (case.body)(at) {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", "http://h:8008"),
            ("host", "h:8008"),
        ];
        return world.send(case.method, case.path, &headers, form).await;
    }
    world.request(case.method, case.path, token, Some((case.body)(at))).await
}

/// Whether it is what the request comes to when nothing fails.
fn succeeded(case: &Case, answer: &Answer) -> bool {
    let expected = match case.name {
        "a first request" => 401,
        "a token that is reserved" => {
            let passed =
                answer.status == 401 && answer.json()["completed"][0] == "m.login.registration_token";
            return passed;
        }
        _ => 200,
    };
    answer.status == expected
}

async fn phase(world: &World) -> Phase {
    world.app.db.transaction(|tx| users::by_localpart(tx, "alice")).await.unwrap().unwrap().phase
}

async fn fails_safely(sessions: Sessions) {
    for case in CASES {
        for nth in 1.. {
            let world = World::with(CONFIG, sessions.clone(), Db::in_memory().unwrap()).await;
            let at = prepare(&world, case).await;
            let messages = world.messages().len();
            let written = world.app.db.fail_from(Some(nth)).await;
            let answer = send(&world, case, &at).await;
            let failed = written.load(Ordering::SeqCst) >= nth;
            world.app.db.fail_from(None).await;
            let what = format!("{}, {sessions:?}, write {nth}: {}", case.name, answer.text);
            if !failed {
                assert!(succeeded(case, &answer), "{what}");
                assert!(nth > 1 || case.name == "a first request", "{what}");
                break;
            }
            assert_eq!(answer.status, 503, "{what}");
            if phase(&world).await != Phase::Active {
                // Behind the fence the token is gone; what has begun goes on by itself.
                assert!(deactivations::finish_all(&world.app).await);
                assert_eq!(phase(&world).await, Phase::Deactivated, "{what}");
                continue;
            }
            let again = send(&world, case, &at).await;
            assert!(succeeded(case, &again), "{what}; then {}", again.text);
            if case.name == "a password change" {
                world.login("alice", "looking-glass").await.ok();
            }
            if case.name == "a message" {
                assert!(world.messages().len() > messages, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_101_a_write_that_fails_is_no_success_with_sessions_in_the_database() {
    fails_safely(Sessions::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_101_a_write_that_fails_is_no_success_with_sessions_in_memory() {
    fails_safely(Sessions::Memory).await;
}

/// Nobody is told the session of a one-shot call that fails, so nobody could go on with what it has reserved.
#[tokio::test(flavor = "multi_thread")]
async fn lesson_101_a_one_shot_call_that_fails_gives_its_token_back() {
    let config = CONFIG
        .replace(r#"["m.login.registration_token", "m.login.dummy"]"#, r#"["m.login.registration_token"]"#);
    let register = |name: &str| {
        let auth = json!({ "type": "m.login.registration_token", "token": "invitation" });
        json!({ "username": name, "password": "wonderland", "auth": auth })
    };
    for sessions in [Sessions::Sqlite, Sessions::Memory] {
        for nth in 1.. {
            let world = World::with(&config, sessions.clone(), Db::in_memory().unwrap()).await;
            let written = world.app.db.fail_from(Some(nth)).await;
            let answer = world.post("register", None, register("bob")).await;
            let failed = written.load(Ordering::SeqCst) >= nth;
            world.app.db.fail_from(None).await;
            if !failed {
                assert!(nth > 3, "{sessions:?}");
                answer.ok();
                break;
            }
            assert_eq!(answer.status, 503, "{sessions:?}, write {nth}: {}", answer.text);
            world.post("register", None, register("carol")).await.ok();
            assert_eq!(world.post("register", None, register("dave")).await.status, 401, "it has one use");
            let left = world.app.sessions.in_memory().map(|sessions| sessions.len());
            assert_eq!(left.unwrap_or(1), 1, "carol's, write {nth}");
        }
    }
}

/// SQLite's own limit stands for the disk's: it undoes the transaction by itself.
#[tokio::test(flavor = "multi_thread")]
async fn lesson_101_a_full_disk_is_said_and_nothing_is_lost_once_there_is_room() {
    for sessions in [Sessions::Sqlite, Sessions::Memory] {
        let dir = Scratch::new();
        let world = World::with("{}", sessions.clone(), Db::in_dir(dir.path()).unwrap()).await;
        let pages = |pages: u64| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            world.app.db.transaction(move |tx| tx.query_row(&pragma, [], |row| row.get::<_, u64>(0)))
        };
        pages(1).await.unwrap();
        let register = |n: u32| {
            let name = format!("user{n}");
            json!({ "username": name, "password": "wonderland", "auth": dummy() })
        };
        let mut made = 0;
        let refused = loop {
            let answer = world.post("register", None, register(made)).await;
            if answer.status != 200 {
                break answer;
            }
            made += 1;
        };
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert_eq!(world.login(&format!("user{made}"), "wonderland").await.status, 403);
        pages(1_000_000).await.unwrap();
        world.post("register", None, register(made)).await.ok();
        for n in [0, made] {
            world.login(&format!("user{n}"), "wonderland").await.ok();
        }
    }
}
