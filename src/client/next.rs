//! What the application does now: a pure reading of the progress, but that a request it
//! hands out counts as sent.

use super::call::Owner;
use super::choice::{self, Choice, Means};
use super::failure::{FlowFailure, Missing, StageError};
use super::given::{Given, NotAsked};
use super::options::Client;
use super::page::Page;
use super::params;
use super::progress::Progress;
use super::prompt::{Open, Prompt, TokenRequest};
use super::request::Request;
use super::state::{Ended, Kind, MAX_AUTOMATIC, Phase, State, WaitReason};
use crate::endpoint::threepid::Medium;
use crate::time::Timestamp;
use crate::wire::{AuthData, AuthType, ChallengeBody};

/// What is to be done now.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the flow goes on by doing what this says"]
pub enum Next<'p> {
    /// Send this request. Nobody need be asked.
    Send(Request<'p>),
    /// Ask the user, and answer.
    Prompt(Prompt<'p>),
    /// Open this page.
    Page(Page<'p>),
    /// Have the server send a token to an address.
    RequestToken(TokenRequest<'p>),
    /// Every flow that could be walked proves an address, and none has been given: call
    /// [`Progress::address_given`], or [`Progress::cancel`].
    Address(Missing<'p>),
    /// The call may have been carried out already, see there.
    Uncertain(Uncertain<'p>),
    /// Ask again at that moment, or when something has happened.
    Wait {
        /// When.
        until: Timestamp,
        /// What for.
        why: WaitReason,
    },
    /// A request is on its way: hand in its answer.
    Busy,
    /// The call has succeeded. Its result was handed out by
    /// [`receive`](Client::receive), and isn't kept: it can be an access token.
    Done,
    /// The call has failed, for good; but for [`FlowFailure::NoFlow`], after which
    /// [`Progress::is_over`] is false.
    Failed(FlowFailure<'p>),
}

/// The answer to an earlier request never came, and the session that could tell what has
/// become of it is no more: the call may have taken place. Authenticating anew would make
/// it a second time.
///
/// The spec has nothing for this. Nothing is repeated here without being asked for: find
/// out whether it has happened (does the new password work?), then either
/// [`go_on`](Self::go_on) or [`cancel`](Progress::cancel).
///
/// What a client can't see is a request that something on the way sends twice: then only
/// a server that answers a resend with its result keeps the call from being made again.
#[derive(Debug)]
pub struct Uncertain<'p> {
    state: &'p mut State,
}

impl Uncertain<'_> {
    /// It may be done twice, or is known not to have been done: go on with the new session.
    pub fn go_on(self) {
        self.state.doubt = false;
        self.state.unanswered = false;
        self.state.touched();
    }
}

/// Where a stage of the flow stands, for a line such as `terms ✓ · dummy …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StageStatus {
    /// It has been completed.
    Completed,
    /// It is the next one.
    Next,
    /// It comes later.
    Later,
}

impl Client<'_> {
    /// What is to be done now. Asked again before anything has happened, it says the same.
    pub fn next<'p, const N: usize>(&'p self, progress: &'p mut Progress<N>, now: Timestamp) -> Next<'p> {
        let Progress { call, kept, state } = progress;
        self.decide(call, &kept.challenge(), state, now)
    }

    /// What `see` makes of what is to be done now. Nothing is changed, sent or ended by it:
    /// for a window that is drawn from the progress, as often as it likes.
    pub fn look<const N: usize, T>(
        &self,
        progress: &Progress<N>,
        now: Timestamp,
        see: impl FnOnce(&Next<'_>) -> T,
    ) -> T {
        let Progress { call, kept, state } = progress;
        see(&self.decide(call, &kept.challenge(), &mut state.clone(), now))
    }

    /// Answers the stage that is asked for now with what a user gave for it before.
    ///
    /// # Errors
    ///
    /// [`NotAsked`] if that is another stage, or none; then nothing has changed.
    pub fn give<'r, const N: usize>(
        &'r self,
        progress: &'r mut Progress<N>,
        given: Given<'r>,
        now: Timestamp,
    ) -> Result<Request<'r>, NotAsked> {
        if !self.look(progress, now, |next| matches!(next, Next::Prompt(prompt) if prompt.takes(&given))) {
            return Err(NotAsked);
        }
        match self.next(progress, now) {
            Next::Prompt(prompt) => prompt.answer(given).map_err(|_| NotAsked),
            _ => Err(NotAsked),
        }
    }

    /// The stages of the flow that is walked, or would be now, in order; none as long as the
    /// server has offered none that can be.
    pub fn stages<'p, const N: usize>(
        &self,
        progress: &'p Progress<N>,
    ) -> impl Iterator<Item = (AuthType<'p>, StageStatus)> + use<'p, N> {
        let challenge = progress.kept.challenge();
        let flow = match choice::choose(&challenge, progress.state.abilities(self), progress.state.flow) {
            Choice::Walk(flow, _) | Choice::Address(flow) => choice::find(&challenge, flow),
            Choice::Nothing(_) => None,
        };
        let mut next = StageStatus::Next;
        flow.map(|flow| flow.stages()).into_iter().flatten().map(move |stage| {
            if challenge.completed().any(|done| done == stage) {
                return (stage, StageStatus::Completed);
            }
            (stage, core::mem::replace(&mut next, StageStatus::Later))
        })
    }

    fn decide<'p>(
        &'p self,
        call: &'p Owner,
        challenge: &ChallengeBody<'p>,
        state: &'p mut State,
        now: Timestamp,
    ) -> Next<'p> {
        match state.phase {
            Phase::InFlight(_) => return Next::Busy,
            Phase::Done => return Next::Done,
            Phase::Failed(ended) => return Next::Failed(Self::failure(challenge, ended)),
            Phase::Ready => {}
        }
        state.number_from(now);
        state.no_later_than(now);
        if let Some((until, why)) = state.waits(now) {
            return Next::Wait { until, why };
        }
        if state.lost {
            return self.automatic(call, challenge, state, Kind::Resume, None);
        }
        if state.doubt {
            return Next::Uncertain(Uncertain { state });
        }
        if !challenge.has_flows() {
            return self.automatic(call, challenge, state, Kind::Start, None);
        }
        let abilities = state.abilities(self);
        match choice::choose_again(challenge, abilities, state.flow, &mut state.chosen.0) {
            // Not the end of it: another application, or this one with a browser, could go on.
            Choice::Nothing(flow) => {
                Next::Failed(FlowFailure::NoFlow(Missing { challenge: *challenge, abilities, flow }))
            }
            Choice::Address(flow) => {
                Next::Address(Missing { challenge: *challenge, abilities, flow: Some(flow) })
            }
            Choice::Walk(flow, stage) => {
                state.flow = Some(flow);
                match stage {
                    // Complete, but the call was not carried out: asking for it is all there is.
                    None => self.by_itself(call, challenge, state, None),
                    Some((AuthType::Dummy, _)) => {
                        self.by_itself(call, challenge, state, Some(AuthType::Dummy))
                    }
                    Some((stage, means)) => self.at_stage(call, challenge, state, stage, means, now),
                }
            }
        }
    }

    /// What nobody need be asked for, once for each state of the server.
    fn by_itself<'p>(
        &'p self,
        call: &'p Owner,
        challenge: &ChallengeBody<'p>,
        state: &'p mut State,
        stage: Option<AuthType<'static>>,
    ) -> Next<'p> {
        if state.acted {
            let refused = StageError::of(challenge).is_some();
            return self.fail(challenge, state, if refused { Ended::Refused } else { Ended::Loop });
        }
        state.acted = true;
        self.automatic(call, challenge, state, Kind::Automatic, stage)
    }

    fn automatic<'p>(
        &'p self,
        call: &'p Owner,
        challenge: &ChallengeBody<'p>,
        state: &'p mut State,
        kind: Kind,
        stage: Option<AuthType<'static>>,
    ) -> Next<'p> {
        state.automatic = state.automatic.saturating_add(1);
        if state.automatic > MAX_AUTOMATIC {
            return self.fail(challenge, state, Ended::Loop);
        }
        let number = state.send(kind);
        let session = challenge.session;
        Next::Send(match stage {
            Some(stage) => Request::attempt(stage, AuthData::Dummy, session, call, number),
            None => Request::poll(session, call, number),
        })
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn at_stage<'p>(
        &'p self,
        call: &'p Owner,
        challenge: &ChallengeBody<'p>,
        state: &'p mut State,
        stage: AuthType<'p>,
        means: Means,
        now: Timestamp,
    ) -> Next<'p> {
        let elsewhere = state.elsewhere_at(stage);
        let patience = &self.patience;
        if elsewhere.is_some_and(|begun| {
            begun.polls >= patience.max_polls || now.since(begun.since) >= patience.poll_limit
        }) {
            return self.fail(challenge, state, Ended::TimedOut);
        }
        let page = means == Means::Browser || matches!(stage, AuthType::Sso | AuthType::OAuth);
        if let (true, Some(session)) = (page, challenge.session) {
            if elsewhere.is_some() {
                let number = state.send(Kind::Poll);
                return Next::Send(Request::poll(Some(session), call, number));
            }
            let url = params::oauth_url(challenge).filter(|_| stage == AuthType::OAuth);
            return Next::Page(Page { state, patience, auth_type: stage, url, session });
        }
        let medium = match stage {
            AuthType::EmailIdentity => Some(Medium::Email),
            AuthType::Msisdn => Some(Medium::Msisdn),
            _ => None,
        };
        let error = StageError::of(challenge);
        match medium {
            Some(medium) if !state.validation(medium).sent => {
                Next::RequestToken(TokenRequest { state, medium, error, patience })
            }
            _ => {
                let open = Open { state, auth_type: stage, session: challenge.session, error, call };
                Next::Prompt(Prompt::of(open, challenge, medium))
            }
        }
    }

    fn fail<'p>(&'p self, challenge: &ChallengeBody<'p>, state: &mut State, how: Ended) -> Next<'p> {
        state.end(how);
        Next::Failed(Self::failure(challenge, how))
    }

    fn failure<'p>(challenge: &ChallengeBody<'p>, how: Ended) -> FlowFailure<'p> {
        let error = StageError::of(challenge);
        match how {
            Ended::Answer { status, meaning } => FlowFailure::Answer { status, error, meaning },
            Ended::Refused => FlowFailure::Refused(error),
            Ended::Loop => FlowFailure::Loop,
            Ended::TimedOut => FlowFailure::TimedOut,
            Ended::RateLimited(wait) => FlowFailure::RateLimited(wait),
            Ended::NoAnswer => FlowFailure::NoAnswer,
            Ended::TooLarge => FlowFailure::TooLarge,
            Ended::Cancelled => FlowFailure::Cancelled,
        }
    }
}
