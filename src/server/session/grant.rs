//! The proof that authentication is complete. Nothing else is in this file, so that it
//! can be audited alone: a [`Grant`] is made by a [`Claim`] and in
//! [`Exempt::assume_exempt`], and nowhere else.
//!
//! ```text
//!  Step::Grant(Claim) ── stored against its revision ──► Grant<Op> ── the operation takes it
//!                                                            │
//!                         the call succeeded ◄── Receipt ◄───┘──► the call failed
//!                         session consumed                        session complete again
//! ```

use core::fmt;
use core::marker::PhantomData;

use super::step::{Change, ChangeKind};
use super::{Binding, Passed, Phase, Proof, Session, SessionId, Write};
use crate::Timestamp;
use crate::server::operation::{Operation, Reference, Subject, UserRef};

/// A session whose every stage has passed, claimed for one call.
///
/// Two requests may have got here with the same session; the store decides. Carry
/// [`write`](Self::write) out; only if the store replaced (or inserted) the session is
/// [`assume_stored`](Self::assume_stored) true. If it did not, read the session again
/// and let the guard receive the request again: it answers with the winner's state.
#[must_use = "a claim that isn't stored grants nothing"]
pub struct Claim<Op: Operation> {
    change: Change,
    params: Params,
    keep: bool,
    unused: Option<Proof>,
    operation: PhantomData<fn() -> Op>,
}

impl<Op: Operation> Claim<Op> {
    pub(super) const fn new(change: Change, params: Params, keep: bool, unused: Option<Proof>) -> Self {
        Self { change, params, keep, unused, operation: PhantomData }
    }

    /// What to store: the session as claimed.
    pub const fn write(&self) -> Write<'_> {
        self.change.write()
    }

    /// Whether this request's parameters have just been bound: as
    /// [`Challenge::keep_params`](super::Challenge::keep_params). Should the call fail,
    /// the client may resend without them.
    #[must_use]
    pub const fn keep_params(&self) -> bool {
        self.keep
    }

    /// What the verdict proved, if the session had no use for it any more: the host
    /// gives it back.
    #[must_use]
    pub const fn unused_proof(&self) -> Option<Proof> {
        self.unused
    }

    /// The grant, now that the claim is stored.
    ///
    /// # Security
    ///
    /// Call it only if [`write`](Self::write) was carried out and the store confirmed
    /// that the revision was the expected one, or in a transaction that will fail as a
    /// whole if it was not. Otherwise two requests can hold a grant of one session.
    pub fn assume_stored(self) -> Grant<Op> {
        let claimed = ChangeKind::Replace(self.change.session.revision);
        self.granted(claimed)
    }

    /// The grant, in a transaction that also has the call and [`Redeemed::write`], which
    /// then is the only write: the claim itself is never stored, and so no crash can leave
    /// one behind.
    ///
    /// # Security
    ///
    /// Call it only if the call's effects and that write are carried out together or not
    /// at all, the write against the revision it names.
    pub fn assume_in_transaction(self) -> Grant<Op> {
        let kind = self.change.kind;
        self.granted(kind)
    }

    fn granted(self, ending: ChangeKind) -> Grant<Op> {
        let Change { id, session, .. } = self.change;
        let facts = Granted { subject: session.subject(), passed: session.passed, params: self.params };
        let receipt = Receipt { stored: Some(Change { id, session, kind: ending }) };
        Grant { facts, receipt, operation: PhantomData }
    }
}

impl<Op: Operation> fmt::Debug for Claim<Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("operation", &Op::DESCRIPTION).finish_non_exhaustive()
    }
}

/// Where the parameters of a granted call are to be taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Params {
    /// From this request.
    Request,
    /// From what was kept with the session: this request left them out.
    Kept,
    /// There never were any.
    Never,
}

/// Proof that every stage of one flow has passed, in one session, for the operation `Op`
/// and one user. It can't be cloned, forged or used for another operation:
///
/// ```compile_fail,E0451
/// use matrix_uia::{Grant, server::operation::ChangePassword};
/// let forged: Grant<ChangePassword> = Grant { facts: todo!(), receipt: todo!(), operation: todo!() };
/// ```
///
/// ```compile_fail,E0599
/// use matrix_uia::{Grant, server::operation::ChangePassword};
/// fn twice(grant: Grant<ChangePassword>) -> (Grant<ChangePassword>, Grant<ChangePassword>) {
///     (grant.clone(), grant)
/// }
/// ```
///
/// ```compile_fail,E0308
/// use matrix_uia::{Grant, server::operation::{ChangePassword, Deactivate}};
/// fn elsewhere(grant: Grant<ChangePassword>) -> Grant<Deactivate> { grant }
/// ```
#[must_use = "pass the grant to the operation it is for"]
pub struct Grant<Op: Operation> {
    facts: Granted,
    receipt: Receipt,
    operation: PhantomData<fn() -> Op>,
}

/// What a grant proves.
#[derive(Clone, Copy)]
struct Granted {
    subject: Option<Subject>,
    passed: Passed,
    params: Params,
}

impl<Op: Operation> Grant<Op> {
    /// Who is acted on: the user of the access token, else the one a stage proved. Never
    /// anything the request says.
    #[must_use]
    pub fn user(&self) -> Option<UserRef> {
        self.facts.subject.map(|subject| subject.user).or_else(|| self.facts.passed.user())
    }

