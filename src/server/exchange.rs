//! The exchange: one request of a guarded endpoint, as a sequence of questions to the host.
//!
//! ```text
//!  Exchange::begin ─► Load ─► Admit ─► Verify ─► Load ─► Hash ─► Load ─► Perform ─► Commit ─► Respond
//!                      ▲                (outside)       (outside)                     │
//!                      └──────────────── the commit lost its race ◄───────────────────┘
//! ```
//!
//! Each question holds its own continuation: the only way on is to answer it. From `Load`
//! to `Commit` is one transaction of the host's, if it has them; `Verify` and `Hash` may
//! take their time outside of it. A request may be dropped at any point: nothing is
//! stored but by a commit, and a claim that nobody ends lapses.

use core::fmt;
use core::marker::PhantomData;

use super::account::{Account, Caller};
use super::call::Call;
use super::commit::{Change, Committed, changes};
use super::flows::Flows;
use super::grant::{Exempt, Grant, Outcome, Refusal};
use super::operation::Operation;
use super::question::Question;
use super::reference::{Reference, Subject, UserRef};
use super::respond::Respond;
use super::rules::Rules;
use super::session::{Session, SessionId};
use super::transition::end::Recalled;
use super::transition::work::{Admission, Input, Request, Side, Todo, Work};
use super::verdict::Verdict;
use crate::Timestamp;
use crate::wire::Auth;
use crate::wire::error::MatrixError;

/// How a host keeps sessions beside accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostKind {
    one_transaction: bool,
}

impl HostKind {
    /// Sessions are kept where accounts are not, or the store only compares and sets: a
    /// claim is stored before a call is performed. Right for every host.
    pub const CLAIMS: Self = Self { one_transaction: false };

    /// Sessions and accounts are written in one transaction: no claim is ever stored.
    ///
    /// # Security
    ///
    /// The host asserts that what it does for a call and all of its commit happen
    /// together or not at all. Sessions in memory beside accounts in a database are not
    /// of this kind: a commit that fails would leave the session consumed and the call
    /// undone.
    #[must_use]
    pub const fn assume_one_transaction() -> Self {
        Self { one_transaction: true }
    }
}

