//! A homeserver that speaks the account part of the Matrix Client-Server API, and nothing else: an example
//! of a host of `matrix-uia`. Every decision of authentication is the crate's. What is here is what the
//! crate leaves to its host: HTTP, a database, hashed passwords, limits, and a clock.

mod accounts;
mod app;
mod args;
mod clock;
mod config;
mod db;
mod deactivations;
mod endpoints;
mod failure;
mod fault;
mod http;
mod limits;
mod logins;
mod network;
mod outbox;
mod password;
mod phones;
mod policies;
mod reservations;
mod secrets;
mod sessions;
mod signing_keys;
mod start;
mod threepids;
mod uia;
mod verify;
mod visits;
mod welcome;
mod who;

pub use start::run;
