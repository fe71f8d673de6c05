//! One request on its way: the crate's exchange, and what the model says of it.

use matrix_uia::server::account::{self, AccountStatus, Lifecycle};
use matrix_uia::server::call::RefusedCall;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::exchange::{self, Exchange, HostKind, Performing};
use matrix_uia::server::grant::{Exempt, Grant, Outcome, Refusal};
use matrix_uia::server::reference::{Reference, Subject};
use matrix_uia::wire::Auth;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{Call, MatrixError, Timestamp};

use crate::answers::{Answer, Plan};
use crate::ends::{Recalled, Success};
use crate::facts::{Account, Caller, Known, Status};
use crate::host::{Around, Effect, Host, Transaction, id};
use crate::judge::Heard;
use crate::params::{self, Kind, Slot};
use crate::request::{Admission, Ending, Incoming, Request};
use crate::seen;
use crate::session::State;
use crate::steps::{Decision, Granted, SoFar, Then, World, decide};
use crate::verify::look_up;

/// A request on its way.
pub(crate) struct Flight<'r, Op: Known> {
    /// Always there between two questions.
    asks: Option<Box<exchange::Incoming<'r, Op>>>,
    at: At,
    around: Around<'r>,
    request: Request,
    incoming: Incoming,
    so_far: SoFar,
    transaction: Option<Transaction>,
    /// What the model says comes next.
    decision: Option<Decision>,
    plan: Option<Plan>,
    /// What was reserved for it.
    reserved: Vec<usize>,
}

enum At {
    Asks,
    /// The call is being carried out.
    Performs(Box<Granted>),
    Gone,
}

/// The moment so many milliseconds ago.
fn ago(now: u64, millis: u64) -> Timestamp {
    Timestamp::from_millis(now - millis)
}

/// An account as the crate is told of it.
pub(crate) fn account(account: Account) -> account::Account {
    let mut status = AccountStatus::default();
    match account.status {
        Status::Active => {}
        Status::Locked => status.locked = true,
        Status::Gone => status.life = Lifecycle::Deactivated,
    }
    account::Account::new(account.subject, status)
}

impl<'r, Op: Known> Flight<'r, Op> {
    pub(crate) fn new(
        around: Around<'r>,
        request: Request,
        incoming: Incoming,
        auth: &'r Auth<'r>,
        host: &Host,
    ) -> Self {
        let kind =
            if host.one_transaction { HostKind::assume_one_transaction::<Host>() } else { HostKind::CLAIMS };
        let call =
            Call::<Op>::new(auth).with_params(params::params::<Op>(&incoming.facts.params, &incoming.given));
        let target = matrix_uia::BindingKey::from_entropy([3; 16]).target(["D".into()]);
        let call = if incoming.target { call.at(target) } else { call };
        let (flows, rules) = (Op::flows(around.policy_number), around.rules);
        let asks = if request.unchecked {
            let error = MatrixError::new(ErrorCode::WeakPassword, "It is too weak.");
            let refused = RefusedCall::new(auth, error);
            let refused = if incoming.target { refused.at(target) } else { refused };
            exchange::Incoming::refused(flows, rules, kind, refused, host.timestamp())
        } else {
            exchange::Incoming::new(flows, rules, kind, call, id(incoming.fresh), host.timestamp())
        };
        Self {
            asks: Some(Box::new(asks)),
            at: At::Asks,
            around,
            request,
            incoming,
            so_far: SoFar::default(),
            transaction: None,
            decision: None,
            plan: None,
            reserved: Vec::new(),
        }
    }

    /// Answers one question; whether the request has had its answer.
    pub(crate) fn advance(&mut self, host: &mut Host) -> bool {
        match std::mem::replace(&mut self.at, At::Gone) {
            At::Asks => match self.answer(host) {
                Some(at) => self.at = at,
                None => return true,
            },
            At::Performs(granted) => {
                self.perform(*granted, host);
                self.at = At::Asks;
            }
            At::Gone => return true,
        }
        false
    }

    /// The client has hung up, or the process died.
    pub(crate) fn hang_up(self, host: &mut Host) {
        host.undo(self.transaction);
        for number in self.reserved {
            host.reservations[number].dropped |= !host.is_settled(number);
        }
    }

    fn answer(&mut self, host: &mut Host) -> Option<At> {
        let mut asks = self.asks.take().expect("it is between two questions");
        let next = self.say(asks.exchange(), host);
        self.asks = Some(asks);
        next
    }

