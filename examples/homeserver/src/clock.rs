//! The time of day. What lives from a stored moment is told the time by an [`App`](crate::app::App)'s clock, which a
//! test may set; a wait counts by a monotonic clock instead, so that setting this one makes no wait longer.

use matrix_uia::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock. Clones share it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// That of the system.
    pub fn system() -> Self {
        Self(Arc::new(now))
    }

    /// One that a test sets.
    #[cfg(test)]
    pub fn of(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// The same in milliseconds since 1970, as times are stored.
    pub fn now_ms(&self) -> u64 {
        self.now().as_millis()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The system's time now.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
