//! What a host owes to the exchange, and what came of testing it.

use alloc::vec::Vec;
use core::fmt;

macro_rules! duties {
    ($($(#[$doc:meta])* $name:ident = $fault:expr;)+) => {
        /// A duty of a host: what the kit looks after.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Duty {
            $($(#[$doc])* $name,)+
        }

        impl Duty {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The number of the fault that forgets this duty, in the list of faults that were
            /// found in integrations; `None` if it is not one of them.
            #[must_use]
            pub const fn fault(self) -> Option<u8> {
                match self {
                    $(Self::$name => $fault,)+
                }
            }
        }
    };
}

duties! {
    /// Store the session of a challenge before the challenge is sent.
    StoreTheChallenge = Some(1);
    /// Keep the parameters beside the session where [`Change::Put`](crate::server::commit::Change::Put) says so.
    KeepParameters = Some(2);
    /// The same where the session is claimed.
    KeepParametersWithTheClaim = Some(3);
    /// Give back what a stage has reserved and the session has no use for.
    GiveBackTheUnused = Some(4);
    /// Remove a session that has ended, and give back what was reserved for it.
    EndTheSession = Some(5);
    /// Store the claim before the call is performed, if the host is of that kind.
    StoreTheClaim = Some(6);
    /// Tell the account's status at every load.
    TellTheStatus = Some(7);
    /// Read the account's epoch anew at every load.
    ReadTheEpochAnew = Some(8);
    /// Report a call that was refused, so that its session can be used again.
    ReportTheRefusal = Some(9);
    /// Undo what a refused call has written.
    UndoTheRefused = Some(10);
    /// Store that the session is consumed.
    ConsumeTheSession = Some(11);
    /// Store a failed attempt.
    StoreTheFailure = Some(12);
    /// Report a commit that has lost its race.
    ReportTheLostRace = Some(13);
    /// Make session IDs from fresh entropy.
    FreshEntropy = Some(14);
    /// Count the account's epoch up when its credentials change.
    CountTheEpoch = Some(15);
    /// Stamp a success with the time when it happened.
    StampTheSuccess = Some(16);
    /// Carry out every effect of a call.
    CarryOutTheEffects = Some(17);
    /// Read the account's status anew at every load.
    ReadTheStatusAnew = Some(18);
    /// Spend what was reserved when its call succeeds.
    SpendTheReservation = Some(20);
    /// Say that the store is full, and store nothing then.
    SayThatItIsFull = None;
    /// Tell the account that a stage has named as it is now, at every question.
    ReadTheNamedAccountAnew = None;
    /// Go on after a commit that has lost: load again, and try again.
    TryAgainAfterALoss = None;
    /// Store what a call has done and the end of its session together, or the session after it.
    StoreTheCallFirst = None;
    /// Read the time at every load, not once for a request.
    ReadTheClockAnew = None;
    /// Carry a call out once, whatever is dropped, repeated or raced.
    DoNothingTwice = None;
    /// Leave a record of a call in the act that carries it out, and tell it when it is recalled.
    LeaveARecord = None;
    /// Go on with a session whose last request was dropped.
    GoOnAfterADrop = None;
    /// Leave nothing reserved when sessions are over.
    LeaveNothingReserved = None;
    /// Carry a deactivation out to its end, also if its request was dropped.
    FinishTheDeactivation = None;
    /// Answer every request as the exchange says.
    AnswerAsTold = None;
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A duty that was forgotten, and what showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The duty.
    pub duty: Duty,
    /// The scenario.
    pub scenario: &'static str,
    /// What was seen.
    pub seen: &'static str,
}

/// Every duty that was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// What was seen, in the order of the scenarios; at least one.
    pub violations: Vec<Violation>,
}

impl Forgotten {
    /// The duties, each once.
    pub fn duties(&self) -> impl Iterator<Item = Duty> + '_ {
        let forgotten = |duty: &Duty| self.violations.iter().any(|it| it.duty == *duty);
        Duty::ALL.iter().copied().filter(move |duty| forgotten(duty))
    }
}

impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host forgot:")?;
        for Violation { duty, scenario, seen } in &self.violations {
            write!(f, "\n  {duty}: {seen} ({scenario})")?;
        }
        Ok(())
    }
}

impl core::error::Error for Forgotten {}

/// How much was tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Scenarios that ran.
    pub scenarios: usize,
    /// Requests that were sent.
    pub requests: usize,
    /// Of these, how many were dropped while they waited.
    pub drops: usize,
    /// How often something else happened while a request waited.
    pub interleavings: usize,
    /// Calls that were made without an access token, by a password alone: 0 if the host's policy
    /// has no flow for them.
    pub without_token: usize,
    /// How often the host was made to lose a commit: 0 if it can't.
    pub losses: usize,
}
