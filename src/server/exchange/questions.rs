//! The questions, each with its own continuation.

use core::fmt;
use core::marker::PhantomData;

use crate::server::account::{Account, Caller};
use crate::server::commit::{Change, Committed, SessionChanges, changes, session_changes};
use crate::server::grant::{Exempt, Grant, Outcome, Refusal};
use crate::server::operation::Operation;
use crate::server::question::Question;
use crate::server::reference::{Reference, Subject, UserRef};
use crate::server::respond::Respond;
use crate::server::session::{Session, SessionId};
use crate::server::transition::asked::Decision;
use crate::server::transition::end::Recalled;
use crate::server::transition::work::{Admission, Todo, Work};
use crate::server::verdict::Verdict;
use crate::time::Timestamp;

/// What to do next. Every question has its answers as methods, which give the next one.
#[must_use = "a dropped exchange answers nobody"]
#[allow(clippy::exhaustive_enums, reason = "a duty nobody carries out has to break the build")]
pub enum Exchange<'w, 'r, Op: Operation> {
    /// Begin a transaction; read the session and the account of the access token.
    Load(Load<'w, 'r, Op>),
    /// In the transaction: read the account that a stage has named.
    Account(LookUpAccount<'w, 'r, Op>),
    /// In the transaction: what the host's own facts refuse before anybody authenticates.
    Admit(Admit<'w, 'r, Op>),
    /// In the transaction: what became of a call whose claim has lapsed.
    Recall(Recall<'w, 'r, Op>),
    /// Has the stage passed? Outside the transaction, or inside if the database knows.
    Verify(Verify<'w, 'r, Op>),
    /// Outside the transaction: hash the password of the call.
    Hash(Hash<'w, 'r, Op>),
    /// In the transaction: the call itself.
    Perform(Perform<'w, 'r, Op>),
    /// In the transaction: the call has succeeded before; make its answer again.
    Repeat(Repeat<'w, 'r, Op>),
    /// Carry out every change, and end the transaction.
    Commit(Commit<'w, 'r, Op>),
    /// Send the answer.
    Respond(Respond<'r>),
}

impl<'w, 'r, Op: Operation> Exchange<'w, 'r, Op> {
    #[inline]
    fn ask(work: &'w mut Work<'r>, todo: Todo) -> Self {
        work.goes_on_to(todo);
        Self::of(work)
    }

    pub(super) fn of(work: &'w mut Work<'r>) -> Self {
        let todo = work.todo;
        let state = State::of(work);
        match todo {
            Todo::Load => Self::Load(Load { state }),
            Todo::Account => Self::Account(LookUpAccount { state }),
            Todo::Admit => Self::Admit(Admit { state }),
            Todo::Recall => Self::Recall(Recall { state }),
            Todo::Verify => Self::Verify(Verify { state }),
            Todo::Hash => Self::Hash(Hash { state }),
            Todo::Perform => Self::Perform(Perform { state }),
            Todo::Repeat => Self::Repeat(Repeat { state }),
            Todo::Commit => Self::Commit(Commit { state }),
            Todo::Respond => Self::Respond(Respond::of(state.work)),
        }
    }
}

struct State<'w, 'r, Op> {
    work: &'w mut Work<'r>,
    operation: PhantomData<fn() -> Op>,
}

impl<'w, 'r, Op: Operation> State<'w, 'r, Op> {
    const fn of(work: &'w mut Work<'r>) -> Self {
        Self { work, operation: PhantomData }
    }

    #[inline]
    fn ask(self, todo: Todo) -> Exchange<'w, 'r, Op> {
        Exchange::ask(self.work, todo)
    }
}

macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        $(
            $(#[$doc])*
            #[must_use = "the exchange goes on only when it is answered"]
            pub struct $name<'w, 'r, Op: Operation> {
                state: State<'w, 'r, Op>,
            }

            impl<Op: Operation> fmt::Debug for $name<'_, '_, Op> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($name)).field("operation", &Op::NAME).finish_non_exhaustive()
                }
            }
        )+
    };
}

questions! {
    /// Begin a transaction, and read what the request is about.
    Load;
    /// Whether the call is let in, by facts that only the host has: a name that is in use,
    /// an exclusive namespace, a capability that is switched off.
    Admit;
    /// A claim was found that nobody has ended in time: what became of its call?
    Recall;
    /// Hash the password of the call: the request's, or the one that was kept.
    Hash;
    /// Carry the call out.
    Perform;
    /// The same request again, after its call has succeeded: make its answer again, and
    /// carry nothing out.
    Repeat;
    /// What is to be written.
    Commit;
}

