//! The loop itself.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;

use super::host::{Changes, Guarded, Host, Loaded, Next, Stop, Verified};
use super::step::{Admit, Answer, Granted, Performing, Repeat, Reply, Step};
use crate::server::account::{Account, Caller};
use crate::server::commit::Committed;
use crate::server::digest::BindingKey;
use crate::server::endpoint::Endpoint;
use crate::server::exchange::arrive;
use crate::server::grant::{Grant, Outcome, Refusal};
use crate::server::respond::Respond;
use crate::server::seal::{OpenedPassword, Sealer};
use crate::server::session::{Revision, Session, SessionId};
use crate::server::transition::asked::Decision;
use crate::server::transition::end::Recalled;
use crate::server::transition::work::{Todo, Work, Write};
use crate::time::Timestamp;
use crate::wire::error::MatrixError;

/// One request of a guarded endpoint on its way.
pub struct Run<'r, H: Host<'r, E>, E: Endpoint> {
    /// The host: its transaction is where a handler carries a plan out.
    pub host: H,
    request: &'r E,
    key: &'r BindingKey,
    work: Work<'r>,
    stored: Option<E::Stored>,
    hash: Option<H::Hash>,
    /// Whether the record of the claimed call has been asked for in this transaction.
    record_asked: bool,
}

