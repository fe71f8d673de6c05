//! The client against `examples/axum_server`, over HTTP.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "what fails here fails a test")]

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use matrix_uia::Millis;
use matrix_uia::client::{Call, Patience, Progress};
use matrix_uia::server::account::Account;
use matrix_uia::server::store::Store as _;
use matrix_uia::wire::Raw;
use matrix_uia_async_client::{Caller, File};
use matrix_uia_axum_server::{Server, User, router};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

const PATH: &str = "/_matrix/client/v3/account/password";
const TOKEN: &str = "token-of-alice";

fn argon2() -> Argon2<'static> {
    let cheap = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap)
}

/// A server with a user alice, and where it is.
async fn serve() -> (Arc<Server>, String) {
    let server = Arc::new(Server::new(argon2(), 1_000).unwrap());
    let alice = server.key.user("alice");
    let hash = argon2().hash_password(b"old-password").unwrap();
    let devices = [("PHONE".to_owned(), TOKEN.to_owned())].into();
    let (name, account) = ("alice".to_owned(), Account::created(alice));
    let user = User { name, hash: Some(hash), account, devices, first_device: None };
    server.db().await.accounts.users.insert(alice, user);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router(Arc::clone(&server))).into_future());
    (server, address)
}

/// Whether that is alice's password.
async fn works(server: &Server, password: &str) -> bool {
    let user = server.db().await.accounts.user(server.key.user("alice")).unwrap().clone();
    argon2().verify_password(password.as_bytes(), &user.hash.unwrap()).is_ok()
}

fn caller<'c>(homeserver: &'c str, password: &'c str) -> Caller<'c> {
    let mut patience = Patience::default();
    patience.retry_after = Millis::new(1);
    let http = reqwest::Client::new();
    Caller { http, homeserver, access_token: TOKEN, user: "alice", password, patience }
}

fn body(new_password: &str) -> String {
    format!(r#"{{"new_password":"{new_password}"}}"#)
}

#[tokio::test]
async fn a_password_is_changed_and_the_file_is_gone() {
    let (server, address) = serve().await;
    let directory = tempfile::tempdir().unwrap();
    let (path, body) = (directory.path().join("progress"), body("new-password"));
    let call = Call::new("password of alice", Raw::parse(&body).unwrap()).unwrap();
    assert_eq!(caller(&address, "old-password").call(PATH, &call, &File::at(&path)).await.unwrap(), b"{}");
    assert!(works(&server, "new-password").await && !path.exists());
}

#[tokio::test]
async fn a_server_that_is_down_decides_nothing_and_the_call_goes_on_from_its_file() {
    let (server, address) = serve().await;
    let directory = tempfile::tempdir().unwrap();
    let (path, body) = (directory.path().join("progress"), body("new-password"));
    let call = Call::new("password of alice", Raw::parse(&body).unwrap()).unwrap();
    // Nobody listens at a port that was given back.
    let down = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = format!("http://{down}");
    caller(&nobody, "old-password").call(PATH, &call, &File::at(&path)).await.unwrap_err();
    assert!(path.exists());
    assert_eq!(caller(&address, "old-password").call(PATH, &call, &File::at(&path)).await.unwrap(), b"{}");
    assert!(works(&server, "new-password").await && !path.exists());
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_and_leaves_no_file() {
    let (server, address) = serve().await;
    let directory = tempfile::tempdir().unwrap();
    let (path, body) = (directory.path().join("progress"), body("new-password"));
    let call = Call::new("password of alice", Raw::parse(&body).unwrap()).unwrap();
    let error = caller(&address, "wrong").call(PATH, &call, &File::at(&path)).await.unwrap_err();
    assert!(error.to_string().contains("M_FORBIDDEN"), "{error}");
    assert!(works(&server, "old-password").await && !path.exists());
    let failures: u16 = server.db().await.sessions.iter().map(|(_, it)| it.session.failures()).sum();
    assert_eq!(failures, 1);
}

/// Polls until it is ready, at most `polls` times; then it is dropped.
async fn dropped_after<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let (mut left, mut future) = (polls, pin!(future));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

/// At each `await` in turn. What comes next knows the progress, or what is in the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_at_any_await_the_call_goes_on_and_happens_once() {
    let (server, address) = serve().await;
    let directory = tempfile::tempdir().unwrap();
    let (path, mut password) = (directory.path().join("progress"), "old-password".to_owned());
    for polls in 1.. {
        let mut ended = 0;
        for restarts in [false, true] {
            let before =
                server.db().await.accounts.user(server.key.user("alice")).unwrap().account.subject.epoch;
            let (new, file) = (format!("password-{polls}-{restarts}"), File::at(&path));
            let body = body(&new);
            let call = Call::new("password of alice", Raw::parse(&body).unwrap()).unwrap();
            let (caller, mut progress) = (caller(&address, &password), Progress::new(call.name()));
            let first = caller.authenticate(PATH, &call, &mut progress, &file);
            let (result, decided) = match dropped_after(polls, first).await {
                Some(result) => {
                    ended += 1;
                    (result, progress.is_over())
                }
                None if restarts => (caller.call(PATH, &call, &file).await, !path.exists()),
                None => {
                    let result = caller.authenticate(PATH, &call, &mut progress, &file).await;
                    (result, progress.is_over())
                }
            };
            assert_eq!(result.unwrap(), b"{}", "dropped after {polls} polls");
            assert!(decided && works(&server, &new).await, "dropped after {polls} polls");
            let after =
                server.db().await.accounts.user(server.key.user("alice")).unwrap().account.subject.epoch;
            assert_eq!(after, before + 1, "dropped after {polls} polls");
            let _decided = std::fs::remove_file(&path);
            password = new;
        }
        if ended == 2 {
            return;
        }
    }
}

/// As the guide for clients says.
#[test]
fn the_loop_has_at_most_25_lines() {
    let program = include_str!("../src/lib.rs");
    let lines = program.lines().skip_while(|line| line.trim() != "loop {");
    assert!(lines.take_while(|line| *line != "        }").count() < 25);
}
