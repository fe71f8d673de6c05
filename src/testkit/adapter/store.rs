//! The store under test, as the kit sees it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;

use crate::server::commit::SessionChanges;
use crate::server::digest::Digest;
use crate::server::session::{Session, SessionId};
use crate::server::store::{Done, Gone, OwnerKey};
use crate::time::{Millis, Timestamp};

/// A session as it was found.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "every store under test makes it")]
pub struct Found {
    /// The session.
    pub session: Session,
    /// What is kept beside it; empty if nothing is.
    pub kept: String,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("session", &self.session).finish_non_exhaustive()
    }
}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a test chooses all of them")]
pub struct Effort {
    /// Random operations that are held against a reference.
    pub operations: usize,
    /// Which random operations: another number, other operations.
    pub seed: u64,
    /// How many bytes lie between two points where the connection is cut; 0 counts as 1.
    pub cut_step: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { operations: 2_000, seed: 1, cut_step: 16 }
    }
}

/// A store under test. Several futures of one store are polled at once.
pub trait TestStore {
    /// Why the store could not answer.
    type Error: fmt::Display;

    /// The time by the clock that the hosts of this store go by.
    fn now(&self) -> Timestamp;

    /// Lets so much time pass: waits, or moves the clock.
    fn pass(&self, time: Millis) -> impl Future<Output = ()>;

    /// What the store knows a session by. It must not be the ID.
    fn key(&self, id: SessionId) -> Digest;

    /// The session of that ID, expired or not; `None` too if its value can't be read.
    fn load(&self, id: SessionId) -> impl Future<Output = Result<Option<Found>, Self::Error>>;

    /// Carries out the changes, both or neither. `kept` is what
    /// is to be kept beside the session that is put, where its change says so.
    fn commit(
        &self,
        changes: SessionChanges<&Session>,
        kept: Option<&str>,
        owner: OwnerKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Done, Self::Error>>;

    /// Removes at most so many sessions whose time is over.
    fn sweep(&self, at_most: usize) -> impl Future<Output = Result<Vec<Gone>, Self::Error>>;

    /// How many sessions there are.
    fn count(&self) -> impl Future<Output = Result<usize, Self::Error>>;

    /// Puts another value in the place of the stored session of that ID, serialised as a session
    /// is: such as another version of the program would. Nothing else of it changes. `false` if
    /// the store has no serialised form.
    fn overwrite(
        &self,
        id: SessionId,
        value: &(impl serde::Serialize + ?Sized),
    ) -> impl Future<Output = Result<bool, Self::Error>>;

    /// Everything that is stored, in whatever form it can be read in.
    fn contents(&self) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;

    /// Cuts the connection to the database when so many more bytes have passed in either direction,
    /// and every new one at once; with `None` connections work again. `false` if the store
    /// has no connection to cut.
    fn cut_after(&self, bytes: Option<usize>) -> bool {
        let _ = bytes;
        false
    }
}