impl<'w, 'r, Op: Operation> Load<'w, 'r, Op> {
    /// The session to read, if the request names one.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.state.work.to_load().copied()
    }

    /// What was found: the session under that ID, and who makes the request, both as they
    /// are now. `now` is read in this transaction.
    #[inline]
    pub fn found(self, session: Option<&Session>, caller: Caller, now: Timestamp) -> Exchange<'w, 'r, Op> {
        // Not `session.cloned()`: that is taken apart for the tag of the `Option`, and copied twice.
        if let Some(session) = session {
            self.state.work.session = Some(*session);
        } else {
            self.state.work.session = None;
        }
        let todo = self.state.work.loaded(caller, now);
        self.state.ask(todo)
    }
}

/// Read the account of a user whom no access token, but a stage has named.
#[must_use = "the exchange goes on only when it is answered"]
pub struct LookUpAccount<'w, 'r, Op: Operation> {
    state: State<'w, 'r, Op>,
}

impl<'w, 'r, Op: Operation> LookUpAccount<'w, 'r, Op> {
    /// Whose account.
    #[must_use]
    pub fn user(&self) -> UserRef {
        self.state.work.asked_user()
    }

    /// The account as it is now; `None` if there is none.
    pub fn found(self, account: Option<Account>) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.account(account);
        self.state.ask(todo)
    }
}

impl<Op: Operation> fmt::Debug for LookUpAccount<'_, '_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookUpAccount").field("user", &self.user()).finish_non_exhaustive()
    }
}

impl<'w, 'r, Op: Operation> Admit<'w, 'r, Op> {
    /// The call is let in.
    pub fn admitted(self) -> Exchange<'w, 'r, Op> {
        self.decide(Decision::Admitted)
    }

    /// The call is not let in. If it is [refused for its parameters](Refusal::for_params), its
    /// session stays open for others (rule U14).
    pub fn refused(self, refusal: Refusal) -> Exchange<'w, 'r, Op> {
        self.decide(Decision::Refused(refusal))
    }

    /// [Let in](Self::admitted) or [refused](Self::refused), as the host has decided.
    pub fn decided(self, decision: Result<(), Refusal>) -> Exchange<'w, 'r, Op> {
        self.decide(decision.map_or_else(Decision::Refused, |()| Decision::Admitted))
    }

    /// Nobody has to authenticate for this call.
    ///
    /// # Security
    ///
    /// The host asserts that the exemption holds: that the `as_token` was valid and the
    /// user is in its namespace; that there is no master key yet, or that no key differs
    /// from the stored ones, read in this transaction. A call without an access token is
    /// never exempt.
    pub fn assume_exempt(self, exempt: Exempt) -> Exchange<'w, 'r, Op> {
        self.decide(Decision::Exempt(exempt))
    }

    /// The request's token completed authentication at `at`, when its account was at
    /// `account`'s epoch: rule U18. Where that was not recently enough, or the account's
    /// credentials have changed since, or the operation does not allow it, the call is
    /// let in as any other.
    ///
    /// # Security
    ///
    /// The host asserts that this very token did, and when.
    pub fn assume_recent(self, account: Subject, at: Timestamp) -> Exchange<'w, 'r, Op> {
        self.decide(Decision::Recent(account, at))
    }

    fn decide(self, decision: Decision) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.admit(decision);
        self.state.ask(todo)
    }
}

impl<'w, 'r, Op: Operation> Recall<'w, 'r, Op> {
    /// The session whose call it was: what the record is looked up by.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.state.work.id
    }

    /// It was carried out, with this outcome.
    pub fn carried_out(self, outcome: Outcome) -> Exchange<'w, 'r, Op> {
        self.recalled(Recalled::CarriedOut(outcome))
    }

    /// It was not, and never will be: whoever performs it now finds that record first.
    pub fn not_carried_out(self) -> Exchange<'w, 'r, Op> {
        self.recalled(Recalled::NotCarriedOut)
    }

    /// Nobody can tell: the session is over.
    pub fn unknown(self) -> Exchange<'w, 'r, Op> {
        self.recalled(Recalled::Unknown)
    }

    fn recalled(self, recalled: Recalled) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.recalled(recalled);
        self.state.ask(todo)
    }
}

/// A stage to be verified.
#[must_use = "the exchange goes on only when it is answered"]
pub struct Verify<'w, 'r, Op: Operation> {
    state: State<'w, 'r, Op>,
}

impl<'w, 'r, Op: Operation> Verify<'w, 'r, Op> {
    /// What to look up.
    #[must_use]
    pub const fn question(&self) -> &Question<'r> {
        &self.state.work.question
    }

    /// The verdict, found outside of the transaction, which is to be ended first: nothing
    /// has been written in it.
    pub fn verdict(self, verdict: Verdict<'r>) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.verified(verdict, false);
        self.state.ask(todo)
    }

    /// The verdict, found in the transaction that began with the load: what it reserves is
    /// committed with the session that holds it. If the transaction ends otherwise, the stage
    /// is asked about again.
    pub fn verdict_in_transaction(self, verdict: Verdict<'r>) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.verified(verdict, true);
        self.state.ask(todo)
    }
}