    fn say(&mut self, exchange: Exchange<'_, 'r, Op>, host: &mut Host) -> Option<At> {
        let _ = match exchange {
            Exchange::Load(load) => {
                assert!(self.plan.is_none() && self.decision.is_none());
                host.undo(self.transaction.take());
                assert_eq!(load.session_id(), self.incoming.session.flatten().map(id));
                let (session, transaction) = host.begin(self.incoming.session.flatten());
                self.transaction = Some(transaction);
                self.so_far.named = None;
                let caller = self.caller();
                self.decide(host);
                load.found(session.as_ref(), caller_of_crate(caller), host.timestamp())
            }
            Exchange::Account(asked) => {
                let decision = self.decision.as_mut().expect("it was loaded");
                assert_eq!(decision.account.take(), Some(asked.user()));
                let found = self.look_up(asked.user());
                self.so_far.named = Some(found);
                asked.found(found.map(account))
            }
            Exchange::Admit(admit) => {
                let decision = self.decision.as_mut().expect("it was loaded");
                assert!(decision.account.is_none() && std::mem::take(&mut decision.admit), "{decision:?}");
                let subject = match self.caller() {
                    Caller::User(account) => account.subject,
                    _ => Subject::new(crate::facts::user(0), 0),
                };
                match self.request.admission {
                    Admission::Admitted => admit.admitted(),
                    Admission::Refused => admit
                        .refused(Refusal::new(MatrixError::new(ErrorCode::Forbidden, "Not on this server."))),
                    Admission::RefusedForParams => admit.refused(Refusal::for_params(MatrixError::new(
                        ErrorCode::UserInUse,
                        "The name is taken.",
                    ))),
                    Admission::ApplicationService => admit.assume_exempt(Exempt::ApplicationService),
                    Admission::SigningKeys => admit.assume_exempt(Exempt::SigningKeys),
                    Admission::Recent(millis) => {
                        let now = self.transaction.as_ref().expect("it was loaded").now;
                        admit.assume_recent(subject, ago(now, u64::from(millis)))
                    }
                }
            }
            Exchange::Recall(recall) => {
                assert!(!host.one_transaction, "a host of one transaction has no claims");
                let Then::Recall(recalling) = self.then() else { panic!("nothing is to be recalled") };
                assert_eq!(recall.session_id(), id(recalling.id));
                let known = host.records.get(&recalling.id).copied();
                let recalled = match known {
                    Some(success) => Recalled::CarriedOut(success),
                    None if self.request.forgotten => Recalled::Unknown,
                    None => Recalled::NotCarriedOut,
                };
                self.plan = Some(recalling.recalled(recalled));
                match recalled {
                    Recalled::CarriedOut(success) => recall.carried_out(outcome(success)),
                    Recalled::NotCarriedOut => recall.not_carried_out(),
                    Recalled::Unknown => recall.unknown(),
                }
            }
            Exchange::Verify(question) => {
                let Then::Verify(asked) = self.then() else { panic!("nothing is to be verified") };
                let inside = host.one_transaction && self.request.in_transaction;
                let caller = self.caller();
                let transaction = self.transaction.as_mut().filter(|_| inside);
                let said = self.request.said;
                let caller = match caller {
                    Caller::User(account) => Some(account.subject),
                    _ => None,
                };
                let question_asked = question.question();
                let reserved = &mut self.reserved;
                let (verdict, answered) =
                    look_up(host, transaction, question_asked, &asked, said, caller, reserved);
                self.so_far.answered = Some(answered);
                if inside {
                    self.decide(host);
                    question.verdict_in_transaction(verdict)
                } else {
                    question.verdict(verdict)
                }
            }
            Exchange::Hash(hash) => {
                let Then::Hash(session, effective) = self.then() else { panic!("nothing is to be hashed") };
                assert_eq!(hash.session_id(), id(session));
                assert!(self.incoming.facts.needs_hash);
                self.check_params(effective);
                self.so_far.hashed = Some(effective);
                self.transaction_undone(host);
                hash.hashed()
            }
            Exchange::Perform(perform) => {
                let Then::Perform(granted) = self.then() else { panic!("nothing is granted") };
                let (grant, _) = perform.grant();
                self.check_grant(&grant, &granted);
                return Some(At::Performs(granted));
            }
            Exchange::Repeat(repeat) => {
                let Then::Repeat(repeated) = self.then() else { panic!("there is no answer to repeat") };
                assert_eq!(repeat.outcome().get(), repeated.outcome);
                assert_eq!((repeat.session_id(), repeat.user()), (id(repeated.id), repeated.user));
                let gone = self.request.forgotten;
                self.plan = Some(repeated.repeated(gone));
                if gone { repeat.gone() } else { repeat.repeated() }
            }
            Exchange::Commit(commit) => {
                let plan = match self.plan.take() {
                    Some(plan) => plan,
                    None => match self.then() {
                        Then::Commit(plan) => *plan,
                        other => panic!("{other:?}"),
                    },
                };
                let transaction = match self.transaction.take() {
                    Some(transaction) => transaction,
                    // What found no room is written in a transaction of its own.
                    None => host.begin(self.incoming.session.flatten()).1,
                };
                let committed = host.commit(transaction, commit.changes(), &plan, &self.incoming.given);
                self.committed(committed, plan);
                commit.committed(committed)
            }
            Exchange::Respond(respond) => {
                let plan = self.plan.take().expect("something is to be answered");
                let answer = seen::answer(&respond);
                assert_eq!(Some(&answer), plan.answer.as_ref());
                self.end(host, &answer);
                return None;
            }
        };
        Some(At::Asks)
    }

