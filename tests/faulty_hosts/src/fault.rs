//! What a host may forget.

use matrix_uia::testkit::Duty;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident: $duty:ident;)+) => {
        /// What the host forgets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            /// Nothing.
            None,
            $($(#[$doc])* $name,)+
        }

        impl Fault {
            /// All faults.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The duty that the fault forgets.
            pub fn duty(self) -> Option<Duty> {
                match self {
                    Self::None => None,
                    $(Self::$name => Some(Duty::$duty),)+
                }
            }
        }
    };
}

faults! {
    /// A new session is not stored.
    ChallengeNotStored: StoreTheChallenge;
    /// Nothing is kept beside an open session.
    ParametersNotKept: KeepParameters;
    /// Nothing is kept beside a claimed session.
    ParametersOfAClaimNotKept: KeepParametersWithTheClaim;
    /// What was proved and not used is not given back.
    UnusedNotGivenBack: GiveBackTheUnused;
    /// A session that ended is left as it was.
    EndedNotRemoved: EndTheSession;
    /// A claim is not stored.
    ClaimNotStored: StoreTheClaim;
    /// Every account is said to be in use.
    StatusNotTold: TellTheStatus;
    /// The epoch is that of the first load of a request.
    EpochReadOnce: ReadTheEpochAnew;
    /// A refusal is answered, and not reported to the exchange.
    RefusalNotReported: ReportTheRefusal;
    /// What a refused call has written stays.
    RefusedNotUndone: UndoTheRefused;
    /// A consumed session is not stored.
    ConsumedNotStored: ConsumeTheSession;
    /// A counted failure is not stored.
    FailureNotStored: StoreTheFailure;
    /// A lost commit is reported as stored.
    LossNotReported: ReportTheLostRace;
    /// A lost commit is answered with an error, and nothing is loaded again.
    LossNotTriedAgain: TryAgainAfterALoss;
    /// All sessions have one ID.
    ConstantEntropy: FreshEntropy;
    /// The epoch never changes.
    ConstantEpoch: CountTheEpoch;
    /// Success is stamped with time zero.
    StampedWithZero: StampTheSuccess;
    /// Devices are not logged out.
    EffectSkipped: CarryOutTheEffects;
    /// The status is that of the first load of a request.
    StatusReadOnce: ReadTheStatusAnew;
    /// The account that a stage has named is that of the first look of a request.
    NamedAccountReadOnce: ReadTheNamedAccountAnew;
    /// What was reserved is not spent.
    ReservationNotSpent: SpendTheReservation;
    /// A full store is not reported.
    FullNotReported: SayThatItIsFull;
    /// The session is stored before what its call writes.
    SessionStoredFirst: StoreTheCallFirst;
    /// The time is that of the arrival.
    ClockReadOnce: ReadTheClockAnew;
    /// No record of a call is left.
    NoRecord: LeaveARecord;
    /// Nobody can ever tell what became of a call.
    NothingRecalled: GoOnAfterADrop;
    /// What a dropped request has reserved stays reserved.
    OrphansLeft: LeaveNothingReserved;
    /// A deactivation that was interrupted is not taken up again.
    NotResumed: FinishTheDeactivation;
}
