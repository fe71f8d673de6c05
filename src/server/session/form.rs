//! The form in which a store keeps a session in memory.
//!
//! ```text
//!  Session   104 bytes for the stages that have passed, whether any has or not
//!  Compact   nothing for them, until one has
//! ```
//!
//! Most of a million sessions are ones that somebody began and never went on with.

use super::revision::Revision;
use super::value::Session;

/// What a store needs of a session that it keeps.
pub(crate) trait Form {
    fn of(session: &Session) -> Self;
    /// The same for a session that stays where it stands.
    fn set(&mut self, session: &Session);
    fn session(&self) -> Session;
    fn into_session(self) -> Session;
    fn revision(&self) -> Revision;
    fn is_claimed(&self) -> bool;
}

/// As it is: where there is no heap.
impl Form for Session {
    fn of(session: &Session) -> Self {
        *session
    }

    fn set(&mut self, session: &Session) {
        *self = *session;
    }

    fn session(&self) -> Session {
        *self
    }

    fn into_session(self) -> Session {
        self
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn is_claimed(&self) -> bool {
        self.is_claimed()
    }
}

#[cfg(feature = "alloc")]
pub(crate) use compact::Compact;

#[cfg(feature = "alloc")]
mod compact {
    use alloc::boxed::Box;

    use super::Form;
    use crate::server::digest::Target;
    use crate::server::operation::OperationId;
    use crate::server::reference::UserRef;
    use crate::server::session::passed::{Passed, Place};
    use crate::server::session::revision::Revision;
    use crate::server::session::value::{Phase, SLOTS, Session};
    use crate::time::Timestamp;

    /// All of a session, and a place on the heap only for each stage that has passed and for
    /// what it waits for.
    pub(crate) struct Compact {
        made: Timestamp,
        user: UserRef,
        target: Target,
        operation: OperationId,
        slots: [u64; SLOTS],
        places: Option<Box<[Place]>>,
        epoch: u32,
        terms: u32,
        revision: Revision,
        since: u32,
        failures: u16,
        phase: Phase,
        has_user: bool,
        by_token: bool,
        bound: bool,
        sealed: bool,
    }

    /// All that both forms have, taken from one and put into the other.
    macro_rules! beside_the_stages {
        ($from:expr, $into:ident { $stages:ident: $value:expr }) => {
            $into {
                made: $from.made,
                user: $from.user,
                target: $from.target,
                operation: $from.operation,
                slots: $from.slots,
                $stages: $value,
                epoch: $from.epoch,
                terms: $from.terms,
                revision: $from.revision,
                since: $from.since,
                failures: $from.failures,
                phase: $from.phase,
                has_user: $from.has_user,
                by_token: $from.by_token,
                bound: $from.bound,
                sealed: $from.sealed,
            }
        };
    }

    impl Form for Compact {
        fn of(session: &Session) -> Self {
            let passed = &session.passed;
            let places = if passed.is_untouched() { None } else { Some(passed.places().collect()) };
            beside_the_stages!(session, Self { places: places })
        }

        fn session(&self) -> Session {
            let passed = self.places.as_deref().map_or(Passed::new(), Passed::of_places);
            beside_the_stages!(self, Session { passed: passed })
        }

        fn set(&mut self, session: &Session) {
            *self = Self::of(session);
        }

        fn into_session(self) -> Session {
            self.session()
        }

        fn revision(&self) -> Revision {
            self.revision
        }

        fn is_claimed(&self) -> bool {
            matches!(self.phase, Phase::Claimed)
        }
    }
}