impl<'r, H: Host<'r, E>, E: Endpoint> Run<'r, H, E> {
    /// Begins. `fresh` is made from fresh entropy; `arrived` is when the request came in.
    pub fn new(
        host: H,
        request: &'r E,
        guarded: Guarded<'r, E::Op>,
        fresh: SessionId,
        arrived: Timestamp,
    ) -> Self {
        let Guarded { flows, rules, key, kind } = guarded;
        let call = request.call(key);
        let arrival = arrive(flows.policy(), rules, kind, call, fresh, arrived);
        Self { host, request, key, work: Work::new(arrival), stored: None, hash: None, record_asked: false }
    }

    /// The next thing for the handler to do; `None` once the call has succeeded and all of
    /// it is stored.
    ///
    /// # Errors
    ///
    /// [`Stop`] is what to answer instead.
    // Not an `async fn`: of that, the compiler can't tell in a caller's spawned future that it
    // is `Send` (rust-lang/rust#100013).
    #[allow(clippy::should_implement_trait, reason = "it is asynchronous")]
    #[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
    pub fn next(&mut self) -> impl Future<Output = Next<'r, Step<'r, E, H::Hash>, H::Error>> + Send {
        async move {
            loop {
                self.ask_host().await.map_err(Stop::Host)?;
                match self.work.todo {
                    Todo::Admit => return Ok(Some(Step::Admit(Admit(PhantomData)))),
                    Todo::Repeat => return Ok(Some(Step::Repeat(self.repeat()))),
                    _ => {
                        if let Some(end) = self.grant() {
                            return end.map(|granted| granted.map(Step::Perform));
                        }
                    }
                }
            }
        }
    }

    /// The next grant, for an endpoint that lets every call in, and whose answer is always
    /// the same; `None` once the call has succeeded, now or before.
    ///
    /// # Errors
    ///
    /// [`Stop`] is what to answer instead.
    #[allow(clippy::manual_async_fn, reason = "it has to say that it is `Send`")]
    pub fn granted(&mut self) -> impl Future<Output = Next<'r, Granted<'r, E, H::Hash>, H::Error>> + Send {
        async move {
            loop {
                self.ask_host().await.map_err(Stop::Host)?;
                match self.work.todo {
                    Todo::Admit => self.take_in(Said::Reply(Reply::Admission(Decision::Admitted))),
                    Todo::Repeat => self.take_in(Said::Reply(Reply::Repeated)),
                    _ => {
                        if let Some(end) = self.grant() {
                            return end;
                        }
                    }
                }
            }
        }
    }

    /// Asks the host as long as it is its turn.
    ///
    /// The request stays where it is meanwhile: it is large, and a future that held it would
    /// be copied about with it.
    async fn ask_host(&mut self) -> Result<(), H::Error> {
        loop {
            let work = &self.work;
            match work.todo {
                Todo::Load => {
                    let loaded = self.host.load(work.to_load().copied()).await?;
                    self.loaded(loaded);
                }
                Todo::Account => {
                    let found = self.host.account(work.asked_user()).await?;
                    self.take_in(Said::Account(found));
                }
                Todo::Verify => {
                    let verified = self.host.verify(&work.question).await?;
                    self.take_in(Said::Verified(verified));
                }
                Todo::Hash => {
                    let session = work.id;
                    self.host.release().await;
                    let kept = self.kept_password(&session);
                    let password = self.request.password().or(kept.as_ref().map(|opened| opened.secret()));
                    self.hash = match password {
                        Some(password) => Some(self.host.hash(password).await?),
                        None => None,
                    };
                    drop(kept);
                    self.take_in(Said::Hashed);
                }
                Todo::Commit => {
                    let keeps = self.keep();
                    let stored = self.stored.as_ref().filter(|_| keeps);
                    let committed = self.host.commit(Changes::of(&self.work), stored).await?;
                    self.take_in(Said::Committed(committed));
                }
                Todo::Perform if self.record_asked || work.record_under().is_none() => return Ok(()),
                Todo::Recall | Todo::Perform => {
                    let recalled = self.host.recall(work.id).await?;
                    self.record_asked = true;
                    self.take_in(Said::Recalled(recalled));
                }
                Todo::Admit | Todo::Repeat | Todo::Respond => return Ok(()),
            }
        }
    }

    /// The password that was kept in the session's name, if one was.
    #[inline(never)]
    fn kept_password(&self, session: &SessionId) -> Option<OpenedPassword> {
        self.stored.as_ref().and_then(E::stored_password)?.open(session)
    }

    /// Puts together what is to be kept beside the session; `false` if nothing is.
    #[inline(never)]
    fn keep(&mut self) -> bool {
        let Some((id, revision, goes_on)) = keeps(&self.work) else { return false };
        let sealer = Sealer::new(id, revision);
        // A session that begins has nothing of the one that was named.
        let before = self.stored.take().filter(|_| goes_on);
        self.stored = Some(self.request.to_stored(self.key, before, sealer));
        true
    }

    /// Goes on with what the handler has answered.
    pub fn go_on(&mut self, answer: Answer<E::Op>) {
        self.take_in(Said::Reply(answer.reply));
    }

    /// Reports how a granted call ended. Whether that holds, the next step says: the commit
    /// may lose a race, and then the call is granted again.
    #[inline(never)]
    pub fn done(
        &mut self,
        performing: Performing<'r, E::Op>,
        done: Result<Outcome, Refusal>,
        now: Timestamp,
    ) {
        let Performing { .. } = performing;
        if core::mem::take(&mut self.work.granted) {
            self.take_in(Said::Done(done, now));
        }
    }

    #[inline(never)]
    fn loaded(&mut self, loaded: Loaded<E::Stored>) {
        let Loaded { session, stored, caller, now } = loaded;
        // Once its parameters are refused, what was kept of them counts no more.
        let counts = session.as_ref().is_some_and(Session::keeps_params);
        self.stored = stored.filter(|_| counts);
        self.record_asked = false;
        self.work.session = session;
        self.take_in(Said::Loaded(caller, now));
    }

    /// Answers the question that is asked.
    fn take_in(&mut self, said: Said<'r>) {
        take_in(&mut self.work, said);
    }

    fn repeat(&self) -> Repeat<E::Op> {
        let work = &self.work;
        let (outcome, user) = (work.outcome(), work.user());
        Repeat { outcome, session: work.id, user, operation: PhantomData }
    }

    /// The grant or the end of the request, when it has come to that.
    #[allow(clippy::type_complexity, reason = "a grant, an end, or neither yet")]
    #[inline(never)]
    fn grant(&mut self) -> Option<Next<'r, Granted<'r, E, H::Hash>, H::Error>> {
        if self.work.todo != Todo::Perform || self.work.granted {
            return self.end();
        }
        let grant = Grant::new(&self.work);
        let (record_under, session) = (grant.record_under(), grant.session_id());
        // Who need not authenticate has no session, whichever one was named.
        let stored = self.stored.clone().filter(|_| session.is_some());
        match self.request.plan(self.key, grant, stored, self.hash.clone()) {
            Ok(plan) => {
                self.work.granted = true;
                let performing = Performing { session, operation: PhantomData };
                Some(Ok(Some(Granted { plan, record_under, performing })))
            }
            Err(refusal) => {
                self.take_in(Said::Done(Err(refusal), self.work.now));
                None
            }
        }
    }

    /// The end of the request, when it has come to that.
    fn end<T>(&self) -> Option<Next<'r, T, H::Error>> {
        let respond = match self.work.todo {
            Todo::Respond => Respond::of(&self.work),
            // The handler has not answered what it was asked.
            _ => Respond::Error(MatrixError::unavailable()),
        };
        Some(match respond {
            Respond::Performed => Ok(None),
            respond => Err(Stop::Respond(respond)),
        })
    }
}