impl<Op: Operation> fmt::Debug for Verify<'_, '_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify").field("question", self.question()).finish_non_exhaustive()
    }
}

impl<'w, 'r, Op: Operation> Hash<'w, 'r, Op> {
    /// The session in whose name a password was kept, for a request that leaves it out.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.state.work.id
    }

    /// The hash is ready, or there was no password to hash. The transaction is to be undone
    /// first: a verdict may have reserved something in it, and is asked for again.
    pub fn hashed(self) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.hashed();
        self.state.ask(todo)
    }
}

impl<'w, 'r, Op: Operation> Perform<'w, 'r, Op> {
    /// As [`Grant::record_under`].
    #[must_use]
    pub fn record_under(&self) -> Option<SessionId> {
        self.state.work.record_under()
    }

    /// The grant, and what takes the end of the call.
    pub fn grant(self) -> (Grant<Op>, Performing<'w, 'r, Op>) {
        self.state.work.granted = true;
        (Grant::new(self.state.work), Performing { state: self.state })
    }
}

/// A call that is being carried out.
#[must_use = "the session ends with how the call ended"]
pub struct Performing<'w, 'r, Op: Operation> {
    state: State<'w, 'r, Op>,
}

impl<'w, 'r, Op: Operation> Performing<'w, 'r, Op> {
    pub(super) const fn of(work: &'w mut Work<'r>) -> Self {
        Self { state: State::of(work) }
    }

    /// The session of the call; `None` if nobody had to authenticate.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        let work = &self.state.work;
        work.session.as_ref().filter(|_| work.admission != Admission::Exempt).map(|_| work.id)
    }

    /// The call succeeded. `now` is read after it did: a request that came in before then
    /// raced the call, and is not taken for a repetition of it.
    pub fn succeeded(self, outcome: Outcome, now: Timestamp) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.succeeded(outcome, now);
        self.state.ask(todo)
    }

    /// The call was refused. What it has written is undone by the commit.
    pub fn refused(self, refusal: Refusal) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.refused(refusal);
        self.state.ask(todo)
    }

    /// The record under [`Grant::record_under`] was there already: another request has
    /// carried the call out.
    pub fn already(self, outcome: Outcome) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.carried_out_before(outcome);
        self.state.ask(todo)
    }
}

impl<Op: Operation> fmt::Debug for Performing<'_, '_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Performing").field("operation", &Op::NAME).finish_non_exhaustive()
    }
}

impl<'w, 'r, Op: Operation> Repeat<'w, 'r, Op> {
    /// What the host called the result.
    #[must_use]
    pub fn outcome(&self) -> Reference {
        self.state.work.outcome()
    }

    /// The consumed session.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.state.work.id
    }

    /// The user of the request's token, or the one the call was about.
    #[must_use]
    pub fn user(&self) -> Option<UserRef> {
        self.state.work.user()
    }

    /// The answer is made again.
    pub fn repeated(self) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.repeated();
        self.state.ask(todo)
    }

    /// There is no such answer any more: the device that the call made was logged out.
    pub fn gone(self) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.unknown();
        self.state.ask(todo)
    }
}

impl<'w, 'r, Op: Operation> Commit<'w, 'r, Op> {
    /// Everything that is to be written, all of it or nothing, in this order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> + Clone {
        changes(self.state.work)
    }

    /// Those of them that are about sessions.
    #[must_use]
    pub fn session_changes(&self) -> SessionChanges<&Session> {
        session_changes(self.state.work)
    }

    /// What came of it.
    ///
    /// A host that claims first writes the effects of the call, what is spent and its
    /// record in one act of the accounts' database. Once that is done, the commit is
    /// stored, even if the session could not be written: its claim lapses, and the record
    /// says what became of the call.
    pub fn committed(self, committed: Committed) -> Exchange<'w, 'r, Op> {
        let todo = self.state.work.committed(committed);
        self.state.ask(todo)
    }

    pub(in crate::server) const fn work(&self) -> &Work<'r> {
        self.state.work
    }
}

impl<Op: Operation> fmt::Debug for Exchange<'_, '_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(it) => it.fmt(f),
            Self::Account(it) => it.fmt(f),
            Self::Admit(it) => it.fmt(f),
            Self::Recall(it) => it.fmt(f),
            Self::Verify(it) => it.fmt(f),
            Self::Hash(it) => it.fmt(f),
            Self::Perform(it) => it.fmt(f),
            Self::Repeat(it) => it.fmt(f),
            Self::Commit(it) => it.fmt(f),
            Self::Respond(it) => it.fmt(f),
        }
    }
}
