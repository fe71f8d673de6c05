//! A request on its way, where its host keeps it.

use core::fmt;
use core::marker::PhantomData;

use super::kind::HostKind;
use super::questions::{Exchange, Performing};
use crate::secret::Secret;
use crate::server::call::{Call, CallFacts, RefusedCall};
use crate::server::flows::{Flows, Policy};
use crate::server::operation::Operation;
use crate::server::rules::Rules;
use crate::server::sealed::Naming;
use crate::server::session::SessionId;
use crate::server::transition::work::{Input, Request, Side, Todo, Work};
use crate::time::Timestamp;
use crate::wire::Auth;

/// A request that has come in, and all that its exchange works with.
///
/// It stays where the host keeps it: the questions borrow it, since a request is large and
/// they are many.
///
/// ```
/// # use matrix_uia::server::exchange::{Exchange, HostKind, Incoming};
/// # use matrix_uia::server::{account::Caller, operation::ChangePassword};
/// # use matrix_uia::wire::Auth;
/// # use matrix_uia::{Call, MatrixError, Rules, SessionId, Timestamp, flows};
/// # let flows = flows!(ChangePassword: [["m.login.password"]]);
/// # let (rules, now) = (Rules::default(), Timestamp::from_millis(1));
/// # let (call, fresh) = (Call::new(&Auth::Absent), SessionId::from_entropy([9; 24]));
/// let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, call, fresh, now);
/// let Exchange::Load(load) = incoming.exchange() else { unreachable!("a load comes first") };
/// let ended = Caller::Ended(MatrixError::unknown_token(false));
/// let Exchange::Commit(commit) = load.found(None, ended, now) else { unreachable!() };
/// assert_eq!(commit.changes().count(), 0);
/// ```
#[must_use = "nothing happens until its exchange is gone through"]
pub struct Incoming<'r, Op> {
    work: Work<'r>,
    operation: PhantomData<fn() -> Op>,
}

impl<'r, Op: Operation> Incoming<'r, Op> {
    /// A request whose parameters have been checked.
    ///
    /// `fresh` is the ID of the session that begins if one does, made from fresh entropy;
    /// `arrived` is when the request came in: it tells a race from a repetition.
    #[inline]
    pub fn new(
        flows: &'r Flows<'r, Op>,
        rules: &'r Rules,
        kind: HostKind<'r>,
        call: Call<'r, Op>,
        fresh: SessionId,
        arrived: Timestamp,
    ) -> Self {
        let request = arrive(flows.policy(), rules, kind, call, fresh, arrived);
        Self { work: Work::new(request), operation: PhantomData }
    }

    /// A request whose parameters are refused before it can be checked. If it belongs to a
    /// session, other parameters may be sent there (rule U14).
    pub fn refused(
        flows: &'r Flows<'r, Op>,
        rules: &'r Rules,
        kind: HostKind<'r>,
        refused: RefusedCall<'r, Op>,
        arrived: Timestamp,
    ) -> Self {
        // No session begins here, and nothing is attempted.
        let fresh = SessionId::from_entropy([0; SessionId::ENTROPY]);
        let RefusedCall { facts, session, error, .. } = refused;
        let request = request_of(flows.policy(), rules, kind, facts, session, Input::Absent, fresh, arrived);
        let mut work = Work::new(request);
        work.refusal = Some(error);
        Self { work, operation: PhantomData }
    }

    /// The question that is to be answered now. It is the same one until it is answered; a
    /// call that was granted and did not end is begun again with a load.
    #[inline]
    pub fn exchange(&mut self) -> Exchange<'_, 'r, Op> {
        if self.work.granted {
            self.work.goes_on_to(Todo::Load);
        }
        Exchange::of(&mut self.work)
    }

    /// The call that is being carried out, if its grant has been given out: for a host that
    /// keeps the request elsewhere meanwhile.
    pub fn performing(&mut self) -> Option<Performing<'_, 'r, Op>> {
        self.work.granted.then(|| Performing::of(&mut self.work))
    }
}

impl<Op: Operation> fmt::Debug for Incoming<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("operation", &Op::NAME).finish_non_exhaustive()
    }
}

/// What came in, and what it is compared with.
#[inline]
pub(in crate::server) fn arrive<'r, Op: Operation>(
    policy: &'r Policy<'r>,
    rules: &'r Rules,
    kind: HostKind<'r>,
    call: Call<'r, Op>,
    fresh: SessionId,
    arrived: Timestamp,
) -> Request<'r> {
    let input = match call.auth {
        Auth::Absent => Input::Absent,
        Auth::Poll { .. } => Input::Poll,
        Auth::Attempt { auth_type, data, .. } => {
            let stage = auth_type.id();
            Input::Attempt { stage, known: policy.offers_by_name(*auth_type, stage), data }
        }
    };
    request_of(policy, rules, kind, call.facts, call.auth.session(), input, fresh, arrived)
}

#[inline]
#[allow(clippy::too_many_arguments, reason = "all of a request")]
fn request_of<'r>(
    policy: &'r Policy<'r>,
    rules: &'r Rules,
    kind: HostKind<'r>,
    mut call: CallFacts,
    session: Option<Secret<'r>>,
    input: Input<'r>,
    fresh: SessionId,
    arrived: Timestamp,
) -> Request<'r> {
    let one_transaction = kind.one_transaction;
    let mut naming = Naming::of(kind.sealing, session.map(|session| session.expose()));
    if kind.sealing.is_on() && session.is_some() {
        call.session = Some(naming.open());
    }
    Request { policy, rules, call, naming, input, side: Side::Client, fresh, arrived, one_transaction }
}
