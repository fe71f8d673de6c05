//! What bounds a client, or many, before it is known who they are.

use super::object;
use serde::Deserialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Edges {
    /// For the head of a request.
    pub header_timeout_ms: u64,
    /// For its body.
    pub body_timeout_ms: u64,
    /// For the next request on a connection, and for taking an answer.
    pub idle_timeout_ms: u64,
    /// Open at once.
    pub connections: usize,
    pub connections_per_address: usize,
    /// How many passwords wait to be hashed.
    pub hash_queue: usize,
}

impl Default for Edges {
    fn default() -> Self {
        Self {
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            idle_timeout_ms: 60_000,
            connections: 10_000,
            connections_per_address: 1_000,
            hash_queue: 64,
        }
    }
}

object::only!(Edges);
