//! One scenario's host, and the ways to drive it.

use alloc::string::String;
use core::cell::Cell;
use core::future::Future;
use core::task::Poll;

use super::body::{Challenge, NEW, OLD, Script, USER};
use super::duty::{Duty, Report, Violation};
use super::host::{AccountFacts, Answer, Request, TestHost};
use super::outside::Outside;
use super::task::Task;
use crate::server::rules::Rules;
use crate::server::session::Session;
use crate::time::Millis;

/// What a scenario comes to: whether it is to run again, with the next wait.
pub(super) type Ran = Result<bool, Violation>;

pub(super) struct Bench<'k, H> {
    pub(super) host: H,
    pub(super) outside: Outside,
    pub(super) rules: Rules,
    pub(super) scenario: &'static str,
    pub(super) report: &'k Cell<Report>,
    /// What one run of the scenario leaves for the next, which is at another wait.
    pub(super) noticed: &'k Cell<bool>,
}

/// A request that waits, or that was answered while something else went on beside it.
pub(super) struct Waiting<'h> {
    task: Task<'h, Answer>,
    answer: Option<Answer>,
}

impl<H: TestHost> Bench<'_, H> {
    pub(super) const fn violation(&self, duty: Duty, seen: &'static str) -> Violation {
        Violation { duty, scenario: self.scenario, seen }
    }

    pub(super) fn must(&self, holds: bool, duty: Duty, seen: &'static str) -> Result<(), Violation> {
        if holds { Ok(()) } else { Err(self.violation(duty, seen)) }
    }

    fn stuck(&self) -> Violation {
        self.violation(Duty::AnswerAsTold, "something waited for ever")
    }

    fn count(&self, count: impl FnOnce(&mut Report)) {
        let mut report = self.report.get();
        count(&mut report);
        self.report.set(report);
    }

    /// Runs a future of the host's to its end.
    pub(super) fn ask<T>(&self, future: impl Future<Output = T>) -> Result<T, Violation> {
        Task::new(future).finish(|| self.host.idle()).ok_or_else(|| self.stuck())
    }

    fn start(&self, request: Request) -> Task<'_, Answer> {
        self.count(|report| report.requests = report.requests.saturating_add(1));
        self.outside.advance(Millis::new(1));
        Task::new(self.host.request(request))
    }

    pub(super) fn send(&self, request: Request) -> Result<Answer, Violation> {
        self.start(request).finish(|| self.host.idle()).ok_or_else(|| self.stuck())
    }

    /// Sends a request, and leaves it when it has waited so often; `None` if it was answered
    /// before.
    pub(super) fn until(&self, request: Request, waits: usize) -> Result<Option<Waiting<'_>>, Violation> {
        let mut task = self.start(request);
        for _ in 0..waits {
            if task.poll().is_ready() {
                return Ok(None);
            }
            if !task.is_woken(|| self.host.idle()) {
                return Err(self.stuck());
            }
        }
        Ok(Some(Waiting { task, answer: None }))
    }

    /// Drops a request where it waits.
    pub(super) fn drop_at(&self, waiting: Waiting<'_>) {
        self.count(|report| report.drops = report.drops.saturating_add(1));
        drop(waiting);
    }

    /// A call is made without an access token.
    pub(super) fn has_no_token(&self) {
        self.count(|report| report.without_token = report.without_token.saturating_add(1));
    }

    /// A commit was made to lose.
    pub(super) fn has_lost(&self) {
        self.count(|report| report.losses = report.losses.saturating_add(1));
    }

    /// Does something else while a request waits. If that has to wait for the request, the
    /// request goes on first.
    pub(super) fn beside<T>(
        &self,
        waiting: &mut Waiting<'_>,
        future: impl Future<Output = T>,
    ) -> Result<T, Violation> {
        self.count(|report| report.interleavings = report.interleavings.saturating_add(1));
        let mut other = Task::new(future);
        loop {
            if let Some(output) = other.finish(|| self.host.idle()) {
                return Ok(output);
            }
            if waiting.answer.is_some() {
                return Err(self.stuck());
            }
            if let Poll::Ready(answer) = waiting.task.poll() {
                waiting.answer = Some(answer);
            }
        }
    }

    /// The same with another request.
    pub(super) fn send_beside(
        &self,
        waiting: &mut Waiting<'_>,
        request: Request,
    ) -> Result<Answer, Violation> {
        self.count(|report| report.requests = report.requests.saturating_add(1));
        self.outside.advance(Millis::new(1));
        self.beside(waiting, self.host.request(request))
    }

    pub(super) fn resume(&self, mut waiting: Waiting<'_>) -> Result<Answer, Violation> {
        match waiting.answer.take() {
            Some(answer) => Ok(answer),
            None => waiting.task.finish(|| self.host.idle()).ok_or_else(|| self.stuck()),
        }
    }

    /// A session begins.
    pub(super) fn begin(&self, script: &Script) -> Result<Challenge, Violation> {
        self.challenged(&self.send(script.request(None))?)
    }

    pub(super) fn challenged(&self, answer: &Answer) -> Result<Challenge, Violation> {
        answer
            .challenge()
            .ok_or_else(|| self.violation(Duty::AnswerAsTold, "the answer is no challenge where one is due"))
    }

    /// A password change of the user, and its session before the last stage.
    pub(super) fn password_change(&self) -> Result<(Script, Challenge), Violation> {
        let token = self.log_in(USER, OLD)?;
        let script = Script::password(&token, USER, OLD, NEW);
        let last = self.to_last(&script)?;
        Ok((script, last))
    }

    /// Passes every stage before the registration token.
    pub(super) fn to_token(&self, script: &Script) -> Result<Challenge, Violation> {
        let mut at = self.begin(script)?;
        while at.next.as_ref().is_some_and(|(stage, _)| stage != "m.login.registration_token") {
            at = self.challenged(&self.send(self.next_request(script, &at)?)?)?;
        }
        Ok(at)
    }

    /// Passes every stage but the last; returns how the session stands then.
    pub(super) fn to_last(&self, script: &Script) -> Result<Challenge, Violation> {
        self.on_to_last(script, self.begin(script)?)
    }

    /// The same of a session that has begun.
    pub(super) fn on_to_last(
        &self,
        script: &Script,
        mut challenge: Challenge,
    ) -> Result<Challenge, Violation> {
        while let Some((stage, false)) = &challenge.next {
            let request = script.attempt(stage, &challenge.session);
            let request = request.ok_or_else(|| self.unpassable())?;
            let next = self.challenged(&self.send(request)?)?;
            let went_on = next.session == challenge.session && next.completed > challenge.completed;
            self.must(went_on, Duty::StoreTheChallenge, "a stage that was passed does not count")?;
            challenge = next;
        }
        Ok(challenge)
    }

    /// The request that passes the next stage.
    pub(super) fn next_request(&self, script: &Script, at: &Challenge) -> Result<Request, Violation> {
        let stage = at.next.as_ref().map(|(stage, _)| stage.as_str());
        stage.and_then(|stage| script.attempt(stage, &at.session)).ok_or_else(|| self.unpassable())
    }

    fn unpassable(&self) -> Violation {
        self.violation(Duty::AnswerAsTold, "no flow has only stages that the kit can pass")
    }

    pub(super) fn session(&self, challenge: &Challenge) -> Result<Option<Session>, Violation> {
        match challenge.id() {
            Some(id) => self.ask(self.host.session(id)),
            None => Ok(None),
        }
    }

    pub(super) fn account(&self, name: &str) -> Result<AccountFacts, Violation> {
        let account = self.ask(self.host.account(name))?;
        account.ok_or_else(|| self.violation(Duty::CarryOutTheEffects, "there is no such account"))
    }

    pub(super) fn log_in(&self, name: &str, password: &str) -> Result<String, Violation> {
        self.ask(self.host.log_in(name, password))
    }

    pub(super) fn works(&self, name: &str, password: &str) -> Result<bool, Violation> {
        self.ask(self.host.password_works(name, password))
    }

    /// How many reservations there are, and how many uses of the token are left.
    pub(super) fn held(&self, token: &str) -> Result<(usize, u32), Violation> {
        Ok((self.ask(self.host.reservations())?, self.ask(self.host.uses_left(token))?))
    }

    /// Sends the request again until it is answered otherwise than that it has to wait for a
    /// claim; a claim that nobody ends lapses meanwhile.
    pub(super) fn again(&self, request: &Request) -> Result<Answer, Violation> {
        let answer = self.send(request.clone())?;
        if answer.status == 200 {
            return Ok(answer);
        }
        self.outside.advance(self.rules.claim_for);
        self.send(request.clone())
    }
}
