//! What time does.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use super::bench::{Bench, Ran, put};
use super::join::join;
use super::promise::Promise;
use super::sessions::{claimed, consumed, id, new, proved, reopened};
use super::store::TestStore;
use crate::server::commit::Committed;
use crate::server::store::Lifetimes;
use crate::time::{Millis, Timestamp};

/// Short enough to be waited for.
pub(super) const SHORT: Lifetimes = Lifetimes::new(Millis::new(1_200), Millis::new(500));

/// A session of each kind: none goes early, each goes once, and a claimed one has another lifetime.
pub(super) async fn each_kind<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let (lifetime, made) = (bench.lifetimes.session(), bench.now());
    let mut due: Vec<(u64, Timestamp, Promise)> = Vec::new();
    for number in 1..=5 {
        let first = new(number, made);
        let stages = proved(&first, number);
        let held = claimed(&stages, bench.now());
        bench.insert(number, &first, number).await?;
        let over = made.after(lifetime);
        if number > 1 {
            bench.replace(number, &first, &stages).await?;
        }
        let (over, promise) = match number {
            1 | 2 => (over, Promise::ExpireNeverEarly),
            3 => {
                bench.replace(number, &stages, &held).await?;
                (over.after(lifetime), Promise::WaitForClaims)
            }
            4 => {
                bench.replace(number, &stages, &held).await?;
                bench.replace(number, &held, &reopened(&held)).await?;
                (over, Promise::ExpireNeverEarly)
            }
            _ => {
                let at = bench.now();
                bench.replace(number, &stages, &held).await?;
                bench.replace(number, &held, &consumed(&held, at)).await?;
                (at.after(bench.lifetimes.left(&consumed(&held, at), at)), Promise::ExpireNeverEarly)
            }
        };
        due.push((number, over, promise));
    }
    let last = due.iter().map(|(_, over, _)| *over).max().unwrap_or(made).after(lifetime).after(lifetime);
    while !due.is_empty() {
        let before = bench.now();
        for (number, over, promise) in &due {
            let there = bench.session(*number).await?.is_some();
            bench.must(
                there || bench.now() >= *over,
                *promise,
                bench.name("a session is gone too early", *number),
            )?;
        }
        let gone = bench.sweep(16).await?;
        let after = bench.now();
        for gone in gone {
            let at = due.iter().position(|(number, ..)| bench.store.key(id(*number)) == gone.key);
            let Some(at) = at else {
                return Err(bench.breach(Promise::HandBackOnce, "a session is handed back twice"));
            };
            let (number, over, promise) = due.remove(at);
            bench.must(after >= over, promise, bench.name("a session is removed too early", number))?;
            bench.must_be(number, None, Promise::ExpireInTheEnd).await?;
        }
        bench.must(before < last, Promise::ExpireInTheEnd, "a session stays although its time is over")?;
        bench.store.pass(Millis::new(60)).await;
    }
    bench.must(bench.len().await? == 0, Promise::ExpireInTheEnd, "a session that is removed is counted")
}

/// Several sweep at once: each session is handed back once, as it was stored.
pub(super) async fn sweepers<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    const SESSIONS: u64 = 100;
    for number in 1..=SESSIONS {
        bench.insert(number, &new(number, bench.now()), number % 7).await?;
    }
    bench.outlive(bench.lifetimes.session()).await;
    let mut keys = BTreeSet::new();
    for _ in 0..100 {
        let mut any = false;
        for gone in join((0..16).map(async |_task| bench.sweep(3).await)).await {
            for gone in gone? {
                any = true;
                let as_stored = gone.session.as_ref().and_then(|session| session.user()?.number());
                let right = as_stored.is_some_and(|number| bench.store.key(id(number)) == gone.key);
                bench.must(right, Promise::HandBackOnce, "a session is handed back under another key")?;
                let once = keys.insert(*gone.key.as_bytes());
                bench.must(once, Promise::HandBackOnce, "two sweeps hand back one session")?;
            }
        }
        if !any {
            break;
        }
    }
    let all = keys.len() as u64 == SESSIONS && bench.len().await? == 0;
    bench.must(all, Promise::ExpireInTheEnd, format!("{} of {SESSIONS} sessions are handed back", keys.len()))
}

/// A session that has run out makes room before any other, and whatever it has proved.
pub(super) async fn run_out_first<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let (old, stages) = (new(1, bench.now()), proved(&new(1, bench.now()), 1));
    bench.insert(1, &old, 1).await?;
    bench.replace(1, &old, &stages).await?;
    bench.outlive(bench.lifetimes.session()).await;
    bench.insert(2, &new(2, bench.now()), 2).await?;
    let third = new(3, bench.now());
    let done = bench.commit_as(&[put(3, None, &third)], None, 3).await?;
    let right = done.committed == Committed::Stored && done.evicted == Some(bench.gone(1, &stages));
    bench.must(
        right,
        Promise::EvictByWorth,
        format!("a full store does not evict what has run out: {done:?}"),
    )?;
    bench.must(bench.len().await? == 2, Promise::BoundAll, "a full store has grown")?;
    // The owner's own too.
    bench.outlive(bench.lifetimes.session()).await;
    bench.sweep(16).await?;
    let (mine, stages) = (new(4, bench.now()), proved(&new(4, bench.now()), 4));
    bench.insert(4, &mine, 4).await?;
    bench.replace(4, &mine, &stages).await?;
    let held = claimed(&stages, bench.now());
    bench.replace(4, &stages, &held).await?;
    let at = bench.now();
    let tombstone = consumed(&held, at);
    bench.replace(4, &held, &tombstone).await?;
    bench.outlive(bench.lifetimes.longest()).await;
    let done = bench.commit_as(&[put(5, None, &new(5, bench.now()))], None, 4).await?;
    let right = done.committed == Committed::Stored && done.evicted == Some(bench.gone(4, &tombstone));
    bench.must(
        right,
        Promise::EvictByWorth,
        format!("an owner's session that has run out does not make room: {done:?}"),
    )
}
