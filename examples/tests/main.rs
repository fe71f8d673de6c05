//! The homeserver from outside: the built program in a process of its own, driven over HTTP as a client would.
//!
//! Nothing here knows the crate or the server's source. What every answer has in common (CORS, standard
//! errors, well-formed challenges, no 5xx) is checked in [`support::Answer`], so every test checks it.

mod bodies;
mod contract;
mod crash;
mod deactivation;
mod password;
mod races;
mod registration;
mod restart;
mod secrets;
mod support;
mod uia;
mod uia_binding;
mod uia_limits;
