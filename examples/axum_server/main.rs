//! `cargo run --example axum_server`: serves on 127.0.0.1:8009.

use matrix_uia_axum_server::{Server, System};
use std::{sync::Arc, time::Duration};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Arc::new(Server::new(Box::new(System), argon2::Argon2::default(), 100_000)?);
    server.db().await.tokens.insert("let-me-in".to_owned(), 10);
    let resuming = Arc::clone(&server);
    tokio::spawn(async move {
        loop {
            resuming.resume().await;
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8009").await?;
    Ok(axum::serve(listener, matrix_uia_axum_server::router(server)).await?)
}
