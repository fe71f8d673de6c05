//! The user of the requests that need no session.

use std::cell::RefCell;

/// What their client knows.
pub struct Grace {
    pub name: String,
    /// Of a device that stays.
    pub own: String,
    /// Of the device that is logged out.
    pub out: String,
    /// What its client was answered, the latest last. It takes an answer into account before it
    /// sends the next request.
    pub refresh: RefCell<Vec<String>>,
}
