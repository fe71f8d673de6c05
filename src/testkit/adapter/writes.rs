//! What one commit after the other leaves.

use alloc::format;
use alloc::string::String;

use super::bench::{Bench, Ran, put, remove};
use super::promise::Promise;
use super::sessions::{claimed, consumed, failed, id, new, proved, reopened};
use super::store::TestStore;
use crate::server::commit::{Change, Committed, Put};
use crate::server::session::Session;

/// Every kind of session comes back as it was stored, and none under another ID.
pub(super) async fn round_trip<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let now = bench.now();
    let first = new(1, now);
    let stages = proved(&first, u64::MAX);
    let held = claimed(&stages, now);
    let open = reopened(&held);
    let again = claimed(&open, now);
    let steps = [failed(&first, 7), stages, held, open, again, consumed(&again, now)];
    bench.insert(1, &first, u64::MAX).await?;
    bench.must_be(1, Some(&first), Promise::LoadWhatWasStored).await?;
    let mut before = first;
    for session in steps {
        // Each step is from the one before it, whose revision the store has.
        let next = Session { revision: before.revision.next(), ..session };
        bench.replace(1, &before, &next).await?;
        bench.must_be(1, Some(&next), Promise::LoadWhatWasStored).await?;
        before = next;
    }
    bench.must_be(2, None, Promise::LoadWhatWasStored).await?;
    bench.must(bench.len().await? == 1, Promise::LoadWhatWasStored, "one session is counted otherwise")
}

/// What is kept beside a session stays until other things are to be kept.
pub(super) async fn kept<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let first = new(1, bench.now());
    let mut before = first;
    let _no_eviction = bench.commit_as(&[put(1, None, &first)], Some("not to be kept"), 1).await?;
    for (kept, keep, there) in [
        (Some("[\"first\"]"), true, "[\"first\"]"),
        (Some("not to be kept"), false, "[\"first\"]"),
        (None, false, "[\"first\"]"),
        (Some("ü 'second' \"\\ \n $1"), true, "ü 'second' \"\\ \n $1"),
    ] {
        if before == first {
            let found = bench.found(1).await?;
            let nothing = found.is_some_and(|found| found.kept.is_empty());
            bench.must(nothing, Promise::KeepWhatIsKept, "something is kept that should not be")?;
        }
        let next = failed(&before, before.failures.saturating_add(1));
        let change = Change::Put(Put { id: id(1), expected: Some(before.revision()), session: &next, keep });
        let done = bench.commit_as(&[change], kept, 1).await?;
        bench.must(
            done.committed == Committed::Stored,
            Promise::CompareRevisions,
            "a write against the last revision is lost",
        )?;
        let found = bench.found(1).await?;
        let as_told = found.is_some_and(|found| found.kept == there);
        bench.must(as_told, Promise::KeepWhatIsKept, format!("what is kept is not {there:?}"))?;
        before = next;
    }
    let new_one = new(2, bench.now());
    let change = Change::Put(Put { id: id(2), expected: None, session: &new_one, keep: true });
    let _no_eviction = bench.commit_as(&[change], Some("{}"), 1).await?;
    let found = bench.found(2).await?;
    bench.must(
        found.is_some_and(|found| found.kept == "{}"),
        Promise::KeepWhatIsKept,
        "with a new session nothing is kept",
    )
}

/// A write against another revision than the last changes nothing.
pub(super) async fn revisions<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let first = new(1, bench.now());
    let second = failed(&first, 1);
    let third = failed(&second, 2);
    bench.insert(1, &first, 1).await?;
    bench.replace(1, &first, &second).await?;
    for (change, what) in [
        (put(1, Some(first.revision()), &third), "a session is replaced at a revision that is past"),
        (put(1, Some(third.revision()), &third), "a session is replaced at a revision that is to come"),
        (put(1, None, &third), "a new session takes the ID of another"),
        (put(2, Some(first.revision()), &third), "a session is replaced that is not there"),
        (remove(1, &first), "a session is removed at a revision that is past"),
        (remove(2, &first), "a session is removed that is not there"),
    ] {
        bench.must(bench.commit(&[change]).await? == Committed::Lost, Promise::CompareRevisions, what)?;
        bench.must_be(1, Some(&second), Promise::CompareRevisions).await?;
        bench.must_be(2, None, Promise::CompareRevisions).await?;
    }
    bench.must(bench.len().await? == 1, Promise::CompareRevisions, "a lost commit changes the count")?;
    bench.stored(&[remove(1, &second)], 1).await?;
    bench.must_be(1, None, Promise::LoadWhatWasStored).await?;
    bench.must(bench.len().await? == 0, Promise::LoadWhatWasStored, "a removed session is counted")?;
    // Its ID is free, and the old revision is not there any more.
    bench.must(
        bench.commit(&[put(1, Some(second.revision()), &third)]).await? == Committed::Lost,
        Promise::CompareRevisions,
        "a removed session is replaced",
    )?;
    bench.insert(1, &first, 1).await
}

/// Of a session that leaves and one that is put, both are written or neither.
pub(super) async fn both_or_neither<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let (leaving, next) = (new(1, bench.now()), new(2, bench.now()));
    let (later, changed) = (failed(&leaving, 1), failed(&next, 1));
    bench.insert(1, &leaving, 1).await?;
    let lost = bench.commit(&[remove(1, &later), put(2, None, &next)]).await? == Committed::Lost;
    bench.must(lost, Promise::CompareRevisions, "a session is removed at a revision that is to come")?;
    bench.must_be(2, None, Promise::AllOrNothing).await?;
    bench.stored(&[put(2, None, &next)], 1).await?;
    for refused in [put(2, None, &changed), put(2, Some(changed.revision()), &changed)] {
        let lost = bench.commit(&[remove(1, &leaving), refused]).await? == Committed::Lost;
        bench.must(lost, Promise::CompareRevisions, "a session is put at another revision")?;
        bench.must_be(1, Some(&leaving), Promise::AllOrNothing).await?;
        bench.must_be(2, Some(&next), Promise::AllOrNothing).await?;
    }
    bench.stored(&[remove(1, &leaving), put(2, Some(next.revision()), &changed)], 1).await?;
    bench.must_be(1, None, Promise::AllOrNothing).await?;
    bench.must_be(2, Some(&changed), Promise::AllOrNothing).await?;
    bench.stored(&[remove(2, &changed), put(3, None, &new(3, bench.now()))], 1).await?;
    bench.must(bench.len().await? == 1, Promise::AllOrNothing, "two changes are counted otherwise")?;
    bench.stored(&[], 1).await
}

/// What is stored has no session's ID in it.
pub(super) async fn no_id<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    bench.insert(1, &new(1, bench.now()), 1).await?;
    let contents = bench.answered(bench.store.contents().await)?;
    bench.must(!contents.is_empty(), Promise::Answer, "the store shows no contents")?;
    let (id, mut hex) = (id(1), String::new());
    // Half of it is too much.
    let half = id.as_bytes().first_chunk::<12>().copied().unwrap_or_default();
    for byte in half {
        hex.push_str(&format!("{byte:02x}"));
    }
    let has = |needle: &[u8]| contents.windows(needle.len()).any(|at| at.eq_ignore_ascii_case(needle));
    let text = id.expose();
    let shown = has(&half) || has(hex.as_bytes()) || has(text.as_bytes().get(..16).unwrap_or_default());
    bench.must(!shown, Promise::StoreNoId, "the ID of a session is among what is stored")
}
