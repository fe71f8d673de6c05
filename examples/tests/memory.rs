//! What the server holds on to.

use crate::support::{Setup, password_auth};
use serde_json::json;

/// A hash works in 19 MiB. That they are given back to the allocator isn't enough for them to be used again.
#[test]
#[cfg(target_os = "linux")]
fn logins_take_no_more_memory_the_more_there_are() {
    let limit = json!({ "failed_auth": { "burst": 1000, "per_second": 1000.0 } });
    let server = Setup::new(json!({ "rate_limits": limit })).start();
    let client = server.client();
    for _ in 0..60 {
        client.post("login", None, &password_auth("alice", "white-rabbit")).rejected(403, "M_FORBIDDEN");
    }
    // A piece is kept for each core that was ever busy with one.
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let bound = 64 + 19 * cores;
    assert!(server.resident_mib() < bound, "{} MiB, and {bound} should do", server.resident_mib());
}