/// What to do next. Every question has its answers as methods, which give the next one.
#[must_use = "a dropped exchange answers nobody"]
#[allow(clippy::exhaustive_enums, reason = "a duty nobody carries out has to break the build")]
pub enum Exchange<'r, Op: Operation> {
    /// Begin a transaction; read the session and the account of the access token.
    Load(Load<'r, Op>),
    /// In the transaction: read the account that a stage has named.
    Account(LookUpAccount<'r, Op>),
    /// In the transaction: what the host's own facts refuse before anybody authenticates.
    Admit(Admit<'r, Op>),
    /// In the transaction: what became of a call whose claim has lapsed.
    Recall(Recall<'r, Op>),
    /// Has the stage passed? Outside the transaction, or inside if the database knows.
    Verify(Verify<'r, Op>),
    /// Outside the transaction: hash the password of the call.
    Hash(Hash<'r, Op>),
    /// In the transaction: the call itself.
    Perform(Perform<'r, Op>),
    /// In the transaction: the call has succeeded before; make its answer again.
    Repeat(Repeat<'r, Op>),
    /// Carry out every change, and end the transaction.
    Commit(Commit<'r, Op>),
    /// Send the answer.
    Respond(Respond<'r>),
}

impl<'r, Op: Operation> Exchange<'r, Op> {
    /// Begins the exchange of one request.
    ///
    /// `fresh` is the ID of the session that begins if one does, made from fresh entropy;
    /// `arrived` is when the request came in: it tells a race from a repetition.
    pub fn begin(
        flows: &'r Flows<'r, Op>,
        rules: &'r Rules,
        kind: HostKind,
        call: Call<'r, Op>,
        fresh: SessionId,
        arrived: Timestamp,
    ) -> Self {
        Self::Load(Load::of(arrive(flows, rules, kind, call, fresh, arrived)))
    }

    /// Begins the exchange of a request whose parameters are refused before it can be
    /// checked. If it belongs to a session, other parameters may be sent there (rule U14).
    pub fn refuse(
        flows: &'r Flows<'r, Op>,
        rules: &'r Rules,
        kind: HostKind,
        call: Call<'r, Op>,
        error: MatrixError,
        arrived: Timestamp,
    ) -> Self {
        // No session begins here.
        let fresh = SessionId::from_entropy([0; SessionId::ENTROPY]);
        let mut work = arrive(flows, rules, kind, call, fresh, arrived);
        work.refusal = Some(error);
        Self::Load(Load::of(work))
    }

    fn ask(mut work: Work<'r>, todo: Todo<'r>) -> Self {
        work.prepare(&todo);
        match todo {
            Todo::Load => Self::Load(Load::of(work)),
            Todo::Account(user) => Self::Account(LookUpAccount { state: State::of(work), user }),
            Todo::Admit => Self::Admit(Admit::of(work)),
            Todo::Recall => Self::Recall(Recall::of(work)),
            Todo::Verify(question) => Self::Verify(Verify { state: State::of(work), question }),
            Todo::Hash => Self::Hash(Hash::of(work)),
            Todo::Perform => Self::Perform(Perform::of(work)),
            Todo::Repeat => Self::Repeat(Repeat::of(work)),
            Todo::Commit => Self::Commit(Commit::of(work)),
            Todo::Respond => Self::Respond(Respond::of(&work)),
        }
    }

    /// The request and what is asked about it; the answer, if there is nothing to ask.
    pub(super) fn into_parts(self) -> Result<(Work<'r>, Todo<'r>), Respond<'r>> {
        Ok(match self {
            Self::Load(it) => (it.state.work, Todo::Load),
            Self::Account(it) => (it.state.work, Todo::Account(it.user)),
            Self::Admit(it) => (it.state.work, Todo::Admit),
            Self::Recall(it) => (it.state.work, Todo::Recall),
            Self::Verify(it) => (it.state.work, Todo::Verify(it.question)),
            Self::Hash(it) => (it.state.work, Todo::Hash),
            Self::Perform(it) => (it.state.work, Todo::Perform),
            Self::Repeat(it) => (it.state.work, Todo::Repeat),
            Self::Commit(it) => (it.state.work, Todo::Commit),
            Self::Respond(respond) => return Err(respond),
        })
    }
}

/// A request as it comes in.
pub(super) fn arrive<'r, Op: Operation>(
    flows: &'r Flows<'r, Op>,
    rules: &'r Rules,
    kind: HostKind,
    call: Call<'r, Op>,
    fresh: SessionId,
    arrived: Timestamp,
) -> Work<'r> {
    let policy = flows.policy();
    let input = match call.auth {
        Auth::Absent => Input::Absent,
        Auth::Poll { .. } => Input::Poll,
        Auth::Attempt { auth_type, data, .. } => {
            Input::Attempt { stage: auth_type.id(), known: policy.offers_by_name(auth_type), data }
        }
    };
    let request = Request {
        policy,
        rules,
        call: call.facts,
        input,
        side: Side::Client,
        fresh,
        arrived,
        one_transaction: kind.one_transaction,
    };
    Work::new(request)
}

struct State<'r, Op> {
    work: Work<'r>,
    operation: PhantomData<fn() -> Op>,
}

impl<'r, Op> State<'r, Op> {
    const fn of(work: Work<'r>) -> Self {
        Self { work, operation: PhantomData }
    }
}

macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        $(
            $(#[$doc])*
            #[must_use = "the exchange goes on only when it is answered"]
            pub struct $name<'r, Op: Operation> {
                state: State<'r, Op>,
            }

            impl<'r, Op: Operation> $name<'r, Op> {
                pub(super) const fn of(work: Work<'r>) -> Self {
                    Self { state: State::of(work) }
                }
            }

            impl<Op: Operation> fmt::Debug for $name<'_, Op> {
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

impl<'r, Op: Operation> Load<'r, Op> {
    /// The session to read, if the request names one.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.state.work.to_load()
    }

    /// What was found: the session under that ID, and who makes the request, both as they
    /// are now. `now` is read in this transaction.
    pub fn found(mut self, session: Option<Session>, caller: Caller, now: Timestamp) -> Exchange<'r, Op> {
        self.state.work.session = session;
        let todo = self.state.work.loaded(caller, now);
        Exchange::ask(self.state.work, todo)
    }
}

/// Read the account of a user whom no access token, but a stage has named.
#[must_use = "the exchange goes on only when it is answered"]
pub struct LookUpAccount<'r, Op: Operation> {
    state: State<'r, Op>,
    user: UserRef,
}

impl<'r, Op: Operation> LookUpAccount<'r, Op> {
    /// Whose account.
    #[must_use]
    pub const fn user(&self) -> UserRef {
        self.user
    }

    /// The account as it is now; `None` if there is none.
    pub fn found(mut self, account: Option<Account>) -> Exchange<'r, Op> {
        let todo = self.state.work.account(account);
        Exchange::ask(self.state.work, todo)
    }
}

impl<Op: Operation> fmt::Debug for LookUpAccount<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookUpAccount").field("user", &self.user).finish_non_exhaustive()
    }
}

