//! `cargo run --example axum_server`: serves on 127.0.0.1:8009.

use matrix_uia_axum_server::{Server, router};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::new(argon2::Argon2::default(), 100_000)?;
    let token = server.key.reference("let-me-in".into());
    server.db().await.accounts.tokens.insert(token, 10);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8009").await?;
    Ok(axum::serve(listener, router(Arc::new(server))).await?)
}
