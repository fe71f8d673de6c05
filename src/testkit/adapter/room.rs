//! Who makes room for a new session. Rule U16.

use alloc::format;

use super::bench::{Bench, Ran, put};
use super::promise::{Breach, Promise};
use super::sessions::{claimed, consumed, dummy, new, proved};
use super::store::TestStore;
use crate::server::commit::Committed;
use crate::server::session::Session;
use crate::server::store::Done;
use crate::time::Millis;

/// How far a session has come.
#[derive(Clone, Copy)]
enum Is {
    New,
    Dummy,
    Proved,
    Claimed,
    Consumed,
}

impl<S: TestStore> Bench<'_, S> {
    /// Stores a session of that owner, and has it go that far.
    async fn has(&self, number: u64, owner: u64, is: Is) -> Result<Session, Breach> {
        let mut before = new(number, self.now());
        self.insert(number, &before, owner).await?;
        let steps: &[Is] = match is {
            Is::New => &[],
            Is::Dummy => &[Is::Dummy],
            Is::Proved => &[Is::Proved],
            Is::Claimed => &[Is::Proved, Is::Claimed],
            Is::Consumed => &[Is::Proved, Is::Claimed, Is::Consumed],
        };
        for step in steps {
            let next = match step {
                Is::New => continue,
                Is::Dummy => dummy(&before),
                Is::Proved => proved(&before, number),
                Is::Claimed => claimed(&before, self.now()),
                Is::Consumed => consumed(&before, self.now()),
            };
            self.replace(number, &before, &next).await?;
            before = next;
        }
        Ok(before)
    }

    async fn one_more(&self, number: u64, owner: u64) -> Result<Done, Breach> {
        let session = new(number, self.now());
        let done = self.commit_as(&[put(number, None, &session)], None, owner).await?;
        let stored = done.committed == Committed::Stored;
        self.must_be(number, stored.then_some(&session), Promise::AllOrNothing).await?;
        Ok(done)
    }

    /// One more session evicts this one.
    async fn evicts(&self, number: u64, owner: u64, gone: u64, session: &Session) -> Ran {
        let len = self.len().await?;
        let done = self.one_more(number, owner).await?;
        let right = done.committed == Committed::Stored && done.evicted == Some(self.gone(gone, session));
        self.must(
            right,
            Promise::EvictByWorth,
            format!("not session {gone} is evicted for {number}: {done:?}"),
        )?;
        self.must_be(gone, None, Promise::EvictByWorth).await?;
        self.must(self.len().await? == len, Promise::BoundAll, "an eviction changes the count")
    }

    /// There is no room for one more.
    async fn is_full(&self, number: u64, owner: u64, promise: Promise) -> Ran {
        let len = self.len().await?;
        let done = self.one_more(number, owner).await?;
        let Committed::Full(wait) = done.committed else {
            return Err(self.breach(promise, format!("there is room for session {number}: {done:?}")));
        };
        // A claimed session may have another lifetime.
        let most = self.lifetimes.longest().get().saturating_mul(2);
        let soon = wait > Millis::new(0) && wait.get() <= most;
        self.must(soon, Promise::SayHowLong, format!("there is room after {wait:?}"))?;
        self.must(self.len().await? == len, Promise::AllOrNothing, "a refusal changes the count")
    }
}

/// In a full store the oldest that has proved nothing goes, else the owner's own. It has room for 4.
pub(super) async fn whole_store<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    let stages = bench.has(1, 1, Is::Proved).await?;
    let passed = bench.has(2, 2, Is::Dummy).await?;
    let young = bench.has(3, 3, Is::New).await?;
    bench.has(4, 4, Is::Claimed).await?;
    bench.evicts(5, 5, 2, &passed).await?;
    bench.evicts(6, 1, 3, &young).await?;
    let fifth = bench.session(5).await?;
    let sixth = bench.session(6).await?;
    for (number, before) in [(5, fifth), (6, sixth)] {
        let Some(before) = before else {
            return Err(bench.breach(Promise::EvictByWorth, "a new session is gone"));
        };
        bench.replace(number, &before, &proved(&before, number)).await?;
    }
    bench.is_full(7, 7, Promise::EvictByWorth).await?;
    bench.is_full(7, 0, Promise::EvictByWorth).await?;
    bench.is_full(7, 4, Promise::EvictByWorth).await?;
    bench.evicts(8, 1, 1, &stages).await
}

/// At an owner's bound one of the owner's own goes, however much room there is. It is 3.
pub(super) async fn owners<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    bench.has(1, 2, Is::New).await?;
    bench.has(2, 1, Is::Claimed).await?;
    let stages = bench.has(3, 1, Is::Proved).await?;
    let untouched = bench.has(4, 1, Is::New).await?;
    bench.evicts(5, 1, 4, &untouched).await?;
    let Some(fifth) = bench.session(5).await? else {
        return Err(bench.breach(Promise::EvictByWorth, "a new session is gone"));
    };
    bench.replace(5, &fifth, &claimed(&proved(&fifth, 5), bench.now())).await?;
    bench.evicts(6, 1, 3, &stages).await?;
    let Some(sixth) = bench.session(6).await? else {
        return Err(bench.breach(Promise::EvictByWorth, "a new session is gone"));
    };
    bench.replace(6, &sixth, &consumed(&proved(&sixth, 6), bench.now())).await?;
    bench.is_full(7, 1, Promise::BoundOwners).await?;
    bench.has(8, 2, Is::New).await?;
    for number in 20..30 {
        let done = bench.one_more(number, 0).await?;
        let free = done == Done { committed: Committed::Stored, evicted: None };
        bench.must(free, Promise::BoundOwners, format!("nobody in particular has a bound: {done:?}"))?;
    }
    Ok(())
}

/// A claimed or a consumed session makes room for none, not for its owner's either.
pub(super) async fn held<S: TestStore>(bench: &Bench<'_, S>) -> Ran {
    bench.has(1, 1, Is::Claimed).await?;
    bench.has(2, 1, Is::Consumed).await?;
    bench.is_full(3, 1, Promise::BoundOwners).await?;
    bench.has(4, 2, Is::Consumed).await?;
    bench.has(5, 2, Is::Claimed).await?;
    bench.is_full(6, 3, Promise::BoundAll).await?;
    bench.is_full(6, 2, Promise::BoundAll).await
}
