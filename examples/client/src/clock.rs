//! The one place that reads a clock.

use matrix_uia::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// By the wall, since a progress can be read back by another process. One before 1970 stands still.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis().try_into().unwrap_or(u64::MAX))
}
