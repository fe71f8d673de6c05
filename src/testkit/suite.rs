//! All scenarios.

use alloc::vec::Vec;
use core::cell::Cell;

use super::bench::{Bench, Ran};
use super::duty::{Forgotten, Report};
use super::host::TestHost;
use super::outside::Outside;
use super::{disk, drops, flows, losses, races, room, tokenless};
use crate::server::rules::Rules;

/// A request that waits more often than that is not interrupted any further.
const MOST_WAITS: usize = 200;

/// Runs every scenario, each with a host of its own that `make` makes; one that interrupts a
/// request at its waits, or fails its writes, once for every wait or write.
///
/// # Errors
///
/// [`Forgotten`] lists each duty that was forgotten, and what showed it.
pub fn suite<H: TestHost>(make: impl Fn(Outside) -> H) -> Result<Report, Forgotten> {
    type Scenario<H> = fn(&Bench<'_, H>, usize) -> Ran;
    let scenarios: [(&'static str, Scenario<H>); 30] = [
        ("first requests", flows::first_requests),
        ("a password change", flows::password),
        ("parameters left out later", flows::password_keeps_devices),
        ("a registration", flows::register),
        ("a deactivation", flows::deactivate),
        ("wrong passwords", flows::wrong_password),
        ("an account that is locked", flows::status),
        ("a session that is over", flows::ended),
        ("a full store", room::full),
        ("a full disk", disk::full),
        ("a lost commit", losses::password),
        ("a lost commit that reserves", losses::reserving),
        ("an account that is locked meanwhile", races::locked_meanwhile),
        ("a password that is replaced meanwhile", races::replaced_meanwhile),
        ("the last request twice at once", races::two_last),
        ("a claim before its call", races::claimed_first),
        ("two wrong passwords at once", races::two_failures),
        ("two registration tokens at once", races::two_tokens),
        ("a name that is taken meanwhile", races::refused),
        ("time that passes meanwhile", races::time_passes),
        ("time that passes while a token is looked up", races::time_passes_with_a_token),
        ("calls without a token", tokenless::calls),
        ("without a token, an account that is locked meanwhile", tokenless::locked_meanwhile),
        ("without a token, a password that is replaced meanwhile", tokenless::replaced_meanwhile),
        ("a dropped password change", drops::password),
        ("a dropped wrong password", drops::wrong_password),
        ("a dropped claim", drops::claimed),
        ("a dropped registration", drops::register),
        ("a dropped reservation", drops::reserving),
        ("a dropped deactivation", drops::deactivate),
    ];
    let report = Cell::new(Report::default());
    let mut violations = Vec::new();
    for (scenario, run) in scenarios {
        let noticed = Cell::new(false);
        for wait in 1..=MOST_WAITS {
            let outside = Outside::new();
            let host = make(outside.clone());
            let bench = Bench {
                host,
                outside,
                rules: Rules::default(),
                scenario,
                report: &report,
                noticed: &noticed,
            };
            match run(&bench, wait) {
                Ok(true) => {}
                Ok(false) => break,
                Err(violation) => {
                    violations.push(violation);
                    break;
                }
            }
        }
        let mut so_far = report.get();
        so_far.scenarios = so_far.scenarios.saturating_add(1);
        report.set(so_far);
    }
    if violations.is_empty() { Ok(report.get()) } else { Err(Forgotten { violations }) }
}
