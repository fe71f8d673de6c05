//! What the tests of the stores share.

pub mod marked;
mod proxy;
pub mod rounds;

pub use proxy::{Proxy, Traffic};

use matrix_uia::Timestamp;
use matrix_uia::testkit::adapter::Effort;
use std::time::{SystemTime, UNIX_EPOCH};

/// The database to test with, from that variable of the environment; else it is said that nothing is tested.
pub fn url(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        println!("SKIPPED: {variable} names no database; .ci/stores starts one");
    }
    url
}

/// As much as `STORE_OPERATIONS` and `STORE_CUT_STEP` say.
pub fn effort() -> Effort {
    let number = |variable| std::env::var(variable).ok().and_then(|number| number.parse().ok());
    let Effort { operations, seed, cut_step } = Effort::default();
    Effort {
        operations: number("STORE_OPERATIONS").unwrap_or(operations),
        seed: number("STORE_SEED").and_then(|seed| u64::try_from(seed).ok()).unwrap_or(seed),
        cut_step: number("STORE_CUT_STEP").unwrap_or(cut_step),
    }
}

/// The time of this machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
