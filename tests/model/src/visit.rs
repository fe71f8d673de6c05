//! A visit to a page on its way: the crate's exchange, and what the model says of it.

use matrix_uia::server::commit::Committed;
use matrix_uia::server::page::{Approval, PageExchange, PagePolicy, PageRequest as Real};
use matrix_uia::server::page_outcome::{PageOutcome, PageRefusal};
use matrix_uia::wire::{Auth, AuthType};

use crate::answers::Plan;
use crate::facts::{Account, Caller, Known, STAGES, Stage, policy_of};
use crate::flight::account;
use crate::host::{Around, Host, Transaction, id};
use crate::params::SLOTS;
use crate::request::{Form, Named, Said as Told};
use crate::session::Id;
use crate::steps::{Answered, World};
use crate::verify::look_up;
use crate::visited::{Decision, Said, Then, Visiting, decide};

/// What somebody brings to a page.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Brings {
    /// They only look.
    Nothing,
    /// The page's form.
    Form,
    /// A provider's word, which names a user or nobody.
    Approval(Option<u8>),
    /// The same for the user whom the session is for.
    ApprovalOfUser,
}

/// A visit to a page, and the behaviour of its host.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visit {
    /// Which session it is about.
    pub session: Named,
    /// The stage by its number in [`STAGES`].
    pub stage: u8,
    /// What is brought.
    pub brings: Brings,
    /// How the form is filled in.
    pub form: Form,
    /// Which of the run's two policies the page has shown the terms of.
    pub shown: Option<bool>,
    /// What is found out about the stage.
    pub said: Told,
    /// Whether that is found in the transaction, where there is one.
    pub in_transaction: bool,
}

/// A visit on its way.
pub(crate) struct Flight<'r> {
    at: Option<PageExchange<'r>>,
    around: Around<'r>,
    visiting: Visiting,
    told: Told,
    in_transaction: bool,
    answered: Option<Answered>,
    transaction: Option<Transaction>,
    /// The account that was asked for in this transaction.
    named: Option<Option<Account>>,
    decision: Option<Decision>,
    ends: Option<(Plan, Said)>,
    reserved: Vec<usize>,
}

fn page_policy<'r, Op: Known>(around: &Around<'r>) -> PagePolicy<'r> {
    PagePolicy::new(Op::flows(around.policy_number), around.rules)
}

impl<'r> Flight<'r> {
    pub(crate) fn new<Op: Known>(
        around: Around<'r>,
        (visit, session): (&Visit, Id),
        shown: Option<usize>,
        data: &'r str,
        host: &Host,
    ) -> Self {
        let stage: Stage = STAGES[usize::from(visit.stage)];
        let auth_type = AuthType::from(stage);
        let approved = match visit.brings {
            Brings::Approval(user) => {
                user.and_then(|user| host.accounts[usize::from(user)]).map(|account| account.subject)
            }
            _ => None,
        };
        let real = match visit.brings {
            Brings::Nothing => Real::look(id(session), auth_type),
            Brings::Form => {
                let Auth::Attempt { data, .. } = Auth::parse(data.as_bytes()).unwrap() else {
                    panic!("a form is an attempt")
                };
                let shown = shown.map(|number| PagePolicy::new(Op::flows(number), around.rules).terms());
                Real::form(id(session), auth_type, data, shown)
            }
            Brings::Approval(_) => {
                let approval = approved.map_or(Approval::Anybody, Approval::User);
                Real::assume_approved(id(session), auth_type, approval)
            }
            Brings::ApprovalOfUser => Real::assume_approved(id(session), auth_type, Approval::SessionUser),
        };
        let visiting = Visiting {
            id: session,
            stage,
            brings: visit.brings,
            approved,
            form: visit.form,
            shown: shown.map(|number| policy_of(number).terms),
            facts: Op::FACTS,
        };
        Self {
            at: Some(PageExchange::begin(real, host.timestamp())),
            around,
            visiting,
            told: visit.said,
            in_transaction: visit.in_transaction,
            answered: None,
            transaction: None,
            named: None,
            decision: None,
            ends: None,
            reserved: Vec::new(),
        }
    }