impl<'r, Op: Operation> Admit<'r, Op> {
    /// The call is let in.
    pub fn admitted(mut self) -> Exchange<'r, Op> {
        let todo = self.state.work.admitted();
        Exchange::ask(self.state.work, todo)
    }

    /// The call is not let in. If it is [refused for its parameters](Refusal::for_params), its
    /// session stays open for others (rule U14).
    pub fn refused(mut self, refusal: Refusal) -> Exchange<'r, Op> {
        let todo = if refusal.params {
            self.state.work.not_admitted(refusal.error)
        } else {
            self.state.work.refuse(refusal.error)
        };
        Exchange::ask(self.state.work, todo)
    }

    /// [Let in](Self::admitted) or [refused](Self::refused), as the host has decided.
    pub fn decided(self, decision: Result<(), Refusal>) -> Exchange<'r, Op> {
        match decision {
            Ok(()) => self.admitted(),
            Err(refusal) => self.refused(refusal),
        }
    }

    /// Nobody has to authenticate for this call.
    ///
    /// # Security
    ///
    /// The host asserts that the exemption holds: that the `as_token` was valid and the
    /// user is in its namespace; that there is no master key yet, or that no key differs
    /// from the stored ones, read in this transaction. A call without an access token is
    /// never exempt.
    pub fn assume_exempt(mut self, exempt: Exempt) -> Exchange<'r, Op> {
        let signs = self.state.work.request.call.operation.id == super::operation::UploadSigningKeys::ID;
        let fits = match exempt {
            Exempt::ApplicationService => true,
            Exempt::SigningKeys => signs,
        };
        let exempted = fits && self.state.work.caller.is_some();
        self.state.work.admission = if exempted { Admission::Exempt } else { Admission::Admitted };
        let todo = self.state.work.go_on();
        Exchange::ask(self.state.work, todo)
    }

    /// The request's token completed authentication at `at`, when its account was at
    /// `account`'s epoch: rule U18. Where that was not recently enough, or the account's
    /// credentials have changed since, or the operation does not allow it, the call is
    /// let in as any other.
    ///
    /// # Security
    ///
    /// The host asserts that this very token did, and when.
    pub fn assume_recent(mut self, account: Subject, at: Timestamp) -> Exchange<'r, Op> {
        let work = &mut self.state.work;
        let recently = work.now >= at && work.now.since(at) < work.request.rules.recent_auth;
        let recent = work.request.call.operation.recent && recently && work.caller == Some(account);
        work.admission = if recent { Admission::Exempt } else { Admission::Admitted };
        let todo = self.state.work.go_on();
        Exchange::ask(self.state.work, todo)
    }
}

impl<'r, Op: Operation> Recall<'r, Op> {
    /// The session whose call it was: what the record is looked up by.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.state.work.id
    }

    /// It was carried out, with this outcome.
    pub fn carried_out(self, outcome: Outcome) -> Exchange<'r, Op> {
        self.recalled(Recalled::CarriedOut(outcome))
    }

    /// It was not, and never will be: whoever performs it now finds that record first.
    pub fn not_carried_out(self) -> Exchange<'r, Op> {
        self.recalled(Recalled::NotCarriedOut)
    }

    /// Nobody can tell: the session is over.
    pub fn unknown(self) -> Exchange<'r, Op> {
        self.recalled(Recalled::Unknown)
    }

    fn recalled(mut self, recalled: Recalled) -> Exchange<'r, Op> {
        let todo = self.state.work.recalled(recalled);
        Exchange::ask(self.state.work, todo)
    }
}

/// A stage to be verified.
#[must_use = "the exchange goes on only when it is answered"]
pub struct Verify<'r, Op: Operation> {
    state: State<'r, Op>,
    question: Question<'r>,
}

impl<'r, Op: Operation> Verify<'r, Op> {
    /// What to look up.
    #[must_use]
    pub const fn question(&self) -> &Question<'r> {
        &self.question
    }

    /// The verdict, found outside of the transaction, which is to be ended first: nothing
    /// has been written in it.
    pub fn verdict(mut self, verdict: Verdict<'r>) -> Exchange<'r, Op> {
        let todo = self.state.work.verified(&self.question, verdict, false);
        Exchange::ask(self.state.work, todo)
    }

    /// The verdict, found in the transaction that began with the load: what it reserves is
    /// committed with the session that holds it. If the transaction ends otherwise, the stage
    /// is asked about again.
    pub fn verdict_in_transaction(mut self, verdict: Verdict<'r>) -> Exchange<'r, Op> {
        let todo = self.state.work.verified(&self.question, verdict, true);
        Exchange::ask(self.state.work, todo)
    }
}

impl<Op: Operation> fmt::Debug for Verify<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify").field("question", &self.question).finish_non_exhaustive()
    }
}

