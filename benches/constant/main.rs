//! Answers every POST with the same challenge, after it has read the request: what axum alone
//! costs, beside which `benches/homeserver` sets the example homeserver.
//!
//! It listens on a free port of 127.0.0.1 and says which, as the homeserver does.

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::routing::post;
use tokio::net::TcpListener;

/// As long as the homeserver's answer to the same requests.
const CHALLENGE: &str =
    r#"{"flows":[{"stages":["m.login.dummy"]}],"params":{},"session":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD"}"#;

async fn challenge(_request: Bytes) -> (StatusCode, [(header::HeaderName, &'static str); 1], &'static str) {
    (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, "application/json")], CHALLENGE)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/{*path}", post(challenge))).await
}
