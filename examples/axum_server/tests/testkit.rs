//! The server forgets none of a host's duties.

use crate::host::AxumServer;

#[test]
fn the_server_passes_the_test_kit() {
    // Passwords are hashed on the runtime's threads for blocking work.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let report =
        matrix_uia::testkit::suite(AxumServer::new).unwrap_or_else(|forgotten| panic!("{forgotten}"));
    assert!(report.drops > 20 && report.interleavings > 40, "{report:?}");
}
