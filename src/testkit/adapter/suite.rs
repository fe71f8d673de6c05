//! All scenarios.

use alloc::vec::Vec;
use core::cell::Cell;

use super::bench::Bench;
use super::promise::{Broken, Report};
use super::store::{Effort, TestStore};
use super::{contention, cuts, expiry, random, room, versions, writes};
use crate::server::rules::Rules;
use crate::server::store::{Lifetimes, Limits};

const ROOMY: Limits = Limits { all: 10_000, per_owner: 1_000 };

/// Runs every scenario, each with an empty store of its own that `make` makes, of these limits and
/// lifetimes.
///
/// # Errors
///
/// [`Broken`] lists each scenario that showed a broken promise, and what was seen.
pub async fn suite<S: TestStore>(
    make: impl AsyncFn(Limits, Lifetimes) -> S,
    effort: Effort,
) -> Result<Report, Broken> {
    let report = Cell::new(Report::default());
    let mut breaches = Vec::new();
    let long = Lifetimes::of(&Rules::default());
    let limits = |all, per_owner| Limits { all, per_owner };
    macro_rules! run {
        ($name:literal, $limits:expr, $lifetimes:expr, $scenario:expr) => {
            let lifetimes = $lifetimes;
            let store = make($limits, lifetimes).await;
            let bench = Bench { store, scenario: $name, lifetimes, effort, report: &report };
            if let Err(breach) = $scenario(&bench).await {
                breaches.push(breach);
            }
            bench.count(|report| report.scenarios = report.scenarios.saturating_add(1));
        };
    }
    run!("a session of every kind", ROOMY, long, writes::round_trip);
    run!("what is kept", ROOMY, long, writes::kept);
    run!("other revisions", ROOMY, long, writes::revisions);
    run!("one leaves, one is put", ROOMY, long, writes::both_or_neither);
    run!("what is stored", ROOMY, long, writes::no_id);
    run!("64 writers in rounds", ROOMY, long, contention::rounds);
    run!("64 writers that load", ROOMY, long, contention::loads_and_writes);
    run!("64 claimants", ROOMY, long, contention::claims);
    run!("64 new sessions of one owner", limits(10_000, contention::OWN), long, contention::one_owner);
    run!("64 new sessions of as many owners", limits(16, 1_000), long, async |bench| {
        contention::many_owners(bench, 16).await
    });
    run!("a full store", limits(4, 3), long, room::whole_store);
    run!("an owner's bound", limits(10_000, 3), long, room::owners);
    run!("sessions that are held", limits(4, 2), long, room::held);
    run!("random operations", random::LIMITS, long, random::operations);
    run!("time that is over", ROOMY, expiry::SHORT, expiry::each_kind);
    run!("16 that sweep at once", ROOMY, expiry::SHORT, expiry::sweepers);
    run!("what has run out makes room", limits(2, 1), expiry::SHORT, expiry::run_out_first);
    run!("values of other versions", limits(10_000, 1), expiry::SHORT, versions::others);
    run!("a commit that is cut", ROOMY, long, cuts::both_or_neither);
    run!("an eviction that is cut", limits(10_000, 1), long, cuts::eviction);
    if breaches.is_empty() { Ok(report.get()) } else { Err(Broken { breaches }) }
}
