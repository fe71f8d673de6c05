//! The test kit names the duty that a host forgets.

use matrix_uia::testkit::{Duty, Forgotten, Report, suite};
use matrix_uia_faulty_hosts::{Fault, MemoryHost};

fn run(claims: bool, sealed: bool, fault: Fault) -> Result<Report, Forgotten> {
    match (claims, sealed) {
        (true, false) => suite(|outside| MemoryHost::<true>::new(outside, fault)),
        (true, true) => suite(|outside| MemoryHost::<true>::sealed(outside, fault)),
        (false, false) => suite(|outside| MemoryHost::<false>::new(outside, fault)),
        (false, true) => suite(|outside| MemoryHost::<false>::sealed(outside, fault)),
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
    for (claims, sealed) in [(false, false), (false, true), (true, false), (true, true)] {
        let report = run(claims, sealed, Fault::None)
            .unwrap_or_else(|forgotten| panic!("claims={claims} sealed={sealed} {forgotten}"));
        assert!(report.drops > 10 && report.interleavings > 20 && report.losses > 5, "{report:?}");
        assert!(report.without_token > 10, "{report:?}");
    }
}

#[test]
fn every_fault_is_named() {
    names_every_fault(false);
}

#[test]
fn every_fault_of_a_host_with_sealed_ids_is_named() {
    names_every_fault(true);
}

fn names_every_fault(sealed: bool) {
    let mut unnoticed = Vec::new();
    for fault in Fault::ALL {
        let duty = fault.duty().unwrap();
        let kinds: &[bool] = if OF_CLAIMS.contains(fault) { &[true] } else { &[false, true] };
        for claims in kinds {
            match run(*claims, sealed, *fault) {
                Err(forgotten) if forgotten.duties().any(|it| it == duty) => {}
                other => unnoticed.push(format!("{fault:?} claims={claims} sealed={sealed}: {other:?}")),
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

/// What can't be written any more, and which file of the crate's compile-fail tests shows it.
const IMPOSSIBLE: [(u8, &str); 2] = [
    // The owner of an address is compared by `AddressCheck`, the only way to its evidence.
    (19, "fault_19_an_owner_is_always_said.rs"),
    // `call` is a method of checked requests, and their check takes what is in the path.
    (21, "fault_21_a_path_is_always_bound.rs"),
];

#[test]
fn lesson_99_each_of_the_21_faults_is_named_by_the_kit_or_does_not_compile() {
    for number in 1..=21 {
        let named = |fault: &&Fault| fault.duty().and_then(Duty::fault) == Some(number);
        let planted = Fault::ALL.iter().filter(named).count();
        let impossible = IMPOSSIBLE.iter().find(|(it, _)| *it == number);
        match impossible {
            Some((_, file)) => assert!(
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../compile_fail").join(file).exists(),
                "{file}"
            ),
            None => assert_eq!(planted, 1, "fault {number}"),
        }
    }
}
