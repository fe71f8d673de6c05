//! A homeserver that speaks the account part of the Matrix Client-Server API, and nothing else: an example
//! of a host of `matrix-uia`. Every decision of authentication is the crate's. What is here is what the
//! crate leaves to its host: HTTP, a database, hashed passwords, limits, and a clock.

mod accounts;
mod addresses;
mod app;
mod args;
mod back_off;
mod background;
mod clock;
mod config;
mod db;
mod deactivations;
mod descriptors;
mod endpoints;
mod failure;
mod fault;
mod files;
mod guard;
mod guests;
mod http;
mod id_keys;
mod identity_servers;
mod kept;
mod limits;
mod log_line;
mod log_writer;
mod logins;
mod network;
mod outbox;
mod password;
mod phones;
mod policies;
mod reservations;
mod secrets;
mod server_key;
mod sessions;
mod signing_keys;
mod start;
mod store_url;
mod threepids;
mod uia;
mod verify;
mod visits;
mod welcome;
mod who;

#[cfg(test)]
mod tests;

pub use start::run;
