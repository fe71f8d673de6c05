//! Sessions of every kind, as an exchange would leave them.

use crate::server::digest::Target;
use crate::server::operation::{ChangePassword, OperationId};
use crate::server::reference::{Reference, Subject, UserRef};
use crate::server::session::{Phase, Proof, Session, SessionId};
use crate::time::Timestamp;
use crate::wire::AuthType;

/// The ID of session number `number`, spread as entropy is.
pub(super) fn id(number: u64) -> SessionId {
    let mut entropy = [0; SessionId::ENTROPY];
    let mut state = number;
    let (words, _) = entropy.as_chunks_mut::<8>();
    for word in words {
        state = mix(state.wrapping_add(0x9E37_79B9_7F4A_7C15));
        *word = state.to_le_bytes();
    }
    SessionId::from_entropy(entropy)
}

/// A permutation of the numbers: the last step of SplitMix64.
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ number.wrapping_shr(30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number.wrapping_shr(27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number.wrapping_shr(31)
}

/// A new session, of user number `number`: no stage has passed.
pub(super) fn new(number: u64, made: Timestamp) -> Session {
    let (operation, target) = (OperationId::of::<ChangePassword>(), Target::default());
    let caller = Subject::new(UserRef::new(number), 1);
    let mut session = Session::new(made, operation, target, 0, Some(caller));
    (session.bound, session.slots) = (true, [number | 4, 0, 0]);
    session
}

/// Changed: an attempt has failed, for whatever reason.
pub(super) fn failed(session: &Session, failures: u16) -> Session {
    changed(session, |next| next.failures = failures)
}

/// A stage that proves nothing has passed.
pub(super) fn dummy(session: &Session) -> Session {
    changed(session, |next| _ = next.passed.push(AuthType::Dummy.id(), Proof::Nothing))
}

/// A stage that proves something has passed, with something reserved.
pub(super) fn proved(session: &Session, reference: u64) -> Session {
    let stage = AuthType::RegistrationToken.id();
    changed(session, |next| _ = next.passed.push(stage, Proof::Token(Reference::new(reference))))
}

pub(super) fn claimed(session: &Session, now: Timestamp) -> Session {
    changed(session, |next| next.enter(Phase::Claimed, now))
}

/// The call did not happen.
pub(super) fn reopened(session: &Session) -> Session {
    changed(session, Session::reopen)
}

/// The call succeeded.
pub(super) fn consumed(session: &Session, now: Timestamp) -> Session {
    changed(session, |next| next.consume(Reference::new(9), None, now))
}

fn changed(session: &Session, change: impl FnOnce(&mut Session)) -> Session {
    let mut next = *session;
    change(&mut next);
    next.touch();
    next
}
