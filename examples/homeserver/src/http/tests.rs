//! The plumbing, over a real connection and with endpoints made for it.

use super::signals::Signals;
use super::*;
use axum::routing::{get, post};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// A server with three endpoints: one that echoes, one that panics, one that takes its time.
struct Server {
    address: SocketAddr,
    stop: mpsc::Sender<()>,
    done: JoinHandle<Ended>,
}

impl Server {
    async fn start() -> Self {
        Self::with(&Edges::default()).await
    }

    async fn with(edges: &Edges) -> Self {
        let slow = async || {
            sleep(Duration::from_millis(200)).await;
            answer::json(StatusCode::OK, "{}")
        };
        let paths = [
            ("/echo", post(async |JsonBody(body): JsonBody| answer::json(StatusCode::OK, body))),
            ("/for_ever", get(async || std::future::pending::<Response>().await)),
            ("/panic", get(async || -> Response { panic!("as the test wants") })),
            ("/slow", get(slow)),
        ];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = mpsc::channel(2);
        let signals = Signals::from_channel(stopped);
        let router = finish(Routes::new().client(paths), edges, &signals.stopping(), None);
        let listener = BoundedListener::new(listener, edges, vec!["127.0.0.9".parse().unwrap()]);
        let done = tokio::spawn(serve(listener, router, signals));
        Self { address, stop, done }
    }

