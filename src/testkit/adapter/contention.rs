//! Many writers at once.

use alloc::format;
use alloc::vec::Vec;

use super::bench::{Bench, Ran, put, remove};
use super::join::join;
use super::promise::{Breach, Promise};
use super::sessions::{claimed, failed, new, proved, reopened};
use super::store::TestStore;
use crate::server::commit::Committed;
use crate::server::store::Done;

/// How many write at once.
pub(super) const TASKS: u16 = 64;

/// The one that won.
fn winner<S>(bench: &Bench<'_, S>, answers: &[Committed]) -> Result<usize, Breach>
where
    S: TestStore,
{
    let mut won = answers.iter().enumerate().filter(|(_, answer)| **answer == Committed::Stored);
    match (won.next(), won.count()) {
        (Some((first, _)), 0) => Ok(first),
        (None, _) => Err(bench.breach(Promise::OneWinner, "all commits against one revision are lost")),
        (Some(_), more) => Err(bench.breach(
            Promise::OneWinner,
            format!("{more} more than one commit against one revision are stored"),
        )),
    }
}

/// Every round, all write against the revision that is there.
pub(super) async fn rounds<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let made = bench.now();
    let news: Vec<_> = (0..TASKS).map(|task| failed(&new(1, made), task)).collect();
    let answers = join(news.iter().map(async |session| bench.commit(&[put(1, None, session)]).await)).await;
    let answers: Vec<_> = answers.into_iter().collect::<Result<_, _>>()?;
    let mut last = news.get(winner(bench, &answers)?).cloned().unwrap_or_else(|| new(1, made));
    for _ in 0..16 {
        bench.must_be(1, Some(&last), Promise::OneWinner).await?;
        let nexts: Vec<_> = (0..TASKS).map(|task| failed(&last, task)).collect();
        let expected = Some(last.revision());
        let answers =
            join(nexts.iter().map(async |next| bench.commit(&[put(1, expected, next)]).await)).await;
        let answers: Vec<_> = answers.into_iter().collect::<Result<_, _>>()?;
        last = nexts.get(winner(bench, &answers)?).cloned().unwrap_or(last);
    }
    bench.must_be(1, Some(&last), Promise::OneWinner).await?;
    // One removes it, or one puts it; not both.
    let next = failed(&last, 1);
    let mixed = join((0..TASKS).map(|task| {
        let (last, next) = (&last, &next);
        async move {
            match task % 2 {
                0 => bench.commit(&[remove(1, last)]).await,
                _ => bench.commit(&[put(1, Some(last.revision()), next)]).await,
            }
        }
    }));
    let answers: Vec<_> = mixed.await.into_iter().collect::<Result<_, _>>()?;
    let stays = winner(bench, &answers)? % 2 == 1;
    bench.must_be(1, stays.then_some(&next), Promise::OneWinner).await
}

/// Each loads and writes until it has won, as requests do: every win is one revision.
pub(super) async fn loads_and_writes<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    bench.insert(1, &new(1, bench.now()), 1).await?;
    let task = async |_task: u16| -> Ran {
        // Whoever loses has been beaten by another, who is done then.
        for _ in 0..TASKS {
            let Some(session) = bench.session(1).await? else {
                return Err(bench.breach(Promise::LoadWhatWasStored, "a session is gone among its writers"));
            };
            let next = failed(&session, session.failures.saturating_add(1));
            match bench.commit(&[put(1, Some(session.revision()), &next)]).await? {
                Committed::Stored => return Ok(()),
                Committed::Lost => {}
                Committed::Full(_) => {
                    return Err(
                        bench.breach(Promise::BoundAll, "there is no room for a session that is there")
                    );
                }
            }
        }
        Err(bench.breach(Promise::OneWinner, "a commit is lost although nobody has won"))
    };
    for ran in join((0..TASKS).map(task)).await {
        ran?;
    }
    let session = bench.session(1).await?;
    let counted = session.map(|session| (session.failures, session.revision().get()));
    let all = Some((TASKS, u32::from(TASKS)));
    bench.must(counted == all, Promise::OneWinner, format!("of {TASKS} wins {counted:?} are there"))
}