impl<'r, Op: Operation> Hash<'r, Op> {
    /// The session in whose name a password was kept, for a request that leaves it out.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.state.work.id
    }

    /// The hash is ready, or there was no password to hash. The transaction is to be undone
    /// first: a verdict may have reserved something in it, and is asked for again.
    pub fn hashed(mut self) -> Exchange<'r, Op> {
        let todo = self.state.work.hashed();
        Exchange::ask(self.state.work, todo)
    }
}

impl<'r, Op: Operation> Perform<'r, Op> {
    /// As [`Grant::record_under`].
    #[must_use]
    pub fn record_under(&self) -> Option<SessionId> {
        self.state.work.record_under()
    }

    /// The grant, and what takes the end of the call.
    pub fn grant(self) -> (Grant<Op>, Performing<'r, Op>) {
        (Grant::new(&self.state.work), Performing { state: self.state })
    }
}

/// A call that is being carried out.
#[must_use = "the session ends with how the call ended"]
pub struct Performing<'r, Op: Operation> {
    state: State<'r, Op>,
}

impl<'r, Op: Operation> Performing<'r, Op> {
    /// The session of the call; `None` if nobody had to authenticate.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        let work = &self.state.work;
        work.session.as_ref().filter(|_| work.admission != Admission::Exempt).map(|_| work.id)
    }

    /// The call succeeded. `now` is read after it did: a request that came in before then
    /// raced the call, and is not taken for a repetition of it.
    pub fn succeeded(mut self, outcome: Outcome, now: Timestamp) -> Exchange<'r, Op> {
        let todo = self.state.work.succeeded(outcome, now);
        Exchange::ask(self.state.work, todo)
    }

    /// The call was refused. What it has written is undone by the commit.
    pub fn refused(mut self, refusal: Refusal) -> Exchange<'r, Op> {
        let todo = self.state.work.refused(refusal);
        Exchange::ask(self.state.work, todo)
    }

    /// The record under [`Grant::record_under`] was there already: another request has
    /// carried the call out.
    pub fn already(mut self, outcome: Outcome) -> Exchange<'r, Op> {
        let todo = self.state.work.carried_out_before(outcome);
        Exchange::ask(self.state.work, todo)
    }
}

impl<Op: Operation> fmt::Debug for Performing<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Performing").field("operation", &Op::NAME).finish_non_exhaustive()
    }
}

impl<'r, Op: Operation> Repeat<'r, Op> {
    /// What the host called the result.
    #[must_use]
    pub fn outcome(&self) -> Reference {
        self.state.work.session.as_ref().and_then(Session::outcome).unwrap_or_default()
    }

    /// The consumed session.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.state.work.id
    }

    /// The user of the request's token, or the one the call was about.
    #[must_use]
    pub fn user(&self) -> Option<UserRef> {
        self.state.work.caller.or(self.state.work.named).map(|account| account.user)
    }

    /// The answer is made again.
    pub fn repeated(mut self) -> Exchange<'r, Op> {
        let todo = self.state.work.repeated();
        Exchange::ask(self.state.work, todo)
    }

    /// There is no such answer any more: the device that the call made was logged out.
    pub fn gone(mut self) -> Exchange<'r, Op> {
        let todo = self.state.work.unknown();
        Exchange::ask(self.state.work, todo)
    }
}

impl<'r, Op: Operation> Commit<'r, Op> {
    /// Everything that is to be written, all of it or nothing, in this order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> + Clone {
        changes(&self.state.work)
    }

    /// What came of it.
    ///
    /// A host that claims first writes the effects of the call, what is spent and its
    /// record in one act of the accounts' database. Once that is done, the commit is
    /// stored, even if the session could not be written: its claim lapses, and the record
    /// says what became of the call.
    pub fn committed(mut self, committed: Committed) -> Exchange<'r, Op> {
        let todo = self.state.work.committed(committed);
        Exchange::ask(self.state.work, todo)
    }

    pub(super) const fn work(&self) -> &Work<'r> {
        &self.state.work
    }
}

impl<Op: Operation> fmt::Debug for Exchange<'_, Op> {
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