    /// Who makes the request, as the transaction sees it.
    fn caller(&self) -> Caller {
        let Some(user) = self.request.user else { return Caller::Nobody };
        let transaction = self.transaction.as_ref().expect("it was loaded");
        match transaction.accounts.get(usize::from(user)).copied().flatten() {
            Some(account) if !transaction.ended_tokens.contains(&user) => Caller::User(account),
            _ => Caller::Ended,
        }
    }

    fn look_up(&self, user: matrix_uia::server::reference::UserRef) -> Option<Account> {
        let transaction = self.transaction.as_ref().expect("it was loaded");
        transaction.accounts.iter().flatten().find(|account| account.subject.user == user).copied()
    }

    fn decide(&mut self, host: &Host) {
        let transaction = self.transaction.as_ref().expect("it was loaded");
        let world = World {
            policy: self.around.policy,
            rules: self.around.rules,
            one_transaction: host.one_transaction,
            now: transaction.now,
            caller: self.caller(),
            accounts: &transaction.accounts,
        };
        self.decision = Some(decide(&world, &self.incoming, &self.so_far, transaction.session.as_ref()));
    }

    /// What the model says after the account and the admission.
    fn then(&mut self) -> Then {
        let Decision { account, admit, then } = self.decision.take().expect("it was loaded");
        assert!(account.is_none() && !admit, "something else is asked first: {account:?} {admit} {then:?}");
        then
    }

    fn transaction_undone(&mut self, host: &mut Host) {
        host.undo(self.transaction.take());
        // What was found in it has to be looked up again.
        self.so_far.answered = self.so_far.answered.filter(|answered| !answered.in_transaction);
    }

    fn committed(&mut self, committed: Committed, plan: Plan) {
        let undone = self.so_far.answered.filter(|answered| answered.in_transaction);
        match committed {
            Committed::Lost => self.so_far.answered = self.so_far.answered.filter(|_| undone.is_none()),
            Committed::Full(_) => {
                let proof = undone.and_then(|answered| match answered.heard {
                    Heard::Passed(proof, _) => Some(proof),
                    _ => None,
                });
                self.plan = Some(plan.full(proof));
                self.so_far.answered = self.so_far.answered.filter(|_| undone.is_none());
            }
            Committed::Stored => {
                if let Some(answered) = &mut self.so_far.answered {
                    let proof = match answered.heard {
                        Heard::Passed(proof, _) => Some(proof),
                        _ => None,
                    };
                    answered.in_transaction = false;
                    let held = plan.put.iter().flat_map(|put| put.model.reservations());
                    let back = plan.give_back.iter().map(|(_, proof)| *proof);
                    answered.settled |= back.chain(held).any(|settled| Some(settled) == proof);
                }
                if plan.answer.is_some() {
                    self.plan = Some(plan);
                } else if let Some(put) = &plan.put
                    && matches!(put.model.state, State::Claimed(_))
                {
                    self.so_far.claim = Some(put.model.revision);
                }
            }
        }
    }

