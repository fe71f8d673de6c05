//! How long a store keeps sessions.

use crate::server::rules::Rules;
use crate::server::session::Session;
use crate::time::{CLOCK_TOLERANCE, Millis, Timestamp};

/// How long a store keeps sessions.
///
/// One store has one pair of these, whichever operations its sessions are for: that is
/// what makes them expire in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    session: Millis,
    replay: Millis,
}

impl Lifetimes {
    /// Those of `rules`.
    ///
    /// ```
    /// use matrix_uia::server::store::Lifetimes;
    /// use matrix_uia::{Millis, Rules};
    /// let default = Lifetimes::new(Millis::from_secs(15 * 60), Millis::from_secs(60));
    /// assert_eq!(Lifetimes::of(&Rules::default()), default);
    /// ```
    #[must_use]
    pub const fn of(rules: &Rules) -> Self {
        Self::new(rules.session_lifetime, rules.replay_for)
    }

    /// A session's from its making, and a consumed one's from its call's success.
    #[must_use]
    pub const fn new(session_lifetime: Millis, replay_for: Millis) -> Self {
        Self { session: session_lifetime, replay: replay_for }
    }

    /// That of a session, from its making.
    #[must_use]
    pub const fn session(&self) -> Millis {
        self.session
    }

    /// That of a consumed session, from its call's success.
    #[must_use]
    pub const fn replay(&self) -> Millis {
        self.replay
    }

    /// The longer of the two.
    pub(crate) const fn longest(&self) -> Millis {
        if self.replay.get() > self.session.get() { self.replay } else { self.session }
    }

    /// How long the ID of a sealed session could begin it again, by whichever worker's clock.
    const fn of_name(&self) -> Millis {
        Millis::new(self.session.get().saturating_add(CLOCK_TOLERANCE.get()))
    }

    /// What is left of a session's at `now`; of a consumed one's, of its tombstone's. A store in a
    /// database has it run out that long after the write, by the database's own clock.
    #[must_use]
    pub fn left(&self, session: &Session, now: Timestamp) -> Millis {
        let age = now.since(session.made());
        match session.consumed_at() {
            Some(at) if session.is_sealed() => {
                self.replay.left_after(now.since(at)).max(self.of_name().left_after(age))
            }
            Some(at) => self.replay.left_after(now.since(at)),
            None if session.has_ended() => self.of_name().left_after(age),
            None => self.session.left_after(age),
        }
    }
}
