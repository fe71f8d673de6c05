//! Starts: after a crash, with rows that can't be read, and two at once.

use super::world::{World, app, password, text};
use crate::args::Sessions;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::users::{self, Phase};
use crate::db::{Db, deactivations as table};
use crate::files::scratch::Scratch;
use crate::{background, deactivations, server_key};
use serde_json::json;
use std::time::{Duration, Instant};

async fn phase(world: &World, name: &str) -> Phase {
    world.app.db.transaction(|tx| users::by_localpart(tx, name)).await.unwrap().unwrap().phase
}

async fn deactivate(world: &World, name: &str) -> u16 {
    let token = text(&world.login(name, "wonderland").await.ok(), "access_token");
    world
        .post("account/deactivate", Some(&token), json!({ "auth": password(name, "wonderland") }))
        .await
        .status
        .as_u16()
}

/// Begins a deactivation that fails after its fence.
async fn interrupted(world: &World, name: &str) {
    let token = text(&world.login(name, "wonderland").await.ok(), "access_token");
    let body = json!({ "auth": password(name, "wonderland") });
    for nth in 1.. {
        world.app.db.fail_from(Some(nth)).await;
        let answer = world.post("account/deactivate", Some(&token), body.clone()).await;
        world.app.db.fail_from(None).await;
        assert_ne!(answer.status, 200);
        if phase(world, name).await == Phase::Deactivating {
            return;
        }
    }
}

