//! The server forgets none of a host's duties.

use crate::host::{AxumServer, runtime};

#[test]
fn the_server_passes_the_test_kit() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let report =
        matrix_uia::testkit::suite(AxumServer::new).unwrap_or_else(|forgotten| panic!("{forgotten}"));
    assert!(report.drops > 20 && report.interleavings > 30 && report.losses > 5, "{report:?}");
}
