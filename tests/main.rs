//! The whole suite, in one binary: what a user of the crate sees through its public API.

#![cfg_attr(
    not(feature = "alloc"),
    allow(dead_code, unused_imports, reason = "the calls that keep lists need a heap, and are left out")
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test fails by panicking, and has an operating system below it"
)]

mod behaviour;
mod compile_fail;
mod lessons;
mod no_std;
mod properties;
mod redaction;
mod regressions;
#[cfg(feature = "ruma")]
mod ruma;
#[cfg(all(feature = "sealed", feature = "alloc"))]
mod sealed;
mod spec_examples;
mod stores;
mod structure;
mod support;
mod test_names;