    /// Whether the request carried an access token.
    #[must_use]
    pub const fn has_subject(&self) -> bool {
        self.facts.subject.is_some()
    }

    /// What the stages proved, in their order.
    pub fn proofs(&self) -> impl Iterator<Item = Proof> + '_ {
        self.facts.passed.proofs()
    }

    /// Where the call's parameters are to be taken from.
    #[must_use]
    pub const fn params(&self) -> Params {
        self.facts.params
    }

    /// For an operation of the host's own: the grant is used up, the receipt says how the
    /// session ends.
    pub fn redeem(self) -> Receipt {
        self.receipt
    }
}

impl<Op: Operation> fmt::Debug for Grant<Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("operation", &Op::DESCRIPTION).finish_non_exhaustive()
    }
}

/// Why a call needs no authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exempt {
    /// An application service acts for one of its own users (rules D7, R5).
    ApplicationService,
    /// A guest registers (rule R1).
    Guest,
    /// The token completed authentication recently (rule U18); see
    /// [`Guard::recent`](super::Guard::recent).
    Recent,
    /// The first upload of cross-signing keys, or the same again.
    FirstSigningKeys,
}

impl Exempt {
    /// A grant without a session.
    ///
    /// # Security
    ///
    /// The host asserts that the exemption holds: that the `as_token` was valid and the
    /// user is in its namespace, and so on. Every use of this function is a place to
    /// audit.
    pub fn assume_exempt<Op: Operation>(self, user: Option<UserRef>) -> Grant<Op> {
        let subject = user.map(|user| Subject::new(user, 0));
        let facts = Granted { subject, passed: Passed::new(), params: Params::Request };
        Grant { facts, receipt: Receipt { stored: None }, operation: PhantomData }
    }
}

/// How the session ends: with the call, or open again for a resend.
///
/// Dropping it leaves the session claimed until it expires: nobody can use it again, so
/// the mistake is safe, but the client has to start over.
#[must_use = "the session stays claimed until the receipt is used"]
pub struct Receipt {
    /// The session as claimed, and how its end is to be written.
    stored: Option<Change>,
}

impl Receipt {
    /// The session whose call this was; `None` if there was no session.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.stored.as_ref().map(|change| change.id)
    }

    /// The call succeeded. The session is consumed; `outcome` is what the host calls the
    /// result, and comes back with a [`Replay`].
    ///
    /// What the stages had reserved is spent: it belongs to the call now.
    ///
    /// `now` is read when the call has succeeded, not when its request came in: a request
    /// that comes in between races the call, and is not taken for a repetition of it.
    pub fn succeeded(self, outcome: Reference, now: Timestamp) -> Redeemed {
        self.ended(|session| {
            let after = now.since(session.made).get();
            session.phase = Phase::Consumed(u32::try_from(after).unwrap_or(u32::MAX), outcome);
            session.passed = Passed::new();
        })
    }

    /// The call failed for its own reason. The session is complete again: the client may
    /// resend, and nothing needs to be authenticated again.
    pub fn failed(self) -> Redeemed {
        self.ended(|session| session.phase = Phase::Open)
    }

    /// The call was refused for its parameters. As [`failed`](Self::failed), and other
    /// parameters may be sent; they are bound anew.
    pub fn refused_for_params(self) -> Redeemed {
        self.ended(|session| {
            session.phase = Phase::Open;
            session.binding = Binding::Unbound;
        })
    }

    fn ended(self, change: impl FnOnce(&mut Session)) -> Redeemed {
        Redeemed {
            change: self.stored.map(|mut claimed| {
                change(&mut claimed.session);
                claimed.session.touch();
                claimed
            }),
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").finish_non_exhaustive()
    }
}

/// The end of a session, to be stored.
#[derive(Debug)]
#[must_use = "an unstored end leaves the session claimed"]
pub struct Redeemed {
    change: Option<Change>,
}

impl Redeemed {
    /// What to store.
    pub const fn write(&self) -> Write<'_> {
        match &self.change {
            Some(change) => change.write(),
            None => Write::Keep,
        }
    }
}

/// The same request again, after the call succeeded: its result is to be answered, and
/// nothing carried out again.
#[must_use = "answer with the result the call had"]
pub struct Replay<Op: Operation> {
    id: SessionId,
    outcome: Reference,
    subject: Option<Subject>,
    unused: Option<Proof>,
    operation: PhantomData<fn() -> Op>,
}

impl<Op: Operation> Replay<Op> {
    pub(super) const fn new(
        id: SessionId,
        outcome: Reference,
        subject: Option<Subject>,
        unused: Option<Proof>,
    ) -> Self {
        Self { id, outcome, subject, unused, operation: PhantomData }
    }

    /// What the verdict proved, if another request finished the call meanwhile: the host
    /// gives it back, unless it was spent by that call.
    #[must_use]
    pub const fn unused_proof(&self) -> Option<Proof> {
        self.unused
    }

    /// What the host called the result.
    #[must_use]
    pub const fn outcome(&self) -> Reference {
        self.outcome
    }

    /// The consumed session.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// The user whose access token the request carries.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        self.subject
    }
}

impl<Op: Operation> fmt::Debug for Replay<Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}
