//! What a store promises, and what came of trying it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

macro_rules! promises {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A promise of a store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Promise {
            $($(#[$doc])* $name,)+
        }

        impl Promise {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

promises! {
    /// Answer, and answer again once the database can be reached again.
    Answer,
    /// Load what was stored last, with what is kept beside it.
    LoadWhatWasStored,
    /// Keep what is kept until it is replaced.
    KeepWhatIsKept,
    /// Replace or remove only the revision that was read, and store new sessions only under new IDs.
    CompareRevisions,
    /// Of several commits against one revision, let exactly one win.
    OneWinner,
    /// Store all of a commit or nothing of it.
    AllOrNothing,
    /// Remove no session before its time is over.
    ExpireNeverEarly,
    /// Remove every session when its time is over.
    ExpireInTheEnd,
    /// Give a claimed session another lifetime when its own is over.
    WaitForClaims,
    /// Hand back every session that leaves, once.
    HandBackOnce,
    /// Let one owner have at most so many sessions, and nobody in particular as many as there is room for.
    BoundOwners,
    /// Have at most so many sessions in all.
    BoundAll,
    /// Evict a session that has run out, else the oldest of those that have proved least; for another
    /// owner none that has proved something, and for nobody one that is claimed or consumed.
    EvictByWorth,
    /// Say when there will be room.
    SayHowLong,
    /// Take no value for a session that another version has written, and hand it back all the same.
    RefuseOtherVersions,
    /// Store no session ID.
    StoreNoId,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A promise that was broken, and what showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// The promise.
    pub promise: Promise,
    /// The scenario.
    pub scenario: &'static str,
    /// What was seen.
    pub seen: String,
}

/// Every promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// What was seen, in the order of the scenarios; at least one, and one of each scenario at most.
    pub breaches: Vec<Breach>,
}

impl Broken {
    /// The promises, each once.
    pub fn promises(&self) -> impl Iterator<Item = Promise> + '_ {
        let broken = |promise: &Promise| self.breaches.iter().any(|it| it.promise == *promise);
        Promise::ALL.iter().copied().filter(move |promise| broken(promise))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store broke:")?;
        for Breach { promise, scenario, seen } in &self.breaches {
            write!(f, "\n  {promise}: {seen} ({scenario})")?;
        }
        Ok(())
    }
}

impl core::error::Error for Broken {}

/// How much was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Scenarios that ran.
    pub scenarios: usize,
    /// Commits that were answered.
    pub commits: usize,
    /// Times the connection was cut within a commit; 0 if it can't be.
    pub cuts: usize,
    /// Random operations that were held against the reference.
    pub operations: usize,
    /// Whether values of other versions were tried.
    pub versions: bool,
}