/// A claim is taken over from a dead claimant by one of those who find it, and reopened by one.
pub(super) async fn claims<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let now = bench.now();
    let (first, stages) = (new(1, now), proved(&new(1, now), 5));
    bench.insert(1, &first, 1).await?;
    bench.replace(1, &first, &stages).await?;
    for next in [claimed(&stages, now), reopened(&claimed(&stages, now))] {
        let Some(before) = bench.session(1).await? else {
            return Err(bench.breach(Promise::LoadWhatWasStored, "a claimed session is gone"));
        };
        let all = (0..TASKS).map(async |_task| bench.commit(&[put(1, Some(before.revision()), &next)]).await);
        let answers: Vec<_> = join(all).await.into_iter().collect::<Result<_, _>>()?;
        winner(bench, &answers)?;
        bench.must_be(1, Some(&next), Promise::OneWinner).await?;
    }
    Ok(())
}

/// How many were stored: each was handed back, or is one of the `len` that are left.
fn accounted<S: TestStore>(bench: &Bench<'_, S>, dones: &[Done], len: usize) -> Result<usize, Breach> {
    let stored = dones.iter().filter(|done| done.committed == Committed::Stored).count();
    let handed_back = dones.iter().filter(|done| done.evicted.is_some()).count();
    bench.must(
        stored == handed_back.saturating_add(len),
        Promise::HandBackOnce,
        format!("{stored} stored, {handed_back} evicted, {len} left"),
    )?;
    Ok(stored)
}

/// New sessions of one owner at once: the owner's bound holds, and each that leaves is handed back once.
pub(super) async fn one_owner<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let dones = insert_all(bench, |_| 7).await?;
    let mut evicted: Vec<_> =
        dones.iter().filter_map(|done| Some(*done.evicted.as_ref()?.key.as_bytes())).collect();
    let (handed_back, len) = (evicted.len(), bench.len().await?);
    evicted.sort_unstable();
    evicted.dedup();
    bench.must(evicted.len() == handed_back, Promise::HandBackOnce, "a session is evicted twice")?;
    let stored = accounted(bench, &dones, len)?;
    bench.must(len <= OWN, Promise::BoundOwners, format!("one owner has {len} sessions of {OWN}"))?;
    bench.must(stored >= OWN, Promise::BoundOwners, format!("only {stored} sessions are stored"))
}

/// The bound of an owner in [`one_owner`].
pub(super) const OWN: usize = 8;

/// New sessions of many owners at once, in a store that is full: there are never more than
/// room and the commits that run at once come to.
pub(super) async fn many_owners<S: TestStore>(bench: &Bench<'_, S>, all: usize) -> Ran {
    let dones = insert_all(bench, u64::from).await?;
    let (len, tasks) = (bench.len().await?, usize::from(TASKS));
    accounted(bench, &dones, len)?;
    bench.must(
        len <= all.saturating_add(tasks),
        Promise::BoundAll,
        format!("{len} sessions in room for {all}"),
    )?;
    for number in 1_000..1_000_u64.saturating_add(tasks as u64) {
        let session = new(number, bench.now());
        let done = bench.commit_as(&[put(number, None, &session)], None, number).await?;
        bench.must(
            done.committed == Committed::Stored,
            Promise::EvictByWorth,
            "sessions that have proved nothing stay",
        )?;
    }
    let later = bench.len().await?;
    bench.must(later <= len, Promise::BoundAll, format!("a full store grows from {len} to {later}"))
}

async fn insert_all<S: TestStore>(
    bench: &Bench<'_, S>,
    owner: impl Fn(u16) -> u64,
) -> Result<Vec<Done>, Breach> {
    let made = bench.now();
    let sessions: Vec<_> = (1..=TASKS).map(|number| (number, new(number.into(), made))).collect();
    let owner = &owner;
    let inserts = sessions.iter().map(async |(number, session)| {
        bench.commit_as(&[put((*number).into(), None, session)], None, owner(*number)).await
    });
    join(inserts).await.into_iter().collect()
}
