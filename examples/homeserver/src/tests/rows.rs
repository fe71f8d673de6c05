//! Rows of sessions that can't be read, because a disk or a person spoilt them (lesson 109).

use super::world::{World, password, text};
use crate::args::Sessions;
use crate::background;
use crate::db::Db;
use crate::files::scratch::Scratch;
use rusqlite::Connection;
use serde_json::{Value, json};

const CONFIG: &str = r#"{"registration_tokens": [{"token": "invitation", "uses_allowed": 1}],
    "flows": {"register": [["m.login.registration_token", "m.login.dummy"]]}}"#;

/// Each column of the table, with what can't be read there, or means nothing.
const SPOILT: [&str; 14] = [
    "id = CAST(rowid AS BLOB)",
    "revision = -1",
    "revision = 99999999999999",
    "revision = revision + 1",
    "user = 999",
    "owner = -1",
    "worth = -1",
    "worth = 300",
    "made_at = -1",
    "ends_at = -99999",
    "ends_at = 9223372036854775807",
    "session = 'gar'",
    "session = CAST(x'ff' AS TEXT)",
    "kept = CAST(x'ff' AS TEXT)",
];

/// How long a session lives.
const LIFETIME: u64 = 900_000;

struct Spoilt {
    world: World,
    file: Connection,
    /// Alice's token, and the ID of her session, which is spoilt like all others.
    alice: String,
    session: Value,
    _dir: Scratch,
}

impl Spoilt {
    async fn new(column: &str) -> Self {
        let dir = Scratch::new();
        let world = World::with(CONFIG, Sessions::Sqlite, Db::in_dir(dir.path()).unwrap()).await;
        let alice = world.alice().await;
        let session = world.post("account/password", Some(&alice), change()).await.json()["session"].clone();
        let passed = world.post("register", None, reserving()).await.json();
        assert_eq!(passed["completed"], json!(["m.login.registration_token"]));
        let file = spoil(&dir, column);
        Self { world, file, alice, session, _dir: dir }
    }

    fn count(&self, rows: &str) -> u64 {
        self.file.query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap()
    }
}

/// Does that to every session; the file, for questions about it.
fn spoil(dir: &Scratch, column: &str) -> Connection {
    let file = Connection::open(dir.path().join("homeserver.sqlite")).unwrap();
    let checks = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON";
    file.execute_batch(&format!("{checks}; UPDATE uia_sessions SET {column}")).unwrap();
    file
}

fn change() -> Value {
    json!({ "new_password": "looking-glass" })
}

fn reserving() -> Value {
    json!({ "auth": { "type": "m.login.registration_token", "token": "invitation" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_a_session_that_cannot_be_read_is_gone_and_keeps_nobody_from_another() {
    for column in SPOILT {
        let Spoilt { world, alice, session, .. } = Spoilt::new(column).await;
        let mut auth = password("alice", "wonderland");
        auth["session"] = session;
        let mut body = change();
        body["auth"] = auth;
        let answer = world.post("account/password", Some(&alice), body.clone()).await;
        assert!([200, 401].contains(&answer.status.as_u16()), "{column}: {}", answer.text);
        if answer.status == 401 {
            body["auth"]["session"] = answer.json()["session"].clone();
            world.post("account/password", Some(&alice), body).await.ok();
        }
        assert_eq!(world.post("register", None, json!({})).await.status, 401, "{column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_sessions_that_cannot_be_read_run_out_with_the_next_request() {
    for column in SPOILT {
        let at = Spoilt::new(column).await;
        at.world.advance(LIFETIME + 1);
        let answer = at.world.post("register", None, reserving()).await;
        assert_eq!(answer.json()["completed"], json!(["m.login.registration_token"]), "{column}");
        assert_eq!(at.count("uia_sessions"), 1, "the new one, {column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_sessions_that_cannot_be_read_are_removed_by_the_timer() {
    for column in SPOILT {
        let at = Spoilt::new(column).await;
        at.world.advance(LIFETIME + 1);
        background::expire_all(&at.world.app).await;
        assert_eq!(at.count("uia_sessions"), 0, "{column}");
        assert_eq!(at.count("registration_token_reservations"), 0, "{column}");
        assert_eq!(at.count("uia_session_count WHERE n = 0"), 1, "{column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_sessions_that_cannot_be_read_end_with_their_account() {
    for column in SPOILT {
        let at = Spoilt::new(column).await;
        let body = json!({ "auth": password("alice", "wonderland") });
        let answer = at.world.post("account/deactivate", Some(&at.alice), body).await;
        assert_eq!(text(&answer.ok(), "id_server_unbind_result"), "success", "{column}");
        if !column.starts_with("user") {
            assert_eq!(at.count("uia_sessions WHERE user IS NOT NULL"), 0, "{column}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_sessions_that_cannot_be_read_make_room_for_others() {
    let config = r#"{"uia": {"session_limit": 2, "sessions_per_owner": 2}}"#;
    for column in SPOILT {
        let dir = Scratch::new();
        let world = World::with(config, Sessions::Sqlite, Db::in_dir(dir.path()).unwrap()).await;
        assert_eq!(world.post("register", None, json!({})).await.status, 401);
        spoil(&dir, column);
        for _ in 0..3 {
            let answer = world.post("register", None, json!({})).await;
            // One that is worth more than any is waited for, but not for ever.
            let held = column == "worth = 300" && answer.status == 429;
            assert!(answer.status == 401 || held, "{column}: {}", answer.text);
        }
    }
}
