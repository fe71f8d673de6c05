//! The homeserver from outside: the built program in a process of its own, driven over HTTP as a client would.
//!
//! Nothing here knows the crate or the server's source. What every answer has in common (CORS, standard
//! errors, well-formed challenges, no 5xx) is checked in [`support::Answer`], and each answer against the schema
//! of its endpoint in [`support::schema`], so every test checks it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where it finds something wrong, and clippy knows only the functions marked as one"
)]

mod admin;
mod appservices;
mod bodies;
mod client;
mod cluster;
mod contract;
mod crash;
mod deactivation;
mod fallback;
mod full_disk;
mod interop;
mod kill;
mod login;
mod loops;
mod memory;
mod outcomes;
mod password;
mod races;
mod refresh;
mod registration;
mod reset;
mod restart;
mod rotation;
mod schemas;
mod secrets;
mod signals;
mod signing_keys;
mod stores;
mod support;
mod threepid;
mod threepid_account;
mod uia;
mod uia_binding;
mod uia_limits;
