//! `cargo run --example axum_server`: serves on 127.0.0.1:8009.

use matrix_uia::server::reference::Reference;
use matrix_uia_axum_server::{Server, router};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::new(argon2::Argon2::default(), 100_000)?;
    server.db().await.accounts.tokens.insert(Reference::new(1), ("let-me-in".to_owned(), 10));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8009").await?;
    Ok(axum::serve(listener, router(Arc::new(server))).await?)
}