impl<'r, H: Host<'r, E>, E: Endpoint> fmt::Debug for Run<'r, H, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// The host's answer to a question.
// Its tag would have 64 bits otherwise, as some of what it holds has.
#[repr(u32)]
enum Said<'r> {
    /// The session has been put in its place.
    Loaded(Caller, Timestamp),
    Account(Option<Account>),
    Recalled(Recalled),
    Verified(Verified<'r>),
    Hashed,
    Committed(Committed),
    /// How the call ended, and when.
    Done(Result<Outcome, Refusal>, Timestamp),
    /// What the handler has answered.
    Reply(Reply),
}

/// Takes in what the host said to the question that is asked, and asks the next. No part of
/// it depends on the endpoint or the host: there is one copy of its code.
#[inline(never)]
fn take_in<'r>(work: &mut Work<'r>, said: Said<'r>) {
    let todo = match (work.todo, said) {
        (Todo::Load, Said::Loaded(caller, now)) => work.loaded(caller, now),
        (Todo::Account, Said::Account(found)) => work.account(found),
        (Todo::Recall, Said::Recalled(recalled)) => work.recalled(recalled),
        (Todo::Verify, Said::Verified(Verified::Outside(verdict))) => work.verified(verdict, false),
        (Todo::Verify, Said::Verified(Verified::InTransaction(verdict))) => work.verified(verdict, true),
        (Todo::Hash, Said::Hashed) => work.hashed(),
        (Todo::Commit, Said::Committed(committed)) => work.committed(committed),
        (Todo::Perform, Said::Recalled(Recalled::CarriedOut(outcome))) => work.carried_out_before(outcome),
        (Todo::Perform, Said::Done(Ok(outcome), now)) => work.succeeded(outcome, now),
        (Todo::Perform, Said::Done(Err(refusal), _)) => work.refused(refusal),
        (Todo::Admit, Said::Reply(Reply::Admission(decision))) => work.admit(decision),
        (Todo::Repeat, Said::Reply(Reply::Repeated)) => work.repeated(),
        (Todo::Repeat, Said::Reply(Reply::Gone)) => work.unknown(),
        // Every question is answered where it is asked.
        _ => return,
    };
    work.goes_on_to(todo);
}

/// The session beside which the request's parameters are to be kept, at which revision, and
/// whether it is one that goes on.
fn keeps(work: &Work<'_>) -> Option<(SessionId, Revision, bool)> {
    let session = work.session.as_ref().filter(|_| work.put && work.keep)?;
    Some((work.id, session.revision(), matches!(work.write, Write::Replace(_))))
}
