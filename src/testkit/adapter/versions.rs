//! Values that another version of the program has written.

use alloc::format;

use super::bench::{Bench, Ran, put};
use super::promise::Promise;
use super::sessions::{id, new, proved};
use super::store::TestStore;
use crate::server::commit::Committed;
use crate::server::session::Session;
use crate::server::store::Gone;

/// A value of another version is no session, takes up its place, and is handed back unread.
pub(super) async fn others<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let first = new(1, bench.now());
    bench.insert(1, &first, 1).await?;
    let writes = bench.answered(bench.store.overwrite(id(1), &first).await)?;
    if !writes {
        return Ok(());
    }
    bench.must_be(1, Some(&first), Promise::LoadWhatWasStored).await?;
    for version in [Session::LATER, Session::LATER.saturating_sub(2), 0, u8::MAX] {
        bench.answered(bench.store.overwrite(id(1), &first.of_version(version)).await)?;
        bench.must_be(1, None, Promise::RefuseOtherVersions).await?;
    }
    bench.answered(bench.store.overwrite(id(1), "no session").await)?;
    bench.must_be(1, None, Promise::RefuseOtherVersions).await?;
    let second = new(1, bench.now());
    let taken = bench.commit(&[put(1, None, &second)]).await? == Committed::Lost;
    bench.must(taken, Promise::RefuseOtherVersions, "a session takes the ID of one that can't be read")?;
    // It is evicted like any other, and its time is over like any other's.
    let unread = |number| Gone { key: bench.store.key(id(number)), session: None };
    let done = bench.commit_as(&[put(2, None, &new(2, bench.now()))], None, 1).await?;
    let evicted = done.committed == Committed::Stored && done.evicted == Some(unread(1));
    bench.must(
        evicted,
        Promise::RefuseOtherVersions,
        format!("one that can't be read is not handed back: {done:?}"),
    )?;
    let third = new(3, bench.now());
    bench.insert(3, &third, 3).await?;
    bench.replace(3, &third, &proved(&third, 3)).await?;
    bench.answered(bench.store.overwrite(id(3), &third.of_version(Session::LATER)).await)?;
    bench.outlive(bench.lifetimes.session()).await;
    let gone = bench.sweep(16).await?;
    let right = gone.len() == 2 && gone.contains(&unread(3));
    bench.must(
        right,
        Promise::RefuseOtherVersions,
        format!("one that can't be read does not expire: {gone:?}"),
    )?;
    bench.count(|report| report.versions = true);
    Ok(())
}
