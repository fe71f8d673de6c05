//! The server's handlers, called without a network.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "what fails here fails a test"
)]

mod host;
mod interleavings;
mod readme;
mod replay;
mod testkit;
