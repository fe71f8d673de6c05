//! Random sequences of everything that can happen, against plain models, and invariants
//! that hold whatever a model says.
//!
//! `PROPTEST_CASES` raises the number of sequences.

mod codec;
mod pages;
mod pair;
mod recalled;
mod refresh;
mod server;
mod stored;
mod validation;

use proptest::test_runner::{Config, FileFailurePersistence};

/// Few by default, so that a change is answered within seconds.
const CASES: u32 = 2_000;

pub(crate) fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(CASES),
        // A failure that was found becomes a named test, not a file of seeds.
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    }
}
