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
    /// As many as are not vacant have passed.
    kinds: [Kind; MAX_STAGES],
}

/// The names of the stages that have passed, without what they proved.
#[derive(Clone, Copy)]
pub(crate) struct StageList {
    stages: [StageId; MAX_STAGES],
    len: usize,
}

impl StageList {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[StageId] {
        self.stages.get(..self.len).unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Vacant,
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
            kinds: [Kind::Vacant; MAX_STAGES],
        }
    }

    pub(crate) fn stages(&self) -> &[StageId] {
        self.stages.get(..self.len()).unwrap_or_default()
    }

    pub(crate) fn stage_list(&self) -> StageList {
        StageList { stages: self.stages, len: self.len() }
    }

    pub(crate) fn contains(&self, stage: StageId) -> bool {
        self.stages().contains(&stage)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self.kinds, [Kind::Vacant, ..])
    }

    fn len(&self) -> usize {
        self.kinds.iter().take_while(|kind| **kind != Kind::Vacant).count()
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
        !self.contains(stage) && self.set_next(stage, kind, reference)
    }

    fn set_next(&mut self, stage: StageId, kind: Kind, reference: u64) -> bool {
        let index = self.len();
        let slots = (self.stages.get_mut(index), self.kinds.get_mut(index), self.references.get_mut(index));
        let (Some(stage_slot), Some(kind_slot), Some(reference_slot)) = slots else { return false };
        (*stage_slot, *kind_slot, *reference_slot) = (stage, kind, reference);
        true
    }

    /// Writes what the session waits for into the place of the next stage.
    pub(crate) fn await_next(&mut self, stage: StageId, reference: Reference) -> bool {
        self.set_next(stage, Kind::Vacant, reference.0)
    }

    /// What stands in the place of the next stage.
    pub(crate) fn next(&self) -> Option<(StageId, Reference)> {
        let index = self.len();
        Some((*self.stages.get(index)?, Reference(*self.references.get(index)?)))
    }

    /// No stages, and the result of the call in the first place.
    pub(crate) fn of_outcome(outcome: Reference) -> Self {
        let mut none = Self::new();
        none.set_next(StageId::NONE, Kind::Vacant, outcome.0);
        none
    }

    /// The proofs; `user` is who authenticated.
    pub(crate) fn proofs(&self, user: UserRef) -> impl Iterator<Item = Proof> + Clone + '_ {
        (0..self.len()).map_while(move |index| self.proof(index, user))
    }

    /// The proof of the stage that passed as number `index`.
    pub(crate) fn proof(&self, index: usize, user: UserRef) -> Option<Proof> {
        let reference = Reference(*self.references.get(index)?);
        Some(match self.kinds.get(index)? {
            Kind::Vacant => return None,
            Kind::Nothing => Proof::Nothing,
            Kind::User => Proof::User(user),
            Kind::Threepid => Proof::Threepid(reference),
            Kind::Token => Proof::Token(reference),
            Kind::Other => Proof::Other(reference),
        })
    }
}
