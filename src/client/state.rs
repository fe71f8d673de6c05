//! What a progress keeps beside the last challenge: where the flow stands, what is waited
//! for, and the counters that make every loop end.

use serde::{Deserialize, Serialize};

use super::choice::{Abilities, Chosen, FlowId};
use super::meaning::SessionImpact;
use super::options::Client;
use super::recalled::Recalled;
use crate::endpoint::threepid::Medium;
use crate::time::{Millis, Timestamp};
use crate::wire::{AuthType, ChallengeBody, Fnv};

/// Automatic requests in a row, with nothing from the application in between: the first
/// one, a dummy, a request that only asks how things stand. More than these is a server
/// that leads in circles.
pub(super) const MAX_AUTOMATIC: u8 = 8;
/// How often an answer may leave everything as it was without saying why.
pub(super) const MAX_SAME: u8 = 3;
/// The same for a stage of a type the spec doesn't know: it can take several requests.
pub(super) const MAX_STEPS: u8 = 16;
/// How often a server may begin anew, or take back what it had said is completed, until a
/// stage passes that never had before.
pub(super) const MAX_RESTARTS: u8 = 5;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// Number of the last request.
    pub(super) ticket: u32,
    /// The flow that is walked.
    pub(super) flow: Option<FlowId>,
    pub(super) pause: Option<Pause>,
    pub(super) elsewhere: Option<Elsewhere>,
    pub(super) email: Validation,
    pub(super) phone: Validation,
    /// A request was not answered, and how things stand has to be asked.
    pub(super) lost: bool,
    /// The stage's last answer was not judged: the same may be given again.
    pub(super) again: bool,
    /// Some request of this session that may have completed it was never answered.
    pub(super) unanswered: bool,
    /// And the server has begun anew since.
    pub(super) doubt: bool,
    /// The engine has acted by itself, and the server is where it was before.
    pub(super) acted: bool,
    pub(super) same: u8,
    pub(super) automatic: u8,
    pub(super) retries: u8,
    /// The answer on its way is a credential, and not a consent.
    pub(super) secret: bool,
    /// How often the server has begun anew since `best` last grew.
    pub(super) restarts: u8,
    /// The most stages that were ever completed at once.
    pub(super) best: u8,
    /// The last choice of a flow, until the challenge offers something else.
    #[serde(skip)]
    pub(super) chosen: Recalled<Option<Chosen>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Ready,
    /// One request is on its way, and no other may be.
    InFlight(Kind),
    Done,
    Failed(Ended),
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// To get the first challenge.
    Start,
    /// To learn how things stand.
    Resume,
    /// A stage nobody has to answer.
    Automatic,
    /// A stage the application answered.
    Submit,
    /// The same, of a type the spec doesn't know.
    SubmitCustom,
    /// Whether a stage has been completed elsewhere.
    Poll,
}

impl Kind {
    pub(super) const fn is_submit(self) -> bool {
        matches!(self, Self::Submit | Self::SubmitCustom)
    }
}

/// A failure as it is kept; its words stand with the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ended {
    Answer { status: u16, meaning: SessionImpact },
    Refused,
    Loop,
    TimedOut,
    RateLimited(Option<Millis>),
    NoAnswer,
    TooLarge,
    Cancelled,
}

/// Nothing is sent before a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pause {
    pub(super) from: Timestamp,
    pub(super) span: Millis,
    pub(super) why: WaitReason,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WaitReason {
    /// The server asked for it, with a 429.
    RateLimited,
    /// No answer came; it is tried again.
    NoAnswer,
    /// A stage is being completed elsewhere; it is asked about again then.
    Elsewhere,
}

/// A stage that is being completed elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Elsewhere {
    pub(super) stage: StageName,
    pub(super) since: Timestamp,
    pub(super) polls: u16,
}

/// The validation of an address, as far as it is known here: its secret is the
/// application's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validation {
    pub(super) has_address: bool,
    pub(super) send_attempt: u32,
    pub(super) sent: bool,
}

/// A stage by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct StageName(u64);

impl StageName {
    fn of(stage: AuthType<'_>) -> Self {
        let mut hash = Fnv::new();
        hash.text(stage.name());
        Self(hash.finish())
    }
}

impl State {
    pub(super) const fn new() -> Self {
        const UNKNOWN: Validation = Validation { has_address: false, send_attempt: 0, sent: false };
        Self {
            phase: Phase::Ready,
            ticket: 0,
            flow: None,
            pause: None,
            elsewhere: None,
            email: UNKNOWN,
            phone: UNKNOWN,
            lost: false,
            again: false,
            unanswered: false,
            doubt: false,
            acted: false,
            same: 0,
            automatic: 0,
            retries: 0,
            secret: false,
            restarts: 0,
            best: 0,
            chosen: Recalled(None),
        }
    }

