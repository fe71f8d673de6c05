//! A database of sessions that is down: 503 soon, and everything goes on once it is back.

use super::with_each_database;
use crate::support::{Client, Database, Setup, dummy_auth, password_auth_in, run, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

with_each_database! {
    a_store_that_is_down_is_said_soon_and_recovers;
    a_start_without_its_store_says_so;
}

/// The longest that any request may take meanwhile.
const SOON: Duration = Duration::from_secs(9);

/// 503 with `Retry-After`, in bounded time.
#[track_caller]
fn turned_away(client: &Client, path: &str, token: Option<&str>, body: &Value) {
    let begun = Instant::now();
    let (status, head, body) = client.unchecked("POST", path, token, body);
    assert_eq!(status, 503, "{path}: {body}");
    let wait =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("retry-after:").map(str::to_owned));
    assert!(wait.is_some_and(|wait| wait.trim().parse::<u64>().is_ok_and(|secs| secs > 0)), "{path}: {head}");
    assert_eq!(body["errcode"], "M_UNKNOWN");
    assert!(begun.elapsed() < SOON, "{path}: {:?}", begun.elapsed());
}

fn a_store_that_is_down_is_said_soon_and_recovers(mut database: Database) {
    let mut setup = Setup::kept(json!({
        "flows": { "register": [["m.login.registration_token", "m.login.dummy"]] },
        "registration_tokens": [{ "token": "invitation", "uses_allowed": 1 }],
    }));
    setup.sessions = Some(database.url());
    let server = setup.start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    let body = json!({ "username": "carol", "password": "christmas" });
    let registration = client.post("register", None, &body).asked();
    let invited = json!({ "auth": { "type": "m.login.registration_token", "token": "invitation", "session": registration } });
    client.post("register", None, &invited).continued(&["m.login.registration_token"]);
    let mut password = "wonderland".to_owned();
    for (round, is_killed) in [false, true, false].into_iter().enumerate() {
        let new = format!("looking-glass-{round}");
        let change = json!({ "new_password": new });
        let session = client.post("account/password", Some(&alice), &change).asked();
        let auth = password_auth_in(&session, "alice", &password);
        if is_killed {
            database.kill()
        } else {
            database.pause()
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    turned_away(&client, "account/password", Some(&alice), &json!({ "auth": auth }))
                });
            }
            scope.spawn(|| turned_away(&client, "register", None, &json!({ "username": "dave" })));
            scope.spawn(|| turned_away(&client, "register", None, &invited));
        });
        // What is no session's business goes on.
        client.whoami(&alice).ok();
        client.token("alice", &password);
        if is_killed {
            database.go_on()
        } else {
            database.resume()
        }
        // The session that was open is still open. A claim that was made when the connection broke may have to be
        // taken back first.
        let begun = Instant::now();
        loop {
            let (status, _, body) =
                client.unchecked("POST", "account/password", Some(&alice), &json!({ "auth": auth }));
            if status == 200 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{status} {body}");
            std::thread::sleep(Duration::from_millis(200));
        }
        client.token("alice", &new);
        password = new;
    }
    client.post("register", None, &json!({ "auth": dummy_auth(&registration) })).ok();
    let log = server.log();
    assert!(log.contains("the database of sessions failed"), "{log}");
}

fn a_start_without_its_store_says_so(mut database: Database) {
    database.kill();
    let secret =
        database.url().replace("127.0.0.1", "hunter2@127.0.0.1").replace("uia@hunter2", "uia:hunter2");
    let secret = secret.replace("//hunter2", "//:hunter2");
    let mut command = crate::support::bare();
    command.args(["--listen", "127.0.0.1:0", "--sessions", &secret]);
    let begun = Instant::now();
    let ended = run(command);
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    let place = text(&json!({ "at": secret.split_once("hunter2@").unwrap().1 }), "at");
    assert!(said.starts_with("--sessions: ") && said.contains(&place) && said.lines().count() == 1, "{said}");
    assert!(said.contains("can't be used") && !said.contains("hunter2"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}
