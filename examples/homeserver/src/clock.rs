//! The one place that reads the clock. Everything below takes `now_ms`.

use matrix_uia::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as they are stored and compared across restarts.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The same moment as the crate takes it.
pub fn now() -> Timestamp {
    Timestamp::from_millis(now_ms())
}
