//! Floods, over real connections and through the whole server.

use super::world::{World, password};
use crate::app::SharedApp;
use crate::config::Edges;
use crate::endpoints;
use crate::http::{self, BoundedListener, signals};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(10);
/// What a machine with too much to do stays below.
const LATE: Duration = Duration::from_secs(60);

/// Has the world's server listen.
async fn listen(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let edges: Edges = world.app.config.edges;
    let signals = signals().unwrap();
    let listener = BoundedListener::new(listener, &edges, Vec::new());
    let router =
        http::finish(endpoints::routes(SharedApp::clone(&world.app)), &edges, &signals.stopping(), None);
    tokio::spawn(http::serve(listener, router, signals));
    address
}

fn login(user: &str, secret: &str) -> String {
    let body = password(user, secret).to_string();
    format!(
        "POST /_matrix/client/v3/login HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends a request from an address of its own; the status.
async fn send(server: SocketAddr, from: &str, request: &str) -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    let mut connection = socket.connect(server).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, connection.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_83_half_sent_heads_do_not_keep_a_new_client_out() {
    let config =
        r#"{"edges": {"header_timeout_ms": 1000, "connections": 300, "connections_per_address": 200}}"#;
    let world = World::new(config).await;
    let server = listen(&world).await;
    let mut held = Vec::new();
    for _ in 0..260 {
        let mut connection = TcpStream::connect(server).await.unwrap();
        // Those over the bound of the address are closed at once.
        let _closed =
            connection.write_all(b"GET /_matrix/client/versions HTTP/1.1\r\nHost: h\r\nX-Half: ").await;
        held.push(connection);
    }
    assert_eq!(send(server, "127.0.0.2", &login("alice", "wonderland")).await, 200);
    let mut one = held.remove(0);
    let ended = timeout(SOON, one.read(&mut [0; 64])).await.expect("it is left in time");
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert_eq!(send(server, "127.0.0.1", &login("alice", "wonderland")).await, 200);
}

/// Sends a request and doesn't wait for an answer of another status than 429. Whether there is one.
async fn is_turned_away(server: SocketAddr, request: &str) -> bool {
    let mut connection = TcpStream::connect(server).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; "HTTP/1.1 429".len()];
    connection.read_exact(&mut status).await.is_ok() && status.ends_with(b"429")
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_83_logins_that_are_hung_up_delay_an_honest_one_by_the_queue_at_most() {
    const FLOOD: usize = 600;
    const QUEUE: usize = 8;
    let config = format!(
        r#"{{"edges": {{"hash_queue": {QUEUE}}},
        "rate_limits": {{"failed_auth": {{"burst": 100000}}, "failed_auth_per_address": {{"burst": 100000}}}}}}"#
    );
    let world = World::new(&config).await;
    let server = listen(&world).await;
    let waiting = QUEUE + std::thread::available_parallelism().map_or(1, usize::from);
    // However slow a hash is: none is made before the flood is in.
    let cores = world.app.passwords.cores_for_test().await;
    let before = world.app.passwords.hashed_for_test();
    // No test may have more files open.
    let room = Arc::new(Semaphore::new(200));
    let turned_away = Arc::new(AtomicUsize::new(0));
    let mut flood = JoinSet::new();
    for n in 0..FLOOD {
        let (room, turned_away) = (Arc::clone(&room), Arc::clone(&turned_away));
        flood.spawn(async move {
            let _room = room.acquire().await.unwrap();
            let away = is_turned_away(server, &login(&format!("user{n}"), "wrong")).await;
            turned_away.fetch_add(usize::from(away), Ordering::SeqCst);
        });
    }
    let all_in = async {
        while turned_away.load(Ordering::SeqCst) < FLOOD - waiting {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LATE, all_in).await.expect("all but those that the queue holds are turned away");
    // The others hang up: what is left of them is in the queue.
    flood.shutdown().await;
    assert_eq!(send(server, "127.0.0.2", &login("alice", "wonderland")).await, 429, "the queue is full");
    drop(cores);
    // Turned away it is told so at once, and comes back.
    let served = async {
        while send(server, "127.0.0.2", &login("alice", "wonderland")).await != 200 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LATE, served).await.expect("the queue is drained");
    let hashed = world.app.passwords.hashed_for_test() - before;
    assert!(hashed <= waiting + 1, "{hashed} passwords were hashed before the honest one had its answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_100_first_requests_with_a_password_wait_for_no_hash() {
    // No password is hashed at all: there is no place to.
    let world = World::new(r#"{"edges": {"hash_queue": 0}}"#).await;
    let alice = world.alice().await;
    let mut held = Vec::new();
    while let Ok(place) = world.app.passwords.place_for_test() {
        held.push(place);
    }
    for token in [None, Some(alice.as_str())] {
        let body = serde_json::json!({ "new_password": "looking-glass" });
        let answer = world.post("account/password", token, body).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert!(answer.json()["session"].is_string());
    }
    world.login("alice", "wonderland").await.is(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn e04_a_flood_of_first_requests_leaves_room_for_others() {
    let world = World::new(r#"{"uia": {"session_limit": 50, "sessions_per_owner": 10}}"#).await;
    let server = listen(&world).await;
    let first = "POST /_matrix/client/v3/register HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    for _ in 0..200 {
        assert_eq!(send(server, "127.0.0.1", first).await, 401);
    }
    let body = r#"{"username":"bob","password":"wonderland","auth":{"type":"m.login.dummy"}}"#;
    let register = format!(
        "POST /_matrix/client/v3/register HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(send(server, "127.0.0.2", &register).await, 200);
}
