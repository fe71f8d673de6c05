//! The suite for stores passes the crate's own, and names the promise that a faulty one breaks.

use matrix_uia::testkit::adapter::{Broken, Effort, Report, suite};
use matrix_uia_faulty_stores::{Fault, Memory, Rows, block_on};

/// As many random operations as `STORE_OPERATIONS` says.
fn effort() -> Effort {
    let operations = std::env::var("STORE_OPERATIONS").ok().map(|number| number.parse().unwrap());
    Effort { operations: operations.unwrap_or(20_000), ..Effort::default() }
}

fn rows(fault: Fault, effort: Effort) -> Result<Report, Broken> {
    block_on(suite(async |limits, lifetimes| Rows::new(limits, lifetimes, fault), effort))
}

#[test]
fn the_growing_store_keeps_every_promise() {
    for seed in 1..=3 {
        let effort = Effort { seed, ..effort() };
        let ran = block_on(suite(async |limits, lifetimes| Memory::new(limits, lifetimes), effort));
        let report = ran.unwrap_or_else(|broken| panic!("{broken}"));
        assert_eq!((report.operations, report.cuts, report.versions), (effort.operations, 0, false));
    }
}

#[test]
fn a_store_of_rows_keeps_every_promise() {
    let report = rows(Fault::None, effort()).unwrap_or_else(|broken| panic!("{broken}"));
    assert!(report.cuts > 10 && report.versions && report.commits > 1_000, "{report:?}");
}

#[test]
fn every_broken_promise_is_named() {
    let mut unnoticed = Vec::new();
    for fault in Fault::ALL {
        match rows(*fault, Effort { operations: 2_000, ..Effort::default() }) {
            Err(broken) if broken.promises().any(|promise| Some(promise) == fault.promise()) => {}
            other => unnoticed.push(format!("{fault:?}: {other:?}")),
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

#[test]
fn every_promise_can_be_broken() {
    use matrix_uia::testkit::adapter::Promise;
    for promise in Promise::ALL {
        assert!(Fault::ALL.iter().any(|fault| fault.promise() == Some(*promise)), "{promise}");
    }
}
