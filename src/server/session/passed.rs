//! Which stages have passed, in order, and what each of them proved.

use super::proof::Proof;
use crate::server::flows::MAX_STAGES;
use crate::server::reference::{Reference, UserRef};
use crate::wire::StageId;

/// The completed stages: at most [`MAX_STAGES`], none twice.
///
/// Three arrays rather than one of pairs: a million sessions are kept, and the padding
/// between a small number and a large one would be a third of each. The place after the
/// last passed stage holds what the session waits for, or the result of its call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    references: [u64; MAX_STAGES],
    stages: [StageId; MAX_STAGES],
    kinds: [Kind; MAX_STAGES],
    len: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Nothing,
    User,
    Threepid,
    Token,
    Other,
}

impl Passed {
    pub(crate) const fn new() -> Self {
        Self {
            references: [0; MAX_STAGES],
            stages: [StageId::NONE; MAX_STAGES],
            kinds: [Kind::Nothing; MAX_STAGES],
            len: 0,
        }
    }

    pub(crate) fn stages(&self) -> &[StageId] {
        self.stages.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(crate) fn contains(&self, stage: StageId) -> bool {
        self.stages().contains(&stage)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a stage; `false` if it is there already or there is no room.
    pub(crate) fn push(&mut self, stage: StageId, proof: Proof) -> bool {
        let (kind, reference) = match proof {
            Proof::Nothing => (Kind::Nothing, 0),
            Proof::User(_) => (Kind::User, 0),
            Proof::Threepid(Reference(it)) => (Kind::Threepid, it),
            Proof::Token(Reference(it)) => (Kind::Token, it),
            Proof::Other(Reference(it)) => (Kind::Other, it),
        };
        if self.contains(stage) || !self.set_next(stage, kind, reference) {
            return false;
        }
        self.len = self.len.saturating_add(1);
        true
    }

    fn set_next(&mut self, stage: StageId, kind: Kind, reference: u64) -> bool {
        let index = usize::from(self.len);
        let slots = (self.stages.get_mut(index), self.kinds.get_mut(index), self.references.get_mut(index));
        let (Some(stage_slot), Some(kind_slot), Some(reference_slot)) = slots else { return false };
        (*stage_slot, *kind_slot, *reference_slot) = (stage, kind, reference);
        true
    }

    /// Writes what the session waits for into the place of the next stage.
    pub(crate) fn await_next(&mut self, stage: StageId, reference: Reference) -> bool {
        self.set_next(stage, Kind::Nothing, reference.0)
    }

    /// What stands in the place of the next stage.
    pub(crate) fn next(&self) -> Option<(StageId, Reference)> {
        let index = usize::from(self.len);
        Some((*self.stages.get(index)?, Reference(*self.references.get(index)?)))
    }

    /// No stages, and the result of the call in the first place.
    pub(crate) fn of_outcome(outcome: Reference) -> Self {
        let mut none = Self::new();
        none.set_next(StageId::NONE, Kind::Nothing, outcome.0);
        none
    }

    /// The proofs; `user` is who authenticated.
    pub(crate) fn proofs(&self, user: UserRef) -> impl Iterator<Item = Proof> + Clone + '_ {
        let each = self.kinds.iter().zip(&self.references).take(usize::from(self.len));
        each.map(move |(kind, reference)| match kind {
            Kind::Nothing => Proof::Nothing,
            Kind::User => Proof::User(user),
            Kind::Threepid => Proof::Threepid(Reference(*reference)),
            Kind::Token => Proof::Token(Reference(*reference)),
            Kind::Other => Proof::Other(Reference(*reference)),
        })
    }

    /// What the host has reserved for these stages.
    pub(crate) fn reservations(&self) -> impl Iterator<Item = Proof> + Clone + '_ {
        self.proofs(UserRef::new(0)).filter(|proof| proof.is_reservation())
    }
}