    pub(super) const fn abilities<'c>(&self, client: &'c Client<'c>) -> Abilities<'c> {
        Abilities { client, email: self.email.has_address, phone: self.phone.has_address }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Done | Phase::Failed(_))
    }

    pub(super) const fn end(&mut self, how: Ended) {
        self.phase = Phase::Failed(how);
    }

    /// Has the numbers of the requests begin where those of no other progress of the call do:
    /// at the time of the first step.
    pub(super) const fn number_from(&mut self, now: Timestamp) {
        if self.ticket == 0 {
            // The odd factor keeps the numbers of two that begin within milliseconds apart.
            let spread = now.as_millis().wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.ticket = (spread >> 32) as u32 | 1;
        }
    }

    /// Marks a request as sent and numbers it.
    pub(super) const fn send(&mut self, kind: Kind) -> u32 {
        self.phase = Phase::InFlight(kind);
        self.ticket = self.ticket.wrapping_add(1);
        self.ticket
    }

    /// The request that is on its way was never sent.
    pub(super) fn take_back(&mut self, kind: Kind) {
        self.phase = Phase::Ready;
        self.acted = false;
        self.again |= kind.is_submit();
        self.automatic = self.automatic.saturating_sub(1);
    }

    /// Counts what an answer says has been completed; whether the server has begun anew
    /// too often. Only a stage that passes for the first time sets the count back, since a
    /// server can take back and pass the same one for ever.
    pub(super) fn circles(&mut self, completed: usize, fell_back: bool) -> bool {
        let completed = u8::try_from(completed).unwrap_or(u8::MAX);
        if completed > self.best {
            self.best = completed;
            self.restarts = 0;
        } else if fell_back {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.restarts > MAX_RESTARTS
    }

    /// The application did something: whatever happens by itself is counted anew.
    pub(super) const fn touched(&mut self) {
        self.automatic = 0;
    }

    pub(super) const fn pause(&mut self, from: Timestamp, span: Millis, why: WaitReason) {
        self.pause = Some(Pause { from, span, why });
    }

    /// Counts what began later than `now` from now on: the clock was set back, and what is
    /// waited for would otherwise end by a time that may be years away (lesson 104).
    pub(super) fn no_later_than(&mut self, now: Timestamp) {
        if let Some(pause) = &mut self.pause {
            pause.from = pause.from.min(now);
        }
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.since = elsewhere.since.min(now);
        }
    }

    /// Until when nothing is sent, if that isn't over.
    pub(super) fn waits(&mut self, now: Timestamp) -> Option<(Timestamp, WaitReason)> {
        let pause = self.pause?;
        if now.since(pause.from) >= pause.span {
            self.pause = None;
            return None;
        }
        Some((pause.from.after(pause.span), pause.why))
    }

    /// That a stage is being completed elsewhere from now on.
    pub(super) fn begin_elsewhere(&mut self, stage: AuthType<'_>, now: Timestamp, wait: Millis) {
        self.touched();
        self.elsewhere = Some(Elsewhere { stage: StageName::of(stage), since: now, polls: 0 });
        self.pause(now, wait, WaitReason::Elsewhere);
    }

    /// The same stage's record, if it is the one being completed elsewhere.
    pub(super) fn elsewhere_at(&self, stage: AuthType<'_>) -> Option<Elsewhere> {
        self.elsewhere.filter(|elsewhere| elsewhere.stage == StageName::of(stage))
    }

    /// The answer to a request of that kind was lost, and with it what has become of it.
    pub(super) fn lose(&mut self, kind: Kind, has_session: bool) {
        // It is to be sent again, and counted then.
        self.take_back(kind);
        if kind == Kind::Start {
            return;
        }
        self.unanswered = true;
        // A stage completed elsewhere is asked about anyway.
        self.lost = has_session && kind != Kind::Poll;
        // Without a session nothing could be asked, and the same again might be done twice.
        self.doubt |= !has_session;
    }

    /// Whether a flow can lead to this state, with that as the last challenge. A value that
    /// was read back need not have come from here.
    pub(super) fn is_sound(&self, challenge: &ChallengeBody<'_>) -> bool {
        let (has_flows, has_session) = (challenge.has_flows(), challenge.session.is_some());
        let phase = match self.phase {
            // What ended may have taken the challenge with it.
            Phase::Done | Phase::Failed(_) => return true,
            Phase::Ready => true,
            Phase::InFlight(Kind::Start) => !has_flows,
            Phase::InFlight(Kind::Resume) => self.lost,
            Phase::InFlight(Kind::Automatic) => has_flows && self.acted,
            Phase::InFlight(Kind::Submit | Kind::SubmitCustom) => has_flows,
            Phase::InFlight(Kind::Poll) => has_flows && has_session && self.elsewhere.is_some(),
        };
        let waits_elsewhere = self.pause.is_some_and(|pause| pause.why == WaitReason::Elsewhere);
        phase
            && (has_session || !self.lost)
            && (self.unanswered || !self.doubt)
            && (self.elsewhere.is_some() || !waits_elsewhere)
            && self.same < MAX_STEPS
            && self.automatic <= MAX_AUTOMATIC
            && self.restarts <= MAX_RESTARTS
            && [self.email, self.phone].iter().all(|it| it.send_attempt > 0 || !it.sent)
    }

    pub(super) const fn validation(&mut self, medium: Medium) -> &mut Validation {
        match medium {
            Medium::Email => &mut self.email,
            Medium::Msisdn => &mut self.phone,
        }
    }
}

/// The stage that proves an address of that kind.
pub(super) const fn stage_of(medium: Medium) -> AuthType<'static> {
    match medium {
        Medium::Email => AuthType::EmailIdentity,
        Medium::Msisdn => AuthType::Msisdn,
    }
}
