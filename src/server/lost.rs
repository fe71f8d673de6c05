//! How many lost races are run again.

/// How often the commits of one request may be lost: each is a race with another request
/// for the same session, and somebody wins every race. A request that loses more often is
/// one whose commit can't be stored, such as one that spends what nobody has reserved (rule
/// U25) or inserts under an ID that is taken; it is answered with
/// [`MatrixError::unavailable`](crate::MatrixError::unavailable).
pub const MAX_LOST_COMMITS: u8 = 16;

/// How many commits of one request, or of one visit to a page, were lost.
#[derive(Clone, Copy)]
pub(super) struct LostCommits(u8);

impl LostCommits {
    pub(super) const NONE: Self = Self(0);

    /// One more was lost.
    #[must_use]
    pub(super) const fn and_one(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether so many were lost that no further one is tried. The session is loaded once
    /// more, since only what it does not hold is given back.
    pub(super) const fn are_too_many(self) -> bool {
        self.0 >= MAX_LOST_COMMITS
    }
}
