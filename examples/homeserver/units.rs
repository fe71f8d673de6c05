//! The tests beside the homeserver's code, as a test program of their own: the modules of `main.rs` again.

#![allow(dead_code, unused_imports, reason = "without `main` much of it is not called")]

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
mod outbox;
mod password;
mod phones;
mod policies;
mod secrets;
mod sessions;
mod signing_keys;
mod submit_page;
mod threepids;
mod uia;
mod verify;
mod welcome;
mod who;

#[test]
fn no_module_is_left_out() {
    let modules =
        |source: &'static str| source.lines().filter(|line| line.starts_with("mod ")).collect::<Vec<_>>();
    assert_eq!(modules(include_str!("units.rs")), modules(include_str!("main.rs")));
}
