//! The server's side of one authentication: the value that is stored between two
//! requests, and the one transition that changes it.
//!
//! ```text
//!             attempt: Verify ─► Verdict::Passed          last stage
//!   (new) ──────────► Open ───────────────────► Open ────────────────► Claimed ─► Grant
//!     ▲                │ ▲                                              │   ▲       │
//!     │ unknown,       │ └── failed: counted, else unchanged            │   │ the call failed
//!     │ expired        │                                                │   └── Open, complete
//!     │                ▼ too many failures                              │ the call succeeded
//!   restart          closed: 429                                        ▼
//!                                            same request again ──► Consumed ─► Replay
//! ```
//!
//! - [`Guard::receive`] takes a [`Call`] (which operation, who asks, the auth dict) and
//!   the stored session, and returns a [`Step`].
//! - [`Step::Verify`] is a question; its answer is a [`Verdict`], given whenever the host
//!   has it and applied to the session *as it is then*.
//! - What doesn't come by the client's request (a fallback page, an identity provider)
//!   goes through the same transition by way of [`Outside`], which grants nothing.
//! - [`Step::Grant`] is a [`Claim`]: once the host has stored it against the revision it
//!   was read at, it is the [`Grant`] that lets the operation happen.
//!
//! Every step that changes something says so in a [`Write`], which the host carries out
//! as «replace if the revision is still N». Whoever loses that race reads again.
//!
//! See [User-Interactive Authentication](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api).

mod call;
mod grant;
mod guard;
mod id;
mod locate;
mod outside;
mod passed;
mod question;
mod rules;
mod step;
mod stored;
mod transition;
mod worth;

pub use call::Call;
pub use grant::{Claim, Exempt, Grant, Params, Receipt, Redeemed, Replay};
pub use guard::{Completed, Guard};
pub use id::SessionId;
pub use outside::{Answered, Inquiry, NotCompleted, NotPassed, Outside, Visit, Visited};
pub use passed::Proof;
pub use question::{Check, LimitKey, Pending, Question, Resolved, StageFailure, Verdict};
pub use rules::{BodyBinding, Rules, UnknownSession};
pub use step::{Challenge, Refused, Step, Write};
pub use worth::Worth;

pub(crate) use call::Facts;
pub(crate) use id::letter;
pub(crate) use passed::Passed;

use core::fmt;

use crate::server::digest::{Digest, Target};
use crate::server::operation::{OperationId, Reference, Subject, UserRef};
use crate::wire::StageId;
use crate::wire::error::ErrorCode;
use crate::{Millis, Timestamp};

/// How often a session has been changed. A step is stored only against the revision it
/// was computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Revision(u32);

impl Revision {
    /// The number, for a store that keeps it in a column of its own.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What the host stores between two requests: a plain value of at most 192 bytes.
///
/// It has no lifetime, no type parameter and no secret: of the request's parameters it
/// keeps a keyed [digest](crate::server::digest), of what was proved a [reference](Proof). It
/// serialises with `serde`, names its format's version, and is checked when read back.
/// It does not hold its own [`SessionId`]; that is the key it is stored under.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "stored::Stored", try_from = "stored::Stored")]
pub struct Session {
    made: Timestamp,
    /// Whose access token began the session; meaningless unless `flags` say so.
    user: UserRef,
    target: Target,
    phase: Phase,
    passed: Passed,
    body: Digest,
    epoch: u32,
    terms: u32,
    revision: Revision,
    failures: u16,
    operation: OperationId,
    has_user: bool,
    binding: Binding,
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Stages can pass.
    Open,
    /// As `Open`; a stage waits for something outside, known to the host by reference.
    Awaiting(StageId, Reference),
    /// Complete, and a call is being carried out on the strength of it.
    Claimed,
    /// The call succeeded, `0` milliseconds after the session was made.
    Consumed(u32, Reference),
}

/// Whether the request's parameters have been bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Binding {
    /// Not yet.
    Unbound,
    /// Bound as left out.
    Absent,
    /// Bound to the digest.
    Digest,
}

/// What a 401 says beside the state: a code and a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionError(pub(crate) ErrorCode, pub(crate) &'static str);

impl Session {
    fn new(facts: &Facts, terms: u32, now: Timestamp) -> Self {
        let subject = facts.subject;
        Self {
            made: now,
            user: subject.map_or(UserRef(0), |subject| subject.user),
            target: facts.target,
            phase: Phase::Open,
            passed: Passed::new(),
            body: Digest::default(),
            epoch: subject.map_or(0, |subject| subject.epoch),
            terms,
            revision: Revision::default(),
            failures: 0,
            operation: facts.operation,
            has_user: subject.is_some(),
            binding: Binding::Unbound,
        }
    }

    /// Which call the session is for.
    #[must_use]
    pub const fn operation(&self) -> OperationId {
        self.operation
    }

    /// The user whose access token began the session.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        if self.has_user { Some(Subject::new(self.user, self.epoch)) } else { None }
    }

    /// Who authenticates: the [`subject`](Self::subject), else the user a stage proved.
    #[must_use]
    pub fn user(&self) -> Option<UserRef> {
        if self.has_user { Some(self.user) } else { self.passed.user() }
    }

    /// When it was made. It lives [`Rules::session_lifetime`] from then on.
    #[must_use]
    pub const fn made(&self) -> Timestamp {
        self.made
    }

    /// How often it has been changed.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// How many attempts at a stage have failed.
    #[must_use]
    pub const fn failures(&self) -> u16 {
        self.failures
    }

    /// Whether any stage has passed. What that is worth to a store, [`worth`](Self::worth)
    /// says.
    #[must_use]
    pub const fn has_passed_stage(&self) -> bool {
        !self.passed.is_empty()
    }

    /// What the passed stages proved, in their order. When a session ends without its
    /// call having succeeded, the host gives back what of this it had reserved.
    pub fn proofs(&self) -> impl Iterator<Item = Proof> + '_ {
        self.passed.proofs()
    }

    /// When the call succeeded, if it has.
    #[must_use]
    pub const fn consumed_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Consumed(after, _) => Some(self.made.after(Millis::new(after as u64))),
            _ => None,
        }
    }

    /// Whether a call is being carried out on the strength of this session.
    #[must_use]
    pub const fn is_claimed(&self) -> bool {
        matches!(self.phase, Phase::Claimed)
    }

    /// When there is no more use in keeping it.
    #[must_use]
    pub fn ends(&self, rules: &Rules) -> Timestamp {
        match self.consumed_at() {
            Some(at) => at.after(rules.replay_for),
            None => self.made.after(rules.session_lifetime),
        }
    }

    /// The session after a claimant that will never report back, such as a process that
    /// was killed: complete again, so that the client may resend.
    ///
    /// Only for a host that knows the call was not carried out, because both would have
    /// been stored in one transaction.
    #[must_use]
    pub const fn abandon_claim(mut self) -> Self {
        if self.is_claimed() {
            self.phase = Phase::Open;
            self.touch();
        }
        self
    }

    const fn touch(&mut self) {
        self.revision = Revision(self.revision.0.wrapping_add(1));
    }

    const fn awaiting(&self) -> Option<(StageId, Reference)> {
        match self.phase {
            Phase::Awaiting(stage, reference) => Some((stage, reference)),
            _ => None,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("operation", &self.operation)
            .field("user", &self.user())
            .field("made", &self.made)
            .field("phase", &self.phase)
            .field("passed", &self.passed.stages())
            .field("failures", &self.failures)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_at_most_192_bytes() {
        assert!(size_of::<Session>() <= 192, "{}", size_of::<Session>());
    }
}
