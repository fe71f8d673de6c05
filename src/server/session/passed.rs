//! Which stages have passed, in order, and what each of them proved.

use serde::{Deserialize, Serialize};

use crate::server::flows::MAX_STAGES;
use crate::server::operation::{Reference, UserRef};
use crate::wire::StageId;

/// What a passed stage proved, by reference of the host's choosing.
///
/// It is kept in the session beside the stage and handed back with the grant: the
/// registration binds that 3PID, the reset acts on that account, the token is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Proof {
    /// Nothing that matters later.
    #[default]
    Nothing,
    /// That this user is at the other end. The only proof a password or SSO stage takes.
    User(UserRef),
    /// A validated 3PID, claimed for this session.
    Threepid(Reference),
    /// The reservation of a registration token.
    Token(Reference),
    /// Anything else.
    Other(Reference),
}

/// The completed stages: at most [`MAX_STAGES`], none twice.
///
/// Three arrays rather than one of pairs: a million sessions are kept, and the padding
/// between a small number and a large one would be a third of each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    stages: [StageId; MAX_STAGES],
    kinds: [Kind; MAX_STAGES],
    references: [u64; MAX_STAGES],
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
    pub(crate) fn new() -> Self {
        Self {
            stages: [StageId::default(); MAX_STAGES],
            kinds: [Kind::Nothing; MAX_STAGES],
            references: [0; MAX_STAGES],
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
        if self.contains(stage) {
            return false;
        }
        let index = usize::from(self.len);
        let (kind, reference) = match proof {
            Proof::Nothing => (Kind::Nothing, 0),
            Proof::User(UserRef(user)) => (Kind::User, user),
            Proof::Threepid(Reference(it)) => (Kind::Threepid, it),
            Proof::Token(Reference(it)) => (Kind::Token, it),
            Proof::Other(Reference(it)) => (Kind::Other, it),
        };
        let slots = (self.stages.get_mut(index), self.kinds.get_mut(index), self.references.get_mut(index));
        let (Some(stage_slot), Some(kind_slot), Some(reference_slot)) = slots else { return false };
        (*stage_slot, *kind_slot, *reference_slot) = (stage, kind, reference);
        self.len = self.len.saturating_add(1);
        true
    }

    pub(crate) fn proofs(&self) -> impl Iterator<Item = Proof> + '_ {
        let each = self.kinds.iter().zip(&self.references).take(usize::from(self.len));
        each.map(|(kind, reference)| match kind {
            Kind::Nothing => Proof::Nothing,
            Kind::User => Proof::User(UserRef(*reference)),
            Kind::Threepid => Proof::Threepid(Reference(*reference)),
            Kind::Token => Proof::Token(Reference(*reference)),
            Kind::Other => Proof::Other(Reference(*reference)),
        })
    }

    /// The user that the stages proved, if any did.
    pub(crate) fn user(&self) -> Option<UserRef> {
        self.proofs().find_map(|proof| match proof {
            Proof::User(user) => Some(user),
            _ => None,
        })
    }
}
