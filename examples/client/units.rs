//! The tests beside the client's code, as a test program of their own: the modules of `main.rs` again.

#![allow(dead_code, unused_imports, reason = "without `main` much of it is not called")]

mod args;
mod ask;
mod browser;
mod clock;
mod commands;
mod failure;
mod flow;
mod http;
mod language;
mod output;
mod prompts;
mod resume;
mod screen;
mod secrets;
mod validation;

#[test]
fn no_module_is_left_out() {
    let modules =
        |source: &'static str| source.lines().filter(|line| line.starts_with("mod ")).collect::<Vec<_>>();
    assert_eq!(modules(include_str!("units.rs")), modules(include_str!("main.rs")));
}
