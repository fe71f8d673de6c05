//! The value between two steps.

use core::fmt;

use super::call::{CallName, Owner};
use super::failure::StageError;
use super::kept::Kept;
use super::state::{Ended, Phase, State, WaitReason};
use crate::endpoint::threepid::Medium;

/// How far an authentication has come: what the application stores between two steps.
///
/// It belongs to one call, whose name is kept with it: the body of another is not written
/// for it, and another's answer changes nothing.
///
/// `N` bounds, in bytes, what of a challenge is kept: its flows, params, completed stages
/// and session. 4096 is ample but for terms in many languages. A longer one ends the flow
/// with [`FlowFailure::TooLarge`](super::FlowFailure::TooLarge).
///
/// It serialises with any format of `serde`. Store it after every step, before the
/// request that came of it is sent: a value that was read back asks the server how things
/// stand, if a request was on its way.
///
/// ```
/// use matrix_uia::client::{CallName, Client, Next, Progress};
/// use matrix_uia::Timestamp;
/// let client = Client::new(&[]);
/// let mut progress = Progress::<4096>::new(CallName::new("delete devices")?);
/// // The first request has no `auth`:
/// assert!(matches!(client.next(&mut progress, Timestamp::from_millis(0)), Next::Send(_)));
/// # Ok::<(), matrix_uia::CapacityError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Progress<const N: usize = 4096> {
    pub(super) call: Owner,
    pub(super) kept: Kept<N>,
    pub(super) state: State,
}

impl<const N: usize> Progress<N> {
    /// Nothing has been sent yet of that call.
    #[must_use]
    pub fn new(call: CallName<'_>) -> Self {
        Self { call: Owner::new(call), kept: Kept::new(), state: State::new() }
    }

    /// The name of the call that it belongs to. Compare it after reading a stored value.
    #[must_use]
    pub fn call(&self) -> &str {
        self.call.name()
    }

    /// That the application has an address to give for the stages that prove one: flows
    /// with such a stage are possible now, and preferred.
    pub fn address_given(&mut self, medium: Medium) {
        self.with_address(medium, true);
    }

    /// That it hasn't, or not any more.
    pub fn address_withdrawn(&mut self, medium: Medium) {
        self.with_address(medium, false);
    }

    fn with_address(&mut self, medium: Medium, has_address: bool) {
        let validation = self.state.validation(medium);
        if validation.has_address != has_address {
            validation.has_address = has_address;
            self.state.flow = None;
            self.state.touched();
        }
    }

    /// That a stage has been completed elsewhere, as far as anybody here can tell: the
    /// server is asked at once. Only its answer counts (a page's `onAuthDone` is a hint).
    pub fn stage_completed_elsewhere(&mut self) {
        self.state.touched();
        if self.state.pause.is_some_and(|pause| pause.why == WaitReason::Elsewhere) {
            self.state.pause = None;
        }
    }

    /// Takes up a flow that ended without a decision of the server's: no answer came, it
    /// limits requests, or a stage was not completed in time. Whether it did end so.
    pub fn again(&mut self) -> bool {
        let undecided = matches!(
            self.state.phase,
            Phase::Failed(Ended::NoAnswer | Ended::RateLimited(_) | Ended::TimedOut)
        );
        if undecided {
            self.state.phase = Phase::Ready;
            self.state.retries = 0;
            self.state.elsewhere = None;
            self.state.pause = None;
        }
        undecided
    }

    /// Ends the flow; nothing is sent any more.
    pub fn cancel(&mut self) {
        if !self.state.is_over() {
            self.state.end(Ended::Cancelled);
        }
    }

    /// What the server said when it last refused a stage, or the whole call.
    #[must_use]
    pub fn error(&self) -> Option<StageError<'_>> {
        StageError::of(&self.kept.challenge())
    }

    /// Whether the flow has ended for good, one way or the other: what was stored of it can
    /// be deleted. Not so after [`FlowFailure::NoAnswer`](super::FlowFailure::NoAnswer): see
    /// [`again`](Self::again).
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.state.is_over()
    }
}

/// The session is a capability, and params are anybody's text: neither is shown.
impl<const N: usize> fmt::Debug for Progress<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, kept: _, state } = self;
        f.debug_struct("Progress").field("call", &call.name()).field("state", state).finish_non_exhaustive()
    }
}
