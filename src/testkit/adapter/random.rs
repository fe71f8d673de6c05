//! Any sequence of writes, held against the reference.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::bench::{Bench, Ran};
use super::promise::Promise;
use super::reference::{Expected, Put, Reference};
use super::sessions::{claimed, consumed, dummy, failed, id, mix, new, proved, reopened};
use super::store::TestStore;
use crate::server::commit::{self, Change, Committed};
use crate::server::session::{Revision, Session, Worth};
use crate::server::store::Limits;

/// Small, so that most sessions have to make room.
pub(super) const LIMITS: Limits = Limits { all: 24, per_owner: 6 };
/// How many IDs are in use, and owners.
const IDS: u64 = 40;
const OWNERS: u64 = 7;
/// After so many operations everything is compared.
const COMPARE_EVERY: usize = 500;

/// A sequence of numbers that is the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0).checked_rem(bound).unwrap_or_default()
    }
}

pub(super) async fn operations<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let mut reference = Reference::new(LIMITS);
    let mut dice = Dice(bench.effort.seed);
    for operation in 1..=bench.effort.operations {
        one(bench, &mut reference, &mut dice, operation).await?;
        if operation.checked_rem(COMPARE_EVERY) == Some(0) || operation == bench.effort.operations {
            compare(bench, &reference, operation).await?;
        }
        bench.count(|report| report.operations = report.operations.saturating_add(1));
    }
    Ok(())
}

async fn compare<S: TestStore>(bench: &Bench<'_, S>, reference: &Reference, operation: usize) -> Ran {
    for number in 0..IDS {
        let found = bench.found(number).await?;
        let right = found.as_ref() == reference.get(number).map(|entry| &entry.found);
        bench.must(
            right,
            Promise::LoadWhatWasStored,
            format!("session {number} differs after {operation}"),
        )?;
    }
    let len = bench.len().await?;
    bench.must(
        len == reference.entries.len(),
        Promise::BoundAll,
        format!("the count differs after {operation}"),
    )?;
    let gone = bench.sweep(16).await?;
    bench.must(
        gone.is_empty(),
        Promise::ExpireNeverEarly,
        format!("a session is removed too early after {operation}"),
    )
}

/// What a request may make of a session, and now and then what another version of it was.
fn next<S: TestStore>(bench: &Bench<'_, S>, dice: &mut Dice, before: &Session) -> Session {
    let now = bench.now();
    match (dice.below(6), before.worth()) {
        (0, Worth::Nothing) => dummy(before),
        (1 | 2, Worth::Nothing) => proved(before, dice.below(u64::MAX)),
        (0 | 1, Worth::Proved) => claimed(before, now),
        (0..=2, Worth::Claimed) => reopened(before),
        (3 | 4, Worth::Claimed) => consumed(before, now),
        _ => failed(before, u16::try_from(dice.below(1_000)).unwrap_or_default()),
    }
}

async fn one<S: TestStore>(
    bench: &Bench<'_, S>,
    reference: &mut Reference,
    dice: &mut Dice,
    operation: usize,
) -> Ran {
    let (number, other, owner) = (dice.below(IDS), dice.below(IDS), dice.below(OWNERS));
    let there = reference.get(number).map(|entry| entry.found.session);
    let revision = there.as_ref().map(Session::revision);
    // Now and then the revision is wrong, or the ID of a new session is taken.
    let wrong = dice.below(10) == 0;
    let fresh = new(number, bench.now());
    let (expected, session): (Option<Revision>, Session) = match &there {
        Some(before) if wrong && dice.below(2) == 0 => (None, next(bench, dice, before)),
        Some(before) if wrong => (Some(before.revision().next()), next(bench, dice, before)),
        Some(before) => (revision, next(bench, dice, before)),
        None if wrong => (Some(Revision::default()), fresh),
        None => (None, fresh),
    };
    let kept: Option<String> = (dice.below(3) == 0).then(|| format!("{{\"n\":{}}}", dice.below(u64::MAX)));
    let put = Put { number, owner, expected, session: &session, kept: kept.as_deref() };
    let of_other = reference.get(other).map(|entry| entry.found.session.revision());
    let removal = (other != number).then_some(()).and(of_other.map(|at| if wrong { at.next() } else { at }));
    let (removes, puts) = match dice.below(8) {
        0 => (true, false),
        1 => (true, true),
        _ => (false, true),
    };
    let removal = removal.filter(|_| removes);
    // The one that leaves must not be evicted by the same commit: which of both it is, is not promised.
    let removes_and_inserts = removal.is_some() && puts && expected.is_none();
    if removes_and_inserts && reference.entries.len().saturating_add(1) >= LIMITS.per_owner {
        return Ok(());
    }
    let mut changes: Vec<Change<'_>> = Vec::new();
    changes.extend(removal.map(|expected| Change::Remove { id: id(other), expected }));
    if puts {
        changes.push(Change::Put(commit::Put {
            id: id(number),
            expected,
            session: &session,
            keep: kept.is_some(),
        }));
    }
    let right = reference.commit(removal.map(|at| (other, at)), puts.then_some(&put));
    let done = bench.commit_as(&changes, kept.as_deref(), owner).await?;
    let (as_told, promise) = match (&right, done.committed) {
        (Expected::Stored { evicted }, Committed::Stored) => {
            let evicted = evicted.as_ref().map(|(number, session)| bench.gone(*number, session));
            (evicted == done.evicted, Promise::EvictByWorth)
        }
        (Expected::Lost, Committed::Lost) | (Expected::Full, Committed::Full(_)) => {
            (true, Promise::EvictByWorth)
        }
        (Expected::Full, _) | (_, Committed::Full(_)) => (false, Promise::BoundAll),
        _ => (false, Promise::CompareRevisions),
    };
    let seed = bench.effort.seed;
    bench.must(
        as_told,
        promise,
        format!("operation {operation} of seed {seed} gives {done:?} and not {right:?}"),
    )
}