    /// Answers one question; whether the page has been answered.
    pub(crate) fn advance<Op: Known>(&mut self, host: &mut Host) -> bool {
        let Some(exchange) = self.at.take() else { return true };
        self.at = Some(match exchange {
            PageExchange::Load(load) => {
                host.undo(self.transaction.take());
                assert_eq!(load.session_id(), id(self.visiting.id));
                let (session, transaction) = host.begin(Some(self.visiting.id));
                self.transaction = Some(transaction);
                self.named = None;
                self.decide(host);
                load.found(session, host.timestamp())
            }
            PageExchange::Policy(guard) => guard.found(Some(page_policy::<Op>(&self.around))),
            PageExchange::Account(asked) => {
                let decision = self.decision.as_mut().expect("it was loaded");
                assert_eq!(decision.account.take(), Some(asked.user()));
                let accounts = &self.transaction.as_ref().expect("it was loaded").accounts;
                let found = accounts.iter().flatten().find(|account| account.subject.user == asked.user());
                self.named = Some(found.copied());
                asked.found(found.copied().map(account))
            }
            PageExchange::Verify(question) => {
                let Then::Verify(asked) = self.then() else { panic!("nothing is to be verified") };
                let inside = host.one_transaction && self.in_transaction;
                let transaction = self.transaction.as_mut().filter(|_| inside);
                let (told, reserved) = (self.told, &mut self.reserved);
                let (verdict, answered) =
                    look_up(host, transaction, question.question(), &asked, told, None, reserved);
                self.answered = Some(answered);
                if inside {
                    self.decide(host);
                    question.verdict_in_transaction(verdict)
                } else {
                    question.verdict(verdict)
                }
            }
            PageExchange::Commit(commit) => {
                let Then::Commit(plan, said) = self.then() else { panic!("nothing is to be written") };
                let transaction = self.transaction.take().expect("it was loaded");
                let committed = host.commit(transaction, commit.changes(), &plan, &[None; SLOTS]);
                if committed == Committed::Stored {
                    self.ends = Some((*plan, said));
                } else {
                    // What was found in the transaction has to be looked up again.
                    self.answered = self.answered.filter(|answered| !answered.in_transaction);
                }
                commit.committed(committed)
            }
            PageExchange::Respond(outcome) => {
                let expected = match self.ends.take() {
                    Some((_, said)) => said,
                    None => match self.then() {
                        Then::Respond(said) => said,
                        other => panic!("{other:?}"),
                    },
                };
                assert_eq!(said(outcome), expected);
                for number in std::mem::take(&mut self.reserved) {
                    assert!(host.is_settled(number), "{:?} is lost", host.reservations[number]);
                }
                return true;
            }
        });
        false
    }

    pub(crate) fn hang_up(self, host: &mut Host) {
        host.undo(self.transaction);
        for number in self.reserved {
            host.reservations[number].dropped |= !host.is_settled(number);
        }
    }

    fn decide(&mut self, host: &Host) {
        let transaction = self.transaction.as_ref().expect("it was loaded");
        let world = World {
            policy: self.around.policy,
            rules: self.around.rules,
            one_transaction: host.one_transaction,
            now: transaction.now,
            caller: Caller::Nobody,
            accounts: &transaction.accounts,
        };
        let so_far = (self.answered, self.named);
        self.decision = Some(decide(&world, &self.visiting, so_far, transaction.session.as_ref()));
    }

    fn then(&mut self) -> Then {
        let Decision { account, then } = self.decision.take().expect("it was loaded");
        assert!(account.is_none(), "the account is asked for first: {then:?}");
        then
    }
}

fn said(outcome: PageOutcome) -> Said {
    match outcome {
        PageOutcome::Open => Said::Open,
        PageOutcome::Passed => Said::Passed,
        PageOutcome::Refused(refusal) => match refusal {
            PageRefusal::Unknown => Said::Unknown,
            PageRefusal::Account(error) => Said::Account(error.status(), error.code()),
            PageRefusal::Closed(_) => Said::Closed,
            PageRefusal::OutOfOrder => Said::OutOfOrder,
            PageRefusal::Already => Said::Already,
            PageRefusal::WrongUser => Said::WrongUser,
            PageRefusal::Malformed(_) => Said::Malformed,
            PageRefusal::Failed(failure) => Said::Failed(failure),
            PageRefusal::Pending => Said::Pending,
            PageRefusal::TermsChanged => Said::TermsChanged,
            PageRefusal::Unavailable => Said::Unavailable,
            PageRefusal::Limited(_) => Said::Limited,
            other => panic!("{other:?} is not known"),
        },
    }
}
