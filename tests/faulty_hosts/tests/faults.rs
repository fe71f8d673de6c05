//! The test kit names the duty that a host forgets.

use matrix_uia::testkit::{Forgotten, Report, suite};
use matrix_uia_faulty_hosts::{Fault, MemoryHost};

fn run(claims: bool, fault: Fault) -> Result<Report, Forgotten> {
    if claims {
        suite(|outside| MemoryHost::<true>::new(outside, fault))
    } else {
        suite(|outside| MemoryHost::<false>::new(outside, fault))
    }
}

/// Only a host that stores claims, and verifies outside of a transaction, can forget these.
const OF_CLAIMS: [Fault; 6] = [
    Fault::UnusedNotGivenBack,
    Fault::ParametersOfAClaimNotKept,
    Fault::ClaimNotStored,
    Fault::NoRecord,
    Fault::NothingRecalled,
    Fault::OrphansLeft,
];

#[test]
fn hosts_of_both_kinds_that_forget_nothing_pass() {
    for claims in [false, true] {
        let report = run(claims, Fault::None).unwrap_or_else(|forgotten| panic!("{claims} {forgotten}"));
        assert!(report.drops > 10 && report.interleavings > 20, "{report:?}");
    }
}

#[test]
fn every_fault_is_named() {
    let mut unnoticed = Vec::new();
    for fault in Fault::ALL {
        let duty = fault.duty().unwrap();
        let kinds: &[bool] = if OF_CLAIMS.contains(fault) { &[true] } else { &[false, true] };
        for claims in kinds {
            match run(*claims, *fault) {
                Err(forgotten) if forgotten.duties().any(|it| it == duty) => {}
                other => unnoticed.push(format!("{fault:?} claims={claims}: {other:?}")),
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