const USERS: &str = r#"{"users": [{"localpart": "alice", "password": "wonderland"},
    {"localpart": "bob", "password": "wonderland"}, {"localpart": "carol", "password": "wonderland"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_one_row_that_cannot_be_read_stops_nobody_else() {
    let world = World::new(USERS).await;
    world
        .app
        .db
        .transaction(|tx| -> crate::db::Result<()> {
            for name in ["alice", "bob"] {
                let user = users::by_localpart(tx, name)?.unwrap();
                users::fence(tx, user.key)?;
                table::put(tx, user.key, "no progress at all", None)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    deactivations::finish_at_start(&world.app).await;
    assert_eq!(deactivate(&world, "carol").await, 200);
    assert!(!deactivations::finish_all(&world.app).await, "they are tried again");
    world.login("alice", "wonderland").await.is(403, "M_USER_DEACTIVATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_a_start_goes_on_where_the_row_of_a_configured_user_cannot_be_read() {
    let dir = Scratch::new();
    let start = async || World::with(USERS, Sessions::Sqlite, Db::in_dir(dir.path()).unwrap()).await;
    drop(start().await);
    for spoilt in ["phase = 'gar'", "epoch = -1", "admin = 7, locked = 7"] {
        let spoiling = format!(
            "PRAGMA ignore_check_constraints = ON;
             UPDATE users SET phase = 'active', epoch = 0, admin = 0, locked = 0;
             UPDATE users SET {spoilt} WHERE localpart = 'alice'"
        );
        let file = dir.path().join("homeserver.sqlite");
        rusqlite::Connection::open(file).unwrap().execute_batch(&spoiling).unwrap();
        let world = start().await;
        world.login("bob", "wonderland").await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_a_deactivation_that_never_succeeds_keeps_no_other_waiting() {
    let world = World::new(USERS).await;
    let alice = world.app.db.transaction(|tx| users::by_localpart(tx, "alice")).await.unwrap().unwrap().key;
    let put = async |progress: &str| {
        world.app.db.transaction(|tx| table::put(tx, alice, progress, None)).await.unwrap();
    };
    interrupted(&world, "alice").await;
    let begun = world.app.db.transaction(|tx| table::load(tx, alice)).await.unwrap().unwrap();
    put("no progress at all").await;
    let (mut back_off, mut now) = (deactivations::back_off(), Instant::now());
    // An hour of failures: alice's is left alone for five minutes at a time.
    for _ in 0..12 {
        now += Duration::from_secs(300);
        assert!(!deactivations::finish_due(&world.app, &mut back_off, now).await);
    }
    put(&begun).await;
    interrupted(&world, "bob").await;
    let later = now + Duration::from_secs(2);
    assert!(!deactivations::finish_due(&world.app, &mut back_off, later).await);
    assert_eq!(phase(&world, "bob").await, Phase::Deactivated);
    assert_eq!(phase(&world, "alice").await, Phase::Deactivating, "it is not tried all the time");
    assert!(deactivations::finish_due(&world.app, &mut back_off, now + Duration::from_secs(300)).await);
    assert_eq!(phase(&world, "alice").await, Phase::Deactivated);
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_105_a_deactivation_that_failed_goes_on_by_itself() {
    let world = World::new(USERS).await;
    interrupted(&world, "alice").await;
    background::begin(&world.app);
    let finished = async {
        while phase(&world, "alice").await != Phase::Deactivated {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), finished).await.expect("it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_109_what_is_finished_is_forgotten_and_not_taken_up_again() {
    let world = World::new(USERS).await;
    assert_eq!(deactivate(&world, "alice").await, 200);
    let alice = world.app.db.transaction(|tx| users::by_localpart(tx, "alice")).await.unwrap().unwrap().key;
    let kept = async || world.app.db.transaction(|tx| table::load(tx, alice)).await.unwrap().is_some();
    assert!(kept().await, "for who asks again");
    assert_eq!(world.app.db.transaction(|tx| table::under_way(tx, None, 9)).await.unwrap(), []);
    world.advance(3_600_000);
    background::expire_all(&world.app).await;
    assert!(!kept().await);
    assert_eq!(phase(&world, "alice").await, Phase::Deactivated);
}

#[test]
fn two_first_starts_at_once_are_one_server() {
    let dir = Scratch::new();
    let start = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let db = Db::in_dir(dir.path()).unwrap();
            let key = *server_key::get_or_make(dir.path()).unwrap().as_bytes();
            let config = Config::parse(USERS.as_bytes()).unwrap();
            let app = app(config, Sessions::Sqlite, db, Clock::system()).await;
            let alice = app.db.transaction(|tx| users::by_localpart(tx, "alice")).await.unwrap().unwrap();
            (key, alice.key)
        })
    };
    let starts: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(starts.iter().all(|start| *start == starts[0]));
}

#[test]
fn a_damaged_a_full_and_a_locked_database_are_each_called_so() {
    let dir = Scratch::new();
    let file = dir.path().join("homeserver.sqlite");
    drop(Db::in_dir(dir.path()).unwrap());
    let whole = std::fs::read(&file).unwrap();
    let line = || Db::in_dir(dir.path()).map(|_| ()).unwrap_err();

    std::fs::write(&file, "not a database, but long enough to be one").unwrap();
    assert!(line().contains(": it is no database ("), "{}", line());

    let mut damaged = whole.clone();
    damaged[100..4096].fill(0xff);
    std::fs::write(&file, damaged).unwrap();
    assert!(line().contains(": it is damaged ("), "{}", line());

    std::fs::write(&file, whole).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let error = other_opens(&file);
    let said = crate::db::trouble::explain(&error);
    assert!(said.starts_with("another program has locked it ("), "{said}");

    let full = rusqlite::Connection::open_in_memory().unwrap();
    full.execute_batch("CREATE TABLE t (c); PRAGMA max_page_count = 2").unwrap();
    let error = full.execute("INSERT INTO t VALUES (zeroblob(1000000))", []).unwrap_err();
    let said = crate::db::trouble::explain(&error);
    assert!(said.starts_with("the disk is full ("), "{said}");
}

/// What is said to who doesn't wait.
fn other_opens(file: &std::path::Path) -> rusqlite::Error {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    connection.query_row("SELECT count(*) FROM users", [], |_| Ok(())).unwrap_err()
}
