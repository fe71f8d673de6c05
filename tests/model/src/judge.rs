//! What a verdict does to a session.

use matrix_uia::server::reference::Subject;
use matrix_uia::server::session::Proof;
use matrix_uia::server::verdict::StageFailure;
use matrix_uia::wire::error::ErrorCode;

use crate::answers::{Answer, Plan};
use crate::facts::{EMAIL, PASSWORD, SSO, Stage};
use crate::session::{Id, Model, State};
use crate::steps::{Answered, Live, Then, commit};

/// A verdict in the model's words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Heard {
    Passed(Proof, Option<Subject>),
    Failed(StageFailure),
    Pending(u64),
    More(u64),
    Unavailable,
    Limited,
}

/// What comes of it.
pub(crate) enum Judged {
    Passes(Live, Stage, Proof, Option<Subject>),
    /// It is not that user's, or doesn't fit the stage: what it proved is given back.
    Wrong(Fails, Option<(Id, Proof)>),
    Fails(Fails),
    Waits(Live, bool),
    /// Nothing changes.
    Ends(Plan),
}

/// A failed stage, counted unless it was a poll.
pub(crate) struct Fails {
    pub(crate) live: Live,
    pub(crate) failure: StageFailure,
    pub(crate) polled: bool,
}

/// What a verdict on the next stage of a session means.
pub(crate) fn judge(mut live: Live, answered: Answered, registers: bool) -> Judged {
    let Answered { id, stage, polled, heard, .. } = answered;
    let fails = |live, failure| Fails { live, failure, polled };
    match heard {
        Heard::Passed(proof, account) if accepts(&live.model, stage, (proof, account), registers) => {
            Judged::Passes(live, stage, proof, account)
        }
        Heard::Passed(proof, _) => {
            let unused = proof.is_reservation().then_some((id, proof));
            Judged::Wrong(fails(live, StageFailure::OtherUser), unused)
        }
        Heard::Failed(failure) => Judged::Fails(fails(live, failure)),
        Heard::Pending(reference) | Heard::More(reference) => {
            live.model.state = State::Awaiting(stage, reference);
            live.changed = true;
            Judged::Waits(live, matches!(heard, Heard::More(_)))
        }
        Heard::Unavailable => Judged::Ends(Plan::error(503, ErrorCode::Unknown)),
        Heard::Limited => Judged::Ends(Plan::error(429, ErrorCode::LimitExceeded)),
    }
}

/// Whether what was proved is of the user whom the session is for, and fits the stage.
fn accepts(
    model: &Model,
    stage: Stage,
    (proof, account): (Proof, Option<Subject>),
    registers: bool,
) -> bool {
    let theirs = |account: Subject| model.user().is_none_or(|user| user == account.user);
    let fits = match proof {
        Proof::Threepid(_) => stage == EMAIL,
        Proof::User(_) => stage != EMAIL,
        // Who registers is nobody yet: a provider vouches for whoever it is.
        _ if stage == SSO => registers && model.user().is_none(),
        _ => stage != EMAIL && stage != PASSWORD,
    };
    fits && account.is_none_or(theirs)
}

impl Fails {
    /// The error that is answered, and whether it stands in the place of the 401.
    pub(crate) fn answer(&self) -> (u16, ErrorCode) {
        match self.failure {
            StageFailure::Credentials => (401, ErrorCode::Forbidden),
            StageFailure::OtherUser | StageFailure::UnknownThreepid => (403, ErrorCode::Forbidden),
            StageFailure::Captcha => (401, ErrorCode::CaptchaInvalid),
            StageFailure::Threepid => (401, ErrorCode::ThreepidAuthFailed),
            StageFailure::UnownedThreepid => (404, ErrorCode::ThreepidNotFound),
            _ => (401, ErrorCode::Unauthorized),
        }
    }

    /// The session with the failure counted. An answer without the state changes nothing
    /// that the state would have shown.
    pub(crate) fn counted(self) -> Live {
        let shows_state = self.answer().0 == 401;
        let Self { mut live, polled, .. } = self;
        if !shows_state {
            (live.model, live.changed, live.keep) = (live.before.clone(), false, false);
        }
        if !polled {
            live.model.failures += 1;
            live.changed = true;
        }
        live
    }
}

impl Judged {
    pub(crate) fn into_then(self, turn: &crate::steps::Turn<'_>) -> Then {
        let (fails, unused) = match self {
            Self::Passes(live, stage, proof, account) => return turn.pass(live, stage, proof, account),
            Self::Ends(plan) => return commit(plan),
            Self::Waits(live, more) => {
                let mut plan = turn.challenge(&live, true, None);
                if let Some(Answer::Challenge { extra, .. }) = &mut plan.answer {
                    *extra = more;
                }
                return commit(plan);
            }
            Self::Fails(fails) => (fails, None),
            Self::Wrong(fails, unused) => (fails, unused),
        };
        let (status, code) = fails.answer();
        let live = fails.counted();
        commit(if status == 401 {
            turn.challenge(&live, true, Some(code)).and_unused(unused)
        } else {
            // A session the client never hears of is not kept.
            let put = live.put().filter(|_| !live.new);
            Plan { put, ..turn.error(status, code) }.and_unused(unused)
        })
    }
}