    /// Sends bytes and reads to the end of the connection.
    async fn send(&self, request: impl AsRef<[u8]>) -> String {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(request.as_ref()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn request(&self, line: &str, body: &str) -> String {
        let length = body.len();
        self.send(format!(
            "{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }
}

fn is_standard(answer: &str, status: u16, errcode: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: *\r\n"), "{answer}");
    assert!(answer.contains(&format!(r#"{{"errcode":"{errcode}","error":""#)), "{answer}");
}

#[tokio::test]
async fn every_answer_has_the_cors_headers_and_a_preflight_reaches_no_endpoint() {
    let server = Server::start().await;
    for path in ["/_matrix/client/v3/echo", "/_matrix/client/v3/panic", "/no/such/path", "/", "*"] {
        let answer = server.request(&format!("OPTIONS {path}"), "").await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "{path}: {answer}");
        for header in [
            "access-control-allow-origin: *\r\n",
            "access-control-allow-methods: GET, POST, PUT, DELETE, OPTIONS\r\n",
            "access-control-allow-headers: X-Requested-With, Content-Type, Authorization\r\n",
        ] {
            assert!(answer.contains(header), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn paths_are_mounted_under_both_versions() {
    let server = Server::start().await;
    for version in ["v3", "r0"] {
        let answer = server.request(&format!("POST /_matrix/client/{version}/echo"), r#"{"a":1}"#).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"a":1}"#), "{answer}");
        assert!(answer.contains("access-control-allow-origin: *\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_unrecognized() {
    let server = Server::start().await;
    for path in ["/", "/_matrix/client/v3/", "/_matrix/client/v3/echo/", "/_matrix/client/v1/echo"] {
        is_standard(&server.request(&format!("GET {path}"), "").await, 404, "M_UNRECOGNIZED");
    }
    for line in
        ["GET /_matrix/client/v3/echo", "DELETE /_matrix/client/r0/echo", "BREW /_matrix/client/v3/slow"]
    {
        is_standard(&server.request(line, "").await, 405, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn an_empty_body_counts_as_an_empty_object() {
    let server = Server::start().await;
    let answer = server.request("POST /_matrix/client/v3/echo", "").await;
    assert!(answer.ends_with("\r\n\r\n{}"), "{answer}");
}

#[tokio::test]
async fn a_body_may_have_64_kib_and_not_a_byte_more() {
    let server = Server::start().await;
    for (length, accepted) in [(65_536, true), (65_537, false), (1_000_000, false)] {
        let body = "x".repeat(length);
        let whole = server.request("POST /_matrix/client/v3/echo", &body).await;
        let chunked = server
            .send(format!(
                "POST /_matrix/client/v3/echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                 Transfer-Encoding: chunked\r\n\r\n8\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                &body[..8],
                length - 8,
                &body[8..],
            ))
            .await;
        for answer in [whole, chunked] {
            if accepted {
                assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&body), "{length}");
            } else {
                is_standard(&answer, 413, "M_TOO_LARGE");
            }
        }
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_server_goes_on() {
    let server = Server::start().await;
    is_standard(&server.request("GET /_matrix/client/v3/panic", "").await, 500, "M_UNKNOWN");
    assert!(server.request("POST /_matrix/client/v3/echo", "").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn stopping_finishes_the_request_in_hand_and_not_the_idle_connection() {
    let server = Server::start().await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(b"GET /_matrix/client/v3/slow HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop.send(()).await.unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let ended = timeout(Duration::from_secs(5), server.done).await.unwrap().unwrap();
    assert_eq!(ended, Ended::Finished);
    drop(idle);
}

/// It has asked once whether the server is to stop, and been woken often since.
#[tokio::test]
async fn stopping_ends_a_connection_that_is_idle_after_its_requests() {
    let server = Server::start().await;
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        kept.write_all(b"GET /_matrix/client/v3/slow HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let read = kept.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 ") && answer[..read].ends_with(b"{}"));
    }
    server.stop.send(()).await.unwrap();
    let ended = timeout(Duration::from_secs(5), kept.read(&mut [0; 64])).await.expect("it is closed");
    assert_eq!(ended.unwrap(), 0);
    assert_eq!(timeout(Duration::from_secs(5), server.done).await.unwrap().unwrap(), Ended::Finished);
}

#[tokio::test]
async fn lesson_112_a_second_signal_ends_at_once() {
    let server = Server::start().await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(b"GET /_matrix/client/v3/for_ever HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop.send(()).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    assert!(!server.done.is_finished(), "the request in hand is waited for");
    server.stop.send(()).await.unwrap();
    let ended = timeout(Duration::from_secs(5), server.done).await.expect("it ends").unwrap();
    assert_eq!(ended, Ended::CutShort);
}

#[tokio::test]
async fn lesson_112_a_stalled_body_does_not_keep_a_shutdown_waiting() {
    let server = Server::start().await;
    let mut stalled = TcpStream::connect(server.address).await.unwrap();
    let half = "POST /_matrix/client/v3/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{";
    stalled.write_all(half.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop.send(()).await.unwrap();
    let ended = timeout(Duration::from_secs(5), server.done).await.expect("it ends").unwrap();
    assert_eq!(ended, Ended::Finished);
    let mut answer = String::new();
    stalled.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

const SOON: Duration = Duration::from_secs(5);

/// How a connection ends on which this is sent, and nothing more: what has been answered by then.
async fn waits(server: &Server, sent: &str) -> String {
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    connection.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(SOON, connection.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "it does not end: {sent:?}, {}", String::from_utf8_lossy(&answer));
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn e4_a_client_that_keeps_the_server_waiting_is_left() {
    let short =
        Edges { header_timeout_ms: 100, body_timeout_ms: 100, idle_timeout_ms: 100, ..Edges::default() };
    let server = Server::with(&short).await;
    for head in ["", "G", "GET /_matrix/client/v3/slow HTTP/1.1\r\nHost: h\r\nX-Half: "] {
        assert_eq!(waits(&server, head).await, "");
    }
    let half = "POST /_matrix/client/v3/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{";
    assert!(waits(&server, half).await.starts_with("HTTP/1.1 408 "));
    // One that is handled for longer than all of them is answered; then the connection has been idle.
    let slow = "GET /_matrix/client/v3/slow HTTP/1.1\r\nHost: h\r\n\r\n";
    assert!(waits(&server, slow).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn e4_an_idle_connection_lasts_longer_than_half_a_head() {
    let edges = Edges { header_timeout_ms: 100, idle_timeout_ms: 60_000, ..Edges::default() };
    let server = Server::with(&edges).await;
    let request = "POST /_matrix/client/v3/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let mut answer = [0; 1024];
    for _ in 0..2 {
        connection.write_all(request.as_bytes()).await.unwrap();
        let length = timeout(SOON, connection.read(&mut answer)).await.unwrap().unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 "));
        sleep(Duration::from_millis(300)).await;
    }
    connection.write_all(&request.as_bytes()[..20]).await.unwrap();
    let ended = timeout(SOON, connection.read(&mut answer)).await.expect("it ends");
    assert!(matches!(ended, Ok(0) | Err(_)));
}

#[tokio::test]
async fn e4_connections_over_the_bound_of_their_address_are_closed_and_do_not_keep_others_out() {
    let server = Server::with(&Edges { connections_per_address: 3, ..Edges::default() }).await;
    let from = async |source: &str| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
        let mut connection = socket.connect(server.address).await.unwrap();
        let request = "POST /_matrix/client/v3/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
        let mut answer = [0; 1024];
        let served = match connection.write_all(request.as_bytes()).await {
            Ok(()) => matches!(timeout(SOON, connection.read(&mut answer)).await.unwrap(), Ok(1..)),
            Err(_) => false,
        };
        (served, connection)
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let (served, connection) = from("127.0.0.1").await;
        assert!(served);
        open.push(connection);
    }
    assert!(!from("127.0.0.1").await.0);
    assert!(from("127.0.0.2").await.0, "another has a bound of its own");
    for _ in 0..9 {
        let (served, connection) = from("127.0.0.9").await;
        assert!(served, "a trusted proxy has none");
        open.push(connection);
    }
    open.remove(0);
    timeout(SOON, async { while !from("127.0.0.1").await.0 {} }).await.expect("one that ended makes room");
}

#[tokio::test]
async fn e4_one_connection_over_the_bound_for_all_is_served_once_another_ends() {
    let server = Server::with(&Edges { connections: 2, ..Edges::default() }).await;
    let request = b"POST /_matrix/client/v3/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
    let ask = async || {
        let mut connection = TcpStream::connect(server.address).await.unwrap();
        connection.write_all(request).await.unwrap();
        connection
    };
    let is_served = async |connection: &mut TcpStream, patience| {
        let mut answer = [0; 1024];
        matches!(timeout(patience, connection.read(&mut answer)).await, Ok(Ok(1..)))
    };
    let (mut first, mut second) = (ask().await, ask().await);
    assert!(is_served(&mut first, SOON).await && is_served(&mut second, SOON).await);
    let mut third = ask().await;
    assert!(!is_served(&mut third, Duration::from_millis(300)).await, "two are open");
    drop(second);
    assert!(is_served(&mut third, SOON).await, "it waited in the queue of the system");
    // Nothing is lost of the bound: there are two again.
    let mut fourth = ask().await;
    assert!(!is_served(&mut fourth, Duration::from_millis(300)).await);
    drop(first);
    assert!(is_served(&mut fourth, SOON).await);
}
