//! What a store can forget.

use matrix_uia::testkit::adapter::Promise;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $promise:ident,)+) => {
        /// What a store forgets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            /// Nothing.
            None,
            $($(#[$doc])* $name,)+
        }

        impl Fault {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The promise that is broken.
            pub const fn promise(self) -> Option<Promise> {
                match self {
                    Self::None => None,
                    $(Self::$name => Some(Promise::$promise),)+
                }
            }
        }
    };
}

faults! {
    /// It never answers again after its connection was cut.
    StaysCut = Answer,
    /// A replaced session keeps its old value.
    ReplacesNothing = LoadWhatWasStored,
    /// What is kept is dropped by a write that keeps nothing.
    DropsWhatIsKept = KeepWhatIsKept,
    /// What is kept is replaced by a write that should not.
    KeepsAlways = KeepWhatIsKept,
    /// A session is replaced whatever its revision.
    ReplacesAnyRevision = CompareRevisions,
    /// A session is removed whatever its revision.
    RemovesAnyRevision = CompareRevisions,
    /// A new session overwrites another of its ID.
    InsertsOverAnother = CompareRevisions,
    /// The revision is compared in one step and written in another.
    ComparesTooSoon = OneWinner,
    /// A session is removed although the one that is put is lost.
    RemovesBeforeItLoses = AllOrNothing,
    /// What was written before the connection was cut stays.
    StoresHalf = AllOrNothing,
    /// A session expires a little too early.
    ExpiresEarly = ExpireNeverEarly,
    /// A consumed session's time counts from its making.
    TombstonesDieYoung = ExpireNeverEarly,
    /// Consumed sessions stay for ever.
    TombstonesStay = ExpireInTheEnd,
    /// A claimed session has no more time than any other.
    ClaimsDieYoung = WaitForClaims,
    /// Two that sweep at once both get a session.
    HandsBackTwice = HandBackOnce,
    /// An evicted session is not handed back.
    EvictsSilently = HandBackOnce,
    /// An owner has no bound.
    OwnersUnbounded = BoundOwners,
    /// A session of nobody counts against a bound.
    NobodyIsAnOwner = BoundOwners,
    /// The store has no bound.
    Unbounded = BoundAll,
    /// The newest is evicted first.
    EvictsTheNewest = EvictByWorth,
    /// A session that has proved something is evicted for another owner.
    EvictsForAnybody = EvictByWorth,
    /// A claimed or consumed session is evicted for its owner.
    EvictsTheHeld = EvictByWorth,
    /// What has run out does not make room.
    KeepsWhatHasRunOut = EvictByWorth,
    /// A full store has no idea when there is room.
    SaysNoTime = SayHowLong,
    /// The version of a value is not looked at.
    ReadsAnyVersion = RefuseOtherVersions,
    /// A value that can't be read is never handed back.
    HidesTheUnreadable = RefuseOtherVersions,
    /// Sessions are stored under their IDs.
    StoresIds = StoreNoId,
}
