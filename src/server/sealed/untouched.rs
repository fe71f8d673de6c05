//! A session nothing has happened to: all that has to be read back of one that was not stored.

use crate::server::digest::Target;
use crate::server::operation::OperationId;
use crate::server::reference::Subject;
use crate::server::session::{SLOTS, Session};
use crate::time::Timestamp;

/// A session of which no stage has passed, failed or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Untouched {
    pub(super) made: Timestamp,
    /// The account of the access token.
    pub(super) caller: Option<Subject>,
    pub(super) operation: OperationId,
    pub(super) target: Target,
    pub(super) terms: u32,
    pub(super) bound: bool,
    pub(super) slots: [u64; SLOTS],
}

impl Untouched {
    /// What `session` was when it began. A parameter that may change binds nothing as long
    /// as nothing is kept of it: `is_free` says which those are.
    pub(super) fn of(session: &Session, is_free: [bool; SLOTS]) -> Self {
        let mut slots = session.slots;
        for (slot, is_free) in slots.iter_mut().zip(is_free) {
            if is_free {
                *slot = 0;
            }
        }
        Self {
            made: session.made,
            caller: session.subject(),
            operation: session.operation,
            target: session.target,
            terms: session.terms,
            bound: session.bound && slots != [0; SLOTS],
            slots,
        }
    }

    /// The session as it would have been stored.
    pub(super) fn session(&self) -> Session {
        let Self { made, caller, operation, target, terms, bound, slots } = *self;
        let mut session = Session::new(made, operation, target, terms, caller);
        (session.bound, session.slots, session.sealed) = (bound, slots, true);
        session
    }
}