    /// What holds for the call is what the request gives, or what was kept.
    fn check_params(&self, effective: [Slot; params::SLOTS]) {
        let transaction = self.transaction.as_ref().expect("it was loaded");
        let kinds = self.incoming.facts.params;
        for (index, slot) in effective.into_iter().enumerate() {
            let default = match kinds[index] {
                Kind::Optional(default) => Some(default),
                _ => None,
            };
            let held = self.incoming.given[index].or(transaction.params[index]).or(default);
            match slot {
                Slot::To(value) => assert_eq!(held, Some(value), "parameter {index} is what was bound"),
                Slot::Unbound | Slot::Absent => {
                    assert_eq!(held, default, "parameter {index} was never given")
                }
            }
        }
    }

    fn check_grant(&self, grant: &Grant<Op>, granted: &Granted) {
        let user = granted.account().map(|account| account.user);
        assert_eq!((grant.user(), grant.has_token()), (user, granted.caller.is_some()));
        let proofs: Vec<_> = grant.proofs().collect();
        let live = granted.live.as_ref();
        let passed: Vec<_> = live.iter().flat_map(|live| live.model.passed.iter().map(|it| it.1)).collect();
        assert_eq!(proofs, passed);
        assert_eq!(grant.session_id(), live.map(|live| id(live.id)));
        assert_eq!(grant.record_under(), granted.record_under().map(id));
        let kinds = &self.incoming.facts.params;
        let needs = live.is_some_and(|live| live.model.bound.needs_kept(kinds, &self.incoming.given));
        assert_eq!(grant.needs_stored(), needs);
        let Some(live) = live else { return };
        // The user is the one whom the stages proved, at the epoch that holds now.
        let now = user.and_then(|user| self.look_up(user)).map(|account| account.subject);
        assert_eq!(live.model.account, now.filter(|_| user.is_some()));
        let order = self.around.rules.stage_order;
        assert!(self.around.policy.is_complete(&live.model.stages(), order), "granted too early");
        self.check_params(live.model.bound.effective(&self.incoming.given));
    }

    fn perform(&mut self, granted: Granted, host: &mut Host) {
        let mut asks = self.asks.take().expect("it is between two questions");
        let performing = asks.performing().expect("the grant has been given out");
        let _ = self.end_call(granted, performing, host);
        self.asks = Some(asks);
    }

    fn end_call<'w>(
        &mut self,
        granted: Granted,
        performing: Performing<'w, 'r, Op>,
        host: &mut Host,
    ) -> Exchange<'w, 'r, Op> {
        let record = granted.record_under();
        if let Some(success) = record.filter(|_| !host.one_transaction).and_then(|it| host.records.get(&it)) {
            let success = *success;
            self.plan = Some(granted.already(success, self.incoming.arrived));
            return performing.already(outcome(success));
        }
        let session = granted.live.as_ref().map(|live| live.id);
        let (status, code) = match self.request.ending {
            Ending::Succeeded => {
                // A registration makes an account: the first one stands for it.
                let made = host.accounts[0].filter(|_| self.incoming.facts.registers);
                let reference = 1 + host.now % 97;
                let success = Success { reference, account: made.map(|account| account.subject) };
                let transaction = self.transaction.as_mut().expect("it was loaded");
                transaction.effect = Some(Effect { session, record, success });
                self.plan = Some(granted.succeeded(success, host.now));
                return performing.succeeded(outcome(success), host.timestamp());
            }
            Ending::Refused => (403, ErrorCode::Forbidden),
            Ending::RefusedForParams => (400, ErrorCode::InvalidUsername),
        };
        let for_params = self.request.ending == Ending::RefusedForParams;
        self.plan = Some(granted.refused(status, code, for_params));
        let error = MatrixError::new(code, "The call has failed.");
        performing.refused(if for_params { Refusal::for_params(error) } else { Refusal::new(error) })
    }

    /// The answer is on its way: what was reserved is in use, or has been dealt with.
    fn end(&mut self, host: &mut Host, answer: &Answer) {
        for number in std::mem::take(&mut self.reserved) {
            assert!(host.is_settled(number), "{:?} is lost", host.reservations[number]);
        }
        if let Answer::Challenge { id, .. } = answer {
            host.known.retain(|known| known != id);
            host.known.insert(0, *id);
        }
    }
}

fn outcome(success: Success) -> Outcome {
    let outcome = Outcome::new(Reference::new(success.reference));
    match success.account {
        Some(account) => outcome.of_account(account),
        None => outcome,
    }
}

fn caller_of_crate(caller: Caller) -> account::Caller {
    match caller {
        Caller::Nobody => account::Caller::Nobody,
        Caller::User(it) => account::Caller::User(account(it)),
        Caller::Ended => account::Caller::Ended(MatrixError::unknown_token(false)),
    }
}
