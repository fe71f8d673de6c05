//! How a flow ends when it doesn't succeed.

use core::fmt;

use super::choice::{self, Abilities, FlowId, Means};
use super::meaning::SessionImpact;
use super::printable::Printable;
use crate::text::Text;
use crate::time::Millis;
use crate::wire::error::AnyCode;
use crate::wire::{AuthType, ChallengeBody};

/// What the server said when it said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageError<'p> {
    /// `errcode`.
    pub code: Option<AnyCode<'p>>,
    /// `error`, for people.
    pub message: Option<Text<'p>>,
}

impl<'p> StageError<'p> {
    pub(super) fn of(challenge: &ChallengeBody<'p>) -> Option<Self> {
        let (code, message) = (challenge.code, challenge.message);
        (code.is_some() || message.is_some()).then_some(Self { code, message })
    }
}

/// Why a flow has ended without success. It stays ended, whatever comes after.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum FlowFailure<'p> {
    /// The server said no, or something that is no answer of a homeserver's.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The error, if the body was one.
        error: Option<StageError<'p>>,
        /// What it means for the stored session.
        meaning: SessionImpact,
    },
    /// No flow can be walked by this application, as it is. This is no end: the progress
    /// goes on with a [`Client`](super::Client) that can do more.
    NoFlow(Missing<'p>),
    /// A stage was refused, and nobody is there to answer otherwise: `m.login.dummy`, or any
    /// of an [`unattended`](super::Client::unattended) client's.
    Refused(Option<StageError<'p>>),
    /// The server repeats itself: always the same state and no error, or a new session over
    /// and over.
    Loop,
    /// A stage that is completed elsewhere was not, within [`Patience`](super::Patience).
    TimedOut,
    /// The server limits every attempt. The wait it asked for last, if any.
    RateLimited(Option<Millis>),
    /// No answer came that a homeserver gives, however often it was tried. Nothing is
    /// decided: what is stored of the flow, and of the login, stays good.
    NoAnswer,
    /// The challenge is longer than the progress has room for.
    TooLarge,
    /// The application cancelled it.
    Cancelled,
}

impl FlowFailure<'_> {
    /// What it means for the stored session.
    #[must_use]
    pub const fn meaning(&self) -> SessionImpact {
        match self {
            Self::Answer { meaning, .. } => *meaning,
            Self::RateLimited(wait) => SessionImpact::RateLimited(*wait),
            _ => SessionImpact::Keep,
        }
    }
}

/// The stages of a flow that the application can't do: those of the flow that comes
/// closest, so that it is clear what would help.
#[derive(Clone, Copy, Debug)]
pub struct Missing<'p> {
    pub(super) challenge: ChallengeBody<'p>,
    pub(super) abilities: Abilities<'p>,
    pub(super) flow: Option<FlowId>,
}

impl<'p> Missing<'p> {
    /// The stages, in the flow's order; none if the server offers no flow at all.
    pub fn stages(&self) -> impl Iterator<Item = AuthType<'p>> + use<'p> {
        let Self { challenge, abilities, flow } = *self;
        let stages = flow.and_then(|flow| choice::find(&challenge, flow)).map(|flow| flow.stages());
        stages.into_iter().flatten().filter(move |stage| {
            let done = challenge.completed().any(|done| done == *stage);
            !done && matches!(abilities.means(&challenge, *stage), Means::Nobody | Means::WithAddress)
        })
    }
}

/// In words, for a log or a terminal: what comes from the server has no character in it
/// that moves a cursor or turns a line round.
impl fmt::Display for FlowFailure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, error, meaning: _ } => {
                write!(f, "the server says no ({status}")?;
                said(f, *error)?;
                f.write_str(")")
            }
            Self::NoFlow(missing) => {
                f.write_str("the server offers no flow that can be done here")?;
                for (n, stage) in missing.stages().enumerate() {
                    let before = if n == 0 { "; missing: " } else { ", " };
                    write!(f, "{before}{}", Printable(stage.name()))?;
                }
                Ok(())
            }
            Self::Refused(error) => {
                f.write_str("the server refuses the answer")?;
                said(f, *error)
            }
            Self::Loop => f.write_str("the server leads in circles"),
            Self::TimedOut => f.write_str("a stage was not completed in time"),
            Self::RateLimited(Some(wait)) => {
                write!(f, "too many requests; try again in {} s", wait.get().div_ceil(1_000))
            }
            Self::RateLimited(None) => f.write_str("too many requests"),
            Self::NoAnswer => f.write_str("no answer of a homeserver came"),
            Self::TooLarge => f.write_str("the challenge is longer than there is room for"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

fn said(f: &mut fmt::Formatter<'_>, error: Option<StageError<'_>>) -> fmt::Result {
    let Some(StageError { code, message }) = error else { return Ok(()) };
    if let Some(code) = code {
        write!(f, ", {}", Printable(code.name()))?;
    }
    message.map_or(Ok(()), |message| write!(f, ": {}", Printable(message)))
}

impl core::error::Error for FlowFailure<'_> {}
